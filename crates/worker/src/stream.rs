//! A response on its way to a caller who reads it while the function writes it.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::limits;

/// A piece of a streamed response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamPart {
    /// The response begins; only a streamed one has a head.
    Head {
        /// The `Content-Type` that the runtime gave it.
        content_type: Option<String>,
    },
    /// A piece of its body, as the runtime wrote it.
    Chunk(Bytes),
}

/// Makes the two ends of a stream. A function that writes faster than its caller reads waits for it; a caller who
/// goes away does not stop the function.
pub fn response_stream() -> (mpsc::Sender<StreamPart>, mpsc::Receiver<StreamPart>) {
    mpsc::channel(limits::STREAM_PARTS_MAX)
}
