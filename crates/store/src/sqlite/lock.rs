//! Exclusive use of the directory: a locked file with the process id of its holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::failure;
use crate::error::Error;

/// Held as long as the store is open. The kernel lets go of it when the process dies, however it dies.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    pub(super) fn take(directory: &Path) -> Result<Self, Error> {
        let failed = |error| failure::directory(directory, error);
        let path = directory.join("lock");
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(directory, &mut file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let process = std::process::id().to_string();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(process.as_bytes()))
            .map_err(failed)?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// Lets go. Closing is not enough: a child that was forked and does not run its program yet has the file as well.
    fn drop(&mut self) {
        // What cannot be unlocked is unlocked at the latest when nobody has it any more.
        let _ = self.file.unlock();
    }
}

fn in_use(directory: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    // Who holds it is a courtesy: the holder may not have written it yet.
    let process = match file.take(20).read_to_string(&mut holder) {
        Ok(_) if !holder.is_empty() && holder.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("(process {holder})")
        }
        Ok(_) | Err(_) => "(of unknown process id)".to_owned(),
    };
    let directory = directory.display();
    Error::Failed {
        context: format!(
            "`{directory}` is in use by another everstep {process}: stop it or choose another --data directory"
        ),
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_is_free_once_its_holder_lets_go_whoever_still_has_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let held = Lock::take(directory.path()).unwrap();
        assert!(Lock::take(directory.path()).is_err());
        let of_a_child = held.file.try_clone().unwrap();
        drop(held);
        Lock::take(directory.path()).unwrap();
        drop(of_a_child);
    }
}
