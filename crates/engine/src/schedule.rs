//! When which execution or effect wants attention, as far as the near future goes.
//!
//! The store has everything; this holds one horizon of it, so that a million sleepers cost no memory. A note that
//! is lost costs nothing but time: the next horizon finds what is due.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use everstep_core::Timestamp;
use everstep_core::id::ExecutionId;
use everstep_store::EffectId;
use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct Schedule {
    near: Mutex<Near>,
    changed: Notify,
}

#[derive(Default)]
struct Near {
    horizon: Option<Timestamp>,
    queue: BTreeSet<(Timestamp, ExecutionId)>,
    wake_ups: HashMap<ExecutionId, Timestamp>,
    invoking: HashSet<ExecutionId>,
    forgetting: HashSet<ExecutionId>,
    performing: HashSet<EffectId>,
    /// When effects are due that were put off.
    put_off: BTreeSet<Timestamp>,
    /// Effects that were seen to since the store was read last: what that read says of them is out of date.
    performed: HashSet<EffectId>,
}

/// How much is known here.
pub(crate) struct KnownCounts {
    pub(crate) executions: usize,
    pub(crate) effects: usize,
}

impl Near {
    fn set(&mut self, id: ExecutionId, wake_up: Option<Timestamp>) {
        let wake_up = wake_up.filter(|at| self.horizon.is_some_and(|horizon| *at <= horizon));
        let before = match wake_up {
            Some(at) => self.wake_ups.insert(id, at),
            None => self.wake_ups.remove(&id),
        };
        if let Some(before) = before {
            self.queue.remove(&(before, id));
        }
        self.queue.extend(wake_up.map(|at| (at, id)));
    }
}

impl Schedule {
    fn with<T>(&self, change: impl FnOnce(&mut Near) -> T) -> T {
        change(&mut self.near.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes when an execution wants attention.
    pub(crate) fn note(&self, id: ExecutionId, wake_up: Option<Timestamp>) {
        let first = self.with(|near| {
            near.set(id, wake_up);
            near.queue.first().is_some_and(|(_, first)| *first == id)
        });
        if first {
            self.changed.notify_one();
        }
    }

    /// Takes in what the store has up to `horizon`.
    pub(crate) fn fill(&self, horizon: Timestamp, due: impl IntoIterator<Item = (ExecutionId, Timestamp)>) {
        self.with(|near| {
            near.horizon = Some(horizon);
            for (id, at) in due {
                if !near.wake_ups.contains_key(&id) && !near.forgetting.contains(&id) {
                    near.set(id, Some(at));
                }
            }
        });
    }

    /// Moves the horizon before anything is read, so that notes of what is committed meanwhile are not lost.
    pub(crate) fn begin_reading(&self, now: Timestamp, horizon: Timestamp) {
        self.with(|near| {
            near.horizon = near.horizon.max(Some(horizon));
            near.performed.clear();
            near.put_off.retain(|at| *at > now);
        });
    }

    /// Counts what is known here. The store may have all of it among what is due: who waits for a process wants attention all
    /// the time, and an effect stays due until it is done.
    pub(crate) fn known(&self) -> KnownCounts {
        self.with(|near| KnownCounts {
            executions: near.wake_ups.len() + near.invoking.len() + near.forgetting.len(),
            effects: near.performing.len(),
        })
    }

    /// Takes out everything that wants attention by now.
    pub(crate) fn pop_due(&self, now: Timestamp) -> Vec<ExecutionId> {
        self.with(|near| {
            let mut due = Vec::new();
            while let Some((at, id)) = near.queue.first().copied()
                && at <= now
            {
                near.set(id, None);
                due.push(id);
            }
            due
        })
    }

    /// Returns when the next execution wants attention.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.with(|near| near.queue.first().map(|(at, _)| *at))
    }

    /// Waits until an earlier wake-up is noted.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Claims an execution for one who waits for a process; `false` if somebody does already.
    pub(crate) fn claim_invocation(&self, id: ExecutionId) -> bool {
        self.with(|near| near.invoking.insert(id))
    }

    /// Gives the claim back.
    pub(crate) fn release_invocation(&self, id: ExecutionId) {
        self.with(|near| near.invoking.remove(&id));
    }

    /// Tells whether somebody waits for a process for this execution.
    pub(crate) fn is_invoking(&self, id: ExecutionId) -> bool {
        self.with(|near| near.invoking.contains(&id))
    }

    /// Claims an execution for one who forgets it; `false` if somebody does already.
    pub(crate) fn claim_forgetting(&self, id: ExecutionId) -> bool {
        self.with(|near| near.forgetting.insert(id))
    }

    /// Gives the claim back.
    pub(crate) fn release_forgetting(&self, id: ExecutionId) {
        self.with(|near| near.forgetting.remove(&id));
    }

    /// Claims an effect; `false` if somebody is at it already, or was since it was read.
    pub(crate) fn claim_effect(&self, id: EffectId) -> bool {
        self.with(|near| !near.performed.contains(&id) && near.performing.insert(id))
    }

    /// Notes that an effect is due at `at`.
    pub(crate) fn put_off_effect(&self, at: Timestamp) {
        let first = self.with(|near| {
            near.put_off.insert(at);
            near.put_off.first() == Some(&at)
        });
        if first {
            self.changed.notify_one();
        }
    }

    /// Returns when the next effect is due that was put off.
    pub(crate) fn next_effect(&self) -> Option<Timestamp> {
        self.with(|near| near.put_off.first().copied())
    }

    /// Gives an effect back.
    pub(crate) fn release_effect(&self, id: EffectId) {
        self.with(|near| {
            near.performing.remove(&id);
            near.performed.insert(id);
        });
    }
}
