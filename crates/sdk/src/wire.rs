//! The durable protocol's shapes, as a handler reads and writes them. Source: Lambda API, `CheckpointDurableExecution`,
//! `GetDurableExecutionState`, and the event that a durable function gets.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize};

use crate::replay::id::OperationId;

/// The event that the service invokes a durable function with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Event {
    pub(crate) durable_execution_arn: String,
    pub(crate) checkpoint_token: String,
    pub(crate) initial_execution_state: Page,
    #[serde(default)]
    pub(crate) updated_operation_ids: Vec<OperationId>,
}

/// A page of operations, and where the next one begins.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Page {
    #[serde(default)]
    pub(crate) operations: Vec<Record>,
    #[serde(default)]
    pub(crate) next_marker: Option<String>,
}

impl Page {
    /// Takes the marker of the next page, if there is one.
    pub(crate) fn take_marker(&mut self) -> Option<String> {
        self.next_marker.take().filter(|marker| !marker.is_empty())
    }
}

/// What the service knows about an operation.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Record {
    pub(crate) id: OperationId,
    #[serde(default)]
    pub(crate) parent_id: Option<OperationId>,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "Type")]
    pub(crate) operation_type: OperationType,
    #[serde(default)]
    pub(crate) sub_type: Option<String>,
    pub(crate) status: OperationStatus,
    #[serde(default, deserialize_with = "timestamp")]
    pub(crate) start_timestamp: Option<SystemTime>,
    #[serde(default, deserialize_with = "timestamp")]
    pub(crate) end_timestamp: Option<SystemTime>,
    #[serde(default)]
    pub(crate) execution_details: Option<ExecutionDetails>,
    #[serde(default)]
    pub(crate) context_details: Option<ContextDetails>,
    #[serde(default)]
    pub(crate) step_details: Option<StepDetails>,
    #[serde(default)]
    pub(crate) wait_details: Option<WaitDetails>,
    #[serde(default)]
    pub(crate) callback_details: Option<CallbackDetails>,
    #[serde(default)]
    pub(crate) chained_invoke_details: Option<ChainedInvokeDetails>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ExecutionDetails {
    #[serde(default)]
    pub(crate) input_payload: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ContextDetails {
    #[serde(default)]
    pub(crate) replay_children: Option<bool>,
    #[serde(default)]
    pub(crate) result: Option<String>,
    #[serde(default)]
    pub(crate) error: Option<ErrorObject>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StepDetails {
    /// How many attempts were made.
    #[serde(default)]
    pub(crate) attempt: u32,
    #[serde(default, deserialize_with = "timestamp")]
    pub(crate) next_attempt_timestamp: Option<SystemTime>,
    #[serde(default)]
    pub(crate) result: Option<String>,
    #[serde(default)]
    pub(crate) error: Option<ErrorObject>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct WaitDetails {
    #[serde(default, deserialize_with = "timestamp")]
    pub(crate) scheduled_end_timestamp: Option<SystemTime>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CallbackDetails {
    pub(crate) callback_id: String,
    #[serde(default)]
    pub(crate) result: Option<String>,
    #[serde(default)]
    pub(crate) error: Option<ErrorObject>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChainedInvokeDetails {
    #[serde(default)]
    pub(crate) result: Option<String>,
    #[serde(default)]
    pub(crate) error: Option<ErrorObject>,
}

impl Record {
    /// Returns the payload that the operation ended with, or the state that it goes on from.
    pub(crate) fn result(&self) -> Option<&str> {
        let of_step = self.step_details.as_ref().and_then(|details| details.result.as_deref());
        let of_context = self.context_details.as_ref().and_then(|details| details.result.as_deref());
        let of_callback = self.callback_details.as_ref().and_then(|details| details.result.as_deref());
        let of_invoke = self.chained_invoke_details.as_ref().and_then(|details| details.result.as_deref());
        of_step.or(of_context).or(of_callback).or(of_invoke)
    }

    /// Returns the error that the operation failed with last.
    pub(crate) fn error(&self) -> Option<&ErrorObject> {
        let of_step = self.step_details.as_ref().and_then(|details| details.error.as_ref());
        let of_context = self.context_details.as_ref().and_then(|details| details.error.as_ref());
        let of_callback = self.callback_details.as_ref().and_then(|details| details.error.as_ref());
        let of_invoke = self.chained_invoke_details.as_ref().and_then(|details| details.error.as_ref());
        of_step.or(of_context).or(of_callback).or(of_invoke)
    }

    /// Returns how many attempts were made.
    pub(crate) fn attempts(&self) -> u32 {
        self.step_details.as_ref().map_or(0, |details| details.attempt)
    }

    /// Tells whether its result is to be made anew from its children.
    pub(crate) fn replays_children(&self) -> bool {
        self.context_details.as_ref().and_then(|details| details.replay_children) == Some(true)
    }

    /// Returns when it goes on by itself.
    pub(crate) fn due(&self) -> Option<SystemTime> {
        let of_step = self.step_details.as_ref().and_then(|details| details.next_attempt_timestamp);
        of_step.or_else(|| self.wait_details.as_ref().and_then(|details| details.scheduled_end_timestamp))
    }
}

/// The type of an operation. Source: Lambda API, `OperationType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum OperationType {
    /// The execution itself.
    Execution,
    /// A context with operations of its own.
    Context,
    /// Code that ran, or will.
    Step,
    /// A wait for a time.
    Wait,
    /// A wait for somebody else.
    Callback,
    /// An invocation of another function.
    ChainedInvoke,
}

impl OperationType {
    /// Returns it in the words of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Execution => "EXECUTION",
            Self::Context => "CONTEXT",
            Self::Step => "STEP",
            Self::Wait => "WAIT",
            Self::Callback => "CALLBACK",
            Self::ChainedInvoke => "CHAINED_INVOKE",
        }
    }
}

/// The status of an operation. Source: Lambda API, `OperationStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum OperationStatus {
    /// It goes on.
    Started,
    /// Its next attempt is not due yet.
    Pending,
    /// Its next attempt is due.
    Ready,
    /// It is done.
    Succeeded,
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// Its time was up.
    TimedOut,
    /// Somebody stopped it.
    Stopped,
}

impl OperationStatus {
    /// Tells whether nothing will change any more.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Started | Self::Pending | Self::Ready => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::TimedOut | Self::Stopped => true,
        }
    }

    /// Returns it in the words of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
        }
    }
}

/// An error as the service keeps it. Source: Lambda API, `ErrorObject`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ErrorObject {
    /// What kind of error it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// What it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// What a program may read in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_data: Option<String>,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<Vec<String>>,
}

impl ErrorObject {
    /// Makes one of a type and a message.
    pub fn new(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self { error_type: Some(error_type.into()), error_message: Some(message.into()), ..Self::default() }
    }
}

/// What a handler tells the service about an operation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Update {
    pub(crate) id: OperationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent_id: Option<OperationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(rename = "Type")]
    pub(crate) operation_type: OperationType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sub_type: Option<&'static str>,
    #[serde(flatten)]
    pub(crate) change: Change,
}

/// What becomes of an operation.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Change {
    pub(crate) action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) context_options: Option<ContextOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step_options: Option<StepOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wait_options: Option<WaitOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) callback_options: Option<CallbackOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chained_invoke_options: Option<ChainedInvokeOptions>,
}

impl Change {
    pub(crate) fn start() -> Self {
        Self::default()
    }

    pub(crate) fn succeed(payload: Option<String>) -> Self {
        Self { action: Action::Succeed, payload, ..Self::default() }
    }

    pub(crate) fn fail(error: ErrorObject) -> Self {
        Self { action: Action::Fail, error: Some(error), ..Self::default() }
    }

    pub(crate) fn retry(delay_seconds: u64) -> Self {
        let step_options = Some(StepOptions { next_attempt_delay_seconds: delay_seconds });
        Self { action: Action::Retry, step_options, ..Self::default() }
    }

    /// Returns about how many bytes it takes on the wire.
    pub(crate) fn bytes(&self) -> usize {
        let error = self.error.as_ref().map_or(0, |error| {
            let trace = error.stack_trace.iter().flatten().map(String::len).sum::<usize>();
            [&error.error_type, &error.error_message, &error.error_data]
                .map(|text| text.as_ref().map_or(0, String::len))
                .iter()
                .sum::<usize>()
                + trace
        });
        self.payload.as_ref().map_or(0, String::len) + error + 256
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Action {
    #[default]
    Start,
    Succeed,
    Fail,
    Retry,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ContextOptions {
    pub(crate) replay_children: bool,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StepOptions {
    pub(crate) next_attempt_delay_seconds: u64,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct WaitOptions {
    pub(crate) wait_seconds: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CallbackOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) heartbeat_timeout_seconds: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChainedInvokeOptions {
    pub(crate) function_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant_id: Option<String>,
    #[serde(rename = "XAmznTraceId", skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<String>,
}

/// A checkpoint.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CheckpointRequest {
    pub(crate) checkpoint_token: String,
    pub(crate) client_token: String,
    pub(crate) updates: Vec<Update>,
}

/// The answer to a checkpoint. Without a token, no further one is taken from this invocation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CheckpointResponse {
    #[serde(default)]
    pub(crate) checkpoint_token: Option<String>,
    #[serde(default)]
    pub(crate) new_execution_state: Page,
}

/// What a durable function answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "Status", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Answer {
    /// It is done.
    #[serde(rename_all = "PascalCase")]
    Succeeded {
        /// Its result; empty if it was checkpointed.
        result: String,
    },
    /// It failed.
    #[serde(rename_all = "PascalCase")]
    Failed {
        /// The error; absent if it was checkpointed.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<ErrorObject>,
    },
    /// It waits for something.
    Pending,
}

/// Reads a time: epoch milliseconds (the event), epoch seconds with a fraction (the API), or ISO 8601.
fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SystemTime>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Shape {
        Number(f64),
        Text(String),
    }
    /// Seconds of the year 5138, milliseconds of the year 1973: no number is both.
    const SECONDS_MAX: f64 = 1e11;
    let millis = match Option::<Shape>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Shape::Number(number)) if number < SECONDS_MAX => number * 1000.0,
        Some(Shape::Number(number)) => number,
        Some(Shape::Text(text)) => {
            let time: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
            return Ok(Some(time.into()));
        }
    };
    Ok(Some(time_of_millis(millis)))
}

/// Returns the time that is so many milliseconds after the epoch. A fraction comes from reckoning, and is rounded away.
pub(crate) fn time_of_millis(millis: f64) -> SystemTime {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "floats saturate")]
    let since = Duration::from_millis(millis.round() as u64);
    UNIX_EPOCH + since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_shape() {
        let check = |json: &str, millis: Option<u64>| {
            let json = format!(
                r#"{{"Id":"a","Type":"WAIT","Status":"STARTED","WaitDetails":{{"ScheduledEndTimestamp":{json}}}}}"#
            );
            let record: Record = serde_json::from_str(&json).unwrap();
            assert_eq!(record.due(), millis.map(|millis| UNIX_EPOCH + Duration::from_millis(millis)), "{json}");
        };
        check("1767225600123", Some(1_767_225_600_123));
        check("1767225600.123", Some(1_767_225_600_123));
        check("\"2026-01-01T00:00:00.123Z\"", Some(1_767_225_600_123));
        check("null", None);
    }

    #[test]
    fn types_and_statuses_have_one_spelling() {
        let operation_types = [
            OperationType::Execution,
            OperationType::Context,
            OperationType::Step,
            OperationType::Wait,
            OperationType::Callback,
            OperationType::ChainedInvoke,
        ];
        for operation_type in operation_types {
            assert_eq!(serde_json::to_value(operation_type).unwrap(), operation_type.as_str());
        }
        let statuses = [
            OperationStatus::Started,
            OperationStatus::Pending,
            OperationStatus::Ready,
            OperationStatus::Succeeded,
            OperationStatus::Failed,
            OperationStatus::Cancelled,
            OperationStatus::TimedOut,
            OperationStatus::Stopped,
        ];
        for status in statuses {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }

    #[test]
    fn updates_are_written_as_the_service_reads_them() {
        let update = Update {
            id: "a".into(),
            parent_id: None,
            name: Some("charge".into()),
            operation_type: OperationType::Step,
            sub_type: Some("Step"),
            change: Change::retry(3),
        };
        let json = serde_json::to_string(&update).unwrap();
        let expected = r#"{"Id":"a","Name":"charge","Type":"STEP","SubType":"Step","Action":"RETRY","StepOptions":{"NextAttemptDelaySeconds":3}}"#;
        assert_eq!(json, expected);
        let answer = serde_json::to_string(&Answer::Succeeded { result: "1".into() }).unwrap();
        assert_eq!(answer, r#"{"Status":"SUCCEEDED","Result":"1"}"#);
        assert_eq!(serde_json::to_string(&Answer::Pending).unwrap(), r#"{"Status":"PENDING"}"#);
    }
}
