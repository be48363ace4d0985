//! The runtimes of a machine, for people: what serves which, and how what is missing gets there.
//!
//! A [`Runtimes`] sees the directory that servers see, and needs none of them to run.

use std::path::{Path, PathBuf};

use crate::language::{Found, Interpreter, Managed, Toolchains};
use crate::{Config, Error, Runtime};

/// The runtimes as a server with the same settings would use them.
pub struct Runtimes {
    toolchains: Toolchains,
}

/// What there is for one runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The runtime.
    pub runtime: Runtime,
    /// What would serve it.
    pub interpreter: Availability,
    /// The AWS SDK that comes with it.
    pub sdk: Sdk,
}

/// What would serve a runtime, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// The interpreter that the operator names.
    Configured(Program),
    /// An interpreter on the machine's `PATH`.
    Machine(Program),
    /// An interpreter below the runtimes directory.
    Installed(Program),
    /// None yet: it is installed at the first use, from here.
    Installable(String),
    /// The wanted interpreter cannot be had; one of another version serves, with a warning.
    Other {
        /// The one that serves.
        program: Program,
        /// Why it is not the wanted one.
        reason: String,
    },
    /// The function's code brings its own program.
    Code,
    /// Nothing: its functions cannot run.
    Nothing {
        /// What was looked for.
        reason: String,
    },
}

/// An interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Its whole version, such as `3.13.2`.
    pub version: String,
}

/// Whether a runtime has the AWS SDK that its functions may expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    /// It is installed.
    Installed,
    /// It is installed at the first use.
    Missing,
    /// The runtime comes without.
    None,
}

impl Runtimes {
    /// Looks at the runtimes directory of these settings. It need not exist yet.
    pub fn new(config: &Config) -> Self {
        Self { toolchains: Toolchains::new(config) }
    }

    /// Returns the directory that everything is installed in.
    pub fn directory(&self) -> &Path {
        self.toolchains.directory()
    }

    /// Tells what would serve a runtime, and changes nothing.
    pub async fn status(&self, runtime: Runtime) -> Status {
        let Some(managed) = Managed::of(runtime) else {
            return Status { runtime, interpreter: Availability::Code, sdk: Sdk::None };
        };
        let (interpreter, series) = match self.toolchains.find(managed).await {
            Ok(Found::Configured(interpreter)) => (Availability::Configured(program(&interpreter)), interpreter.series),
            Ok(Found::Machine(interpreter)) => (Availability::Machine(program(&interpreter)), interpreter.series),
            Ok(Found::Installed(interpreter)) => (Availability::Installed(program(&interpreter)), interpreter.series),
            Ok(Found::Missing) => match self.toolchains.origin(managed) {
                Ok(origin) => (Availability::Installable(origin), managed.series),
                Err(reason) => match self.toolchains.other(managed).await {
                    Some(other) => (Availability::Other { program: program(&other), reason }, other.series),
                    None => (Availability::Nothing { reason }, managed.series),
                },
            },
            Err(error) => (Availability::Nothing { reason: error.to_string() }, managed.series),
        };
        let sdk = match self.toolchains.packages_dir(managed.language, series).is_dir() {
            true => Sdk::Installed,
            false => Sdk::Missing,
        };
        Status { runtime, interpreter, sdk }
    }

    /// Installs what a runtime lacks: an interpreter of exactly its version, unless the operator or the machine has
    /// one, and the AWS SDK.
    ///
    /// # Errors
    /// [`Error`] says what is missing and what to do. Nothing half-done is kept.
    pub async fn install(&self, runtime: Runtime) -> Result<Status, Error> {
        if let Some(managed) = Managed::of(runtime) {
            let interpreter = match self.toolchains.find(managed).await? {
                Found::Configured(interpreter) | Found::Machine(interpreter) | Found::Installed(interpreter) => {
                    interpreter
                }
                Found::Missing => self.toolchains.install(managed).await?,
            };
            self.toolchains.packages(managed.language, &interpreter).await?;
        }
        Ok(self.status(runtime).await)
    }
}

fn program(interpreter: &Interpreter) -> Program {
    Program { path: interpreter.program.clone(), version: interpreter.version.clone() }
}
