//! Finding interpreters, and asking them which version they are.
//!
//! A file on `PATH` proves nothing: version managers put launchers there that fail when run. So each candidate is
//! run once, and what it says about itself counts.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::limits;

/// An interpreter that runs.
#[derive(Debug, Clone)]
pub(super) struct Interpreter {
    /// The real program, behind launchers.
    pub(super) program: PathBuf,
    pub(super) major: u32,
    pub(super) minor: u32,
    /// The directories it needs to run: of the program, and where its libraries are.
    pub(super) roots: Vec<PathBuf>,
}

impl Interpreter {
    /// Returns the directory of the program, for `PATH`.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        self.program.parent().map(Path::to_owned)
    }
}

/// Asks a program with these arguments for its version (`major.minor…`), its own path, and then the directories of
/// its libraries, one a line.
pub(super) async fn ask(program: &Path, arguments: &[&str]) -> Result<Interpreter, String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(limits::PROBE_LIMIT, command.output()).await {
        Ok(output) => output.map_err(|error| format!("`{}` cannot be run: {error}", program.display()))?,
        Err(_) => return Err(format!("`{}` says nothing", program.display())),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let mut lines = said.lines();
    let mut numbers = lines.next().unwrap_or_default().split('.').map(str::parse);
    match (output.status.success(), numbers.next(), numbers.next(), lines.next()) {
        (true, Some(Ok(major)), Some(Ok(minor)), Some(path)) if !path.is_empty() => {
            let program = PathBuf::from(path);
            // A link's target is found by its own path.
            let real = program.canonicalize().unwrap_or_else(|_| program.clone());
            let programs = [&program, &real].into_iter().filter_map(|program| program.parent()).map(Path::to_owned);
            let libraries = lines.map(PathBuf::from).filter(|directory| directory.is_dir());
            let roots = super::outermost(programs.chain(libraries));
            Ok(Interpreter { program, major, minor, roots })
        }
        _ => {
            let error = String::from_utf8_lossy(&output.stderr);
            let reason = error.lines().find(|line| !line.trim().is_empty()).unwrap_or("it does not tell its version");
            Err(format!("`{}` does not work: {reason}", program.display()))
        }
    }
}

/// Returns every file of this name on `PATH`, in its order.
pub(super) fn on_path(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join(name)).filter(|file| file.is_file()).collect()
}
