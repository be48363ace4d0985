//! The memory store: the same guarantees but the disk, for tests, simulation and development.
//!
//! One lock around plain collections; nothing in here waits, so the lock is never held across an `.await`.

mod catalog;
mod executions;
mod logs;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps everything in memory and forgets it when it is dropped.
#[derive(Debug, Default)]
pub struct Memory {
    executions: Mutex<executions::State>,
    catalog: Mutex<catalog::State>,
    logs: Mutex<logs::State>,
}

impl Memory {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Locks a state. A panic elsewhere cannot have left it half changed: every method checks before it changes.
fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
