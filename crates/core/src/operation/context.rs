//! CONTEXT: a group of operations with a result of its own.

use serde::{Deserialize, Serialize};

use super::{Operation, OperationStatus, check_payload_size, forbid_error, forbid_payload, invalid_action};
use crate::command::{Action, OperationUpdate};
use crate::limits::CONTEXT_PAYLOAD_BYTES_MAX;
use crate::payload::{ErrorDocument, Payload};
use crate::rejection::Rejection;

/// What only a CONTEXT has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// Whether a replay needs its children although it is over: its result was too large to keep.
    pub replay_children: bool,
    /// What it returned.
    pub result: Option<Payload>,
    /// Why it failed.
    pub error: Option<ErrorDocument>,
}

/// What happens to a CONTEXT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It began.
    Started,
    /// It ended well.
    Succeeded {
        /// What it returned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Payload>,
        /// Whether a replay needs its children.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        replay_children: bool,
    },
    /// It failed.
    Failed {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorDocument>,
    },
}

impl Event {
    pub(crate) fn stored_bytes(&self) -> u64 {
        match self {
            Self::Started => 0,
            Self::Succeeded { result, .. } => result.as_ref().map_or(0, Payload::bytes),
            Self::Failed { error } => error.as_ref().map_or(0, |error| error.0.bytes()),
        }
    }
}

/// Decides what an update does to the context `current`, which is `None` if its id is new.
pub(crate) fn decide(current: Option<&Operation>, update: &OperationUpdate) -> Result<Event, Rejection> {
    let open = current.is_none_or(|operation| operation.status == OperationStatus::Started);
    match update.action {
        Action::Start if current.is_some() => Err(Rejection::invalid("Cannot start a CONTEXT that already exist.")),
        Action::Start => Ok(Event::Started),
        Action::Succeed | Action::Fail if !open => Err(Rejection::invalid("Invalid current CONTEXT state to close.")),
        Action::Succeed => {
            forbid_error(update)?;
            check_payload_size(update, "CONTEXT output", CONTEXT_PAYLOAD_BYTES_MAX)?;
            Ok(Event::Succeeded { result: update.payload.clone(), replay_children: update.replay_children })
        }
        Action::Fail => {
            forbid_payload(update)?;
            Ok(Event::Failed { error: update.error.clone() })
        }
        Action::Retry | Action::Cancel => Err(invalid_action()),
    }
}

impl Context {
    pub(super) fn apply(&mut self, event: &Event) -> OperationStatus {
        match event {
            Event::Started => OperationStatus::Started,
            Event::Succeeded { result, replay_children } => {
                self.result = result.clone();
                self.replay_children = *replay_children;
                OperationStatus::Succeeded
            }
            Event::Failed { error } => {
                self.error = error.clone();
                OperationStatus::Failed
            }
        }
    }
}
