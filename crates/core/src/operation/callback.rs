//! CALLBACK: a completion that comes from outside, by an id that only its holder knows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Operation, OperationStatus, invalid_action};
use crate::command::{Action, OperationUpdate};
use crate::payload::{ErrorDocument, ErrorObject, Payload};
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// What only a CALLBACK has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Callback {
    /// The id that completes it.
    pub callback_id: Arc<str>,
    /// When it times out.
    pub timeout_at: Option<Timestamp>,
    /// How long it may stay silent, in seconds.
    pub heartbeat_seconds: Option<u64>,
    /// When the next heartbeat is overdue.
    pub heartbeat_at: Option<Timestamp>,
    /// What it was completed with.
    pub result: Option<Payload>,
    /// Why it failed.
    pub error: Option<ErrorDocument>,
}

/// What happens to a CALLBACK.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It was created.
    Started {
        /// The id that completes it.
        callback_id: Arc<str>,
        /// How long it may take, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_seconds: Option<u64>,
        /// How long it may stay silent, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heartbeat_seconds: Option<u64>,
    },
    /// Its holder is still at it.
    Heartbeat,
    /// Its holder completed it.
    Succeeded {
        /// With what.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Payload>,
    },
    /// Its holder gave up.
    Failed {
        /// Why.
        error: ErrorDocument,
    },
    /// It took too long, or stayed silent too long.
    TimedOut {
        /// The service's words for it.
        error: ErrorDocument,
    },
}

impl Event {
    pub(crate) fn in_history(&self) -> bool {
        match self {
            Self::Started { .. } | Self::Succeeded { .. } | Self::Failed { .. } | Self::TimedOut { .. } => true,
            Self::Heartbeat => false,
        }
    }

    pub(crate) fn stored_bytes(&self) -> u64 {
        match self {
            Self::Succeeded { result } => result.as_ref().map_or(0, Payload::bytes),
            Self::Failed { error } => error.0.bytes(),
            Self::Started { .. } | Self::Heartbeat | Self::TimedOut { .. } => 0,
        }
    }
}

/// Decides what an update does to the callback `current`, which is `None` if its id is new.
pub(crate) fn decide(
    current: Option<&Operation>,
    update: &OperationUpdate,
    callback_id: impl FnOnce() -> String,
) -> Result<Event, Rejection> {
    match update.action {
        Action::Start if current.is_some() => Err(Rejection::invalid("Cannot start a CALLBACK that already exist.")),
        Action::Start => Ok(Event::Started {
            callback_id: callback_id().into(),
            timeout_seconds: update.callback_timeout_seconds.filter(|seconds| *seconds > 0),
            heartbeat_seconds: update.heartbeat_timeout_seconds.filter(|seconds| *seconds > 0),
        }),
        Action::Succeed | Action::Fail | Action::Retry | Action::Cancel => Err(invalid_action()),
    }
}

impl Callback {
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        [self.timeout_at, self.heartbeat_at].into_iter().flatten().min()
    }

    /// Returns how it times out: of two deadlines the earlier wins.
    pub(super) fn fire(&self) -> Event {
        let heartbeat_first = match (self.heartbeat_at, self.timeout_at) {
            (Some(heartbeat), Some(timeout)) => heartbeat < timeout,
            (heartbeat, _) => heartbeat.is_some(),
        };
        let error = if heartbeat_first {
            ErrorObject::new("Callback.Heartbeat", "Callback timed out on heartbeat")
        } else {
            ErrorObject::new("Callback.Timeout", "Callback timed out")
        };
        Event::TimedOut { error: (&error).into() }
    }

    pub(super) fn apply(&mut self, event: &Event, at: Timestamp) -> OperationStatus {
        match event {
            Event::Started { callback_id, timeout_seconds, heartbeat_seconds } => {
                self.callback_id = callback_id.clone();
                self.timeout_at = timeout_seconds.map(|seconds| at.plus_seconds(seconds));
                self.heartbeat_seconds = *heartbeat_seconds;
                self.heartbeat_at = heartbeat_seconds.map(|seconds| at.plus_seconds(seconds));
                OperationStatus::Started
            }
            Event::Heartbeat => {
                self.heartbeat_at = self.heartbeat_seconds.map(|seconds| at.plus_seconds(seconds));
                OperationStatus::Started
            }
            Event::Succeeded { result } => {
                self.result = result.clone();
                OperationStatus::Succeeded
            }
            Event::Failed { error } => {
                self.error = Some(error.clone());
                OperationStatus::Failed
            }
            Event::TimedOut { error } => {
                self.error = Some(error.clone());
                OperationStatus::TimedOut
            }
        }
    }
}
