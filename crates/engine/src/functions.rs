//! What the engine asks of whoever has the functions.

use std::sync::Arc;

use async_trait::async_trait;
use everstep_core::event::{PlainInvocation, Start};
use everstep_core::id::{FunctionName, Place, RequestId, TenantId, Version};
use everstep_core::operation::chained_invoke::{Child, Target};
use everstep_core::{Effect, ErrorObject, Operation, Texts, Timestamp};

use crate::asynchronous::{AsyncEnding, EventInvokeConfig};
use crate::new_execution_id;

/// Finds functions, and gets processes ready that run them. The server has one, the tests and the SDK's kit another.
#[async_trait]
pub trait Functions: Send + Sync + 'static {
    /// Finds what a handler means by the name of a function.
    async fn resolve(&self, reference: &str) -> Resolved;

    /// Waits for a process that is ready to take one invocation of a function.
    async fn acquire(&self, function: &FunctionName, version: Version, tenant: Option<&TenantId>) -> Acquired;

    /// Returns what governs an asynchronous invocation: AWS's defaults, unless somebody knows better.
    ///
    /// # Errors
    /// If it cannot be known now; the engine asks again.
    async fn event_invoke_config(&self, _invocation: &PlainInvocation) -> Result<EventInvokeConfig, Unavailable> {
        Ok(EventInvokeConfig::default())
    }

    /// Returns what the end of an asynchronous invocation owes to its destination: nothing, unless somebody knows better.
    ///
    /// # Errors
    /// If it cannot be known now; the engine asks again.
    async fn destination(
        &self,
        _invocation: &PlainInvocation,
        _ending: &AsyncEnding,
    ) -> Result<Option<Effect>, Unavailable> {
        Ok(None)
    }
}

/// The functions cannot be looked up now.
#[derive(Debug, thiserror::Error)]
#[error("the functions cannot be looked up: {0}")]
pub struct Unavailable(pub String);

/// What the name of a function stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved {
    /// A durable function.
    Durable {
        /// Region and account.
        place: Place,
        /// The function.
        function: FunctionName,
        /// Its version.
        version: Version,
        /// How long an execution may take, in seconds.
        execution_timeout_seconds: u64,
        /// How long it is remembered, in days.
        retention_days: u32,
    },
    /// A function that is not durable.
    Plain {
        /// The function.
        function: FunctionName,
        /// Its version.
        version: Version,
    },
    /// Nothing that can be invoked.
    Refused(ErrorObject),
}

impl Resolved {
    /// Returns what a chained invoke is aimed at: a durable function gets an execution, drawn up by name.
    pub fn into_target(self) -> Target {
        match self {
            Self::Durable { place, function, version, execution_timeout_seconds, retention_days } => {
                let name = new_execution_id().to_string().parse().expect("a UUID is an execution name");
                let id = new_execution_id();
                Target::Durable(Child { place, function, version, name, id, execution_timeout_seconds, retention_days })
            }
            Self::Plain { function, version } => Target::Plain { function, version },
            Self::Refused(error) => Target::Refused(error),
        }
    }
}

/// What came of waiting for a process.
pub enum Acquired {
    /// A process that is ready.
    Ready(Box<dyn Slot>),
    /// The function is not there any more.
    Missing,
    /// No process could be made ready.
    Broken(ErrorObject),
    /// The function has no concurrency left: nothing has been tried, and it is to be asked for again later.
    Throttled,
}

/// A process that is ready for one invocation. Dropping it gives the process back unused.
#[async_trait]
pub trait Slot: Send {
    /// Runs a durable handler to its answer.
    async fn run_durable(self: Box<Self>, run: DurableRun) -> HandlerAnswer;

    /// Runs a plain function to its result: the body, or its error.
    async fn run_plain(self: Box<Self>, run: PlainRun) -> Result<String, ErrorObject>;
}

/// One invocation of a durable handler.
#[derive(Debug)]
pub struct DurableRun {
    /// Its request id.
    pub request_id: RequestId,
    /// What was fixed at the execution's start.
    pub start: Arc<Start>,
    /// When the execution started.
    pub started_at: Timestamp,
    /// The token of its first checkpoint, sealed.
    pub checkpoint_token: String,
    /// The operations that a replay needs.
    pub operations: Vec<Arc<Operation>>,
    /// Ids of operations that changed outside the handler.
    pub updated_operation_ids: Vec<String>,
    /// The texts of everything shown.
    pub texts: Texts,
}

/// One invocation of a plain function.
#[derive(Debug)]
pub struct PlainRun {
    /// Its request id.
    pub request_id: RequestId,
    /// What it is sent.
    pub payload: Arc<str>,
    /// For which tenant.
    pub tenant_id: Option<TenantId>,
    /// With which trace header.
    pub trace_id: Option<Arc<str>>,
}

impl From<&PlainInvocation> for PlainRun {
    fn from(invocation: &PlainInvocation) -> Self {
        Self {
            request_id: invocation.request_id,
            payload: invocation.payload.clone(),
            tenant_id: invocation.tenant_id.clone(),
            trace_id: invocation.trace_id.clone(),
        }
    }
}

/// What became of an invocation of a durable handler.
#[derive(Clone, Debug, PartialEq)]
pub enum HandlerAnswer {
    /// It is done.
    Succeeded(Option<String>),
    /// It failed.
    Failed(Option<ErrorObject>),
    /// It waits for something.
    Pending,
    /// Its answer makes no sense, for this reason.
    Invalid(String),
    /// It threw, died or ran out of time.
    Broken(ErrorObject),
}
