//! A handler, and one invocation of it from the event to the answer.

use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::driver::{Pump, Rest, drive, fatal};
use crate::error::{Error, Result, error_type};
use crate::journal::{Fatal, Invocation, Journal};
use crate::lambda_api::{EnvironmentError, LambdaApi};
use crate::limits::RESULT_BYTES_MAX;
use crate::plugin::{InvocationEnd, InvocationInfo, InvocationStatus, OperationInfo, PluginFactory, Plugins};
use crate::replay::id::OperationId;
use crate::scope::Scope;
use crate::scoped::{Current, catch_panic, scoped};
use crate::service::Service;
use crate::wire::{Answer, Change, ErrorObject, Event, OperationType, Record, Update};

/// A durable function: a handler, and how it is run.
///
/// ```
/// # use everstep::{Context, Function, Result};
/// async fn greet(name: String, mut ctx: Context) -> Result<String> {
///     Ok(ctx.step("greet", async |_| Ok(format!("Hello, {name}!"))).await?)
/// }
/// let function = Function::new(greet).replay_logs(true);
/// ```
#[derive(Clone)]
pub struct Function {
    handler: Arc<Handler>,
    plugins: Vec<Arc<dyn PluginFactory>>,
    replay_logs: bool,
    /// What it was told to make its checkpoints by.
    service: Option<Arc<dyn Service>>,
}

type Handler = dyn Fn(Option<String>, Context) -> HandlerFuture + Send + Sync;
type HandlerFuture = Pin<Box<dyn Future<Output = Result<String>> + Send>>;

impl Function {
    /// Makes a function of a handler: any `async fn(E, Context) -> Result<R, Err>`. Input and result are JSON.
    pub fn new<E, R, Err, F, Fut>(handler: F) -> Self
    where
        F: Fn(E, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Err>> + Send + 'static,
        E: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
        Err: Into<Error> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let run = move |input: Option<String>, context| {
            let handler = Arc::clone(&handler);
            let run = async move {
                let input = serde_json::from_str(input.as_deref().unwrap_or("null")).map_err(|error| {
                    let message = format!("the input of the execution is not what the handler takes: {error}");
                    Error::new(error_type::SERIALIZATION, message)
                })?;
                let result = handler(input, context).await.map_err(Into::into)?;
                serde_json::to_string(&result).map_err(|error| {
                    let message = format!("the result of the execution cannot be written: {error}");
                    Error::new(error_type::SERIALIZATION, message)
                })
            };
            Box::pin(run) as HandlerFuture
        };
        Self { handler: Arc::new(run), plugins: Vec::new(), replay_logs: false, service: None }
    }

    /// Adds a plugin: it is made anew for each invocation.
    #[must_use]
    pub fn plugin(mut self, plugin: impl PluginFactory + 'static) -> Self {
        self.plugins.push(Arc::new(plugin));
        self
    }

    /// Sets whether code that is replayed writes its log lines again.
    #[must_use]
    pub fn replay_logs(mut self, replay_logs: bool) -> Self {
        self.replay_logs = replay_logs;
        self
    }

    /// Makes checkpoints by this client (feature `aws-sdk-lambda`), and not by the crate's own, which is small and takes
    /// its keys from the environment. Where it connects to, its keys, its interceptors, how long it waits and how often
    /// it tries again are the client's: nothing is added to them. The test kit uses neither.
    ///
    /// ```no_run
    /// # use everstep::{Context, Function, Result, RunError};
    /// # async fn greet(name: String, ctx: Context) -> Result<String> { Ok(name) }
    /// # async fn example(client: aws_sdk_lambda::Client) -> Result<(), RunError> {
    /// everstep::run(Function::new(greet).lambda_client(client)).await
    /// # }
    /// ```
    #[cfg(feature = "aws-sdk-lambda")]
    #[must_use]
    pub fn lambda_client(mut self, client: aws_sdk_lambda::Client) -> Self {
        self.service = Some(Arc::new(client));
        self
    }

    /// Returns what its checkpoints are made by.
    ///
    /// # Errors
    /// What the environment does not say, if it does not have a client of its own.
    pub(crate) fn service(&self) -> Result<Arc<dyn Service>, EnvironmentError> {
        match &self.service {
            Some(service) => Ok(Arc::clone(service)),
            None => Ok(Arc::new(LambdaApi::from_environment()?)),
        }
    }

    /// Runs one invocation.
    ///
    /// # Errors
    /// What the Runtime API is told instead of an answer, so that the service makes another invocation.
    pub(crate) async fn invoke(
        &self,
        service: &dyn Service,
        lambda: LambdaInvocation,
        event: &[u8],
    ) -> Result<Answer, Thrown> {
        let event: Event = serde_json::from_slice(event).map_err(|error| Thrown {
            error_type: "InvalidDurableEvent",
            message: format!(
                "the event is not one of a durable execution ({error}); does the function have a DurableConfig, and is \
                 it invoked by a version, an alias or $LATEST?"
            ),
        })?;
        let records = match all_records(service, &event).await {
            Ok(records) => records,
            Err(Fatal::Throw(message)) => return Err(Thrown { error_type: "CheckpointUnavailable", message }),
            Err(Fatal::Fail(error)) => return Ok(Answer::Failed { error: Some(error) }),
        };
        let execution = records.iter().find(|record| record.operation_type == OperationType::Execution).cloned();
        let input = execution
            .as_ref()
            .and_then(|execution| execution.execution_details.as_ref())
            .and_then(|details| details.input_payload.clone());
        let invocation = Invocation {
            execution_arn: event.durable_execution_arn,
            request_id: lambda.request_id,
            tenant_id: lambda.tenant_id,
            trace_id: lambda.trace_id,
            started_at: execution.as_ref().and_then(|record| record.start_timestamp).unwrap_or(UNIX_EPOCH),
            deadline: lambda.deadline,
            is_first: records.iter().all(|record| record.operation_type == OperationType::Execution),
            updated: event.updated_operation_ids.into_iter().collect(),
            clock: service.clock(),
            logs_replay: self.replay_logs,
            #[cfg(feature = "test")]
            witness: lambda.witness,
        };
        let info = invocation_info(&invocation, input.as_deref(), records.iter(), |_| true);
        let plugins = Plugins::new(&self.plugins, &info);
        plugins.tell(|plugin| plugin.invocation_start(&info));
        drop(info);
        let journal = Journal::new(invocation, plugins, records);
        let outcome = self.run(&journal, service, event.checkpoint_token, execution.as_ref(), input.clone()).await;
        if !journal.plugins.is_empty() {
            let known = journal.records();
            let known = known.iter().map(AsRef::as_ref);
            let was_known = |id: &OperationId| journal.was_known(id);
            let info = invocation_info(&journal.invocation, input.as_deref(), known, was_known);
            let (status, error) = match &outcome {
                Ok(Answer::Succeeded { .. }) => (InvocationStatus::Succeeded, None),
                Ok(Answer::Failed { error }) => (InvocationStatus::Failed, error.as_ref()),
                Ok(Answer::Pending) => (InvocationStatus::Pending, None),
                Err(_) => (InvocationStatus::Retrying, None),
            };
            journal.plugins.tell(|plugin| plugin.invocation_end(&info, &InvocationEnd { status, error }));
            journal.plugins.flush().await;
        }
        outcome
    }

    async fn run(
        &self,
        journal: &Arc<Journal>,
        service: &dyn Service,
        token: String,
        execution: Option<&Record>,
        input: Option<String>,
    ) -> Result<Answer, Thrown> {
        let mut pump = Pump::new(journal, service, token);
        let scope = Scope::root(Arc::clone(journal));
        let handler = (self.handler)(input, Context::new(Arc::clone(&scope)));
        let current = Current { scope: Arc::clone(&scope), attempt: None };
        let rest = drive(journal, &mut pump, scoped(current, catch_panic(handler))).await;
        // What the handler left behind is not told any more; what it told is.
        scope.close();
        let result = match rest {
            Rest::Suspended => return Ok(Answer::Pending),
            Rest::Stopped(fatal) => return conclude(fatal),
            Rest::Ended(Ok(result)) => result,
            Rest::Ended(Err(panic)) => Err(Error::of_panic(panic.as_ref())),
        };
        let (change, answer) = match result {
            Ok(result) if bytes_in_answer(&result) > RESULT_BYTES_MAX => {
                (Some(Change::succeed(Some(result))), Answer::Succeeded { result: String::new() })
            }
            Ok(result) => (None, Answer::Succeeded { result }),
            Err(error) => (None, Answer::Failed { error: Some(truncated(error.to_object())) }),
        };
        if let (Some(change), Some(execution)) = (change, execution) {
            let (operation_type, id) = (OperationType::Execution, execution.id.clone());
            let update = Update { id, parent_id: None, name: None, operation_type, sub_type: None, change };
            journal.push(update, true);
        }
        journal.close();
        match pump.flush().await {
            Ok(true) => Ok(answer),
            // What is not on record is told by the next invocation.
            Ok(false) => Ok(Answer::Pending),
            Err(fatal) => conclude(fatal),
        }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Function({} plugins)", self.plugins.len())
    }
}

/// What can be run as a durable function: a [`Function`], or a handler as it is.
pub trait IntoFunction<M> {
    /// Makes it one.
    fn into_function(self) -> Function;
}

impl IntoFunction<()> for Function {
    fn into_function(self) -> Function {
        self
    }
}

impl<E, R, Err, F, Fut> IntoFunction<fn(E, R, Err, Fut)> for F
where
    F: Fn(E, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Err>> + Send + 'static,
    E: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    Err: Into<Error> + Send + 'static,
{
    fn into_function(self) -> Function {
        Function::new(self)
    }
}

/// What Lambda says of an invocation.
#[derive(Clone, Debug)]
pub(crate) struct LambdaInvocation {
    pub(crate) request_id: String,
    pub(crate) deadline: SystemTime,
    pub(crate) trace_id: Option<String>,
    pub(crate) tenant_id: Option<String>,
    #[cfg(feature = "test")]
    pub(crate) witness: Arc<crate::testing::witness::Witness>,
}

/// What the Runtime API is told instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thrown {
    pub(crate) error_type: &'static str,
    pub(crate) message: String,
}

fn conclude(fatal: Fatal) -> Result<Answer, Thrown> {
    match fatal {
        Fatal::Fail(error) => Ok(Answer::Failed { error: Some(truncated(error)) }),
        Fatal::Throw(message) => Err(Thrown { error_type: "CheckpointUnavailable", message }),
    }
}

/// Reads the pages that did not fit into the event.
async fn all_records(service: &dyn Service, event: &Event) -> Result<Vec<Record>, Fatal> {
    let mut records = event.initial_execution_state.operations.clone();
    let first = event.initial_execution_state.next_marker.clone().filter(|marker| !marker.is_empty());
    let mut marker = first;
    let mut known: HashSet<_> = records.iter().map(|record| record.id.clone()).collect();
    while let Some(next) = marker {
        let page = service.state(&event.durable_execution_arn, &event.checkpoint_token, &next).await;
        let mut page = page.map_err(|error| fatal(&error))?;
        marker = page.take_marker();
        records.extend(page.operations.into_iter().filter(|record| known.insert(record.id.clone())));
    }
    Ok(records)
}

fn invocation_info<'a>(
    invocation: &'a Invocation,
    input: Option<&'a str>,
    records: impl Iterator<Item = &'a Record> + Clone,
    was_known: impl Fn(&OperationId) -> bool,
) -> InvocationInfo<'a> {
    let of_records = |wanted: &dyn Fn(&Record) -> bool| {
        let wanted = records.clone().filter(|record| wanted(record));
        wanted.map(|record| OperationInfo::of_record(record, was_known(&record.id))).collect()
    };
    InvocationInfo {
        request_id: &invocation.request_id,
        execution_arn: &invocation.execution_arn,
        is_first: invocation.is_first,
        execution_started_at: invocation.started_at,
        execution_input: input,
        trace_id: invocation.trace_id.as_deref(),
        deadline: invocation.deadline,
        clock: &invocation.clock,
        operations: of_records(&|_| true),
        updated_operations: of_records(&|record| invocation.updated.contains(&record.id)),
    }
}

/// Returns how many bytes a text takes in an answer, which is JSON.
fn bytes_in_answer(text: &str) -> usize {
    let bytes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        0x20.. => 1,
    });
    bytes.sum()
}

/// Shortens an error to what the service takes: first the stack goes, then the data, then the end of the message.
fn truncated(mut error: ErrorObject) -> ErrorObject {
    let bytes = |error: &ErrorObject| Change::fail(error.clone()).bytes();
    if bytes(&error) > RESULT_BYTES_MAX {
        error.stack_trace = None;
    }
    if bytes(&error) > RESULT_BYTES_MAX {
        error.error_data = None;
    }
    let over = bytes(&error).saturating_sub(RESULT_BYTES_MAX);
    if let (1.., Some(message)) = (over, &mut error.error_message) {
        let end = message.floor_char_boundary(message.len().saturating_sub(over));
        message.truncate(end);
    }
    error
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::service::ServiceFuture;
    use crate::wire::{CheckpointRequest, CheckpointResponse, Page};

    /// A service that gives this token for each checkpoint.
    struct Giving(Option<&'static str>);

    impl Service for Giving {
        fn checkpoint<'a>(&'a self, _: &'a str, _: &'a CheckpointRequest) -> ServiceFuture<'a, CheckpointResponse> {
            let checkpoint_token = self.0.map(str::to_owned);
            Box::pin(async { Ok(CheckpointResponse { checkpoint_token, new_execution_state: Page::default() }) })
        }

        fn state<'a>(&'a self, _: &'a str, _: &'a str, _: &'a str) -> ServiceFuture<'a, Page> {
            unreachable!("everything is on the first page")
        }
    }

    #[tokio::test]
    async fn a_large_result_that_was_not_taken_is_no_success() {
        async fn large(_: (), mut ctx: Context) -> Result<String> {
            // Its end is queued, and goes before the result.
            ctx.child("child", async |mut ctx| {
                drop(ctx.step("unused", async |_| Ok(())));
                Ok(())
            })
            .await?;
            Ok("x".repeat(RESULT_BYTES_MAX))
        }
        let check = async |token, expected: Answer| {
            let execution = json!({"Id": "e", "Type": "EXECUTION", "Status": "STARTED"});
            let state = json!({"Operations": [execution]});
            let event = json!({"DurableExecutionArn": "arn", "CheckpointToken": "t", "InitialExecutionState": state});
            let lambda = LambdaInvocation {
                request_id: "r".into(),
                deadline: SystemTime::now() + Duration::from_secs(900),
                trace_id: None,
                tenant_id: None,
                #[cfg(feature = "test")]
                witness: Arc::default(),
            };
            let answer = Function::new(large).invoke(&Giving(token), lambda, event.to_string().as_bytes()).await;
            assert_eq!(answer, Ok(expected));
        };
        check(Some("t"), Answer::Succeeded { result: String::new() }).await;
        check(None, Answer::Pending).await;
    }

    #[test]
    fn bytes_are_counted_as_they_are_in_an_answer() {
        for text in ["", "plain", "[\"a\",\"b\\n\"]", "é\u{1f600}", "\0\u{1}\u{8}\t\n\u{c}\r\u{1f} \u{7f}\\/"] {
            assert_eq!(bytes_in_answer(text) + 2, serde_json::to_string(text).unwrap().len(), "{text:?}");
        }
    }

    #[test]
    fn errors_are_shortened_to_what_is_taken() {
        let error = |data: usize, message: usize| ErrorObject {
            error_data: Some("d".repeat(data)),
            stack_trace: Some(vec!["s".into()]),
            ..ErrorObject::new("T", "é".repeat(message))
        };
        let check = |error: ErrorObject, kept: [bool; 2], message_is_whole: bool| {
            let before = error.error_message.clone();
            let after = truncated(error);
            assert_eq!([after.stack_trace.is_some(), after.error_data.is_some()], kept);
            assert_eq!(after.error_message == before, message_is_whole);
            assert!(Change::fail(after).bytes() <= RESULT_BYTES_MAX);
        };
        check(error(1, 1), [true, true], true);
        check(error(RESULT_BYTES_MAX - 259, 1), [false, true], true);
        check(error(RESULT_BYTES_MAX, 1), [false, false], true);
        check(error(1, RESULT_BYTES_MAX), [false, false], false);
    }
}
