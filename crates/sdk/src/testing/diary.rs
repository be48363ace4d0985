//! What happened in a test, line by line: printed if the test fails.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A list of what happened, shared by everything in a test.
#[derive(Clone, Debug, Default)]
pub(super) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    /// Writes a line.
    pub(super) fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
    }

    /// Prints it if the test is failing.
    pub(super) fn print_on_failure(&self) {
        if std::thread::panicking() {
            eprintln!("{self}");
        }
    }
}

impl fmt::Display for Diary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("what happened to the execution:")?;
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().try_for_each(|line| write!(formatter, "\n  {line}"))
    }
}
