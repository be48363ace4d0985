//! `GetDurableExecutionHistory` on the wire.

use everstep_core::event::{Event, PauseRequest};
use everstep_core::execution::Execution;
use everstep_core::history::Entry;
use everstep_core::operation::chained_invoke::Target;
use everstep_core::operation::{Detail, Operation, callback, chained_invoke, context, step, wait};
use everstep_core::{ErrorDocument, Payload, Texts};
use serde_json::{Map, Value, json};

use crate::timestamp::seconds;

/// Whether a history shows payloads. The texts are those of every payload shown.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// With payloads.
    Included(&'a Texts),
    /// Without: only that there are some.
    Excluded,
}

/// Writes one event. Source: Lambda API, `Event`.
pub fn event(entry: &Entry<'_>, execution: &Execution, data: Data<'_>) -> Value {
    let (event_type, details) = details(entry, execution, data);
    let mut shape = Map::new();
    shape.insert("EventType".into(), event_type.into());
    shape.insert("EventId".into(), entry.event_id.into());
    shape.insert("EventTimestamp".into(), seconds(entry.at).into());
    if let Some(operation) = entry.operation {
        let opening = &operation.opening;
        shape.insert("Id".into(), opening.id.as_str().into());
        let members = [
            ("Name", opening.name.as_ref().map(|name| name.as_str())),
            ("ParentId", opening.parent.as_ref().map(|parent| parent.as_str())),
            ("SubType", opening.sub_type.as_ref().map(|sub_type| sub_type.as_str())),
        ];
        shape.extend(members.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?.into()))));
    } else if event_type.starts_with("Execution") {
        let start = execution.start_facts();
        shape.insert("Id".into(), start.id.to_string().into());
        shape.insert("Name".into(), start.name.as_str().into());
    }
    shape.insert(format!("{event_type}Details"), details);
    Value::Object(shape)
}

fn details(entry: &Entry<'_>, execution: &Execution, data: Data<'_>) -> (&'static str, Value) {
    let operation = entry.operation.map(|operation| &**operation);
    match entry.event {
        Event::ExecutionStarted(start) => (
            "ExecutionStarted",
            json!({
                "Input": data.payload(start.input.as_ref()),
                "ExecutionTimeout": start.execution_timeout_seconds,
            }),
        ),
        Event::ExecutionSucceeded { result } => {
            ("ExecutionSucceeded", json!({"Result": data.payload(result.as_ref())}))
        }
        Event::ExecutionFailed { error } => ("ExecutionFailed", json!({"Error": data.error(error.as_ref())})),
        Event::ExecutionTimedOut { error } => ("ExecutionTimedOut", json!({"Error": data.error(Some(error))})),
        Event::ExecutionStopped { error } => ("ExecutionStopped", json!({"Error": data.error(Some(error))})),
        Event::ExecutionPaused(request) => ("ExecutionPaused", paused(request, data)),
        Event::ExecutionResumed { reason, .. } => {
            let mut details = json!({"ResumeRequestTimestamp": seconds(entry.at)});
            if let Some(reason) = reason {
                details["Reason"] = data.text(Some(reason));
            }
            ("ExecutionResumed", details)
        }
        Event::InvocationCompleted(completed) => {
            let mut details = json!({
                "StartTimestamp": seconds(completed.started_at),
                "EndTimestamp": seconds(entry.at),
                "RequestId": completed.request_id.to_string(),
            });
            if completed.error.is_some() {
                details["Error"] = data.error(completed.error.as_ref());
            }
            ("InvocationCompleted", details)
        }
        Event::Step { event, .. } => step_details(event, data),
        Event::Wait { event, .. } => wait_details(event, operation, data),
        Event::Callback { event, .. } => callback_details(event, data),
        Event::Context { event, .. } => context_details(event, data),
        Event::ChainedInvoke { event, .. } => chained_invoke_details(event, data),
        Event::OperationAdded(_)
        | Event::InvocationStarted { .. }
        | Event::CheckpointAccepted { .. }
        | Event::OutcomeFixed(_)
        | Event::PauseRequested(_)
        | Event::PauseCancelled { .. }
        | Event::DeletionRequested => unreachable!("not in history: {execution:?}"),
    }
}

fn paused(request: &PauseRequest, data: Data<'_>) -> Value {
    let mut details = json!({
        "PauseRequestTimestamp": seconds(request.requested_at),
        "ExecutionTimeoutPaused": request.execution_timeout_paused,
    });
    if let Some(reason) = &request.reason {
        details["Reason"] = data.text(Some(reason));
    }
    details
}

fn step_details(event: &step::Event, data: Data<'_>) -> (&'static str, Value) {
    let retry = |attempt: &u32, retry: &Option<step::Retry>| match retry {
        Some(retry) => json!({"CurrentAttempt": attempt, "NextAttemptDelaySeconds": retry.delay_seconds}),
        None => json!({"CurrentAttempt": attempt}),
    };
    match event {
        step::Event::Started => ("StepStarted", json!({})),
        step::Event::Succeeded { result, attempt, retry: next } => {
            ("StepSucceeded", json!({"Result": data.payload(result.as_ref()), "RetryDetails": retry(attempt, next)}))
        }
        step::Event::Failed { error, attempt, retry: next } => {
            ("StepFailed", json!({"Error": data.error(error.as_ref()), "RetryDetails": retry(attempt, next)}))
        }
        step::Event::Ready => unreachable!("not in history"),
    }
}

fn wait_details(event: &wait::Event, operation: Option<&Operation>, data: Data<'_>) -> (&'static str, Value) {
    match event {
        wait::Event::Started { seconds: duration, ends_at } => {
            ("WaitStarted", json!({"Duration": duration, "ScheduledEndTimestamp": seconds(*ends_at)}))
        }
        wait::Event::Succeeded => {
            let duration = match operation.map(|operation| &operation.detail) {
                Some(Detail::Wait(wait)) => wait.seconds,
                other => unreachable!("a wait is not {other:?}"),
            };
            ("WaitSucceeded", json!({"Duration": duration}))
        }
        wait::Event::Cancelled { error } => match error {
            Some(error) => ("WaitCancelled", json!({"Error": data.error(Some(error))})),
            None => ("WaitCancelled", json!({})),
        },
    }
}

fn callback_details(event: &callback::Event, data: Data<'_>) -> (&'static str, Value) {
    match event {
        callback::Event::Started { callback_id, timeout_seconds, heartbeat_seconds } => {
            let mut details = json!({"CallbackId": callback_id});
            if let Some(seconds) = timeout_seconds {
                details["Timeout"] = (*seconds).into();
            }
            if let Some(seconds) = heartbeat_seconds {
                details["HeartbeatTimeout"] = (*seconds).into();
            }
            ("CallbackStarted", details)
        }
        callback::Event::Succeeded { result } => {
            ("CallbackSucceeded", json!({"Result": data.payload(result.as_ref())}))
        }
        callback::Event::Failed { error } => ("CallbackFailed", json!({"Error": data.error(Some(error))})),
        callback::Event::TimedOut { error } => ("CallbackTimedOut", json!({"Error": data.error(Some(error))})),
        callback::Event::Heartbeat => unreachable!("not in history"),
    }
}

fn context_details(event: &context::Event, data: Data<'_>) -> (&'static str, Value) {
    match event {
        context::Event::Started => ("ContextStarted", json!({})),
        context::Event::Succeeded { result, .. } => {
            ("ContextSucceeded", json!({"Result": data.payload(result.as_ref())}))
        }
        context::Event::Failed { error } => ("ContextFailed", json!({"Error": data.error(error.as_ref())})),
    }
}

fn chained_invoke_details(event: &chained_invoke::Event, data: Data<'_>) -> (&'static str, Value) {
    match event {
        chained_invoke::Event::Started(request) => {
            let mut details = json!({"FunctionName": request.function_name});
            if let Some(tenant_id) = &request.tenant_id {
                details["TenantId"] = tenant_id.as_str().into();
            }
            match &request.target {
                Target::Durable(child) => {
                    details["Input"] = data.payload(request.input.as_ref());
                    details["ExecutedVersion"] = child.version.to_string().into();
                    details["DurableExecutionArn"] = child.arn().to_string().into();
                }
                Target::Plain { version, .. } => {
                    details["Input"] = data.payload(request.input.as_ref());
                    details["ExecutedVersion"] = version.to_string().into();
                }
                Target::Refused(_) => {}
            }
            ("ChainedInvokeStarted", details)
        }
        chained_invoke::Event::Succeeded { result } => {
            ("ChainedInvokeSucceeded", json!({"Result": data.payload(result.as_ref())}))
        }
        chained_invoke::Event::Failed { error } => ("ChainedInvokeFailed", json!({"Error": data.error(Some(error))})),
        chained_invoke::Event::TimedOut { error } => {
            ("ChainedInvokeTimedOut", json!({"Error": data.error(Some(error))}))
        }
        chained_invoke::Event::Stopped { error } => ("ChainedInvokeStopped", json!({"Error": data.error(Some(error))})),
        chained_invoke::Event::Cancelled => unreachable!("not in history"),
    }
}

impl Data<'_> {
    fn payload(self, payload: Option<&Payload>) -> Value {
        match self {
            Self::Included(texts) => self.text(payload.map(|payload| texts.get(payload))),
            Self::Excluded => self.text(None),
        }
    }

    fn text(self, text: Option<&str>) -> Value {
        match (self, text) {
            (Self::Included(_), Some(text)) => json!({"Payload": text, "Truncated": false}),
            (Self::Included(_), None) => json!({"Truncated": false}),
            (Self::Excluded, _) => json!({"Truncated": true}),
        }
    }

    fn error(self, error: Option<&ErrorDocument>) -> Value {
        match (self, error) {
            (Self::Included(texts), Some(error)) => {
                let error: Value = serde_json::from_str(texts.get(&error.0)).expect("an error document is JSON");
                json!({"Payload": error, "Truncated": false})
            }
            (Self::Included(_), None) => json!({"Truncated": false}),
            (Self::Excluded, _) => json!({"Truncated": true}),
        }
    }
}
