//! The memory store: the same guarantees but the disk, for tests, simulation and development.
//!
//! One lock around plain collections; nothing in here waits, so the lock is never held across an `.await`.

mod catalog;
mod executions;
mod logs;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Keeps everything in memory and forgets it when it is dropped.
#[derive(Debug, Default)]
pub struct Memory {
    executions: Mutex<executions::State>,
    /// Counts what was written about executions.
    writes: watch::Sender<u64>,
    catalog: Mutex<catalog::State>,
    logs: Mutex<logs::State>,
}

impl Memory {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a count of what was written about executions, for those who wait for something to happen to one.
    pub fn writes(&self) -> watch::Receiver<u64> {
        self.writes.subscribe()
    }

    fn written(&self) {
        self.writes.send_modify(|writes| *writes += 1);
    }
}

/// Locks a state. A panic elsewhere cannot have left it half changed: every method checks before it changes.
fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
