//! What happens to an execution from outside: completions, stop, timeout, pause, resume, delete.

use std::sync::Arc;

use super::Pause;
use super::draft::Draft;
use crate::command::{CallbackCompletion, ChainedCompletion};
use crate::event::{Event, Outcome, PauseRequest};
use crate::id::{ClientToken, OperationId};
use crate::limits;
use crate::operation::{Detail, OperationStatus, callback, chained_invoke};
use crate::payload::{ErrorDocument, ErrorObject, Payload};
use crate::rejection::{Rejection, RejectionKind};
use crate::time::Timestamp;

/// Completes a callback, or takes its heartbeat.
pub(super) fn complete_callback(
    draft: &mut Draft,
    id: &OperationId,
    completion: &CallbackCompletion,
) -> Result<(), Rejection> {
    let open = draft.next.closed.is_none()
        && draft.next.effective_deadline() > draft.at
        && draft.next.operation(id).is_some_and(|operation| {
            matches!(operation.detail, Detail::Callback(_))
                && operation.status == OperationStatus::Started
                && operation.due_at().is_none_or(|due| due > draft.at)
        });
    if !open {
        return Err(Rejection::callback_closed());
    }
    let event = match completion {
        CallbackCompletion::Succeed(result) => {
            check_callback_size("result", result.as_ref().map_or(0, Payload::bytes))?;
            callback::Event::Succeeded { result: result.clone() }
        }
        CallbackCompletion::Fail(error) => {
            check_callback_size("error", error.0.bytes())?;
            callback::Event::Failed { error: error.clone() }
        }
        CallbackCompletion::Heartbeat => callback::Event::Heartbeat,
    };
    draft.record(Event::Callback { id: id.clone(), event });
    Ok(())
}

fn check_callback_size(member: &str, bytes: u64) -> Result<(), Rejection> {
    let bytes_max = limits::CALLBACK_PAYLOAD_BYTES_MAX;
    if bytes <= bytes_max {
        return Ok(());
    }
    let message = format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must have length less than or equal to {bytes_max}"
    );
    Err(Rejection::new(RejectionKind::Validation, message))
}

/// Takes in how a chained function ended. If nobody waits for it any more, nothing happens.
pub(super) fn complete_chained_invoke(draft: &mut Draft, id: &OperationId, completion: &ChainedCompletion) {
    let waited_for = draft.next.closed.is_none()
        && draft.next.operation(id).is_some_and(|operation| {
            matches!(operation.detail, Detail::ChainedInvoke(_)) && operation.status == OperationStatus::Started
        });
    if !waited_for {
        return;
    }
    let event = match completion {
        ChainedCompletion::Succeeded(result) => {
            let bytes_max = limits::CHAINED_INVOKE_PAYLOAD_BYTES_MAX;
            if result.as_ref().map_or(0, Payload::bytes) > bytes_max {
                let message =
                    format!("CHAINED_INVOKE output payload size must be less than or equal to {bytes_max} bytes.");
                let error = ErrorObject::new("InvalidParameterValueException", message);
                chained_invoke::Event::Failed { error: (&error).into() }
            } else {
                chained_invoke::Event::Succeeded { result: result.clone() }
            }
        }
        ChainedCompletion::Failed(error) => chained_invoke::Event::Failed { error: error.clone() },
        ChainedCompletion::TimedOut(error) => chained_invoke::Event::TimedOut { error: error.clone() },
        ChainedCompletion::Stopped(error) => chained_invoke::Event::Stopped { error: error.clone() },
    };
    draft.record(Event::ChainedInvoke { id: id.clone(), event });
}

/// Ends an execution that took too long. A running invocation is not killed; its tokens are void.
pub(super) fn time_out(draft: &mut Draft) {
    let seconds = draft.next.start.execution_timeout_seconds;
    let error = ErrorObject {
        error_message: Some(format!("Execution timed out after {seconds} seconds.")),
        ..ErrorObject::default()
    };
    draft.announce(Event::ExecutionTimedOut { error: (&error).into() });
}

/// Says in history how the execution ended, if an EXECUTION update fixed that before.
pub(super) fn announce_fixed_outcome(draft: &mut Draft) {
    let Some(closed) = draft.next.closed.clone().filter(|closed| !closed.announced) else { return };
    let event = match closed.outcome {
        Outcome::Succeeded(result) => Event::ExecutionSucceeded { result },
        Outcome::Failed(error) => Event::ExecutionFailed { error },
        Outcome::TimedOut(error) => Event::ExecutionTimedOut { error },
        Outcome::Stopped(error) => Event::ExecutionStopped { error },
    };
    draft.announce(event);
}

/// Ends an execution from outside. One that is over stays as it is.
pub(super) fn stop(draft: &mut Draft, error: &ErrorDocument) {
    if draft.next.closed.is_none() {
        draft.announce(Event::ExecutionStopped { error: error.clone() });
    }
}

/// Asks for a pause: at once if nothing runs, else as soon as the running invocation lets go.
pub(super) fn pause(draft: &mut Draft, request: PauseRequest) -> Result<(), Rejection> {
    if is_repeated(draft.next.last_pause_token.as_ref(), request.client_token.as_ref(), draft.at) {
        return Ok(());
    }
    if draft.next.closed.is_some() {
        return Err(over(draft, "paused"));
    }
    match draft.next.pause {
        Pause::Requested(_) | Pause::Held { .. } => {}
        Pause::None => {
            draft.record(Event::PauseRequested(request.clone()));
            if draft.next.in_flight().is_none() {
                draft.record(Event::ExecutionPaused(request));
            }
        }
    }
    Ok(())
}

/// Goes on after a pause, or takes back one that has not taken hold.
pub(super) fn resume(
    draft: &mut Draft,
    reason: Option<&Arc<str>>,
    client_token: Option<&ClientToken>,
) -> Result<(), Rejection> {
    if is_repeated(draft.next.last_resume_token.as_ref(), client_token, draft.at) {
        return Ok(());
    }
    if draft.next.closed.is_some() {
        return Err(over(draft, "resumed"));
    }
    let client_token = client_token.cloned();
    match draft.next.pause {
        Pause::None => {}
        Pause::Requested(_) => draft.record(Event::PauseCancelled { client_token }),
        Pause::Held { .. } => draft.record(Event::ExecutionResumed { reason: reason.cloned(), client_token }),
    }
    Ok(())
}

/// Marks an execution that is over as to be forgotten.
pub(super) fn delete(draft: &mut Draft) -> Result<(), Rejection> {
    if !draft.next.is_announced() {
        return Err(Rejection::conflict("The execution is not over yet. Stop it before you delete it."));
    }
    if !draft.next.deleting {
        draft.record(Event::DeletionRequested);
    }
    Ok(())
}

fn is_repeated(last: Option<&(ClientToken, Timestamp)>, given: Option<&ClientToken>, now: Timestamp) -> bool {
    match (last, given) {
        (Some((last, at)), Some(given)) => {
            last == given && now.millis_since(*at) <= limits::CLIENT_TOKEN_WINDOW_SECONDS * 1000
        }
        (Some(_) | None, _) => false,
    }
}

fn over(draft: &Draft, verb: &str) -> Rejection {
    Rejection::conflict(format!("The execution is {}; it cannot be {verb} any more.", draft.next.status()))
}
