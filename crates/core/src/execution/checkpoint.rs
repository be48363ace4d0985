//! A checkpoint: a batch of updates that is taken whole or not at all.

use std::collections::HashMap;

use super::draft::Draft;
use super::{Decision, Execution};
use crate::command::{Action, Checkpoint, OperationUpdate};
use crate::event::{Effect, Event, NextToken, Outcome, Parent};
use crate::id::OperationId;
use crate::limits;
use crate::operation::chained_invoke::Target;
use crate::operation::{
    Detail, Opening, OperationType, callback, chained_invoke, check_payload_size, context, forbid_error,
    forbid_payload, invalid_action, step, wait,
};
use crate::payload::ErrorObject;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::token::{CallbackId, CheckpointToken, TokenKeys};

/// Decides on a checkpoint whose token was genuine.
pub(super) fn decide(
    execution: &Execution,
    mut draft: Draft,
    checkpoint: &Checkpoint,
    keys: &TokenKeys,
) -> Result<Decision, Rejection> {
    let token = CheckpointToken {
        execution: execution.start.id,
        invocation: checkpoint.invocation,
        checkpoint: checkpoint.checkpoint,
    };
    execution.check_token(&token)?;
    if execution.effective_deadline() <= draft.at {
        return Err(Rejection::checkpoint_token());
    }
    check_batch(&checkpoint.updates)?;
    for update in &checkpoint.updates {
        apply(&mut draft, update, keys)?;
    }
    draft.fire_due();
    if exceeds_quota(&draft.next) {
        return Ok(refuse_for_quota(execution, draft.at, checkpoint));
    }

    let pausing = execution.pause_request().cloned();
    let next_token = match (&draft.next.closed, &pausing) {
        (Some(_), _) => NextToken::WithheldByOutcome,
        (None, Some(_)) => NextToken::WithheldByPause,
        (None, None) => NextToken::Given,
    };
    draft.record(Event::CheckpointAccepted { client_token: checkpoint.client_token.clone(), token: next_token });
    if let (NextToken::WithheldByPause, Some(request)) = (next_token, pausing) {
        draft.record(Event::ExecutionPaused(request));
    }
    Ok(draft.decision())
}

/// Checks what only shows when all updates are looked at together.
fn check_batch(updates: &[OperationUpdate]) -> Result<(), Rejection> {
    let executions = updates.iter().filter(|update| update.operation_type == OperationType::Execution).count();
    if executions > 1 {
        return Err(Rejection::invalid("Cannot checkpoint multiple EXECUTION updates."));
    }
    if executions == 1 && updates.last().is_some_and(|last| last.operation_type != OperationType::Execution) {
        return Err(Rejection::invalid("EXECUTION checkpoint must be the last update."));
    }
    let mut seen: HashMap<&OperationId, (Action, usize)> = HashMap::new();
    for update in updates {
        let (first, times) = seen.entry(&update.id).or_insert((update.action, 0));
        *times += 1;
        let closes_its_start = *times == 2
            && *first == Action::Start
            && update.action != Action::Start
            && matches!(update.operation_type, OperationType::Step | OperationType::Context);
        if *times > 1 && !closes_its_start {
            return Err(Rejection::invalid("Cannot checkpoint multiple operations with the same ID."));
        }
    }
    Ok(())
}

fn apply(draft: &mut Draft, update: &OperationUpdate, keys: &TokenKeys) -> Result<(), Rejection> {
    if update.error.as_ref().is_some_and(|error| error.0.bytes() > limits::ERROR_BYTES_MAX) {
        let message = format!("Error object size must be less than or equal to {} bytes.", limits::ERROR_BYTES_MAX);
        return Err(Rejection::invalid(message));
    }
    if update.operation_type == OperationType::Execution {
        return apply_to_execution(draft, update);
    }
    let current = draft.next.operation(&update.id).cloned();
    match &current {
        Some(operation) => operation.check_identity(update)?,
        None => check_parent(&draft.next, update.parent.as_ref())?,
    }
    let id = || update.id.clone();
    let current = current.as_deref();
    let events = match update.operation_type {
        OperationType::Step => vec![Event::Step { id: id(), event: step::decide(current, update, draft.at)? }],
        OperationType::Wait => vec![Event::Wait { id: id(), event: wait::decide(current, update, draft.at)? }],
        OperationType::Context => vec![Event::Context { id: id(), event: context::decide(current, update)? }],
        OperationType::Callback => {
            let callback = CallbackId { execution: draft.next.start.id, operation: id() };
            let event = callback::decide(current, update, || keys.seal_callback(&callback))?;
            vec![Event::Callback { id: id(), event }]
        }
        OperationType::ChainedInvoke => chained_invoke::decide(current, update)?
            .into_iter()
            .map(|event| Event::ChainedInvoke { id: id(), event })
            .collect(),
        OperationType::Execution => unreachable!("handled above"),
    };
    if current.is_none() {
        draft.record(Event::OperationAdded(Opening {
            id: id(),
            operation_type: update.operation_type,
            parent: update.parent.clone(),
            name: update.name.clone(),
            sub_type: update.sub_type.clone(),
        }));
    }
    for event in events {
        if let Event::ChainedInvoke { event: chained_invoke::Event::Started(request), .. } = &event {
            match request.target {
                Target::Durable(_) | Target::Plain { .. } => {
                    let parent = Parent { execution: draft.next.start.id, operation: id() };
                    draft.effects.push(Effect::StartChainedInvoke(parent));
                }
                Target::Refused(_) => {}
            }
        }
        draft.record(event);
    }
    Ok(())
}

fn check_parent(execution: &Execution, parent: Option<&OperationId>) -> Result<(), Rejection> {
    let Some(parent) = parent else { return Ok(()) };
    match execution.operation(parent).map(|operation| &operation.detail) {
        Some(Detail::Context(_)) => Ok(()),
        Some(Detail::Step(_) | Detail::Wait(_) | Detail::Callback(_) | Detail::ChainedInvoke(_)) | None => {
            Err(Rejection::invalid("Invalid parent operation id."))
        }
    }
}

/// An EXECUTION update fixes the outcome; the SDKs send it with ids of their own making.
fn apply_to_execution(draft: &mut Draft, update: &OperationUpdate) -> Result<(), Rejection> {
    let outcome = match update.action {
        Action::Succeed => {
            forbid_error(update)?;
            let bytes_max = draft.next.result_bytes_max();
            check_payload_size(update, "EXECUTION output", bytes_max)?;
            Outcome::Succeeded(update.payload.clone())
        }
        Action::Fail => {
            forbid_payload(update)?;
            Outcome::Failed(update.error.clone())
        }
        Action::Start | Action::Retry | Action::Cancel => return Err(invalid_action()),
    };
    draft.record(Event::OutcomeFixed(outcome));
    Ok(())
}

fn exceeds_quota(execution: &Execution) -> bool {
    execution.operations_used > limits::OPERATIONS_MAX || execution.stored_bytes > limits::STORED_BYTES_MAX
}

/// Ends the execution instead of taking the batch: nothing of it is applied.
fn refuse_for_quota(execution: &Execution, at: Timestamp, checkpoint: &Checkpoint) -> Decision {
    let message = format!(
        "The execution exceeds a quota: at most {} operations and {} bytes of payload data.",
        limits::OPERATIONS_MAX,
        limits::STORED_BYTES_MAX
    );
    let error = (&ErrorObject::new("ServiceQuotaExceededException", message)).into();
    let mut draft = Draft::of(execution, at);
    draft.record(Event::OutcomeFixed(Outcome::Failed(Some(error))));
    draft.record(Event::CheckpointAccepted {
        client_token: checkpoint.client_token.clone(),
        token: NextToken::WithheldByOutcome,
    });
    draft.decision()
}
