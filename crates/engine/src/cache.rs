//! Executions that are being worked on, so that a checkpoint does not read the log again.
//!
//! A cell is also the in-process lock of its execution: it saves work, the store's version check is what protects.
//! A sleeping execution needs nothing here; its cell goes as soon as nobody holds it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use everstep_core::Execution;
use everstep_core::id::ExecutionId;
use tokio::sync::watch;

/// What is known of one execution. `None` means: ask the store.
pub(crate) struct Cell {
    pub(crate) state: tokio::sync::Mutex<Option<Execution>>,
    /// Turns true when it is over.
    pub(crate) closed: watch::Sender<bool>,
}

/// The cells in use.
#[derive(Default)]
pub(crate) struct Cache(Mutex<HashMap<ExecutionId, Arc<Cell>>>);

/// Cells over this number are looked through for ones that nobody needs.
const CELLS_MAX: usize = 4_096;

impl Cache {
    /// Returns the cell of an execution, an empty one if it is not cached.
    pub(crate) fn cell(&self, id: ExecutionId) -> Arc<Cell> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cells.len() >= CELLS_MAX && !cells.contains_key(&id) {
            cells.retain(|_, cell| Arc::strong_count(cell) > 1);
        }
        let cell = cells.entry(id).or_insert_with(|| {
            Arc::new(Cell { state: tokio::sync::Mutex::new(None), closed: watch::Sender::new(false) })
        });
        Arc::clone(cell)
    }

    /// Lets go of an execution that sleeps or is over.
    pub(crate) fn settle(&self, id: ExecutionId, cell: &Arc<Cell>, execution: &Execution) {
        if execution.in_flight().is_some() || execution.invocation_due_at().is_some() {
            return;
        }
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One reference is the map's, one the caller's; any other is of one who waits for news of it.
        if Arc::strong_count(cell) == 2 && cells.get(&id).is_some_and(|known| Arc::ptr_eq(known, cell)) {
            cells.remove(&id);
        }
    }

    /// Forgets an execution that was deleted.
    pub(crate) fn forget(&self, id: ExecutionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}
