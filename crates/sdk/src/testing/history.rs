//! Says whether a handler may take over an execution that another version of it began, by the execution's history.
//!
//! The history is turned back into records, and the handler reads them: no body runs, and nothing is told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::witness::Witness;
use crate::function::{IntoFunction, LambdaInvocation};
use crate::journal::Fatal;
use crate::replay::id::OperationId;
use crate::service::{Service, ServiceError, ServiceFuture};
use crate::wire::{CheckpointRequest, CheckpointResponse, Page};

/// How long an invocation that only reads has: it ends long before.
const DEADLINE: Duration = Duration::from_secs(900);

/// Checks that a handler may be deployed over an execution in flight: that it finds the operations that are on record
/// where it calls them. `history` is what `GetDurableExecutionHistory` answers with `IncludeExecutionData`, all its pages
/// in one, such as `aws lambda get-durable-execution-history --include-execution-data` prints.
///
/// The handler runs to where the record ends. No body of an operation runs, and nothing is sent; code outside of
/// operations does run, and if it waits for something else, the check ends there.
///
/// ```
/// # use everstep::{Context, Result, testing::{replay, test}};
/// async fn before(name: String, mut ctx: Context) -> Result<String> {
///     Ok(ctx.step("greet", async |_| Ok(format!("Hello, {name}!"))).await?)
/// }
/// async fn after(name: String, mut ctx: Context) -> Result<String> {
///     Ok(ctx.step("welcome", async |_| Ok(format!("Welcome, {name}!"))).await?)
/// }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let history = test(before).start("Ada").finish().await.history().to_string();
/// assert!(replay(before, &history).await.is_ok());
/// assert!(replay(after, &history).await.unwrap_err().to_string().starts_with("operation 1 is on record as"));
/// # });
/// ```
///
/// # Errors
/// [`ReplayError::Differs`] with the place of the first operation that differs; or that the history cannot be read.
pub async fn replay<M>(handler: impl IntoFunction<M>, history: &str) -> Result<(), ReplayError> {
    let history = History::read(history)?;
    let witness = Arc::new(Witness::of_reading());
    let lambda = LambdaInvocation {
        request_id: "replay".into(),
        deadline: SystemTime::now() + DEADLINE,
        trace_id: None,
        tenant_id: None,
        witness: Arc::clone(&witness),
    };
    let event = serde_json::to_vec(&history.event()).expect("values serialise");
    // How it ends does not matter: only whether it came there by what is on record.
    let _answer = handler.into_function().invoke(&Nobody, lambda, &event).await;
    if let Some((operation, fatal)) = witness.stop() {
        let message = match fatal {
            Fatal::Fail(error) => error.error_message.unwrap_or_default(),
            Fatal::Throw(message) => message,
        };
        return Err(ReplayError::Differs { operation: Some(operation), message });
    }
    match history.operations.iter().find(|known| history.is_missed(known, &witness)) {
        None => Ok(()),
        Some(known) => {
            let around = known.parent.as_ref().and_then(|parent| witness.path_of(&parent.as_str().into()));
            let place = around.map_or_else(|| "the handler".to_owned(), |path| format!("operation {path}"));
            let message = format!(
                "operation {} of {place} is on record, and is not called any more. A handler must call the same operations in \
                 the same order whenever it is replayed: deploy the change as a new version, and let executions in flight \
                 end on the old one.",
                known.in_words()
            );
            Err(ReplayError::Differs { operation: None, message })
        }
    }
}

/// Why a handler may not take over an execution.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It does something else than is on record.
    #[error("{message}")]
    Differs {
        /// The place of the operation in the handler, such as `2-1`; nothing if no operation is there any more.
        operation: Option<String>,
        /// What differs, and the way out.
        message: String,
    },
    /// It is not known: the history cannot be read.
    #[error("the history cannot be read: {0}")]
    Unreadable(String),
}

fn unreadable(problem: impl Into<String>) -> ReplayError {
    ReplayError::Unreadable(problem.into())
}

/// What a history says.
struct History {
    execution: Value,
    arn: String,
    operations: Vec<Known>,
    /// Where each operation is among them.
    positions: HashMap<String, usize>,
}

/// An operation as a history tells it.
struct Known {
    id: String,
    parent: Option<String>,
    /// As the service would show it.
    shape: Map<String, Value>,
    has_children: bool,
}

impl History {
    fn read(text: &str) -> Result<Self, ReplayError> {
        let document: Value = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        let Some(events) = document["Events"].as_array() else {
            return Err(unreadable("it has no `Events`; is it what GetDurableExecutionHistory answers?"));
        };
        if document["NextMarker"].as_str().is_some_and(|marker| !marker.is_empty()) {
            return Err(unreadable("it has more pages: put the `Events` of all of them into one list"));
        }
        let mut events: Vec<&Value> = events.iter().collect();
        events.sort_by_key(|event| event["EventId"].as_u64());
        let mut history = Self::begun(events.first().copied())?;
        for event in events {
            history.take(event)?;
        }
        Ok(history)
    }

    fn begun(first: Option<&Value>) -> Result<Self, ReplayError> {
        let first = first.filter(|event| event["EventType"] == "ExecutionStarted");
        let Some(started) = first else { return Err(unreadable("it does not begin with `ExecutionStarted`")) };
        let id = started["Id"].as_str().unwrap_or("execution");
        let name = started["Name"].as_str().unwrap_or(id);
        let mut execution = json!({
            "Id": id, "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": started["EventTimestamp"],
        });
        if let Some(input) = payload(&started["ExecutionStartedDetails"]["Input"])? {
            execution["ExecutionDetails"] = json!({"InputPayload": input});
        }
        let arn =
            format!("arn:aws:lambda:us-east-1:000000000000:function:replay:$LATEST/durable-execution/{name}/{id}");
        Ok(Self { execution, arn, operations: Vec::new(), positions: HashMap::new() })
    }

    /// Takes in what happened to an operation.
    fn take(&mut self, event: &Value) -> Result<(), ReplayError> {
        let text = |member: &str| event[member].as_str().map(str::to_owned);
        let event_type = text("EventType").unwrap_or_default();
        const TYPES: [(&str, &str); 5] = [
            ("Step", "STEP"),
            ("Wait", "WAIT"),
            ("Callback", "CALLBACK"),
            ("Context", "CONTEXT"),
            ("ChainedInvoke", "CHAINED_INVOKE"),
        ];
        let found = TYPES.iter().find_map(|(word, name)| Some((name, event_type.strip_prefix(word)?)));
        // Whatever else happened is not an operation's.
        let (Some((operation_type, happened)), Some(id)) = (found, text("Id")) else { return Ok(()) };
        let position = *self.positions.entry(id.clone()).or_insert(self.operations.len());
        if position == self.operations.len() {
            let mut shape = Map::new();
            shape.insert("Id".into(), id.as_str().into());
            shape.insert("Type".into(), (*operation_type).into());
            for member in ["Name", "ParentId", "SubType"] {
                shape.extend(text(member).map(|text| (member.to_owned(), text.into())));
            }
            shape.insert("StartTimestamp".into(), event["EventTimestamp"].clone());
            let parent = text("ParentId");
            if let Some(parent) = parent.as_ref().and_then(|parent| self.positions.get(parent)) {
                self.operations[*parent].has_children = true;
            }
            self.operations.push(Known { id, parent, shape, has_children: false });
        }
        let details = &event[format!("{event_type}Details")];
        let known = &mut self.operations[position];
        known.happen(operation_type, happened, details, &event["EventTimestamp"])
    }

    /// Returns the event of an invocation that is shown everything.
    fn event(&self) -> Value {
        let operations = self.operations.iter().map(|known| Value::Object(known.shape.clone()));
        let operations: Vec<Value> = std::iter::once(self.execution.clone()).chain(operations).collect();
        json!({
            "DurableExecutionArn": self.arn,
            "CheckpointToken": "replay",
            "InitialExecutionState": {"Operations": operations},
        })
    }

    /// Tells whether an operation is on record that the handler should have called, and has not.
    fn is_missed(&self, known: &Known, witness: &Witness) -> bool {
        let called = |id: &str| witness.path_of(&OperationId::from(id)).is_some();
        // In a context that ended nothing is called any more; in one that is not called, nothing is either.
        let is_reached = known.parent.as_ref().is_none_or(|parent| {
            let around = self.positions.get(parent).map(|position| &self.operations[*position]);
            called(parent) && around.is_some_and(|around| !around.is_over())
        });
        is_reached && !called(&known.id)
    }
}

impl Known {
    fn happen(&mut self, operation_type: &str, happened: &str, details: &Value, at: &Value) -> Result<(), ReplayError> {
        let retry = &details["RetryDetails"];
        let goes_on = retry["NextAttemptDelaySeconds"].is_u64();
        let status = match happened {
            "Started" => "STARTED",
            "Succeeded" | "Failed" if goes_on => "PENDING",
            "Succeeded" => "SUCCEEDED",
            "Failed" => "FAILED",
            "TimedOut" => "TIMED_OUT",
            "Stopped" => "STOPPED",
            "Cancelled" => "CANCELLED",
            other => return Err(unreadable(format!("`{other}` is not known to happen to operations"))),
        };
        self.shape.insert("Status".into(), status.into());
        if self.is_over() {
            self.shape.insert("EndTimestamp".into(), at.clone());
        }
        let member = match operation_type {
            "STEP" => "StepDetails",
            "WAIT" => "WaitDetails",
            "CALLBACK" => "CallbackDetails",
            "CONTEXT" => "ContextDetails",
            _ => "ChainedInvokeDetails",
        };
        let result = payload(&details["Result"])?;
        let is_over = self.is_over();
        let replays_children =
            operation_type == "CONTEXT" && status == "SUCCEEDED" && self.replays_children(result.as_ref());
        let shape = self.shape.entry(member).or_insert_with(|| json!({}));
        for (from, to) in [("CallbackId", "CallbackId"), ("ScheduledEndTimestamp", "ScheduledEndTimestamp")] {
            if !details[from].is_null() {
                shape[to] = details[from].clone();
            }
        }
        if let Some(attempt) = retry["CurrentAttempt"].as_u64() {
            shape["Attempt"] = attempt.into();
        }
        if replays_children {
            shape["ReplayChildren"] = true.into();
        }
        if let Some(result) = result {
            shape["Result"] = result;
        }
        match payload(&details["Error"])? {
            Some(error) => shape["Error"] = error,
            None if is_over => drop(shape.as_object_mut().and_then(|shape| shape.remove("Error"))),
            None => {}
        }
        Ok(())
    }

    /// Tells whether the result of a context is made anew from its operations. A history does not say; but what it keeps
    /// of such a result is nothing, words, or a list of who had ended.
    fn replays_children(&self, result: Option<&Value>) -> bool {
        let text = result.and_then(Value::as_str).unwrap_or_default();
        let is_summary = match serde_json::from_str::<Value>(text) {
            Ok(value) => value.get("itemStatuses").is_some(),
            Err(_) => true,
        };
        self.has_children && is_summary
    }

    fn is_over(&self) -> bool {
        self.shape.get("Status").and_then(Value::as_str).is_some_and(|status| !matches!(status, "STARTED" | "PENDING"))
    }

    fn in_words(&self) -> String {
        let text = |member: &str| self.shape.get(member).and_then(Value::as_str);
        format!(
            "`{}` ({}/{})",
            text("Name").unwrap_or(&self.id),
            text("Type").unwrap_or("-"),
            text("SubType").unwrap_or("-")
        )
    }
}

/// Returns what is in a payload, if anything is.
fn payload(shape: &Value) -> Result<Option<Value>, ReplayError> {
    match (&shape["Payload"], &shape["Truncated"]) {
        (Value::Null, Value::Bool(true)) => {
            Err(unreadable("it was read without data: ask for it with `IncludeExecutionData`"))
        }
        (Value::Null, _) => Ok(None),
        (payload, _) => Ok(Some(payload.clone())),
    }
}

/// A service that nobody asks: whoever only reads has nothing to tell.
struct Nobody;

impl Service for Nobody {
    fn checkpoint<'a>(&'a self, _: &'a str, _: &'a CheckpointRequest) -> ServiceFuture<'a, CheckpointResponse> {
        Box::pin(async { Err(ServiceError::Transient("nothing is told while records are only read".into())) })
    }

    fn state<'a>(&'a self, _: &'a str, _: &'a str, _: &'a str) -> ServiceFuture<'a, Page> {
        Box::pin(async { Err(ServiceError::Transient("the record is complete".into())) })
    }
}
