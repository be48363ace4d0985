//! What happened to an execution: the only thing that is stored of it.
//!
//! Events are richer than AWS's history, which is a projection of them ([`crate::history`]): whatever must
//! survive a restart is an event. They change by addition only: a new variant, or a field with a default.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{
    ClientToken, ExecutionArn, ExecutionId, ExecutionName, FunctionName, OperationId, Place, RequestId, TenantId,
    Version,
};
use crate::operation::{Opening, callback, chained_invoke, context, step, wait};
use crate::payload::{ErrorDocument, Payload};
use crate::time::Timestamp;

/// What one commit adds to an execution: the events of one decision, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The execution's version after this record; the first record makes version 1.
    pub version: u64,
    /// When it was decided, in durable time.
    pub at: Timestamp,
    /// `EventId` of the first event of this record that AWS's history shows.
    pub first_event_id: u64,
    /// How many of the events AWS's history shows; their ids are dense.
    pub event_ids: u64,
    /// What happened.
    pub events: Vec<Event>,
}

/// Something that happened to an execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The execution was created.
    ExecutionStarted(Box<Start>),
    /// An operation id was seen for the first time.
    OperationAdded(Opening),
    /// A STEP changed.
    Step {
        /// The operation.
        id: OperationId,
        /// What happened to it.
        event: step::Event,
    },
    /// A WAIT changed.
    Wait {
        /// The operation.
        id: OperationId,
        /// What happened to it.
        event: wait::Event,
    },
    /// A CALLBACK changed.
    Callback {
        /// The operation.
        id: OperationId,
        /// What happened to it.
        event: callback::Event,
    },
    /// A CONTEXT changed.
    Context {
        /// The operation.
        id: OperationId,
        /// What happened to it.
        event: context::Event,
    },
    /// A CHAINED_INVOKE changed.
    ChainedInvoke {
        /// The operation.
        id: OperationId,
        /// What happened to it.
        event: chained_invoke::Event,
    },
    /// The function took the execution up; it was given every operation as of now.
    InvocationStarted {
        /// The invocation's request id.
        request_id: RequestId,
    },
    /// A checkpoint request was accepted: its token is spent, its answer shows every change so far.
    CheckpointAccepted {
        /// The request's client token, by which a repetition is recognised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_token: Option<ClientToken>,
        /// Whether the answer carried a next token.
        token: NextToken,
    },
    /// An invocation ended, one way or another.
    InvocationCompleted(InvocationCompleted),
    /// The handler fixed the outcome by an EXECUTION update; it is announced when the invocation ends.
    OutcomeFixed(Outcome),
    /// The execution succeeded.
    ExecutionSucceeded {
        /// What the handler returned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Payload>,
    },
    /// The execution failed.
    ExecutionFailed {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorDocument>,
    },
    /// The execution outlived its `ExecutionTimeout`.
    ExecutionTimedOut {
        /// The service's words for it.
        error: ErrorDocument,
    },
    /// The execution was stopped from outside.
    ExecutionStopped {
        /// Why, in the caller's words.
        error: ErrorDocument,
    },
    /// A pause was asked for.
    PauseRequested(PauseRequest),
    /// The pause took hold.
    ExecutionPaused(PauseRequest),
    /// The execution goes on after a pause.
    ExecutionResumed {
        /// Why, in the caller's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Arc<str>>,
        /// By which a repetition is recognised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_token: Option<ClientToken>,
    },
    /// The pause was taken back before it took hold.
    PauseCancelled {
        /// By which a repetition is recognised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_token: Option<ClientToken>,
    },
    /// The execution is to be forgotten.
    DeletionRequested,
}

impl Event {
    /// Tells whether AWS's history shows this event, so that it has an `EventId`.
    pub fn in_history(&self) -> bool {
        match self {
            Self::ExecutionStarted(_)
            | Self::InvocationCompleted(_)
            | Self::ExecutionSucceeded { .. }
            | Self::ExecutionFailed { .. }
            | Self::ExecutionTimedOut { .. }
            | Self::ExecutionStopped { .. }
            | Self::ExecutionPaused(_)
            | Self::ExecutionResumed { .. }
            | Self::Wait { .. }
            | Self::Context { .. } => true,
            Self::Step { event, .. } => event.in_history(),
            Self::Callback { event, .. } => event.in_history(),
            Self::ChainedInvoke { event, .. } => event.in_history(),
            Self::OperationAdded(_)
            | Self::InvocationStarted { .. }
            | Self::CheckpointAccepted { .. }
            | Self::OutcomeFixed(_)
            | Self::PauseRequested(_)
            | Self::PauseCancelled { .. }
            | Self::DeletionRequested => false,
        }
    }

    /// Returns the operation that it happened to.
    pub fn operation_id(&self) -> Option<&OperationId> {
        match self {
            Self::Step { id, .. }
            | Self::Wait { id, .. }
            | Self::Callback { id, .. }
            | Self::Context { id, .. }
            | Self::ChainedInvoke { id, .. } => Some(id),
            Self::ExecutionStarted(_)
            | Self::OperationAdded(_)
            | Self::InvocationStarted { .. }
            | Self::CheckpointAccepted { .. }
            | Self::InvocationCompleted(_)
            | Self::OutcomeFixed(_)
            | Self::ExecutionSucceeded { .. }
            | Self::ExecutionFailed { .. }
            | Self::ExecutionTimedOut { .. }
            | Self::ExecutionStopped { .. }
            | Self::PauseRequested(_)
            | Self::ExecutionPaused(_)
            | Self::ExecutionResumed { .. }
            | Self::PauseCancelled { .. }
            | Self::DeletionRequested => None,
        }
    }

    /// Returns the payload bytes that this event adds to what the execution has stored.
    pub fn stored_bytes(&self) -> u64 {
        let payload = |payload: &Option<Payload>| payload.as_ref().map_or(0, Payload::bytes);
        let error = |error: &Option<ErrorDocument>| error.as_ref().map_or(0, |error| error.0.bytes());
        match self {
            Self::ExecutionStarted(start) => payload(&start.input),
            Self::Step { event, .. } => event.stored_bytes(),
            Self::Callback { event, .. } => event.stored_bytes(),
            Self::Context { event, .. } => event.stored_bytes(),
            Self::ChainedInvoke { event, .. } => event.stored_bytes(),
            Self::ExecutionSucceeded { result } => payload(result),
            Self::ExecutionFailed { error: document } => error(document),
            Self::OperationAdded(_)
            | Self::Wait { .. }
            | Self::InvocationStarted { .. }
            | Self::CheckpointAccepted { .. }
            | Self::InvocationCompleted(_)
            | Self::OutcomeFixed(_)
            | Self::ExecutionTimedOut { .. }
            | Self::ExecutionStopped { .. }
            | Self::PauseRequested(_)
            | Self::ExecutionPaused(_)
            | Self::ExecutionResumed { .. }
            | Self::PauseCancelled { .. }
            | Self::DeletionRequested => 0,
        }
    }
}

/// What is fixed when an execution is created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The execution's id.
    pub id: ExecutionId,
    /// Region and account.
    pub place: Place,
    /// The function.
    pub function: FunctionName,
    /// The version that the execution is pinned to.
    pub version: Version,
    /// The execution's name.
    pub name: ExecutionName,
    /// What the caller sent, verbatim; `None` if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Payload>,
    /// How long it may take, in seconds.
    pub execution_timeout_seconds: u64,
    /// How long it is remembered once it is over, in days.
    pub retention_days: u32,
    /// How it was started, which decides the size of its output.
    pub mode: StartMode,
    /// The trace header it was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Arc<str>>,
    /// The tenant it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// The operation of another execution that waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// The alias that the caller named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Arc<str>>,
    /// How many destinations told the next one, up to this execution.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u32,
}

impl Start {
    /// Returns the execution's ARN.
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

/// How an execution was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartMode {
    /// A caller waits for the outcome.
    Sync,
    /// Nobody waits.
    Async,
}

/// The CHAINED_INVOKE that an execution was started by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The execution that waits.
    pub execution: ExecutionId,
    /// Its CHAINED_INVOKE operation.
    pub operation: OperationId,
}

/// Whether an accepted checkpoint was answered with a next token, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextToken {
    /// With one.
    Given,
    /// Without: the execution is being paused.
    WithheldByPause,
    /// Without: the outcome is fixed.
    WithheldByOutcome,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvocationCompleted {
    /// Its request id.
    pub request_id: RequestId,
    /// When it began.
    pub started_at: Timestamp,
    /// What went wrong, or the error of a FAILED answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorDocument>,
    /// What it means for the next one.
    pub ending: Ending,
    /// When the function is to be invoked again, if that is known already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
}

/// What the end of an invocation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// A valid answer.
    Clean,
    /// A failure, which counts against the execution.
    Failed,
    /// Lost with the server that ran it, which counts against nobody.
    Lost,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With a result.
    Succeeded(Option<Payload>),
    /// With an error.
    Failed(Option<ErrorDocument>),
    /// It took too long.
    TimedOut(ErrorDocument),
    /// It was stopped.
    Stopped(ErrorDocument),
}

/// What a caller asked for with a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseRequest {
    /// When.
    pub requested_at: Timestamp,
    /// Whether the execution timeout stands still meanwhile.
    pub execution_timeout_paused: bool,
    /// Why, in the caller's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
    /// By which a repetition is recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_token: Option<ClientToken>,
}

/// Something to do in the world because of a decision: stored in the same commit, done at least once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Start what a CHAINED_INVOKE asks for: a durable child, or a plain invocation.
    StartChainedInvoke(Parent),
    /// Tell the execution that waits how its child ended.
    TellParent {
        /// The child that ended.
        child: ExecutionId,
        /// Who waits for it.
        parent: Parent,
    },
    /// Tell whoever wants to know that an execution failed for which nobody waits.
    TellDestination(ExecutionId),
    /// Invoke a plain function for a caller that does not wait.
    InvokePlain(PlainInvocation),
    /// Start an execution for a caller that does not wait. Its input stands here whole, however long it is.
    StartExecution(Box<Start>),
}

/// An asynchronous invocation of a function that is not durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlainInvocation {
    /// The function.
    pub function: FunctionName,
    /// Its version, resolved when the caller asked.
    pub version: Version,
    /// The invocation's request id, the same for each try.
    pub request_id: RequestId,
    /// What the caller sent.
    pub payload: Arc<str>,
    /// The tenant it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// The caller's trace header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Arc<str>>,
    /// How often it was tried before.
    pub tries: u32,
    /// The version or alias that the caller named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<Arc<str>>,
    /// When it was accepted; earlier releases did not write it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// How often it was put off because no process could be had.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deferrals: u32,
    /// How many destinations told the next one, up to this invocation.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
