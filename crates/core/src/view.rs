//! What a handler and a reader get to see of an execution: its operations, pruned and in order.

use std::sync::Arc;

use crate::event::Event;
use crate::execution::Execution;
use crate::operation::{Detail, Operation, OperationStatus, callback, chained_invoke, context, step, wait};
use crate::payload::{ErrorDocument, Payload};

/// Returns the operations that a replay needs, in the order in which they were first seen, without EXECUTION.
///
/// What stands below a context that succeeded is left out, unless the context asked for its children to be
/// replayed. Contexts that failed keep theirs: the SDK for Java looks into them.
pub fn replayed_operations(execution: &Execution) -> Vec<&Arc<Operation>> {
    let mut shown = Vec::with_capacity(execution.operations().len());
    execution
        .operations()
        .iter()
        .filter(|operation| {
            let show = operation.opening.parent.as_ref().is_none_or(|parent| {
                let parent = execution.position(parent).expect("a parent is recorded before its child");
                shown[parent] && shows_children(&execution.operations()[parent])
            });
            shown.push(show);
            show
        })
        .collect()
}

fn shows_children(operation: &Operation) -> bool {
    match &operation.detail {
        Detail::Context(context) => operation.status != OperationStatus::Succeeded || context.replay_children,
        Detail::Step(_) | Detail::Wait(_) | Detail::Callback(_) | Detail::ChainedInvoke(_) => {
            unreachable!("only a context is a parent: updates are checked")
        }
    }
}

/// Returns the payloads that an operation shows.
pub fn payloads(operation: &Operation) -> impl Iterator<Item = &Payload> {
    let (result, error) = match &operation.detail {
        Detail::Context(context) => (&context.result, &context.error),
        Detail::Step(step) => (&step.result, &step.error),
        Detail::Wait(_) => (&None, &None),
        Detail::Callback(callback) => (&callback.result, &callback.error),
        Detail::ChainedInvoke(invoke) => (&invoke.result, &invoke.error),
    };
    result.iter().chain(error.iter().map(|error| &error.0))
}

/// Returns the payload that AWS's history shows of an event.
pub fn event_payload(event: &Event) -> Option<&Payload> {
    fn error(error: &Option<ErrorDocument>) -> Option<&Payload> {
        error.as_ref().map(|error| &error.0)
    }
    match event {
        Event::ExecutionStarted(start) => start.input.as_ref(),
        Event::Step { event, .. } => match event {
            step::Event::Succeeded { result, .. } => result.as_ref(),
            step::Event::Failed { error: document, .. } => error(document),
            step::Event::Started | step::Event::Ready => None,
        },
        Event::Wait { event, .. } => match event {
            wait::Event::Cancelled { error: document } => error(document),
            wait::Event::Started { .. } | wait::Event::Succeeded => None,
        },
        Event::Callback { event, .. } => match event {
            callback::Event::Succeeded { result } => result.as_ref(),
            callback::Event::Failed { error } | callback::Event::TimedOut { error } => Some(&error.0),
            callback::Event::Started { .. } | callback::Event::Heartbeat => None,
        },
        Event::Context { event, .. } => match event {
            context::Event::Succeeded { result, .. } => result.as_ref(),
            context::Event::Failed { error: document } => error(document),
            context::Event::Started => None,
        },
        Event::ChainedInvoke { event, .. } => match event {
            chained_invoke::Event::Started(request) => request.input.as_ref(),
            chained_invoke::Event::Succeeded { result } => result.as_ref(),
            chained_invoke::Event::Failed { error }
            | chained_invoke::Event::TimedOut { error }
            | chained_invoke::Event::Stopped { error } => Some(&error.0),
            chained_invoke::Event::Cancelled => None,
        },
        Event::InvocationCompleted(completed) => error(&completed.error),
        Event::ExecutionSucceeded { result } => result.as_ref(),
        Event::ExecutionFailed { error: document } => error(document),
        Event::ExecutionTimedOut { error } | Event::ExecutionStopped { error } => Some(&error.0),
        Event::OperationAdded(_)
        | Event::InvocationStarted { .. }
        | Event::CheckpointAccepted { .. }
        | Event::OutcomeFixed(_)
        | Event::PauseRequested(_)
        | Event::ExecutionPaused(_)
        | Event::ExecutionResumed { .. }
        | Event::PauseCancelled { .. }
        | Event::DeletionRequested => None,
    }
}
