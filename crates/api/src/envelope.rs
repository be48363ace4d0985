//! The event that a durable handler gets, and the answer it gives.

use std::sync::Arc;

use everstep_core::event::Start;
use everstep_core::limits::ENVELOPE_PAGE_BYTES_MAX;
use everstep_core::{ErrorObject, Execution, Operation, Texts, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::operation::operation;
use crate::timestamp::TimeFormat;

/// What a handler is told when it is invoked.
#[derive(Debug)]
pub struct Envelope {
    /// What was fixed at the start.
    pub start: Arc<Start>,
    /// When the execution started.
    pub started_at: Timestamp,
    /// The token of its first checkpoint.
    pub checkpoint_token: String,
    /// The operations that a replay needs, in order.
    pub operations: Vec<Arc<Operation>>,
    /// Ids of operations that changed outside the handler since the last invocation that ended well.
    pub updated_operation_ids: Vec<String>,
    /// The texts of every payload shown.
    pub texts: Texts,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EnvelopeShape<'a> {
    durable_execution_arn: String,
    checkpoint_token: &'a str,
    initial_execution_state: StateShape,
    updated_operation_ids: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StateShape {
    operations: Vec<Box<RawValue>>,
    next_marker: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExecutionOperation<'a> {
    id: String,
    #[serde(rename = "Type")]
    operation_type: &'a str,
    name: &'a str,
    status: &'a str,
    start_timestamp: crate::timestamp::WireTime,
    execution_details: ExecutionDetails<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExecutionDetails<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    input_payload: Option<&'a str>,
}

/// Writes the event. Operations beyond the page budget are left for `GetDurableExecutionState`, from the marker on.
pub fn encode(envelope: &Envelope) -> Vec<u8> {
    let execution = execution_operation(&envelope.start, envelope.started_at, &envelope.texts, TimeFormat::Millis);
    let page = page(&envelope.operations, 0, usize::MAX, &envelope.texts, TimeFormat::Millis);
    let mut operations = vec![execution];
    operations.extend(page.operations);
    let shape = EnvelopeShape {
        durable_execution_arn: envelope.start.arn().to_string(),
        checkpoint_token: &envelope.checkpoint_token,
        initial_execution_state: StateShape { operations, next_marker: page.next_marker.unwrap_or_default() },
        updated_operation_ids: &envelope.updated_operation_ids,
    };
    serde_json::to_vec(&shape).expect("shapes serialise")
}

/// Writes the EXECUTION operation, which is always the first.
fn execution_operation(start: &Start, started_at: Timestamp, texts: &Texts, time: TimeFormat) -> Box<RawValue> {
    let shape = ExecutionOperation {
        id: start.id.to_string(),
        operation_type: "EXECUTION",
        name: start.name.as_str(),
        status: "STARTED",
        start_timestamp: time.write(started_at),
        execution_details: ExecutionDetails { input_payload: start.input.as_ref().map(|input| texts.get(input)) },
    };
    serde_json::value::to_raw_value(&shape).expect("shapes serialise")
}

/// A page of operations, and where the next one begins.
pub struct Page {
    /// The operations, as JSON.
    pub operations: Vec<Box<RawValue>>,
    /// The marker of the next page, if there is one.
    pub next_marker: Option<String>,
}

/// Writes the operations from `first` on: at most `items_max`, and no more bytes than a page holds, but at least one.
pub fn page(operations: &[Arc<Operation>], first: usize, items_max: usize, texts: &Texts, time: TimeFormat) -> Page {
    let mut page = Page { operations: Vec::new(), next_marker: None };
    let mut bytes = 0;
    for (position, shown) in operations.iter().enumerate().skip(first) {
        let json = serde_json::value::to_raw_value(&operation(shown, texts, time)).expect("shapes serialise");
        bytes += json.get().len();
        let full = page.operations.len() == items_max || bytes > ENVELOPE_PAGE_BYTES_MAX;
        if full && !page.operations.is_empty() {
            page.next_marker = Some(position.to_string());
            break;
        }
        page.operations.push(json);
    }
    page
}

/// Writes a page of `GetDurableExecutionState`, of `shown` from the marker `from` on: the EXECUTION operation comes first,
/// so only the page without a marker has it.
pub fn state(
    execution: &Execution,
    shown: &[Arc<Operation>],
    from: Option<usize>,
    items_max: usize,
    texts: &Texts,
) -> serde_json::Value {
    let mut operations = Vec::new();
    if from.is_none() {
        let start = execution.start_facts();
        operations.push(execution_operation(start, execution.started_at(), texts, TimeFormat::Seconds));
    }
    let room = items_max - operations.len().min(items_max - 1);
    let page = page(shown, from.unwrap_or_default(), room, texts, TimeFormat::Seconds);
    operations.extend(page.operations);
    let mut shape = serde_json::json!({"Operations": operations});
    if let Some(marker) = page.next_marker {
        shape["NextMarker"] = marker.into();
    }
    shape
}

/// What a handler answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is done.
    Succeeded(Option<String>),
    /// It failed.
    Failed(Option<ErrorObject>),
    /// It waits for something.
    Pending,
    /// Its answer makes no sense, for this reason.
    Invalid(&'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AnswerShape {
    status: Option<String>,
    result: Option<serde_json::Value>,
    error: Option<ErrorObject>,
}

/// Reads what a handler answered. JSON null counts as absent.
pub fn decode_answer(body: &[u8]) -> Answer {
    const INVALID: Answer = Answer::Invalid("Invalid Status in invocation output.");
    let Ok(shape) = serde_json::from_slice::<AnswerShape>(body) else { return INVALID };
    let result = match shape.result {
        None | Some(serde_json::Value::Null) => None,
        Some(serde_json::Value::String(text)) => Some(text),
        Some(_) => return Answer::Invalid("Result in invocation output must be a string."),
    };
    match (shape.status.as_deref(), result, shape.error) {
        (Some("SUCCEEDED"), _, Some(_)) => Answer::Invalid("Cannot provide an Error for SUCCEEDED status."),
        (Some("SUCCEEDED"), result, None) => Answer::Succeeded(result),
        (Some("FAILED"), Some(_), _) => Answer::Invalid("Cannot provide a Result for FAILED status."),
        (Some("FAILED"), None, error) => Answer::Failed(error),
        (Some("PENDING"), _, _) => Answer::Pending,
        (Some(_) | None, _, _) => INVALID,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_the_service_reads_them() {
        let invalid = Answer::Invalid("Invalid Status in invocation output.");
        for (body, expected) in [
            (r#"{"Status":"PENDING"}"#, Answer::Pending),
            (r#"{"Status":"SUCCEEDED","Result":"\"x\""}"#, Answer::Succeeded(Some("\"x\"".into()))),
            (r#"{"Status":"SUCCEEDED","Result":null,"Error":null}"#, Answer::Succeeded(None)),
            (r#"{"Status":"SUCCEEDED","Error":{}}"#, Answer::Invalid("Cannot provide an Error for SUCCEEDED status.")),
            (r#"{"Status":"FAILED"}"#, Answer::Failed(None)),
            (r#"{"Status":"FAILED","Result":"1"}"#, Answer::Invalid("Cannot provide a Result for FAILED status.")),
            (r#"{"Status":"DONE"}"#, invalid.clone()),
            (r#"{"ok":true}"#, invalid.clone()),
            ("null", invalid.clone()),
            ("not json", invalid),
        ] {
            assert_eq!(decode_answer(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn pages_hold_what_fits_and_at_least_one_operation() {
        use everstep_core::event::Event;
        use everstep_core::{Execution, Payload, Record};

        // Operations are made by events only, as everywhere.
        let operations = |bytes: [usize; 2]| {
            let mut events: Vec<Event> = Vec::new();
            let start = r#"{"execution_started":{"id":"00000000-0000-0000-0000-000000000001","place":{"region":"r","account":"1"},"function":"f","version":"1","name":"n","execution_timeout_seconds":9,"retention_days":1,"mode":"sync"}}"#;
            events.push(serde_json::from_str(start).unwrap());
            for (id, bytes) in ["a", "b"].iter().zip(bytes) {
                let added = format!(r#"{{"operation_added":{{"id":"{id}","type":"STEP"}}}}"#);
                events.push(serde_json::from_str(&added).unwrap());
                let result = Payload::Inline("x".repeat(bytes).into());
                let event =
                    everstep_core::operation::step::Event::Succeeded { result: Some(result), attempt: 1, retry: None };
                events.push(Event::Step { id: id.parse().unwrap(), event });
            }
            let record = Record { version: 1, at: Timestamp::from_millis(0), first_event_id: 1, event_ids: 3, events };
            Execution::replay(&[record]).unwrap().operations().iter().cloned().collect::<Vec<_>>()
        };
        let texts = Texts::default();
        let show = |bytes: [usize; 2]| page(&operations(bytes), 0, 9, &texts, TimeFormat::Millis);
        let frames: usize = show([0, 0]).operations.iter().map(|json| json.get().len()).sum();
        let fill = ENVELOPE_PAGE_BYTES_MAX - frames;
        assert_eq!(show([1, fill - 1]).next_marker, None);
        assert_eq!(show([1, fill]).next_marker.as_deref(), Some("1"));
        assert_eq!(show([2 * ENVELOPE_PAGE_BYTES_MAX, 1]).operations.len(), 1);
    }
}
