//! The server's end of what it and the launcher say to each other: first the order, then the report.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The surroundings could not be made.
pub(super) const SETUP: u8 = b'S';

/// The surroundings are there, but the program cannot be executed in them.
pub(super) const PROGRAM: u8 = b'P';

/// Longest report that is read, in bytes.
const BYTES_MAX: u64 = 4096;

/// What the launcher said.
pub(super) enum Said {
    /// The program runs.
    Runs,
    /// The surroundings could not be made, for this reason.
    NoRoom(String),
    /// The program cannot be executed, for this reason.
    NoProgram(String),
}

/// Makes the two ends; the launcher's becomes its standard input.
pub(super) fn pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs.into()))
}

/// Gives the launcher its order and waits until it has done its part.
pub(super) async fn give(mut socket: UnixStream, order: &[u8]) -> Said {
    // A launcher that does not listen has something to say, or has ended, which its exit tells.
    let _ = socket.write_all(order).await;
    let _ = socket.shutdown().await;
    let mut said = Vec::new();
    // A socket that breaks says no more than one that is closed.
    let _ = socket.take(BYTES_MAX).read_to_end(&mut said).await;
    match said.split_first() {
        None => Said::Runs,
        Some((&PROGRAM, reason)) => Said::NoProgram(String::from_utf8_lossy(reason).into_owned()),
        Some((_, reason)) => Said::NoRoom(String::from_utf8_lossy(reason).into_owned()),
    }
}
