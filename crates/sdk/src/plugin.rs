//! Plugins: code that is told what a handler's invocations, operations and attempts do.
//!
//! A plugin can fail or panic: the execution goes on, and so do the other plugins.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use crate::journal::Journal;
use crate::scoped::Attempt;
use crate::wire::{ErrorObject, OperationStatus, OperationType, Record};

/// What is told of one invocation. Every method does nothing unless it is written.
///
/// The methods are called in the order in which plugins were added, before the handler sees the result, and must be
/// quick: they run on the handler's task.
///
/// ```
/// use everstep::plugin::{InvocationInfo, OperationInfo, Plugin};
/// use everstep::{Context, Function, Result};
///
/// struct Announce;
///
/// impl Plugin for Announce {
///     fn operation_end(&self, operation: &OperationInfo<'_>) {
///         tracing::info!(name = operation.name, status = ?operation.status, "an operation ended");
///     }
/// }
///
/// # async fn handler(_: (), _: Context) -> Result<()> { Ok(()) }
/// let function = Function::new(handler).plugin(|_: &InvocationInfo<'_>| Box::new(Announce) as Box<dyn Plugin>);
/// ```
pub trait Plugin: Send + Sync {
    /// An invocation begins.
    fn invocation_start(&self, _invocation: &InvocationInfo<'_>) {}

    /// An invocation ends: also when the handler only waits.
    fn invocation_end(&self, _invocation: &InvocationInfo<'_>, _end: &InvocationEnd<'_>) {}

    /// An operation begins; or goes on, if it [is a replay](OperationInfo::is_replay).
    fn operation_start(&self, _operation: &OperationInfo<'_>) {}

    /// An operation ended: once, in the invocation that sees it.
    fn operation_end(&self, _operation: &OperationInfo<'_>) {}

    /// Records of operations changed.
    fn operations_change(&self, _change: &ChangeInfo<'_>) {}

    /// Code of the user begins: an attempt of a step, or a run of a context.
    fn attempt_start(&self, _attempt: &AttemptInfo<'_>) {}

    /// Code of the user ended.
    fn attempt_end(&self, _attempt: &AttemptInfo<'_>, _end: &AttemptEnd<'_>) {}

    /// Makes something that is kept while code of the handler, or of an attempt, is polled, and dropped whenever it
    /// waits: a guard that sets what is current on this thread.
    fn enter(&self, _attempt: Option<&AttemptInfo<'_>>) -> Option<Box<dyn Any>> {
        None
    }

    /// Returns fields to add to each line of the log.
    fn log_fields(&self, _attempt: Option<&AttemptInfo<'_>>) -> Vec<(String, serde_json::Value)> {
        Vec::new()
    }

    /// Returns the `X-Amzn-Trace-Id` that an invoked function is given.
    fn trace_id(&self, _operation: &OperationInfo<'_>) -> Option<String> {
        None
    }

    /// Sends what it still holds, before the invocation is answered.
    fn flush(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// Makes a plugin for each invocation. Every `Fn(&InvocationInfo) -> Box<dyn Plugin>` is one.
pub trait PluginFactory: Send + Sync {
    /// Makes the plugin of an invocation.
    fn create(&self, invocation: &InvocationInfo<'_>) -> Box<dyn Plugin>;
}

impl<F: Fn(&InvocationInfo<'_>) -> Box<dyn Plugin> + Send + Sync> PluginFactory for F {
    fn create(&self, invocation: &InvocationInfo<'_>) -> Box<dyn Plugin> {
        self(invocation)
    }
}

/// An invocation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InvocationInfo<'a> {
    /// Lambda's id of it.
    pub request_id: &'a str,
    /// The execution.
    pub execution_arn: &'a str,
    /// Whether nothing was recorded before.
    pub is_first: bool,
    /// When the execution started.
    pub execution_started_at: SystemTime,
    /// The input of the execution, as text.
    pub execution_input: Option<&'a str>,
    /// The trace header that Lambda gave.
    pub trace_id: Option<&'a str>,
    /// When Lambda ends it.
    pub deadline: SystemTime,
    /// What is known of its operations.
    pub operations: Vec<OperationInfo<'a>>,
    /// The operations that changed since the last invocation.
    pub updated_operations: Vec<OperationInfo<'a>>,
}

/// How an invocation ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InvocationEnd<'a> {
    /// As what.
    pub status: InvocationStatus,
    /// The error of an execution that failed.
    pub error: Option<&'a ErrorObject>,
}

/// As what an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvocationStatus {
    /// The execution is done.
    Succeeded,
    /// The execution failed.
    Failed,
    /// The execution waits.
    Pending,
    /// The service is asked for another invocation.
    Retrying,
}

impl InvocationStatus {
    /// Returns it in the words of AWS's SDKs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Pending => "PENDING",
            Self::Retrying => "RETRYING",
        }
    }
}

/// An operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OperationInfo<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub name: Option<&'a str>,
    /// Its type.
    pub operation_type: OperationType,
    /// Its subtype.
    pub sub_type: Option<&'a str>,
    /// The context that it is in.
    pub parent_id: Option<&'a str>,
    /// Its status.
    pub status: OperationStatus,
    /// When it started.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub ended_at: Option<SystemTime>,
    /// Its result, as text.
    pub result: Option<&'a str>,
    /// Its error.
    pub error: Option<&'a ErrorObject>,
    /// Its last attempt, from 1, if it has any.
    pub attempt: Option<u32>,
    /// Whether it was known before this invocation.
    pub is_replay: bool,
}

/// A run of a user's code.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptInfo<'a> {
    /// Whose code it is.
    pub operation: OperationInfo<'a>,
    /// The number of the attempt, from 1; a context has one.
    pub attempt: u32,
    /// When it began, by this machine's clock.
    pub started_at: SystemTime,
    /// Whether it makes the result of a context anew that ended before.
    pub is_replaying_children: bool,
}

/// How a run of a user's code ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptEnd<'a> {
    /// As what.
    pub outcome: AttemptOutcome,
    /// Its error.
    pub error: Option<&'a ErrorObject>,
    /// When it ended, by this machine's clock.
    pub ended_at: SystemTime,
}

/// As what a run of a user's code ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// It gave a value.
    Succeeded,
    /// It failed, for good.
    Failed,
    /// It failed or is not satisfied, and there will be another one.
    Retrying,
}

/// Records that changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChangeInfo<'a> {
    /// The execution.
    pub execution_arn: &'a str,
    /// Those that changed.
    pub updated_operations: Vec<OperationInfo<'a>>,
    /// All of them.
    pub operations: Vec<OperationInfo<'a>>,
}

impl<'a> OperationInfo<'a> {
    pub(crate) fn of_record(record: &'a Record, is_replay: bool) -> Self {
        let attempts = record.step_details.as_ref().map(|details| details.attempt);
        Self {
            id: record.id.as_str(),
            name: record.name.as_deref(),
            operation_type: record.operation_type,
            sub_type: record.sub_type.as_deref(),
            parent_id: record.parent_id.as_ref().map(|id| id.as_str()),
            status: record.status,
            started_at: record.start_timestamp,
            ended_at: record.end_timestamp,
            result: record.result(),
            error: record.error(),
            attempt: attempts,
            is_replay,
        }
    }
}

impl<'a> AttemptInfo<'a> {
    pub(crate) fn of(attempt: &'a Attempt) -> Self {
        Self {
            operation: OperationInfo::of_record(&attempt.record, attempt.is_replay),
            attempt: attempt.number,
            started_at: attempt.started_at,
            is_replaying_children: attempt.is_replaying_children,
        }
    }
}

/// Records that a checkpoint brought.
#[derive(Default)]
pub(crate) struct Changes(Vec<Arc<Record>>);

impl Changes {
    pub(crate) fn note(&mut self, record: &Arc<Record>) {
        self.0.push(Arc::clone(record));
    }
}

/// The plugins of one invocation.
#[derive(Default)]
pub(crate) struct Plugins(Vec<Box<dyn Plugin>>);

impl Plugins {
    /// Makes the plugins of an invocation. One that cannot be made is left out.
    pub(crate) fn new(factories: &[Arc<dyn PluginFactory>], invocation: &InvocationInfo<'_>) -> Self {
        Self(factories.iter().filter_map(|factory| guarded(|| factory.create(invocation))).collect())
    }

    /// Tells whether nobody listens.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells every plugin something.
    pub(crate) fn tell(&self, what: impl Fn(&dyn Plugin)) {
        for plugin in &self.0 {
            guarded(|| what(plugin.as_ref()));
        }
    }

    /// Asks every plugin for something.
    pub(crate) fn ask<T>(&self, what: impl Fn(&dyn Plugin) -> Option<T>) -> Vec<T> {
        self.0.iter().filter_map(|plugin| guarded(|| what(plugin.as_ref())).flatten()).collect()
    }

    pub(crate) fn operations_changed(&self, journal: &Journal, changes: &Changes) {
        if self.is_empty() || changes.0.is_empty() {
            return;
        }
        let records: HashMap<_, _> = journal.records().into_iter().map(|record| (record.id.clone(), record)).collect();
        let info = ChangeInfo {
            execution_arn: &journal.invocation.execution_arn,
            updated_operations: changes.0.iter().map(|record| OperationInfo::of_record(record, false)).collect(),
            operations: records.values().map(|record| OperationInfo::of_record(record, false)).collect(),
        };
        self.tell(|plugin| plugin.operations_change(&info));
    }

    /// Lets every plugin send what it holds.
    pub(crate) async fn flush(&self) {
        for plugin in &self.0 {
            if let Some(flush) = guarded(|| plugin.flush()) {
                let _ = crate::scoped::catch_panic(flush).await;
            }
        }
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} plugins", self.0.len())
    }
}

/// Runs a plugin's code; what it throws is logged and forgotten.
fn guarded<T>(code: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(value) => Some(value),
        Err(_) => {
            tracing::warn!("a plugin panicked; the execution goes on");
            None
        }
    }
}
