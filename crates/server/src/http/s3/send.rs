//! The content of an object on its way out: from disk as the client takes it.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::HttpBody;
use bytes::Bytes;
use s3s::dto::StreamingBlob;
use tokio::task::JoinHandle;

use crate::limits::OBJECT_READ_BYTES;
use crate::objects::content::Reader;

/// Returns a range of an object as a body.
///
/// # Errors
/// The disk's.
pub fn send(mut reader: Reader, range: Range<u64>) -> std::io::Result<StreamingBlob> {
    reader.seek(SeekFrom::Start(range.start))?;
    let state = State::Idle(reader);
    Ok(s3s::Body::http_body_unsync(Sending { state, left: range.end - range.start }).into())
}

struct Sending {
    state: State,
    left: u64,
}

enum State {
    Idle(Reader),
    Reading(JoinHandle<std::io::Result<(Reader, Bytes)>>),
    /// At the end, or after a failure.
    Over,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<http_body::Frame<Bytes>>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Poll::Ready(None),
                State::Idle(_) if self.left == 0 => {}
                State::Idle(reader) => {
                    let length = self.left.min(OBJECT_READ_BYTES as u64) as usize;
                    self.state = State::Reading(tokio::task::spawn_blocking(move || read(reader, length)));
                }
                State::Reading(mut reading) => {
                    let read = Pin::new(&mut reading).poll(context);
                    if read.is_pending() {
                        self.state = State::Reading(reading);
                    }
                    let (reader, bytes) = ready!(read).expect("reading does not panic")?;
                    self.left -= bytes.len() as u64;
                    self.state = State::Idle(reader);
                    return Poll::Ready(Some(Ok(http_body::Frame::data(bytes))));
                }
            }
        }
    }
}

fn read(mut reader: Reader, length: usize) -> std::io::Result<(Reader, Bytes)> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok((reader, bytes.into()))
}
