//! What goes wrong between the handler and the service, as the test wants it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::wire::{Action, Update};

/// How far an operation gets before the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The service knows that it was started. The body may have begun, unless the step is at most once.
    Start,
    /// The body ran, and the service does not know.
    Body,
}

/// Something that is to go wrong, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process dies.
    CrashAfter { operation: String, attempt: Attempt },
    /// The checkpoint of this number, from 1, is taken, and no answer comes.
    LoseReply { checkpoint: usize },
    /// A checkpoint is sent with a token that was spent.
    StaleToken,
    /// A checkpoint is refused, because there are too many.
    Throttle,
}

/// What is to be done with a checkpoint.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// It goes through.
    Take,
    /// The first of its updates are taken, then the process dies.
    Crash { updates_taken: usize },
    /// It is taken, and no answer comes.
    LoseReply,
    /// Its token is an old one.
    StaleToken,
    /// It is refused.
    Throttle,
}

/// The faults that are left.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self(Mutex::new(faults))
    }

    /// Decides what becomes of the checkpoint `number`, from 1. What happens now does not happen again.
    pub(super) fn treat(&self, number: usize, updates: &[Update]) -> Treatment {
        let mut left = self.left();
        let found =
            left.iter().enumerate().find_map(|(index, fault)| Some((index, treatment(fault, number, updates)?)));
        let Some((index, treatment)) = found else { return Treatment::Take };
        left.remove(index);
        treatment
    }

    /// Fails the test if something did not go wrong that should have: the test does not test what it says.
    pub(super) fn assert_spent(&self) {
        let left = self.left();
        assert!(left.is_empty(), "the execution is over, and this did not happen to it: {left:?}");
    }

    fn left(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn treatment(fault: &Fault, number: usize, updates: &[Update]) -> Option<Treatment> {
    match fault {
        Fault::CrashAfter { operation, attempt } => {
            let is_about = |update: &Update| update.name.as_deref() == Some(operation);
            let found = |wanted: &dyn Fn(Action) -> bool| {
                updates.iter().position(|update| is_about(update) && wanted(update.change.action))
            };
            let updates_taken = match attempt {
                Attempt::Start => found(&|action| action == Action::Start)? + 1,
                Attempt::Body => found(&|action| action != Action::Start)?,
            };
            Some(Treatment::Crash { updates_taken })
        }
        Fault::LoseReply { checkpoint } => (*checkpoint == number).then_some(Treatment::LoseReply),
        Fault::StaleToken => Some(Treatment::StaleToken),
        Fault::Throttle => Some(Treatment::Throttle),
    }
}
