//! What can be asked of an execution: by its handler, by callers, by time and by the world.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{ClientToken, OperationId, OperationName, RequestId, SubType, TenantId};
use crate::operation::OperationType;
use crate::operation::chained_invoke::Target;
use crate::payload::{ErrorDocument, Payload};

/// A request to an execution that exists. Starting one is [`crate::Execution::start`].
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The function takes the execution up.
    BeginInvocation {
        /// The invocation's request id.
        request_id: RequestId,
    },
    /// The handler reports progress.
    Checkpoint(Checkpoint),
    /// An invocation ended.
    CompleteInvocation {
        /// Which one.
        request_id: RequestId,
        /// How.
        result: InvocationResult,
    },
    /// The holder of a callback id completes it.
    CompleteCallback {
        /// Which one.
        operation: OperationId,
        /// How.
        completion: CallbackCompletion,
    },
    /// A chained function ended.
    CompleteChainedInvoke {
        /// Which one.
        operation: OperationId,
        /// How.
        completion: ChainedCompletion,
    },
    /// Time has passed: whatever is due happens.
    Wake,
    /// End it from outside.
    Stop {
        /// Why.
        error: ErrorDocument,
    },
    /// Let nothing run until further notice.
    Pause {
        /// Whether the execution timeout stands still meanwhile.
        execution_timeout_paused: bool,
        /// Why.
        reason: Option<Arc<str>>,
        /// By which a repetition is recognised.
        client_token: Option<ClientToken>,
    },
    /// Go on after a pause.
    Resume {
        /// Why.
        reason: Option<Arc<str>>,
        /// By which a repetition is recognised.
        client_token: Option<ClientToken>,
    },
    /// Forget it.
    Delete,
}

/// A checkpoint request whose token was genuine; whether it is current is for the execution to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The invocation that the token belongs to, counted from 1.
    pub invocation: u32,
    /// How many checkpoints of it the token has seen.
    pub checkpoint: u32,
    /// By which a repetition is recognised.
    pub client_token: Option<ClientToken>,
    /// What the handler reports, in order.
    pub updates: Vec<OperationUpdate>,
}

/// What a handler reports of one operation. Source: Lambda API, `OperationUpdate`.
///
/// Members that the type and action do not call for are refused or ignored by the rules of the type, as AWS does.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationUpdate {
    /// The operation.
    pub id: OperationId,
    /// Its type.
    pub operation_type: OperationType,
    /// What happened to it.
    pub action: Action,
    /// The context it stands in.
    pub parent: Option<OperationId>,
    /// Its name.
    pub name: Option<OperationName>,
    /// Its sub type.
    pub sub_type: Option<SubType>,
    /// A result or an input.
    pub payload: Option<Payload>,
    /// An error.
    pub error: Option<ErrorDocument>,
    /// `ContextOptions.ReplayChildren`.
    pub replay_children: bool,
    /// `StepOptions.NextAttemptDelaySeconds`.
    pub next_attempt_delay_seconds: Option<u64>,
    /// `WaitOptions.WaitSeconds`.
    pub wait_seconds: Option<u64>,
    /// `CallbackOptions.TimeoutSeconds`; 0 for none.
    pub callback_timeout_seconds: Option<u64>,
    /// `CallbackOptions.HeartbeatTimeoutSeconds`; 0 for none.
    pub heartbeat_timeout_seconds: Option<u64>,
    /// `ChainedInvokeOptions`, with the target resolved.
    pub chained_invoke: Option<ChainedInvokeOptions>,
}

/// What happened to an operation. Source: Lambda API, `OperationAction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// It began.
    Start,
    /// It ended well.
    Succeed,
    /// It failed.
    Fail,
    /// It is to be attempted again.
    Retry,
    /// It is called off.
    Cancel,
}

/// What a CHAINED_INVOKE is to call.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainedInvokeOptions {
    /// The function as the handler named it.
    pub function_name: Arc<str>,
    /// The tenant it is invoked for.
    pub tenant_id: Option<TenantId>,
    /// The trace header it is invoked with.
    pub trace_id: Option<Arc<str>>,
    /// What the name stands for.
    pub target: Target,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum InvocationResult {
    /// The handler is done: SUCCEEDED.
    Succeeded {
        /// What it returned.
        result: Option<Payload>,
    },
    /// The handler is done: FAILED.
    Failed {
        /// Why.
        error: Option<ErrorDocument>,
    },
    /// The handler waits for something: PENDING.
    Pending,
    /// The handler's answer makes no sense.
    Invalid {
        /// Why not, in AWS's words.
        message: String,
    },
    /// The invocation failed: the handler threw, the process died, time ran out.
    Broken {
        /// The type of the error, which decides how it is retried.
        error_type: String,
        /// The error.
        error: ErrorDocument,
    },
    /// The function is not there any more.
    FunctionMissing,
    /// It was lost with the server that ran it.
    Lost,
}

/// How the holder of a callback id completes it.
#[derive(Clone, Debug, PartialEq)]
pub enum CallbackCompletion {
    /// With a result.
    Succeed(Option<Payload>),
    /// With an error.
    Fail(ErrorDocument),
    /// Not yet, but it is at it.
    Heartbeat,
}

/// How a chained function ended.
#[derive(Clone, Debug, PartialEq)]
pub enum ChainedCompletion {
    /// With a result.
    Succeeded(Option<Payload>),
    /// With an error.
    Failed(ErrorDocument),
    /// It took too long.
    TimedOut(ErrorDocument),
    /// It was stopped.
    Stopped(ErrorDocument),
}
