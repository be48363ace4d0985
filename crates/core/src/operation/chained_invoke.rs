//! CHAINED_INVOKE: another function, durable or not, whose outcome is kept.
//!
//! The target is resolved before the decision and handed in, so that the child's ARN and version stand in the
//! same commit as the operation.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Operation, OperationStatus, check_payload_size, invalid_action};
use crate::command::{Action, OperationUpdate};
use crate::id::{ExecutionArn, ExecutionId, ExecutionName, FunctionName, Place, TenantId, Version};
use crate::limits::CHAINED_INVOKE_PAYLOAD_BYTES_MAX;
use crate::payload::{ErrorDocument, ErrorObject, Payload};
use crate::rejection::Rejection;

/// What only a CHAINED_INVOKE has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChainedInvoke {
    /// What it asked for; `None` only before its first event.
    pub request: Option<Arc<Request>>,
    /// What the target returned.
    pub result: Option<Payload>,
    /// Why the target failed.
    pub error: Option<ErrorDocument>,
}

/// What a CHAINED_INVOKE asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The function as the handler named it.
    pub function_name: Arc<str>,
    /// What it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Payload>,
    /// The tenant it is invoked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// The trace header it is invoked with, if not the execution's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Arc<str>>,
    /// What the name stands for.
    pub target: Target,
}

/// What the name of a chained function stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A durable function: a child execution is started.
    Durable(Child),
    /// A function that is not durable: it is invoked.
    Plain {
        /// The function.
        function: FunctionName,
        /// Its version.
        version: Version,
    },
    /// Nothing that can be invoked: the operation fails at once.
    Refused(ErrorObject),
}

/// A child execution that is to be started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// Region and account.
    pub place: Place,
    /// The function.
    pub function: FunctionName,
    /// Its version.
    pub version: Version,
    /// The child's name.
    pub name: ExecutionName,
    /// The child's id.
    pub id: ExecutionId,
    /// How long it may take, in seconds.
    pub execution_timeout_seconds: u64,
    /// How long it is remembered, in days.
    pub retention_days: u32,
}

impl Child {
    /// Returns the child's ARN.
    pub fn arn(&self) -> ExecutionArn {
        ExecutionArn {
            place: self.place.clone(),
            function: self.function.clone(),
            version: self.version,
            name: self.name.clone(),
            id: self.id.to_string(),
        }
    }
}

/// What happens to a CHAINED_INVOKE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It was asked for.
    Started(Arc<Request>),
    /// The target succeeded.
    Succeeded {
        /// What it returned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Payload>,
    },
    /// The target failed.
    Failed {
        /// Why.
        error: ErrorDocument,
    },
    /// The target took too long.
    TimedOut {
        /// The service's words for it.
        error: ErrorDocument,
    },
    /// The target was stopped.
    Stopped {
        /// Why.
        error: ErrorDocument,
    },
    /// The handler does not wait for it any more.
    Cancelled,
}

impl Event {
    pub(crate) fn in_history(&self) -> bool {
        match self {
            Self::Started(_)
            | Self::Succeeded { .. }
            | Self::Failed { .. }
            | Self::TimedOut { .. }
            | Self::Stopped { .. } => true,
            Self::Cancelled => false,
        }
    }

    pub(crate) fn stored_bytes(&self) -> u64 {
        match self {
            Self::Started(request) => request.input.as_ref().map_or(0, Payload::bytes),
            Self::Succeeded { result } => result.as_ref().map_or(0, Payload::bytes),
            Self::Failed { error } | Self::TimedOut { error } | Self::Stopped { error } => error.0.bytes(),
            Self::Cancelled => 0,
        }
    }
}

/// Decides what an update does to the invoke `current`, which is `None` if its id is new.
pub(crate) fn decide(current: Option<&Operation>, update: &OperationUpdate) -> Result<Vec<Event>, Rejection> {
    match update.action {
        Action::Start if current.is_some() => {
            Err(Rejection::invalid("Cannot start a CHAINED_INVOKE that already exist."))
        }
        Action::Start => {
            let Some(options) = &update.chained_invoke else {
                return Err(Rejection::invalid("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions."));
            };
            check_payload_size(update, "CHAINED_INVOKE input", CHAINED_INVOKE_PAYLOAD_BYTES_MAX)?;
            let started = Event::Started(Arc::new(Request {
                function_name: options.function_name.clone(),
                input: update.payload.clone(),
                tenant_id: options.tenant_id.clone(),
                trace_id: options.trace_id.clone(),
                target: options.target.clone(),
            }));
            match &options.target {
                Target::Durable(_) | Target::Plain { .. } => Ok(vec![started]),
                Target::Refused(error) => Ok(vec![started, Event::Failed { error: error.into() }]),
            }
        }
        Action::Cancel => match current {
            Some(operation) if operation.status == OperationStatus::Started => Ok(vec![Event::Cancelled]),
            Some(_) | None => {
                Err(Rejection::invalid("Cannot cancel an INVOKE that does not exist or has already completed."))
            }
        },
        Action::Succeed | Action::Fail | Action::Retry => Err(invalid_action()),
    }
}

impl ChainedInvoke {
    pub(super) fn apply(&mut self, event: &Event) -> OperationStatus {
        match event {
            Event::Started(request) => {
                self.request = Some(request.clone());
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
            Event::Stopped { error } => {
                self.error = Some(error.clone());
                OperationStatus::Stopped
            }
            Event::Cancelled => OperationStatus::Cancelled,
        }
    }
}
