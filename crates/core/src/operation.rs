//! Operations: the steps, waits, callbacks, contexts and invokes of an execution.
//!
//! Each type has a module of its own with three things: `decide` (which events an update causes, or why not),
//! `apply` (what an event changes) and, where time matters, `due_at` and `fire`.

pub mod callback;
pub mod chained_invoke;
pub mod context;
pub mod step;
pub mod wait;

use serde::{Deserialize, Serialize};

use crate::command::OperationUpdate;
use crate::event::Event;
use crate::id::{OperationId, OperationName, SubType};
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// The type of an operation. Source: Lambda API, `OperationType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationType {
    /// The execution itself.
    Execution,
    /// A group of operations.
    Context,
    /// A piece of the user's code whose result is kept.
    Step,
    /// Time that passes.
    Wait,
    /// A completion that comes from outside.
    Callback,
    /// Another function.
    ChainedInvoke,
}

/// The status of an operation. Source: Lambda API, `OperationStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationStatus {
    /// Under way.
    Started,
    /// A step that waits for its next attempt.
    Pending,
    /// A step whose next attempt is due.
    Ready,
    /// Over, with a result.
    Succeeded,
    /// Over, with an error.
    Failed,
    /// Over: called off.
    Cancelled,
    /// Over: it took too long.
    TimedOut,
    /// Over: stopped from outside.
    Stopped,
}

impl OperationStatus {
    /// Tells whether the operation is over.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Started | Self::Pending | Self::Ready => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::TimedOut | Self::Stopped => true,
        }
    }
}

/// What is fixed when an operation is first seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Its id.
    pub id: OperationId,
    /// Its type.
    #[serde(rename = "type")]
    pub operation_type: OperationType,
    /// The context it stands in; `None` for the top level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<OperationId>,
    /// Its name, verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<OperationName>,
    /// Its sub type, verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<SubType>,
}

/// An operation as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// What never changes.
    pub opening: Opening,
    /// How it stands.
    pub status: OperationStatus,
    /// When it was first seen.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What only its type has.
    pub detail: Detail,
}

/// What only one type of operation has.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// Of a CONTEXT.
    Context(context::Context),
    /// Of a STEP.
    Step(step::Step),
    /// Of a WAIT.
    Wait(wait::Wait),
    /// Of a CALLBACK.
    Callback(callback::Callback),
    /// Of a CHAINED_INVOKE.
    ChainedInvoke(chained_invoke::ChainedInvoke),
}

impl Operation {
    /// Makes the operation that `opening` announces.
    ///
    /// # Panics
    /// For EXECUTION, which is never opened by an update.
    pub(crate) fn open(opening: Opening, at: Timestamp) -> Self {
        let detail = match opening.operation_type {
            OperationType::Context => Detail::Context(context::Context::default()),
            OperationType::Step => Detail::Step(step::Step::default()),
            OperationType::Wait => Detail::Wait(wait::Wait::default()),
            OperationType::Callback => Detail::Callback(callback::Callback::default()),
            OperationType::ChainedInvoke => Detail::ChainedInvoke(chained_invoke::ChainedInvoke::default()),
            OperationType::Execution => unreachable!("an EXECUTION update opens no operation"),
        };
        Self { opening, status: OperationStatus::Started, started_at: at, ended_at: None, detail }
    }

    /// Tells whether something outside the handler will change it.
    pub fn is_pending(&self) -> bool {
        match self.detail {
            Detail::Context(_) => false,
            Detail::Step(_) => self.status == OperationStatus::Pending,
            Detail::Wait(_) | Detail::Callback(_) | Detail::ChainedInvoke(_) => self.status == OperationStatus::Started,
        }
    }

    /// Returns when time will change it, if it will.
    pub fn due_at(&self) -> Option<Timestamp> {
        if !self.is_pending() {
            return None;
        }
        match &self.detail {
            Detail::Context(_) | Detail::ChainedInvoke(_) => None,
            Detail::Step(step) => step.next_attempt_at,
            Detail::Wait(wait) => Some(wait.ends_at),
            Detail::Callback(callback) => callback.due_at(),
        }
    }

    /// Returns what happens when its time has come.
    ///
    /// # Panics
    /// If [`Self::due_at`] is `None`.
    pub(crate) fn fire(&self) -> Event {
        let id = self.opening.id.clone();
        match &self.detail {
            Detail::Step(_) => Event::Step { id, event: step::Event::Ready },
            Detail::Wait(_) => Event::Wait { id, event: wait::Event::Succeeded },
            Detail::Callback(callback) => Event::Callback { id, event: callback.fire() },
            Detail::Context(_) | Detail::ChainedInvoke(_) => unreachable!("time does not change it"),
        }
    }

    /// Takes in what happened to it.
    ///
    /// # Panics
    /// If the event is of another type: `decide` never makes such an event.
    pub(crate) fn apply(&mut self, event: &Event, at: Timestamp) {
        self.status = match (&mut self.detail, event) {
            (Detail::Context(context), Event::Context { event, .. }) => context.apply(event),
            (Detail::Step(step), Event::Step { event, .. }) => step.apply(event),
            (Detail::Wait(wait), Event::Wait { event, .. }) => wait.apply(event),
            (Detail::Callback(callback), Event::Callback { event, .. }) => callback.apply(event, at),
            (Detail::ChainedInvoke(invoke), Event::ChainedInvoke { event, .. }) => invoke.apply(event),
            (detail, event) => unreachable!("{event:?} does not happen to {detail:?}"),
        };
        self.ended_at = self.status.is_terminal().then_some(at);
    }

    /// Refuses an update that calls this operation something else than it was called before.
    pub(crate) fn check_identity(&self, update: &OperationUpdate) -> Result<(), Rejection> {
        let Opening { operation_type, parent, name, sub_type, .. } = &self.opening;
        if *operation_type != update.operation_type {
            return Err(Rejection::invalid("Inconsistent operation type."));
        }
        if update.sub_type.is_some() && update.sub_type != *sub_type {
            return Err(Rejection::invalid("Inconsistent operation subtype."));
        }
        if update.name.is_some() && update.name != *name {
            return Err(Rejection::invalid("Inconsistent operation name."));
        }
        if update.parent.is_some() && update.parent != *parent {
            return Err(Rejection::invalid("Inconsistent parent operation id."));
        }
        Ok(())
    }
}

/// Refuses an error given to an action that carries a result.
pub(crate) fn forbid_error(update: &OperationUpdate) -> Result<(), Rejection> {
    if update.error.is_some() {
        return Err(Rejection::invalid("Cannot provide an Error for SUCCEED action."));
    }
    Ok(())
}

/// Refuses a result given to an action that carries an error.
pub(crate) fn forbid_payload(update: &OperationUpdate) -> Result<(), Rejection> {
    if update.payload.is_some() {
        return Err(Rejection::invalid("Cannot provide a Payload for FAIL action."));
    }
    Ok(())
}

/// Refuses a payload over `bytes_max`; `what` is AWS's name for it.
pub(crate) fn check_payload_size(update: &OperationUpdate, what: &str, bytes_max: u64) -> Result<(), Rejection> {
    match &update.payload {
        Some(payload) if payload.bytes() > bytes_max => {
            Err(Rejection::invalid(format!("{what} payload size must be less than or equal to {bytes_max} bytes.")))
        }
        Some(_) | None => Ok(()),
    }
}

/// Says that the type of operation knows no such action.
pub(crate) fn invalid_action() -> Rejection {
    Rejection::invalid("Invalid action for the given operation type.")
}
