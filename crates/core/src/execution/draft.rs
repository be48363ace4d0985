//! A decision in the making.

use super::{Decision, Execution, lifecycle};
use crate::event::{Effect, Event, Outcome, StartMode};
use crate::time::Timestamp;

/// A decision in the making: events are taken in as they are recorded, so that what follows sees them.
pub(super) struct Draft {
    pub(super) at: Timestamp,
    pub(super) events: Vec<Event>,
    pub(super) effects: Vec<Effect>,
    pub(super) next: Execution,
}

impl Draft {
    /// Opens a draft. Time never runs backwards within an execution.
    pub(super) fn of(execution: &Execution, now: Timestamp) -> Self {
        Self { at: now.max(execution.last_at), events: Vec::new(), effects: Vec::new(), next: execution.clone() }
    }

    pub(super) fn record(&mut self, event: Event) {
        if self.events.is_empty() {
            self.next.version += 1;
            self.next.last_at = self.at;
        }
        self.next.apply(&event, self.at);
        self.events.push(event);
    }

    /// Records the event that ends the execution, and owes the news to whoever waits for it; of a failure for which
    /// nobody waits, to whoever wants to know.
    pub(super) fn announce(&mut self, event: Event) {
        self.record(event);
        if let Some(parent) = &self.next.start.parent {
            self.effects.push(Effect::TellParent { child: self.next.start.id, parent: parent.clone() });
        } else if self.next.start.mode == StartMode::Async
            && !matches!(self.next.outcome(), Some(Outcome::Succeeded(_)))
        {
            self.effects.push(Effect::TellDestination(self.next.start.id));
        }
    }

    /// Lets everything happen whose time has come, earliest first; the execution timeout ends it all, and nobody
    /// waits any longer for an outcome that was fixed before.
    pub(super) fn fire_due(&mut self) {
        let deadline = self.next.effective_deadline();
        if self.next.closed.is_some() {
            if deadline <= self.at {
                lifecycle::announce_fixed_outcome(self);
            }
            return;
        }
        while let Some((due, position)) = self.next.timers.get_min().copied()
            && due <= self.at.min(deadline)
        {
            self.record(self.next.operations[position].fire());
        }
        if deadline <= self.at {
            lifecycle::time_out(self);
        }
    }

    pub(super) fn decision(self) -> Decision {
        let Self { at, events, effects, next } = self;
        Decision { events, effects, at, next }
    }
}
