//! Plugins: code that is told what a handler's invocations, operations and attempts do.
//!
//! A plugin can fail or panic: the execution goes on, and so do the other plugins.

use std::any::Any;
use std::cell::OnceCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use crate::clock::Clock;
use crate::journal::Journal;
use crate::scoped::{Attempt, catch_panic};
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

    /// An operation ended: told once, in the invocation that learns of it. A flat context has no record by which that is
    /// known: it is told of whenever the handler passes it, but as [a replay](OperationInfo::is_replay) from then on.
    fn operation_end(&self, _operation: &OperationInfo<'_>) {}

    /// Records of operations changed, as the service answered a checkpoint.
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
    /// What tells the time.
    pub clock: &'a Clock,
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
    /// Its error; that of its last attempt if it goes on.
    pub error: Option<&'a ErrorObject>,
    /// How many attempts ended, if it has any.
    pub attempt: Option<u32>,
    /// Whether an earlier invocation was told the same: of its end, or of anything else about it.
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
    /// When it began, by the invocation's clock.
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
    /// When it ended, by the invocation's clock.
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
#[non_exhaustive]
pub struct ChangeInfo<'a> {
    /// The execution.
    pub execution_arn: &'a str,
    /// Those that changed.
    pub updated_operations: Vec<OperationInfo<'a>>,
    journal: &'a Journal,
    all: OnceCell<Vec<Arc<Record>>>,
}

impl ChangeInfo<'_> {
    /// Returns all operations that are known, as they are now. There may be many.
    pub fn operations(&self) -> impl ExactSizeIterator<Item = OperationInfo<'_>> {
        let records = self.all.get_or_init(|| self.journal.records());
        records.iter().map(|record| OperationInfo::of_record(record, self.journal.was_known(&record.id)))
    }
}

impl fmt::Debug for ChangeInfo<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ChangeInfo({:?})", self.updated_operations)
    }
}

impl<'a> OperationInfo<'a> {
    pub(crate) fn of_record(record: &'a Record, is_replay: bool) -> Self {
        let attempts = record.step_details.as_ref().map(|details| details.attempt);
        // The service remembers what the attempts before the last one failed with.
        let succeeded = record.status == OperationStatus::Succeeded;
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
            error: record.error().filter(|_| !succeeded),
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
pub(crate) struct Changes {
    updated: Vec<Arc<Record>>,
    /// Those of them that were not over before.
    ended: Vec<Arc<Record>>,
}

impl Changes {
    pub(crate) fn note(&mut self, record: &Arc<Record>, was_over: bool) {
        let has_end = record.operation_type != OperationType::Execution;
        if has_end && !was_over && record.status.is_terminal() {
            self.ended.push(Arc::clone(record));
        }
        self.updated.push(Arc::clone(record));
    }
}

/// The plugins of one invocation.
#[derive(Default)]
pub(crate) struct Plugins(Vec<Guarded>);

impl Plugins {
    /// Makes the plugins of an invocation. One that cannot be made is left out.
    pub(crate) fn new(factories: &[Arc<dyn PluginFactory>], invocation: &InvocationInfo<'_>) -> Self {
        let made = factories.iter().filter_map(|factory| Guarded::new(|| factory.create(invocation)));
        Self(made.collect())
    }

    /// Tells whether nobody listens.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells every plugin something.
    pub(crate) fn tell(&self, what: impl Fn(&dyn Plugin)) {
        for plugin in &self.0 {
            plugin.run(&what);
        }
    }

    /// Asks every plugin for something.
    pub(crate) fn ask<T>(&self, what: impl Fn(&dyn Plugin) -> Option<T>) -> Vec<T> {
        self.0.iter().filter_map(|plugin| plugin.run(&what).flatten()).collect()
    }

    /// Lets every plugin set what is current on this thread.
    pub(crate) fn enter(&self, attempt: Option<&AttemptInfo<'_>>) -> Guards {
        Guards(self.ask(|plugin| plugin.enter(attempt)))
    }

    /// Tells every plugin what the service answered, and of the operations that are over by that.
    pub(crate) fn changed(&self, journal: &Journal, changes: &Changes) {
        if self.is_empty() || changes.updated.is_empty() {
            return;
        }
        let info_of = |record| OperationInfo::of_record(record, journal.was_known(&record.id));
        let info = ChangeInfo {
            execution_arn: &journal.invocation.execution_arn,
            updated_operations: changes.updated.iter().map(|record| info_of(record)).collect(),
            journal,
            all: OnceCell::new(),
        };
        self.tell(|plugin| plugin.operations_change(&info));
        for record in &changes.ended {
            let info = OperationInfo::of_record(record, false);
            self.tell(|plugin| plugin.operation_end(&info));
        }
    }

    /// Lets every plugin send what it holds.
    pub(crate) async fn flush(&self) {
        for plugin in &self.0 {
            if let Some(flush) = plugin.run(|plugin| plugin.flush())
                && catch_panic(flush).await.is_err()
            {
                plugin.report();
            }
        }
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} plugins", self.0.len())
    }
}

/// What plugins made for the time that code is polled. The last one is dropped first.
pub(crate) struct Guards(Vec<Box<dyn Any>>);

impl Drop for Guards {
    fn drop(&mut self) {
        while let Some(guard) = self.0.pop() {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(guard)));
        }
    }
}

/// A plugin that cannot harm: what it throws is caught, and said once.
struct Guarded {
    plugin: Box<dyn Plugin>,
    reported: AtomicBool,
}

impl Guarded {
    fn new(make: impl FnOnce() -> Box<dyn Plugin>) -> Option<Self> {
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(plugin) => Some(Self { plugin, reported: AtomicBool::new(false) }),
            Err(_) => {
                tracing::warn!("a plugin could not be made; the execution goes on without it");
                None
            }
        }
    }

    fn run<'a, T>(&'a self, code: impl FnOnce(&'a dyn Plugin) -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(|| code(self.plugin.as_ref()))) {
            Ok(value) => Some(value),
            Err(_) => {
                self.report();
                None
            }
        }
    }

    /// Says that it panicked, but once: the log itself asks plugins.
    fn report(&self) {
        if !self.reported.swap(true, Ordering::Relaxed) {
            tracing::warn!("a plugin panicked; the execution goes on");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::{Value, json};

    use super::*;
    use crate::function::{Function, LambdaInvocation};
    use crate::service::{Service, ServiceFuture};
    use crate::wire::{Answer, CheckpointRequest, CheckpointResponse, Page};
    use crate::{Context, Result, Retry, StepContext};

    /// A service that takes everything, and tells of these records with its first answer.
    #[derive(Default)]
    struct Taking {
        known: Mutex<Vec<Value>>,
        news: Mutex<Vec<Value>>,
    }

    impl Service for Taking {
        fn checkpoint<'a>(
            &'a self,
            _: &'a str,
            request: &'a CheckpointRequest,
        ) -> ServiceFuture<'a, CheckpointResponse> {
            let mut known = self.known.lock().unwrap();
            let mut changed = Vec::new();
            for update in &request.updates {
                let update = serde_json::to_value(update).unwrap();
                let mut record = known.iter().find(|record| record["Id"] == update["Id"]).unwrap_or(&update).clone();
                let status = match update["Action"].as_str() {
                    Some("SUCCEED") => "SUCCEEDED",
                    Some("FAIL") => "FAILED",
                    Some("RETRY") => "READY",
                    _ => "STARTED",
                };
                record["Status"] = status.into();
                record["CallbackDetails"] = json!({"CallbackId": "c"});
                let error = if update["Error"].is_null() { &record["StepDetails"]["Error"] } else { &update["Error"] };
                record["StepDetails"] = json!({"Attempt": 1, "Result": update["Payload"], "Error": error});
                known.retain(|known| known["Id"] != update["Id"]);
                known.push(record.clone());
                changed.push(record);
            }
            changed.append(&mut self.news.lock().unwrap());
            let response = json!({"CheckpointToken": "t", "NewExecutionState": {"Operations": changed}});
            Box::pin(std::future::ready(Ok(serde_json::from_value(response).unwrap())))
        }

        fn state<'a>(&'a self, _: &'a str, _: &'a str, _: &'a str) -> ServiceFuture<'a, Page> {
            Box::pin(std::future::ready(Ok(Page::default())))
        }
    }

    /// Runs an invocation in which `known` is on record, `updated` since the one before, and `news` come along.
    async fn invoke(function: Function, known: Value, updated: &[&str], news: Value) -> Answer {
        let list = |value: Value| value.as_array().cloned().unwrap_or_default();
        let event = json!({
            "DurableExecutionArn": "arn",
            "CheckpointToken": "t",
            "InitialExecutionState": {"Operations": list(known)},
            "UpdatedOperationIds": updated,
        });
        let deadline = UNIX_EPOCH + Duration::from_secs(1 << 40);
        let lambda = LambdaInvocation {
            request_id: "r".into(),
            deadline,
            trace_id: None,
            tenant_id: None,
            #[cfg(feature = "test")]
            witness: Arc::default(),
        };
        let service = Taking { known: Mutex::default(), news: list(news).into() };
        function.invoke(&service, lambda, event.to_string().as_bytes()).await.unwrap()
    }

    type Lines = Arc<Mutex<Vec<String>>>;

    /// Writes down what it is told of operations and attempts.
    struct Recorder(Lines);

    impl Recorder {
        fn note(&self, hook: &str, operation: &OperationInfo<'_>, detail: &str) {
            let name = operation.name.unwrap_or("-");
            let replay = if operation.is_replay { " again" } else { "" };
            self.0.lock().unwrap().push(format!("{hook} {name}{replay}{detail}"));
        }
    }

    impl Plugin for Recorder {
        fn operation_start(&self, operation: &OperationInfo<'_>) {
            self.note("start", operation, "");
        }

        fn operation_end(&self, operation: &OperationInfo<'_>) {
            let error = operation.error.and_then(|error| error.error_message.as_deref()).unwrap_or_default();
            self.note("end", operation, error);
        }

        fn attempt_start(&self, attempt: &AttemptInfo<'_>) {
            self.note("attempt", &attempt.operation, "");
        }
    }

    async fn check(function: fn() -> Function, known: Value, updated: &[&str], news: Value, expected: &[&str]) {
        let lines = Lines::default();
        let recorder = Arc::clone(&lines);
        let function = function()
            .plugin(move |_: &InvocationInfo<'_>| Box::new(Recorder(Arc::clone(&recorder))) as Box<dyn Plugin>);
        invoke(function, known, updated, news).await;
        assert_eq!(*lines.lock().unwrap(), expected);
    }

    fn record(position: u32, name: &str, operation_type: &str, status: &str) -> Value {
        let id = crate::replay::id::Path::default().child(position).id();
        json!({
            "Id": id, "Name": name, "Type": operation_type, "Status": status,
            "CallbackDetails": {"CallbackId": "c"}, "StepDetails": {"Attempt": 0, "Result": "1"},
        })
    }

    /// A callback that nobody waits for until a step and a wait are over.
    fn callback_beside() -> Function {
        Function::new(async |_: Value, mut ctx: Context| -> Result<()> {
            let callback = ctx.callback::<Value>("answer").await?;
            ctx.step("ask", async |_| Ok(1)).await?;
            ctx.wait("pause", Duration::from_secs(1)).await?;
            callback.result().await?;
            Ok(())
        })
    }

    #[tokio::test]
    async fn an_end_is_told_when_the_service_tells_of_it_and_never_again() {
        let answered = record(1, "answer", "CALLBACK", "SUCCEEDED");
        let live = ["start answer", "end answer", "start ask", "attempt ask", "end ask", "start pause"];
        check(callback_beside, json!([]), &[], json!([answered]), &live).await;
        let known = json!([answered, record(2, "ask", "STEP", "SUCCEEDED"), record(3, "pause", "WAIT", "STARTED")]);
        check(callback_beside, known.clone(), &[], json!([]), &["start pause again"]).await;
        let while_away = [answered["Id"].as_str().unwrap()];
        check(callback_beside, known, &while_away, json!([]), &["end answer", "start pause again"]).await;
    }

    /// A step that fails once.
    fn flaky() -> Function {
        Function::new(async |_: Value, mut ctx: Context| -> Result<u32> {
            let body = async |step: StepContext| if step.attempt() == 1 { Err("busy".into()) } else { Ok(1) };
            Ok(ctx.step("flaky", body).at_most_once().retry(Retry::fixed(2, Duration::from_secs(1))).await?)
        })
    }

    #[tokio::test]
    async fn what_an_earlier_invocation_knew_is_a_replay_and_a_success_has_no_error() {
        check(flaky, json!([]), &[], json!([]), &["start flaky", "attempt flaky", "attempt flaky", "end flaky"]).await;
        let known = json!([record(1, "flaky", "STEP", "READY")]);
        let again = ["start flaky again", "attempt flaky again", "attempt flaky again", "end flaky"];
        check(flaky, known, &[], json!([]), &again).await;
    }

    /// Fails whatever it is asked, also when the log asks it.
    struct Faulty;

    struct FaultyGuard;

    impl Drop for FaultyGuard {
        fn drop(&mut self) {
            panic!("the guard fails");
        }
    }

    impl Plugin for Faulty {
        fn invocation_start(&self, _: &InvocationInfo<'_>) {
            panic!("the plugin fails");
        }

        fn operation_end(&self, _: &OperationInfo<'_>) {
            panic!("the plugin fails");
        }

        fn enter(&self, _: Option<&AttemptInfo<'_>>) -> Option<Box<dyn Any>> {
            Some(Box::new(FaultyGuard))
        }

        fn log_fields(&self, _: Option<&AttemptInfo<'_>>) -> Vec<(String, Value)> {
            panic!("the plugin fails");
        }

        fn flush(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(async { panic!("the plugin fails") })
        }
    }

    #[cfg(feature = "logs")]
    #[tokio::test]
    async fn a_plugin_that_fails_disturbs_nobody() {
        use tracing_subscriber::layer::SubscriberExt;

        let _logs = tracing::subscriber::set_default(tracing_subscriber::registry().with(crate::log::layer()));
        let lines = Lines::default();
        let recorder = Arc::clone(&lines);
        let function = Function::new(async |_: Value, mut ctx: Context| -> Result<u32> {
            tracing::info!("the handler runs");
            Ok(ctx.step("one", async |_| Ok(1)).await?)
        });
        let function = function
            .plugin(|_: &InvocationInfo<'_>| -> Box<dyn Plugin> { panic!("the factory fails") })
            .plugin(|_: &InvocationInfo<'_>| Box::new(Faulty) as Box<dyn Plugin>)
            .plugin(move |_: &InvocationInfo<'_>| Box::new(Recorder(Arc::clone(&recorder))) as Box<dyn Plugin>);
        let answer = invoke(function, json!([]), &[], json!([])).await;
        assert_eq!(answer, Answer::Succeeded { result: "1".into() });
        assert_eq!(*lines.lock().unwrap(), ["start one", "attempt one", "end one"]);
    }

    #[test]
    fn guards_are_dropped_from_the_last_to_the_first() {
        struct Guard(u32, Arc<Mutex<Vec<u32>>>);
        impl Drop for Guard {
            fn drop(&mut self) {
                self.1.lock().unwrap().push(self.0);
            }
        }
        let dropped = Arc::default();
        let guards = [1, 2].map(|number| Box::new(Guard(number, Arc::clone(&dropped))) as Box<dyn Any>);
        drop(Guards(guards.into()));
        assert_eq!(*dropped.lock().unwrap(), [2, 1]);
    }
}
