//! What the kit sees of an invocation from inside the SDK: which bodies ran, and, where records are only read, which
//! operations were called.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::journal::Fatal;
use crate::replay::id::{OperationId, Path};
use crate::replay::step::Semantics;

/// Looks on.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    only_reads: bool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    bodies: Vec<Body>,
    called: HashMap<OperationId, String>,
    stopped: Option<(String, Fatal)>,
}

/// A run of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) operation: OperationId,
    pub(crate) attempt: u32,
    pub(crate) semantics: Semantics,
}

impl Witness {
    /// Looks on while records are only read.
    pub(super) fn of_reading() -> Self {
        Self { only_reads: true, seen: Mutex::default() }
    }

    pub(crate) fn only_reads(&self) -> bool {
        self.only_reads
    }

    /// A body is about to run.
    pub(crate) fn body_begins(&self, operation: &OperationId, attempt: u32, semantics: Semantics) {
        self.seen().bodies.push(Body { operation: operation.clone(), attempt, semantics });
    }

    /// An operation was called.
    pub(crate) fn called(&self, id: &OperationId, path: &Path) {
        if self.only_reads {
            self.seen().called.insert(id.clone(), path.to_string());
        }
    }

    /// User code was stopped for good, by an operation.
    pub(crate) fn stopped(&self, path: &Path, fatal: &Fatal) {
        self.seen().stopped.get_or_insert_with(|| (path.to_string(), fatal.clone()));
    }

    /// Returns the bodies that ran, in order.
    pub(super) fn bodies(&self) -> Vec<Body> {
        self.seen().bodies.clone()
    }

    /// Returns the place of an operation that was called.
    pub(super) fn path_of(&self, id: &OperationId) -> Option<String> {
        self.seen().called.get(id).cloned()
    }

    /// Returns where and why user code was stopped.
    pub(super) fn stop(&self) -> Option<(String, Fatal)> {
        self.seen().stopped.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
