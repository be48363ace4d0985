//! Which bodies of steps ran.

use std::sync::{Mutex, PoisonError};

use crate::replay::id::OperationId;
use crate::replay::step::Semantics;

/// The bodies that ran, in order.
#[derive(Debug, Default)]
pub(crate) struct Bodies(Mutex<Vec<Body>>);

/// A run of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) operation: OperationId,
    pub(crate) attempt: u32,
    pub(crate) semantics: Semantics,
}

impl Bodies {
    pub(crate) fn note(&self, operation: &OperationId, attempt: u32, semantics: Semantics) {
        let body = Body { operation: operation.clone(), attempt, semantics };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    }

    pub(crate) fn all(&self) -> Vec<Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
