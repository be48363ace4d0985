//! The server's end of what it and the launcher say to each other: first the order, then the report.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::limits::{LAUNCH_LIMIT, LAUNCH_REPORT_BYTES_MAX};

/// The surroundings could not be made.
pub(super) const SETUP: u8 = b'S';

/// The surroundings are there, but the program cannot be executed in them.
pub(super) const PROGRAM: u8 = b'P';

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

/// Gives the launcher its order and waits until it has done its part, but not for ever.
pub(super) async fn give(socket: UnixStream, order: &[u8]) -> Said {
    let late = || Said::NoRoom(format!("the launcher took longer than {} seconds", LAUNCH_LIMIT.as_secs()));
    timeout(LAUNCH_LIMIT, exchange(socket, order)).await.unwrap_or_else(|_| late())
}

async fn exchange(mut socket: UnixStream, order: &[u8]) -> Said {
    // A launcher that does not listen has something to say, or has ended, which its exit tells.
    let _ = socket.write_all(order).await;
    let _ = socket.shutdown().await;
    let mut said = Vec::new();
    // A socket that breaks says no more than one that is closed.
    let _ = socket.take(LAUNCH_REPORT_BYTES_MAX).read_to_end(&mut said).await;
    match said.split_first() {
        None => Said::Runs,
        Some((&PROGRAM, reason)) => Said::NoProgram(String::from_utf8_lossy(reason).into_owned()),
        Some((_, reason)) => Said::NoRoom(String::from_utf8_lossy(reason).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What the server takes in if the launcher says this after so long. The time is made up.
    async fn check(reason: &str, after: Duration, expected: &str) {
        let (report, launcher) = pair().unwrap();
        let launcher = std::os::unix::net::UnixStream::from(launcher);
        launcher.set_nonblocking(true).unwrap();
        let mut launcher = UnixStream::from_std(launcher).unwrap();
        let say = async {
            tokio::time::sleep(after).await;
            // Who is not listened to any more may hear that.
            let _ = launcher.write_all(&[&[PROGRAM], reason.as_bytes()].concat()).await;
            drop(launcher);
        };
        let (said, ()) = tokio::join!(give(report, b"{}"), say);
        let said = match said {
            Said::Runs => "it runs".to_owned(),
            Said::NoProgram(reason) => reason,
            Said::NoRoom(reason) => format!("no room: {reason}"),
        };
        assert_eq!(said, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn launcher_has_its_time_and_no_more() {
        let moment = Duration::from_millis(1);
        check("no such file", LAUNCH_LIMIT - moment, "no such file").await;
        check("no such file", LAUNCH_LIMIT + moment, "no room: the launcher took longer than 60 seconds").await;
    }

    #[tokio::test]
    async fn report_is_read_up_to_its_limit() {
        // What kind of report it is takes a byte.
        let longest = "x".repeat(usize::try_from(LAUNCH_REPORT_BYTES_MAX).unwrap() - 1);
        check(&longest, Duration::ZERO, &longest).await;
        check(&format!("{longest}y"), Duration::ZERO, &longest).await;
    }
}
