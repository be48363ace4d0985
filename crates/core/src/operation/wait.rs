//! WAIT: time that passes without compute.

use serde::{Deserialize, Serialize};

use super::{Operation, OperationStatus, invalid_action};
use crate::command::{Action, OperationUpdate};
use crate::payload::ErrorDocument;
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// What only a WAIT has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wait {
    /// How long it is, in seconds.
    pub seconds: u64,
    /// When it is over.
    pub ends_at: Timestamp,
}

/// What happens to a WAIT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It began.
    Started {
        /// How long it is, in seconds.
        seconds: u64,
        /// When it is over.
        ends_at: Timestamp,
    },
    /// Its time has come.
    Succeeded,
    /// It was called off.
    Cancelled {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorDocument>,
    },
}

/// Decides what an update does to the wait `current`, which is `None` if its id is new.
pub(crate) fn decide(
    current: Option<&Operation>,
    update: &OperationUpdate,
    now: Timestamp,
) -> Result<Event, Rejection> {
    match update.action {
        Action::Start if current.is_some() => Err(Rejection::invalid("Cannot start a WAIT that already exist.")),
        Action::Start => match update.wait_seconds {
            Some(seconds) => Ok(Event::Started { seconds, ends_at: now.plus_seconds(seconds) }),
            None => Err(Rejection::invalid("Update for WAIT operation requires WaitOptions.")),
        },
        Action::Cancel => match current {
            Some(operation) if operation.status == OperationStatus::Started => {
                Ok(Event::Cancelled { error: update.error.clone() })
            }
            Some(_) | None => {
                Err(Rejection::invalid("Cannot cancel a WAIT that does not exist or has already completed."))
            }
        },
        Action::Succeed | Action::Fail | Action::Retry => Err(invalid_action()),
    }
}

impl Wait {
    pub(super) fn apply(&mut self, event: &Event) -> OperationStatus {
        match event {
            Event::Started { seconds, ends_at } => {
                *self = Self { seconds: *seconds, ends_at: *ends_at };
                OperationStatus::Started
            }
            Event::Succeeded => OperationStatus::Succeeded,
            Event::Cancelled { .. } => OperationStatus::Cancelled,
        }
    }
}
