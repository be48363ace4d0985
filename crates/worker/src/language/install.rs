//! Installing into a directory: once, completely or not at all.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::process::Command;

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

    /// Sees to it that `target` exists: runs the command that `command` makes for a fresh directory, then moves what
    /// `product` names in there to `target`. If dropped meanwhile it kills the command and removes the directory.
    pub(super) async fn install(
        &self,
        target: &Path,
        what: &str,
        command: impl FnOnce(&Path) -> Command,
        product: impl FnOnce(&Path) -> PathBuf,
    ) -> Result<(), Error> {
        let turn = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.entry(target.to_owned()).or_default().clone()
        };
        let _turn = turn.lock().await;
        if target.is_dir() {
            return Ok(());
        }
        (self.progress)(&format!("installing {what} (once)"));
        tracing::info!(what, target = %target.display(), "installing");
        let parent = target.parent().expect("targets are below the data directory");
        let fresh = fresh_dir(parent)?;
        run(command(fresh.path())).await?;
        publish(fresh, product, target)?;
        tracing::info!(what, "installed");
        Ok(())
    }
}

/// Makes an empty directory inside `parent`, removed on drop.
pub(super) fn fresh_dir(parent: &Path) -> Result<TempDir, Error> {
    std::fs::create_dir_all(parent).map_err(Error::io(format!("create {}", parent.display())))?;
    let fresh = tempfile::Builder::new().prefix(".new-").tempdir_in(parent);
    fresh.map_err(Error::io(format!("make a directory in {}", parent.display())))
}

/// Moves a part of a fresh directory to where it stays, in one step. If someone else was faster, theirs stays.
pub(super) fn publish(fresh: TempDir, product: impl FnOnce(&Path) -> PathBuf, target: &Path) -> Result<(), Error> {
    let product = product(fresh.path());
    match std::fs::rename(&product, target) {
        Err(source) if !target.is_dir() => {
            Err(Error::Io { action: format!("move {} to {}", product.display(), target.display()), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Runs a command to its end.
async fn run(mut command: Command) -> Result<(), Error> {
    let words: Vec<&OsStr> =
        std::iter::once(command.as_std().get_program()).chain(command.as_std().get_args()).collect();
    let text = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let failed = |detail: String| Error::Install { command: text.clone(), detail };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let child = command.spawn().map_err(|error| failed(format!("it cannot be started: {error}")))?;
    let _group = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).map(Group);
    let output = child.wait_with_output().await.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
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
