//! The log of the function: standard output, or what a test looks at.

use std::sync::{Mutex, MutexGuard, PoisonError};

static CAPTURED: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Writes a line.
pub fn print(line: &str) {
    match captured().as_mut() {
        Some(lines) => lines.push(line.to_owned()),
        None => println!("{line}"),
    }
}

/// Keeps the lines from now on, and returns those that were kept before.
pub fn capture() -> Vec<String> {
    captured().replace(Vec::new()).unwrap_or_default()
}

fn captured() -> MutexGuard<'static, Option<Vec<String>>> {
    CAPTURED.lock().unwrap_or_else(PoisonError::into_inner)
}
