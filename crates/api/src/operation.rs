//! Operations on the wire.

use everstep_core::id::OperationName;
use everstep_core::operation::Detail;
use everstep_core::{ErrorDocument, Operation, OperationStatus, OperationType, Payload, Texts};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::timestamp::{TimeFormat, WireTime};

/// An operation as a handler gets it. Source: Lambda API, `Operation`. Absent members are left out, never null.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct OperationShape<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(rename = "Type")]
    operation_type: OperationType,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type: Option<&'a str>,
    start_timestamp: WireTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_timestamp: Option<WireTime>,
    status: OperationStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_details: Option<ContextDetails<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_details: Option<StepDetails<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_details: Option<WaitDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_details: Option<CallbackDetails<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chained_invoke_details: Option<ChainedInvokeDetails<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ContextDetails<'a> {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replay_children: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct StepDetails<'a> {
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_timestamp: Option<WireTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct WaitDetails {
    scheduled_end_timestamp: WireTime,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CallbackDetails<'a> {
    callback_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ChainedInvokeDetails<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
}

/// Writes an operation.
pub fn operation<'a>(operation: &'a Operation, texts: &'a Texts, time: TimeFormat) -> OperationShape<'a> {
    let opening = &operation.opening;
    let mut shape = OperationShape {
        id: opening.id.as_str(),
        parent_id: opening.parent.as_ref().map(|parent| parent.as_str()),
        name: opening.name.as_ref().map(OperationName::as_str),
        operation_type: opening.operation_type,
        sub_type: opening.sub_type.as_ref().map(|sub_type| sub_type.as_str()),
        start_timestamp: time.write(operation.started_at),
        end_timestamp: operation.ended_at.map(|at| time.write(at)),
        status: operation.status,
        context_details: None,
        step_details: None,
        wait_details: None,
        callback_details: None,
        chained_invoke_details: None,
    };
    let text = |payload: &'a Option<Payload>| payload.as_ref().map(|payload| texts.get(payload));
    let error = |error: &'a Option<ErrorDocument>| error.as_ref().map(|error| raw_error(error, texts));
    match &operation.detail {
        Detail::Context(context) => {
            shape.context_details = Some(ContextDetails {
                replay_children: context.replay_children,
                result: text(&context.result),
                error: error(&context.error),
            });
        }
        Detail::Step(step) => {
            shape.step_details = Some(StepDetails {
                attempt: step.attempt,
                next_attempt_timestamp: step.next_attempt_at.map(|at| time.write(at)),
                result: text(&step.result),
                error: error(&step.error),
            });
        }
        Detail::Wait(wait) => {
            shape.wait_details = Some(WaitDetails { scheduled_end_timestamp: time.write(wait.ends_at) });
        }
        Detail::Callback(callback) => {
            shape.callback_details = Some(CallbackDetails {
                callback_id: &callback.callback_id,
                result: text(&callback.result),
                error: error(&callback.error),
            });
        }
        Detail::ChainedInvoke(invoke) => {
            shape.chained_invoke_details =
                Some(ChainedInvokeDetails { result: text(&invoke.result), error: error(&invoke.error) });
        }
    }
    shape
}

/// Returns an error document as JSON to embed.
///
/// # Panics
/// If it is not JSON: error documents are written by [`everstep_core::ErrorObject::to_json`] only.
pub fn raw_error<'a>(error: &'a ErrorDocument, texts: &'a Texts) -> &'a RawValue {
    serde_json::from_str(texts.get(&error.0)).expect("an error document is JSON")
}
