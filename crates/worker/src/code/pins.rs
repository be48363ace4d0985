//! Who needs code beside the documents that name it: whoever is about to write one, and processes that run it.
//!
//! Bookkeeping under one lock. What is deleted, and when, is for `sweep` to say.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Keeps code in the store as long as it or a clone of it lives.
#[derive(Clone)]
pub struct Pin(Arc<Pinned>);

struct Pinned {
    name: String,
    dir: PathBuf,
    shared: Arc<Shared>,
}

/// Keeps everything in the store, so that it can be copied.
pub struct Frozen(Arc<Shared>);

impl Pin {
    /// Returns the directory that it keeps.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Pin").field(&self.0.name).finish()
    }
}

impl PartialEq for Pin {
    fn eq(&self, other: &Self) -> bool {
        self.0.dir == other.0.dir
    }
}

impl Eq for Pin {}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let count = state.pins.get_mut(&self.name).expect("what is pinned is counted");
        *count -= 1;
        if *count == 0 {
            state.pins.remove(&self.name);
            if state.unnamed.contains(&self.name) {
                self.shared.wanted.notify_one();
            }
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.frozen -= 1;
        if state.frozen == 0 && !state.unnamed.is_empty() {
            self.0.wanted.notify_one();
        }
    }
}

/// What the clones of a store share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Told when a sweep may find something.
    pub(super) wanted: Notify,
}

#[derive(Default)]
pub(super) struct State {
    /// How many pins each name has.
    pub(super) pins: HashMap<String, usize>,
    /// What was pinned at some time since the sweep began that is under way.
    pub(super) touched: Option<HashSet<String>>,
    /// What no document is known to name: it goes when nothing pins it any more.
    pub(super) unnamed: HashSet<String>,
    /// How many want everything to stay.
    pub(super) frozen: usize,
}

impl Shared {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), wanted: Notify::new() })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pins a name. Whether there is such code is to be looked at afterwards: from now on it cannot go.
    pub(super) fn pin(self: &Arc<Self>, name: String, dir: PathBuf) -> Pin {
        let mut state = self.state();
        *state.pins.entry(name.clone()).or_default() += 1;
        if let Some(touched) = &mut state.touched {
            touched.insert(name.clone());
        }
        Pin(Arc::new(Pinned { name, dir, shared: Arc::clone(self) }))
    }

    /// Notes that code was made, which no document names yet.
    pub(super) fn made(&self, pin: &Pin) {
        self.state().unnamed.insert(pin.0.name.clone());
    }

    pub(super) fn freeze(self: &Arc<Self>) -> Frozen {
        self.state().frozen += 1;
        Frozen(Arc::clone(self))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}
