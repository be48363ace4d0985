//! A backup, sent while it is written.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use tokio::runtime::Handle;

use crate::backup;
use crate::http::Services;
use crate::http::request::Response;

/// Bytes that are sent at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Pieces that may wait for the network.
const PIECES_MAX: usize = 4;

/// Sends a backup. One that fails half-way is broken off, and so has no manifest.
pub fn get(services: &Services) -> Response {
    let (store, data) = (Arc::clone(&services.store), services.data.clone());
    let (sender, body) = Channel::<Bytes, io::Error>::new(PIECES_MAX);
    let runtime = Handle::current();
    let frozen = (services.objects.content().freeze(), services.code.freeze());
    tokio::task::spawn_blocking(move || {
        let mut output = io::BufWriter::with_capacity(PIECE_BYTES, Output { sender, runtime });
        let written = backup::write(&store, &data, &mut output);
        drop(frozen);
        // The writer must not write what is left of a backup that failed.
        let (output, _) = output.into_parts();
        match written {
            Ok(()) => tracing::info!("a backup was sent"),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "a backup was broken off");
                output.sender.abort(io::Error::other("the backup failed; the server's log says why"));
            }
        }
    });
    Response::bytes(200, Body::new(body)).with_header("content-type", "application/x-tar")
}

struct Output {
    sender: Sender<Bytes, io::Error>,
    runtime: Handle,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.runtime.block_on(self.sender.send_data(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the client is gone"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
