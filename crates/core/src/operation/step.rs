//! STEP: a piece of the user's code whose result is kept, attempted until it succeeds or gives up.
//!
//! `WaitForCondition` is a step too: each poll is a RETRY that carries the state as its payload.

use serde::{Deserialize, Serialize};

use super::{Operation, OperationStatus, check_payload_size, forbid_error, forbid_payload, invalid_action};
use crate::command::{Action, OperationUpdate};
use crate::limits::STEP_PAYLOAD_BYTES_MAX;
use crate::payload::{ErrorDocument, Payload};
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// What only a STEP has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Attempts that are over.
    pub attempt: u32,
    /// When the next attempt is due, while it is pending.
    pub next_attempt_at: Option<Timestamp>,
    /// The result, or the state that the last retry carried.
    pub result: Option<Payload>,
    /// The error of the last attempt.
    pub error: Option<ErrorDocument>,
}

/// What happens to a STEP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An attempt began.
    Started,
    /// An attempt ended well; with `retry`, another one follows.
    Succeeded {
        /// What it returned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Payload>,
        /// Which attempt, counted from 1.
        attempt: u32,
        /// When the next one follows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry: Option<Retry>,
    },
    /// An attempt failed; with `retry`, another one follows.
    Failed {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorDocument>,
        /// Which attempt, counted from 1.
        attempt: u32,
        /// When the next one follows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry: Option<Retry>,
    },
    /// The delay before the next attempt is over.
    Ready,
}

/// The next attempt of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// The delay that was asked for, in seconds.
    pub delay_seconds: u64,
    /// When it is over.
    pub at: Timestamp,
}

impl Event {
    pub(crate) fn in_history(&self) -> bool {
        match self {
            Self::Started | Self::Succeeded { .. } | Self::Failed { .. } => true,
            Self::Ready => false,
        }
    }

    pub(crate) fn stored_bytes(&self) -> u64 {
        match self {
            Self::Succeeded { result, .. } => result.as_ref().map_or(0, Payload::bytes),
            Self::Failed { error, .. } => error.as_ref().map_or(0, |error| error.0.bytes()),
            Self::Started | Self::Ready => 0,
        }
    }

    pub(crate) fn is_retry(&self) -> bool {
        match self {
            Self::Succeeded { retry, .. } | Self::Failed { retry, .. } => retry.is_some(),
            Self::Started | Self::Ready => false,
        }
    }
}

/// Decides what an update does to the step `current`, which is `None` if its id is new.
pub(crate) fn decide(
    current: Option<&Operation>,
    update: &OperationUpdate,
    now: Timestamp,
) -> Result<Event, Rejection> {
    let status = current.map(|operation| operation.status);
    let open = matches!(status, None | Some(OperationStatus::Started | OperationStatus::Ready));
    let attempt = 1 + current.map_or(0, attempts);
    match update.action {
        Action::Start => match status {
            None | Some(OperationStatus::Ready) => Ok(Event::Started),
            Some(_) => Err(Rejection::invalid("Invalid current STEP state to start.")),
        },
        Action::Succeed => {
            close(open, update)?;
            forbid_error(update)?;
            check_payload_size(update, "STEP output", STEP_PAYLOAD_BYTES_MAX)?;
            Ok(Event::Succeeded { result: update.payload.clone(), attempt, retry: None })
        }
        Action::Fail => {
            close(open, update)?;
            forbid_payload(update)?;
            Ok(Event::Failed { error: update.error.clone(), attempt, retry: None })
        }
        Action::Retry => {
            if !open {
                return Err(Rejection::invalid("Invalid current STEP state to re-attempt."));
            }
            let Some(delay_seconds) = update.next_attempt_delay_seconds else {
                return Err(invalid_options());
            };
            let retry = Some(Retry { delay_seconds, at: now.plus_seconds(delay_seconds) });
            check_payload_size(update, "STEP output", STEP_PAYLOAD_BYTES_MAX)?;
            match (&update.payload, &update.error) {
                (Some(_), Some(_)) => Err(Rejection::invalid("Cannot provide both error and payload to RETRY a STEP.")),
                (_, None) => Ok(Event::Succeeded { result: update.payload.clone(), attempt, retry }),
                (None, Some(error)) => Ok(Event::Failed { error: Some(error.clone()), attempt, retry }),
            }
        }
        Action::Cancel => Err(invalid_action()),
    }
}

impl Step {
    pub(super) fn apply(&mut self, event: &Event) -> OperationStatus {
        match event {
            Event::Started => OperationStatus::Started,
            Event::Succeeded { result, attempt, retry } => {
                *self = Self { attempt: *attempt, next_attempt_at: at(retry), result: result.clone(), error: None };
                if retry.is_some() { OperationStatus::Pending } else { OperationStatus::Succeeded }
            }
            Event::Failed { error, attempt, retry } => {
                *self = Self { attempt: *attempt, next_attempt_at: at(retry), result: None, error: error.clone() };
                if retry.is_some() { OperationStatus::Pending } else { OperationStatus::Failed }
            }
            Event::Ready => {
                self.next_attempt_at = None;
                OperationStatus::Ready
            }
        }
    }
}

fn at(retry: &Option<Retry>) -> Option<Timestamp> {
    retry.as_ref().map(|retry| retry.at)
}

fn attempts(operation: &Operation) -> u32 {
    match &operation.detail {
        super::Detail::Step(step) => step.attempt,
        detail => unreachable!("a step is not {detail:?}: its type was checked"),
    }
}

fn close(open: bool, update: &OperationUpdate) -> Result<(), Rejection> {
    if !open {
        return Err(Rejection::invalid("Invalid current STEP state to close."));
    }
    if update.next_attempt_delay_seconds.is_some() {
        return Err(invalid_options());
    }
    Ok(())
}

fn invalid_options() -> Rejection {
    Rejection::invalid("Invalid StepOptions for the given action.")
}
