//! Destinations: who is told how an asynchronous invocation ended, and in what words.

use everstep_api::durable::function_error;
use everstep_api::reference::FunctionReference;
use everstep_core::event::{PlainInvocation, Start, StartMode};
use everstep_core::limits::ASYNC_PAYLOAD_BYTES_MAX;
use everstep_core::{Effect, Payload, Timestamp};
use everstep_engine::{AsyncEnding, Condition, new_execution_id, new_request_id};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tracing::warn;

use crate::functions::{Found, Function, Functions};
use crate::http::error::Error;
use crate::runner::{execution_timeout_seconds, retention_days};

/// Returns what the end of an invocation owes: an asynchronous invocation of its destination.
///
/// # Errors
/// If the functions cannot be looked up.
pub async fn owed(
    functions: &Functions,
    invocation: &PlainInvocation,
    ending: &AsyncEnding,
) -> Result<Option<Effect>, Error> {
    let Some((function, _)) = functions.load(&invocation.function).await? else { return Ok(None) };
    let failed = ending.condition != Condition::Success;
    if failed && let Some(target) = dead_letter_target(&function, invocation) {
        warn!(
            function.name = %invocation.function,
            target,
            "Everstep does not serve dead-letter queues yet: the event is dropped; name a function as OnFailure destination"
        );
    }
    let config = function.event_invoke_configs.get(qualifier(invocation));
    let destination = config.and_then(|config| if failed { &config.on_failure } else { &config.on_success }.as_deref());
    let Some(reference) = destination.and_then(FunctionReference::parse) else { return Ok(None) };
    let record = record(&functions.place().function_arn(&invocation.function), invocation, ending);
    if record.len() as u64 > ASYNC_PAYLOAD_BYTES_MAX {
        warn!(
            function.name = %invocation.function,
            bytes = record.len(),
            "the destination is not told: the record is larger than an asynchronous payload may be"
        );
        return Ok(None);
    }
    match functions.find(&reference).await {
        Ok(found) => Ok(Some(tell(functions, &found, record, invocation, ending.at))),
        Err(error) if error.status == 404 => {
            warn!(function.name = %invocation.function, %error, "the destination is not told");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Writes the asynchronous invocation that tells a destination.
fn tell(functions: &Functions, found: &Found, record: String, told_by: &PlainInvocation, at: Timestamp) -> Effect {
    let (function, version) = (found.function.name.clone(), found.version);
    let Some(config) = &found.configuration().durable_config else {
        return Effect::InvokePlain(PlainInvocation {
            function,
            version,
            request_id: new_request_id(),
            payload: record.into(),
            tenant_id: None,
            trace_id: told_by.trace_id.clone(),
            tries: 0,
            qualifier: found.qualifier().map(Into::into),
            accepted_at: Some(at),
            deferrals: 0,
            hops: told_by.hops + 1,
        });
    };
    let id = new_execution_id();
    Effect::StartExecution(Box::new(Start {
        id,
        place: functions.place().clone(),
        function,
        version,
        name: id.to_string().parse().expect("a UUID is an execution name"),
        input: Some(Payload::Inline(record.into())),
        execution_timeout_seconds: execution_timeout_seconds(config),
        retention_days: retention_days(config),
        mode: StartMode::Async,
        trace_id: told_by.trace_id.clone(),
        tenant_id: None,
        parent: None,
        alias: found.alias.as_deref().map(Into::into),
        hops: told_by.hops + 1,
    }))
}

/// Returns the version or alias whose configuration governs an invocation.
pub fn qualifier(invocation: &PlainInvocation) -> &str {
    invocation.qualifier.as_deref().unwrap_or("$LATEST")
}

fn dead_letter_target<'a>(function: &'a Function, invocation: &PlainInvocation) -> Option<&'a str> {
    let configuration = function.configuration(invocation.version)?;
    configuration.kept.get("DeadLetterConfig")?["TargetArn"].as_str()
}

/// What a destination is told. Source: Lambda Developer Guide, example invocation record.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    version: &'static str,
    timestamp: String,
    request_context: Value,
    request_payload: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload: Option<Box<RawValue>>,
}

fn record(function_arn: &str, invocation: &PlainInvocation, ending: &AsyncEnding) -> String {
    let condition = match ending.condition {
        Condition::Success => "Success",
        Condition::RetriesExhausted => "RetriesExhausted",
        Condition::EventAgeExceeded => "EventAgeExceeded",
    };
    // A function that was not invoked has not answered.
    let answer = ending.result.as_ref().filter(|_| ending.invoke_count > 0);
    let response_context = answer.map(|answer| {
        let mut context = json!({"statusCode": 200, "executedVersion": invocation.version.to_string()});
        if answer.is_err() {
            context["functionError"] = "Unhandled".into();
        }
        context
    });
    let response_payload = answer.map(|answer| match answer {
        Ok(body) => document(body),
        Err(error) => to_raw_value(&function_error(error)).expect("a shape serialises"),
    });
    let at = jiff::Timestamp::from_millisecond(ending.at.as_millis()).unwrap_or_default();
    let record = Record {
        version: "1.0",
        timestamp: at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        request_context: json!({
            "requestId": invocation.request_id.to_string(),
            "functionArn": format!("{function_arn}:{}", qualifier(invocation)),
            "condition": condition,
            "approximateInvokeCount": ending.invoke_count,
        }),
        request_payload: document(&invocation.payload),
        response_context,
        response_payload,
    };
    serde_json::to_string(&record).expect("a record serialises")
}

/// Returns a text as the JSON document that it is, or as a JSON string if it is none.
fn document(text: &str) -> Box<RawValue> {
    serde_json::from_str(text).unwrap_or_else(|_| to_raw_value(text).expect("a text serialises"))
}

#[cfg(test)]
mod tests {
    use everstep_core::ErrorObject;
    use everstep_core::id::{RequestId, Version};

    use super::*;

    fn check(condition: Condition, invoke_count: u32, result: Option<Result<&str, ErrorObject>>, expected: Value) {
        let invocation = PlainInvocation {
            function: "f".parse().unwrap(),
            version: Version::Number(3),
            request_id: RequestId::from_bytes([7; 16]),
            payload: r#"{"n": 1}"#.into(),
            tenant_id: None,
            trace_id: None,
            tries: 0,
            qualifier: Some("live".into()),
            accepted_at: None,
            deferrals: 0,
            hops: 0,
        };
        let at = Timestamp::from_millis(1_573_755_365_568);
        let ending = AsyncEnding { condition, invoke_count, result: result.map(|result| result.map(Into::into)), at };
        let record: Value = serde_json::from_str(&record("arn:f", &invocation, &ending)).unwrap();
        let mut whole = json!({
            "version": "1.0",
            "timestamp": "2019-11-14T18:16:05.568Z",
            "requestContext": {
                "requestId": "07070707-0707-0707-0707-070707070707",
                "functionArn": "arn:f:live",
                "condition": format!("{condition:?}"),
                "approximateInvokeCount": invoke_count,
            },
            "requestPayload": {"n": 1},
        });
        whole.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        assert_eq!(record, whole);
    }

    #[test]
    fn records_are_worded_as_lambda_does() {
        let context = json!({"statusCode": 200, "executedVersion": "3"});
        let failed = json!({"statusCode": 200, "executedVersion": "3", "functionError": "Unhandled"});
        let error = ErrorObject::new("Whoops", "it broke");
        check(
            Condition::Success,
            1,
            Some(Ok("[1, 2]")),
            json!({"responseContext": context, "responsePayload": [1, 2]}),
        );
        check(
            Condition::Success,
            2,
            Some(Ok("no json")),
            json!({"responseContext": context, "responsePayload": "no json"}),
        );
        let payload = json!({"errorType": "Whoops", "errorMessage": "it broke"});
        check(
            Condition::RetriesExhausted,
            3,
            Some(Err(error.clone())),
            json!({"responseContext": failed, "responsePayload": payload}),
        );
        check(Condition::EventAgeExceeded, 0, None, json!({}));
        check(Condition::EventAgeExceeded, 0, Some(Err(error)), json!({}));
    }
}
