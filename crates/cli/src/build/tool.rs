//! Runs the tools that build, and keeps what they fetched for as long as it is asked for the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};

/// Runs a tool to its end. What it says is only shown if it fails.
///
/// # Errors
/// If it is not there, or fails; then with what it said.
pub fn run(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.output().with_context(|| format!("cannot run `{name}`: install it, or put it on PATH"))?;
    let said = [done.stdout.as_slice(), done.stderr.as_slice()].map(|text| String::from_utf8_lossy(text).into_owned());
    ensure!(done.status.success(), "`{name}` failed ({}):\n{}", done.status, said.concat().trim());
    Ok(done.stdout)
}

/// Returns a directory that `install` fills, and is kept for these texts. Half of one is never kept.
///
/// # Errors
/// What `install` says.
pub fn once(
    kept: &Path,
    name: &str,
    texts: &[&[u8]],
    install: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    let digest: String = digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let directory = kept.join(format!("{name}-{digest}"));
    if !directory.is_dir() {
        fs::create_dir_all(kept).with_context(|| format!("cannot create {}", kept.display()))?;
        let fresh = tempfile::Builder::new().prefix("new-").tempdir_in(kept)?;
        install(fresh.path())?;
        fs::rename(fresh.keep(), &directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    Ok(directory.canonicalize()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_fetched_is_kept_for_the_same_texts_and_never_by_half() {
        let kept = tempfile::tempdir().unwrap();
        let get = |text: &str, works: bool| {
            once(kept.path(), "x", &[text.as_bytes()], |directory| {
                fs::write(directory.join("file"), text)?;
                ensure!(works, "it broke");
                Ok(())
            })
        };
        assert!(get("a", false).is_err());
        assert_eq!(fs::read_dir(kept.path()).unwrap().count(), 0);
        let first = get("a", true).unwrap();
        assert_eq!(get("a", false).unwrap(), first);
        assert_ne!(get("b", true).unwrap(), first);
    }

    #[test]
    fn tool_that_fails_is_quoted() {
        let failed = run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap_err().to_string();
        assert_eq!(failed, "`sh` failed (exit status: 3):\nout\nerr");
        assert!(run(&mut Command::new("no-such-tool")).unwrap_err().to_string().contains("install it"));
    }
}
