//! Invoking a durable function: get a process, begin, run, take in the answer.

use std::collections::HashSet;
use std::sync::Arc;

use everstep_core::command::InvocationResult;
use everstep_core::id::{ExecutionId, RequestId};
use everstep_core::limits::THROTTLE_DELAY_SECONDS;
use everstep_core::{Command, Execution, Intake, view};
use tracing::warn;

use crate::functions::{Acquired, DurableRun, HandlerAnswer};
use crate::{Engine, Error, NewTexts, new_request_id};

impl Engine {
    /// Invokes the function of an execution that was claimed for it.
    pub(crate) async fn invoke(self: Arc<Self>, id: ExecutionId) {
        let Ok(Some(execution)) = self.execution(id).await else {
            self.schedule.release_invocation(id);
            return;
        };
        let start = Arc::clone(execution.start_facts());
        drop(execution);
        let acquired = self.functions.acquire(&start.function, start.version, start.tenant_id.as_ref()).await;

        if matches!(acquired, Acquired::Throttled) {
            self.schedule.release_invocation(id);
            return self.ask_again_later(id).await;
        }

        let request_id = new_request_id();
        let begun = self.submit_for_sure(id, Command::BeginInvocation { request_id }, Vec::new()).await;
        self.schedule.release_invocation(id);
        let Some(begun) = begun else { return };
        self.note_anew(id).await;
        if begun.in_flight() != Some(request_id) {
            return;
        }

        let (result, texts) = match acquired {
            Acquired::Ready(slot) => match self.durable_run(request_id, &begun).await {
                Ok(run) => interned(slot.run_durable(run).await),
                Err(error) => {
                    warn!(execution.id = %id, error = &error as &dyn std::error::Error, "the state could not be read");
                    (InvocationResult::Lost, Vec::new())
                }
            },
            Acquired::Missing => (InvocationResult::FunctionMissing, Vec::new()),
            Acquired::Broken(error) => interned(HandlerAnswer::Broken(error)),
            Acquired::Throttled => unreachable!("nothing has begun for one that is throttled"),
        };
        if matches!(result, InvocationResult::Broken { .. }) && self.is_stopping() {
            return;
        }
        self.submit_for_sure(id, Command::CompleteInvocation { request_id, result }, texts).await;
    }

    /// Puts off an invocation that has not begun. Only this node's schedule knows: by the store it is due, and a timer
    /// of the execution comes first.
    async fn ask_again_later(&self, id: ExecutionId) {
        let later = self.clock.now().plus_seconds(THROTTLE_DELAY_SECONDS);
        let put_off = |execution: &Execution| {
            let timer = execution.next_timer_at();
            self.schedule.note(id, Some(timer.map_or(later, |timer| timer.min(later))));
        };
        // What cannot be looked at now is found when the store is read next.
        let _ = self.look(id, put_off).await;
    }

    async fn durable_run(&self, request_id: RequestId, execution: &Execution) -> Result<DurableRun, Error> {
        let start = Arc::clone(execution.start_facts());
        let operations: Vec<_> = view::replayed_operations(execution).into_iter().cloned().collect();
        let shown: HashSet<_> = operations.iter().map(|operation| &operation.opening.id).collect();
        let updated = execution.updated_operation_ids().filter(|id| shown.contains(id));
        let updated_operation_ids = updated.map(ToString::to_string).collect();
        let payloads: Vec<_> =
            operations.iter().flat_map(|operation| view::payloads(operation)).chain(&start.input).collect();
        let texts = self.texts(start.id, &payloads, &Vec::new()).await?;
        let token = execution.checkpoint_token().expect("an invocation that has just begun has a token");
        Ok(DurableRun {
            request_id,
            started_at: execution.started_at(),
            checkpoint_token: self.keys.seal_checkpoint(&token),
            updated_operation_ids,
            operations,
            texts,
            start,
        })
    }
}

fn interned(answer: HandlerAnswer) -> (InvocationResult, NewTexts) {
    let mut intake = Intake::default();
    let result = match answer {
        HandlerAnswer::Succeeded(result) => {
            InvocationResult::Succeeded { result: result.map(|text| intake.payload(text)) }
        }
        HandlerAnswer::Failed(error) => InvocationResult::Failed { error: error.map(|error| intake.error(&error)) },
        HandlerAnswer::Pending => InvocationResult::Pending,
        HandlerAnswer::Invalid(message) => InvocationResult::Invalid { message },
        HandlerAnswer::Broken(error) => InvocationResult::Broken {
            error_type: error.error_type.clone().unwrap_or_default(),
            error: intake.error(&error),
        },
    };
    (result, intake.into_texts())
}
