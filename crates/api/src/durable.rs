//! Durable executions on the wire: what readers and callers get.

use everstep_core::event::Outcome;
use everstep_core::{Execution, Texts};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::timestamp::seconds;

/// `PauseDurableExecution`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PauseRequest {
    /// By which a repetition is recognised.
    pub client_token: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Whether the execution timeout stands still meanwhile; true if absent.
    pub execution_timeout_paused: Option<bool>,
}

/// `ResumeDurableExecution`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResumeRequest {
    /// By which a repetition is recognised.
    pub client_token: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// Returns the qualified ARN of the function that an execution runs.
pub fn function_arn(execution: &Execution) -> String {
    let start = execution.start_facts();
    format!("{}:{}", start.place.function_arn(&start.function), start.version)
}

/// Writes `GetDurableExecution`; with the texts of its payloads if data is asked for.
pub fn get_durable_execution(execution: &Execution, data: Option<&Texts>) -> Value {
    let start = execution.start_facts();
    let mut shape = Map::new();
    let mut put = |name: &str, value: Value| shape.insert(name.into(), value);
    put("DurableExecutionArn", start.arn().to_string().into());
    put("DurableExecutionName", start.name.as_str().into());
    put("FunctionArn", function_arn(execution).into());
    put("Version", start.version.to_string().into());
    put("StartTimestamp", seconds(execution.started_at()).into());
    put("Status", execution.status().as_str().into());
    put("ExecutionDataIncluded", data.is_some().into());
    put(
        "DurableConfig",
        json!({
            "ExecutionTimeout": start.execution_timeout_seconds,
            "RetentionPeriodInDays": start.retention_days,
        }),
    );
    if let Some(ended_at) = execution.ended_at() {
        put("EndTimestamp", seconds(ended_at).into());
    }
    if let Some(timeout_at) = execution.expected_timeout_at() {
        put("ExpectedExecutionTimeoutTimestamp", seconds(timeout_at).into());
    }
    if let Some(trace_id) = &start.trace_id {
        put("TraceHeader", json!({"XAmznTraceId": trace_id}));
    }
    if let Some(texts) = data {
        if let Some(input) = &start.input {
            put("InputPayload", texts.get(input).into());
        }
        match execution.outcome() {
            Some(Outcome::Succeeded(Some(result))) => {
                put("Result", texts.get(result).into());
            }
            Some(Outcome::Failed(Some(error)) | Outcome::TimedOut(error) | Outcome::Stopped(error)) => {
                put("Error", serde_json::from_str(texts.get(&error.0)).expect("an error document is JSON"));
            }
            Some(Outcome::Succeeded(None) | Outcome::Failed(None)) | None => {}
        }
    }
    if let Some(request) = execution.pause_request() {
        let mut details = json!({
            "PauseRequestTimestamp": seconds(request.requested_at),
            "ExecutionTimeoutPaused": request.execution_timeout_paused,
        });
        if let (Some(reason), Some(_)) = (&request.reason, data) {
            details["Reason"] = (&**reason).into();
        }
        put("PauseDetails", details);
    }
    Value::Object(shape)
}

/// Writes an error as a synchronous caller gets it: the same members, in lower camel case.
pub fn function_error(error: &everstep_core::ErrorObject) -> Value {
    let mut shape = Map::new();
    let mut put = |name: &str, value: Option<Value>| value.map(|value| shape.insert(name.into(), value));
    put("errorType", error.error_type.clone().map(Value::from));
    put("errorMessage", error.error_message.clone().map(Value::from));
    put("errorData", error.error_data.clone().map(Value::from));
    put("stackTrace", error.stack_trace.clone().map(Value::from));
    Value::Object(shape)
}
