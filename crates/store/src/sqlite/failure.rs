//! What the world's faults mean to an operator: which file, and the way out.

use std::error::Error as Cause;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::error::Error;

/// A fault that hit a group of requests, to be told to each of them.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    context: String,
    cause: Arc<rusqlite::Error>,
}

impl Failure {
    pub(super) fn new(path: &Path, error: rusqlite::Error) -> Self {
        Self { context: explain(path, &error), cause: Arc::new(error) }
    }

    /// Says that nothing was changed.
    pub(super) fn failed(&self) -> Error {
        Error::Failed { context: self.context.clone(), source: Some(Box::new(Shared(Arc::clone(&self.cause)))) }
    }

    /// Says that the change may have happened.
    pub(super) fn unknown(&self) -> Error {
        Error::Unknown(Box::new(self.failed()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.context, self.cause)
    }
}

/// Says that the file cannot serve a request, and nothing was changed.
pub(super) fn file(path: &Path, error: rusqlite::Error) -> Error {
    Failure::new(path, error).failed()
}

/// Says that a directory, or a plain file in it, cannot be used.
pub(super) fn directory(path: &Path, error: std::io::Error) -> Error {
    let path = path.display();
    Error::Failed {
        context: format!("cannot write to the data directory `{path}`: make it writable or choose another with --data"),
        source: Some(Box::new(error)),
    }
}

/// Says that the store is shutting down.
pub(super) fn closed(path: &Path) -> Error {
    Error::Failed { context: format!("`{}` is closed: the server is stopping", path.display()), source: None }
}

/// An error with a message only.
pub(super) fn refused(context: String) -> Error {
    Error::Failed { context, source: None }
}

/// Wraps the reason why a stored value cannot be read.
pub(super) fn unreadable(column: usize, cause: impl Cause + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(cause))
}

fn explain(path: &Path, error: &rusqlite::Error) -> String {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => format!("no space left for `{path}`: free some on its disk"),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!("cannot write to `{path}`: make it and its directory writable for the user of the server")
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            format!("`{path}` is damaged or no database: restore it from a backup or choose another --data directory")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            format!("`{path}` is locked by another program: close what else has it open")
        }
        Some(ErrorCode::SystemIoFailure) => format!("cannot read or write `{path}`: look after its disk"),
        None if matches!(error, rusqlite::Error::FromSqlConversionFailure(..)) => {
            format!("`{path}` holds what this everstep cannot read: was it written by a newer one?")
        }
        // Not ours to list: what means a bug, or nothing to an operator.
        Some(_) | None => format!("cannot use `{path}`"),
    }
}

/// Lets several errors have one cause.
#[derive(Debug)]
struct Shared(Arc<rusqlite::Error>);

impl fmt::Display for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl Cause for Shared {
    fn source(&self) -> Option<&(dyn Cause + 'static)> {
        self.0.source()
    }
}
