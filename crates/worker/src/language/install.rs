//! Installing into a directory: once, completely or not at all, and readable by every user.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;

use crate::{Error, Progress, limits};

/// Runs installations, one at a time per target.
pub(super) struct Installer {
    progress: Progress,
    running: Mutex<BTreeMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

impl Installer {
    pub(super) fn new(progress: Progress) -> Self {
        Self { progress, running: Mutex::default() }
    }

    /// Begins to install `target`, once nobody else does; `None` if it is there.
    pub(super) async fn begin(&self, target: &Path, what: &str) -> Result<Option<Site>, Error> {
        let turn = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.entry(target.to_owned()).or_default().clone()
        };
        let turn = turn.lock_owned().await;
        if target.is_dir() {
            return Ok(None);
        }
        (self.progress)(&format!("installing {what} (once)"));
        tracing::info!(what, target = %target.display(), "installing");
        let fresh = fresh_dir(target.parent().expect("targets are below the data directory"))?;
        Ok(Some(Site { fresh, target: target.to_owned(), what: what.to_owned(), _turn: turn }))
    }
}

/// An installation under way, in a directory of its own. Dropped, it leaves nothing.
pub(super) struct Site {
    fresh: TempDir,
    target: PathBuf,
    what: String,
    _turn: OwnedMutexGuard<()>,
}

impl Site {
    /// Returns the directory to work in, empty at first.
    pub(super) fn path(&self) -> &Path {
        self.fresh.path()
    }

    /// Makes `product`, which is the directory or lies in it, appear where it is to be.
    pub(super) async fn publish(self, product: PathBuf) -> Result<(), Error> {
        let Self { fresh, target, what, _turn } = self;
        spawn_blocking(move || publish(&fresh, &product, &target)).await.expect("publishing does not panic")?;
        tracing::info!(what, "installed");
        Ok(())
    }
}

/// Makes an empty directory inside `parent`, removed on drop.
pub(crate) fn fresh_dir(parent: &Path) -> Result<TempDir, Error> {
    fs::create_dir_all(parent).map_err(Error::io(format!("create {}", parent.display())))?;
    let fresh = tempfile::Builder::new().prefix(".new-").tempdir_in(parent);
    fresh.map_err(Error::io(format!("make a directory in {}", parent.display())))
}

/// Moves a directory to where it stays, in one step, with its content on disk before its name. If someone else was
/// faster, theirs stays.
pub(crate) fn publish(fresh: &TempDir, product: &Path, target: &Path) -> Result<(), Error> {
    let doing = |action: &str| Error::io(format!("{action} {}", product.display()));
    make_readable(product).map_err(doing("make readable"))?;
    let flushed = File::open(fresh.path()).and_then(|directory| Ok(rustix::fs::syncfs(directory)?));
    flushed.map_err(doing("flush"))?;
    match fs::rename(product, target) {
        Err(source) if !target.is_dir() => {
            Err(Error::Io { action: format!("move {} to {}", product.display(), target.display()), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Lets everyone read what is in a directory, and nobody but its owner write: functions may run as other users.
fn make_readable(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode();
    let execute = if metadata.is_dir() || mode & 0o100 != 0 { 0o111 } else { 0 };
    let wanted = mode & 0o700 | 0o444 | execute;
    if mode & 0o7777 != wanted {
        fs::set_permissions(path, Permissions::from_mode(wanted))?;
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            make_readable(&entry?.path())?;
        }
    }
    Ok(())
}

/// Runs a command to its end, and returns what it printed. If dropped meanwhile it kills the command.
pub(super) async fn run(mut command: Command) -> Result<String, Error> {
    let words: Vec<&OsStr> =
        std::iter::once(command.as_std().get_program()).chain(command.as_std().get_args()).collect();
    let text = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let failed = |detail: String| Error::Install { command: text.clone(), detail };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let child = command.spawn().map_err(|error| failed(format!("it cannot be started: {error}")))?;
    let _group = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).map(Group);
    let output = child.wait_with_output().await.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(limits::INSTALL_ERROR_LINES)..].join("\n");
    Err(failed(format!("{}: {last}", output.status)))
}

/// A process group that is killed on drop.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_published_is_readable_by_all_and_writable_by_none_else() {
        let parent = tempfile::tempdir().unwrap();
        let fresh = fresh_dir(parent.path()).unwrap();
        for (name, mode) in [("data", 0o600), ("program", 0o4770), ("shared", 0o666)] {
            fs::write(fresh.path().join(name), name).unwrap();
            fs::set_permissions(fresh.path().join(name), Permissions::from_mode(mode)).unwrap();
        }
        symlink("/etc/passwd", fresh.path().join("link")).unwrap();
        let target = parent.path().join("target");
        publish(&fresh, fresh.path(), &target).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let modes = ["data", "program", "shared"].map(|name| mode(&target.join(name)));
        assert_eq!((mode(&target), modes), (0o755, [0o644, 0o755, 0o644]));
        assert_eq!(mode(Path::new("/etc/passwd")) & 0o111, 0);
    }
}
