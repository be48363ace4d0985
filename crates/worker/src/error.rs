//! Why a runtime could not be made ready.

use std::io;
use std::path::PathBuf;

use crate::Runtime;

/// The world's fault: something needed to run functions is missing or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No interpreter fits, and none could be had.
    #[error(
        "no interpreter for `{runtime}`: {reason}; set its path in `interpreters`, or bring a bundle: `everstep runtimes install --from FILE`"
    )]
    NoInterpreter {
        /// The runtime that was asked for.
        runtime: Runtime,
        /// What was looked for.
        reason: String,
    },
    /// This machine has not what it takes to install something.
    #[error("{0}; bring a bundle instead: `everstep runtimes install --from FILE`")]
    NotInstallable(String),
    /// An installation failed; nothing of it was kept.
    #[error(
        "`{command}` failed: {detail}; check the network, or bring a bundle: `everstep runtimes install --from FILE`"
    )]
    Install {
        /// The command as one could type it.
        command: String,
        /// How it ended and its last lines.
        detail: String,
    },
    /// A bundle of runtimes could not be made or installed; nothing of it was kept.
    #[error("cannot {action} `{}`: {reason}", file.display())]
    Bundle {
        /// `install` or `write`.
        action: &'static str,
        /// The bundle.
        file: PathBuf,
        /// What is wrong with it, or with the disk.
        reason: String,
    },
    /// Isolation is required, and this machine does not allow it.
    #[error("functions cannot be isolated here: {reason}; allow it, or do not require isolation")]
    NoIsolation {
        /// What was in the way.
        reason: String,
    },
    /// The surroundings of a process could not be made.
    #[error("a function process could not be started: {reason}")]
    Surroundings {
        /// What was in the way.
        reason: String,
    },
    /// A file or process operation failed.
    #[error("cannot {action}")]
    Io {
        /// What was attempted: `write /data/bootstrap.py`.
        action: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Returns a closure for `map_err` that names what was attempted.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
