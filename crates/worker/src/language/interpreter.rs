//! Finding interpreters, and asking them which version they are.
//!
//! A file on `PATH` proves nothing: version managers put launchers there that fail when run. So each candidate is
//! run once, and what it says about itself counts.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{Language, outermost};
use crate::limits;

/// How long to leave a program alone that somebody has open for writing.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// An interpreter that runs.
#[derive(Debug, Clone)]
pub(crate) struct Interpreter {
    /// The real program, behind launchers.
    pub(crate) program: PathBuf,
    /// Its whole version, such as `3.13.2`.
    pub(crate) version: String,
    /// What tells AWS's runtimes of a language apart: Python's minor version, the major one of Node.js and Java.
    pub(crate) series: u32,
    /// The directories it needs to run: of the program, and where its libraries are.
    pub(super) roots: Vec<PathBuf>,
}

impl Interpreter {
    /// Returns the directory of the program, for `PATH`.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        self.program.parent().map(Path::to_owned)
    }
}

/// What a program says of itself.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) version: String,
    pub(super) program: PathBuf,
    /// Where its libraries and settings may be.
    pub(super) directories: Vec<PathBuf>,
}

impl Said {
    /// Reads version, program and directories, one a line.
    pub(super) fn in_lines(said: &str) -> Option<Self> {
        let mut lines = said.lines();
        let version = lines.next()?.to_owned();
        let program = lines.next().filter(|path| !path.is_empty())?.into();
        Some(Self { version, program, directories: lines.map(PathBuf::from).collect() })
    }
}

/// Asks a program for its version, its own path, and the directories that it needs.
pub(super) async fn ask(program: &Path, language: Language) -> Result<Interpreter, String> {
    let mut command = Command::new(program);
    command.args(language.question()).stdin(Stdio::null()).kill_on_drop(true);
    let asking = async {
        loop {
            match command.output().await {
                // It was just written, and a process that another thread is starting has it open still.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => tokio::time::sleep(BUSY_PAUSE).await,
                output => return output,
            }
        }
    };
    let output = match tokio::time::timeout(limits::PROBE_LIMIT, asking).await {
        Ok(output) => output.map_err(|error| format!("`{}` cannot be run: {error}", program.display()))?,
        Err(_) => return Err(format!("`{}` says nothing", program.display())),
    };
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let said = language.said(&texts[0], &texts[1]).filter(|_| output.status.success());
    let series = said.as_ref().and_then(|said| language.series(&said.version));
    match (said, series) {
        (Some(Said { version, program, directories }), Some(series)) => {
            // A link's target is found by its own path.
            let real = program.canonicalize().unwrap_or_else(|_| program.clone());
            let programs = [&program, &real].into_iter().filter_map(|program| program.parent()).map(Path::to_owned);
            let roots = outermost(programs.chain(directories.into_iter().filter(|directory| directory.is_dir())));
            Ok(Interpreter { program, version, series, roots })
        }
        (Some(_) | None, _) => {
            let reason =
                texts[1].lines().find(|line| !line.trim().is_empty()).unwrap_or("it does not tell its version");
            Err(format!("`{}` does not work: {reason}", program.display()))
        }
    }
}

/// The directories in which the machine has its programs.
#[derive(Debug, Clone)]
pub(super) struct SearchPath(Vec<PathBuf>);

impl SearchPath {
    /// Returns those of `PATH`.
    pub(super) fn of_environment() -> Self {
        Self(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect())
    }

    #[cfg(test)]
    pub(super) fn only(directory: &Path) -> Self {
        Self(vec![directory.to_owned()])
    }

    /// Returns every file of this name, in order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = PathBuf> + 'a {
        self.0.iter().map(move |directory| directory.join(name)).filter(|file| file.is_file())
    }

    /// Returns the first file of this name.
    pub(super) fn first(&self, name: &str) -> Option<PathBuf> {
        self.all(name).next()
    }
}
