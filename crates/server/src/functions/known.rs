//! Functions that were read lately, so that an invocation does not ask the store for what has not changed.
//!
//! Nobody else writes the store, so what is known is true as long as every change is told here once it is made.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use everstep_core::id::FunctionName;
use everstep_store::Revision;

use super::Function;
use crate::limits::FUNCTIONS_KNOWN_MAX;

/// A function as it is in the store.
pub type Stored = (Arc<Function>, Revision);

#[derive(Default)]
pub(super) struct Known(Mutex<State>);

#[derive(Default)]
struct State {
    /// How many changes were told.
    changes: u64,
    functions: HashMap<FunctionName, Stored>,
}

/// A moment, to tell whether what is read from then on may be old.
#[derive(Clone, Copy)]
pub(super) struct Moment(u64);

impl Known {
    /// Returns a function, or if it is not known, the moment before it is read.
    pub(super) fn find(&self, name: &FunctionName) -> Result<Stored, Moment> {
        let state = self.state();
        state.functions.get(name).cloned().ok_or(Moment(state.changes))
    }

    /// Takes in what was read after `since`, unless something has changed meanwhile.
    pub(super) fn keep(&self, function: Stored, since: Moment) {
        let mut state = self.state();
        if state.changes != since.0 {
            return;
        }
        if state.functions.len() >= FUNCTIONS_KNOWN_MAX {
            state.functions.clear();
        }
        state.functions.insert(function.0.name.clone(), function);
    }

    /// Forgets a function that may have changed.
    pub(super) fn forget(&self, name: &FunctionName) {
        let mut state = self.state();
        state.changes += 1;
        state.functions.remove(name);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn stored(name: &str) -> Stored {
        let latest = json!({
            "revision_id": "r", "last_modified_millis": 0, "code": {"sha256": "", "digest": "", "size": 0},
            "description": "", "runtime": "python3.13", "handler": "h", "role": "r", "timeout_seconds": 3,
            "memory_mb": 128, "environment": {},
        });
        let function: Value = json!({"name": name, "latest": latest, "versions": {}, "next_version": 1, "aliases": {}});
        (Arc::new(serde_json::from_value(function).unwrap()), Revision(1))
    }

    /// Keeps what was read while `meanwhile` happened, and tells whether it is known then.
    #[track_caller]
    fn check(meanwhile: impl FnOnce(&Known, &FunctionName), expected: bool) {
        let (known, function) = (Known::default(), stored("f"));
        let name = &function.0.name;
        let since = known.find(name).unwrap_err();
        meanwhile(&known, name);
        known.keep(function.clone(), since);
        assert_eq!(known.find(name).is_ok(), expected);
        known.forget(name);
        assert!(known.find(name).is_err(), "it may have changed");
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        check(|_, _| {}, true);
        check(|known, name| known.forget(name), false);
        check(|known, name| known.keep(stored("other"), known.find(name).unwrap_err()), true);
    }

    #[test]
    fn no_more_functions_are_known_than_may_be() {
        let known = Known::default();
        for number in 0..=FUNCTIONS_KNOWN_MAX {
            let function = stored(&format!("f{number}"));
            known.keep(function.clone(), known.find(&function.0.name).unwrap_err());
            assert!(known.find(&function.0.name).is_ok());
        }
        assert_eq!(known.state().functions.len(), 1);
    }
}
