//! Invocations: when one may begin, and what its end means.

use super::draft::Draft;
use super::{Execution, Invocation, Pause, lifecycle};
use crate::command::InvocationResult;
use crate::event::{Ending, Event, InvocationCompleted, NextToken, StartMode};
use crate::id::RequestId;
use crate::limits;
use crate::operation::OperationStatus;
use crate::payload::{ErrorDocument, ErrorObject, Payload};
use crate::time::Timestamp;

/// Begins an invocation if one is due; otherwise nothing happens, and the caller sees that it is not in flight.
pub(super) fn begin(draft: &mut Draft, request_id: RequestId) {
    draft.fire_due();
    if draft.next.invocation_due_at().is_some_and(|due| due <= draft.at) {
        draft.record(Event::InvocationStarted { request_id });
    }
}

/// Ends an invocation. One that is not in flight any more was superseded, and what it says is ignored.
pub(super) fn complete(draft: &mut Draft, request_id: RequestId, result: &InvocationResult) {
    let started_at = match &draft.next.invocation {
        Invocation::InFlight(in_flight) if in_flight.request_id == request_id => in_flight.started_at,
        Invocation::InFlight(_) | Invocation::Idle | Invocation::Due { .. } => return,
    };
    let completed = |error: Option<ErrorDocument>, ending, again_at| {
        Event::InvocationCompleted(InvocationCompleted { request_id, started_at, error, ending, again_at })
    };
    if draft.next.closed.is_some() {
        draft.record(completed(error_of(result), Ending::Clean, None));
        lifecycle::announce_fixed_outcome(draft);
        return;
    }
    match judge(&draft.next, result, draft.at) {
        Verdict::Over { error, ending, terminal } => {
            draft.record(completed(error, ending, None));
            draft.announce(terminal);
            return;
        }
        Verdict::Asleep => draft.record(completed(None, Ending::Clean, None)),
        Verdict::Again { error, ending, at } => draft.record(completed(error, ending, Some(at))),
    }
    if let Pause::Requested(request) = draft.next.pause.clone() {
        draft.record(Event::ExecutionPaused(request));
    }
}

/// What the end of an invocation leads to.
enum Verdict {
    /// The execution ends.
    Over { error: Option<ErrorDocument>, ending: Ending, terminal: Event },
    /// It sleeps until something happens.
    Asleep,
    /// The function is invoked again.
    Again { error: Option<ErrorDocument>, ending: Ending, at: Timestamp },
}

fn judge(execution: &Execution, result: &InvocationResult, now: Timestamp) -> Verdict {
    match result {
        InvocationResult::Succeeded { result } => {
            let bytes_max = execution.result_bytes_max();
            if result.as_ref().map_or(0, Payload::bytes) > bytes_max {
                let message = format!("Execution output payload size must be less than or equal to {bytes_max} bytes.");
                return invalid(execution, &message, now);
            }
            let terminal = Event::ExecutionSucceeded { result: result.clone() };
            Verdict::Over { error: None, ending: Ending::Clean, terminal }
        }
        InvocationResult::Failed { error } => Verdict::Over {
            error: error.clone(),
            ending: Ending::Clean,
            terminal: Event::ExecutionFailed { error: error.clone() },
        },
        InvocationResult::Pending => judge_pending(execution, now),
        InvocationResult::Invalid { message } => invalid(execution, message, now),
        InvocationResult::Broken { error_type, error } => {
            let again_at = match retry_class(error_type) {
                RetryClass::AtOnce => retry_at_once(execution, now),
                RetryClass::BackOff => retry_with_backoff(execution, now),
            };
            failed(error.clone(), again_at)
        }
        InvocationResult::FunctionMissing => {
            let error = ErrorObject { error_message: Some("Function not found".into()), ..ErrorObject::default() };
            failed((&error).into(), None)
        }
        InvocationResult::Lost => Verdict::Again { error: error_of(result), ending: Ending::Lost, at: now },
    }
}

/// A handler may only sleep if something will wake it.
fn judge_pending(execution: &Execution, now: Timestamp) -> Verdict {
    let Invocation::InFlight(in_flight) = &execution.invocation else {
        unreachable!("only an invocation in flight ends");
    };
    // What its last answer showed may have come too late for a handler that was about to suspend, and a step that
    // became ready wakes nobody a second time. One replay too many does no harm; one too few would sleep for ever.
    // A step that was ready all along is none of that: some replays never come to it.
    let became_ready =
        || in_flight.news.iter().any(|news| execution.operations[*news].status == OperationStatus::Ready);
    let cut_off = in_flight.token == NextToken::WithheldByPause;
    if !execution.unseen.is_empty() || in_flight.news_in_last_answer || became_ready() || cut_off {
        return Verdict::Again { error: None, ending: Ending::Clean, at: now };
    }
    if execution.pending == 0 {
        return invalid(execution, "Cannot return PENDING status with no pending operations.", now);
    }
    Verdict::Asleep
}

fn invalid(execution: &Execution, message: &str, now: Timestamp) -> Verdict {
    let error = ErrorObject::new("InvalidParameterValueException", message);
    failed((&error).into(), retry_at_once(execution, now))
}

fn failed(error: ErrorDocument, again_at: Option<Timestamp>) -> Verdict {
    match again_at {
        Some(at) => Verdict::Again { error: Some(error), ending: Ending::Failed, at },
        None => Verdict::Over {
            error: Some(error.clone()),
            ending: Ending::Failed,
            terminal: Event::ExecutionFailed { error: Some(error) },
        },
    }
}

enum RetryClass {
    AtOnce,
    BackOff,
}

/// Failures of the runtime are retried at once, failures of the handler with growing delays.
fn retry_class(error_type: &str) -> RetryClass {
    let runtime = ["Runtime.", "Sandbox.", "Extension."].iter().any(|prefix| error_type.starts_with(prefix));
    if runtime && error_type != "Sandbox.Timedout" { RetryClass::AtOnce } else { RetryClass::BackOff }
}

fn retry_at_once(execution: &Execution, now: Timestamp) -> Option<Timestamp> {
    (execution.runtime_failures + 1 < limits::INVOCATION_FAILURES_MAX && has_quota(execution)).then_some(now)
}

fn retry_with_backoff(execution: &Execution, now: Timestamp) -> Option<Timestamp> {
    let factor = 1_u64.checked_shl(execution.handler_failures).unwrap_or(u64::MAX);
    let delay = limits::RETRY_DELAY_MILLIS_FIRST.saturating_mul(factor).min(limits::RETRY_DELAY_MILLIS_MAX);
    let at = now.plus_millis(delay);
    let budget_ends = execution.failing_since.unwrap_or(now).plus_seconds(limits::RETRY_BUDGET_SECONDS);
    (at <= budget_ends && has_quota(execution)).then_some(at)
}

fn has_quota(execution: &Execution) -> bool {
    execution.operations_used < limits::OPERATIONS_MAX
}

/// Returns the error that history shows of an invocation whose answer does not matter any more.
fn error_of(result: &InvocationResult) -> Option<ErrorDocument> {
    match result {
        InvocationResult::Succeeded { .. } | InvocationResult::Pending => None,
        InvocationResult::Failed { error } => error.clone(),
        InvocationResult::Broken { error, .. } => Some(error.clone()),
        InvocationResult::Invalid { message } => {
            Some((&ErrorObject::new("InvalidParameterValueException", message)).into())
        }
        InvocationResult::FunctionMissing => None,
        InvocationResult::Lost => {
            let message = "Error: Runtime exited without providing a reason: the server that ran it was lost";
            Some((&ErrorObject::new("Runtime.ExitError", message)).into())
        }
    }
}

impl Execution {
    /// Returns how large a result may be: it depends on whether a caller waits for it.
    pub(super) fn result_bytes_max(&self) -> u64 {
        match self.start.mode {
            StartMode::Sync => limits::SYNC_PAYLOAD_BYTES_MAX,
            StartMode::Async => limits::ASYNC_PAYLOAD_BYTES_MAX,
        }
    }
}
