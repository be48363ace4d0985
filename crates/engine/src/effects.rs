//! Effects: what a decision owes to the world. Done at least once; doing one twice does no harm.

use std::sync::Arc;

use everstep_core::command::ChainedCompletion;
use everstep_core::event::{Effect, Outcome, Parent, PlainInvocation, Start, StartMode};
use everstep_core::id::ExecutionId;
use everstep_core::limits::THROTTLE_DELAY_SECONDS;
use everstep_core::operation::chained_invoke::{Child, Request, Target};
use everstep_core::operation::{Detail, OperationStatus};
use everstep_core::{Command, ErrorDocument, ErrorObject, Intake, Payload};
use everstep_store::EffectId;
use tracing::warn;

use crate::functions::{Acquired, PlainRun};
use crate::task_loop::until_it_works;
use crate::to_the_end::ToTheEnd;
use crate::{Engine, Error, NewTexts, new_request_id};

/// What came of doing an effect.
pub(crate) enum Done {
    Finished,
    /// It was broken off with the server, and is done anew after the next start.
    BrokenOff,
    /// It is put off, for so many seconds, and says something else then.
    Later(Effect, u64),
    /// It is done, and owes this in turn, at once.
    Replaced(Effect),
}

impl Engine {
    /// Sees to an effect, unless somebody is at it already.
    pub(crate) fn perform_in_background(self: &Arc<Self>, id: EffectId, effect: Effect) {
        if !self.schedule.claim_effect(id) {
            return;
        }
        let engine = Arc::clone(self);
        tokio::spawn(async move {
            let mut next = Some(effect);
            while let Some(effect) = next {
                let done = until_it_works(|| engine.perform(&effect)).await;
                until_it_works(|| engine.settle(id, &done)).await;
                next = match done {
                    Done::Replaced(effect) => Some(effect),
                    Done::Finished | Done::BrokenOff | Done::Later(..) => None,
                };
            }
            engine.schedule.release_effect(id);
        });
    }

    /// Invokes a plain function for a caller that does not wait. Once this returns it is on disk. It goes on to its end
    /// even if the caller goes away.
    ///
    /// # Errors
    /// The store's.
    pub async fn invoke_plain_later(self: &Arc<Self>, invocation: PlainInvocation) -> Result<(), Error> {
        let (engine, effect) = (Arc::clone(self), Effect::InvokePlain(invocation));
        let work = async move {
            let id = engine.store.add_effect(effect.clone(), engine.clock.now()).await?;
            engine.perform_in_background(id, effect);
            Ok(())
        };
        ToTheEnd::new(work).await
    }

    async fn perform(self: &Arc<Self>, effect: &Effect) -> Result<Done, Error> {
        match effect {
            Effect::StartChainedInvoke(parent) => self.start_chained_invoke(parent).await,
            Effect::TellParent { child, parent } => {
                self.tell_parent(*child, parent).await?;
                Ok(Done::Finished)
            }
            Effect::TellDestination(execution) => self.tell_destination(*execution).await,
            Effect::InvokePlain(invocation) => Ok(self.invoke_plain(invocation).await),
            Effect::StartExecution(start) => self.start_execution(start).await,
        }
    }

    /// Writes down what came of an effect; if that fails, the effect itself need not be done again.
    async fn settle(&self, id: EffectId, done: &Done) -> Result<(), Error> {
        match done {
            Done::Finished => self.store.finish_effect(id).await?,
            Done::BrokenOff => {}
            Done::Later(effect, seconds) => {
                let due = self.clock.now().plus_seconds(*seconds);
                self.store.postpone_effect(id, effect.clone(), due).await?;
                self.schedule.put_off_effect(due);
            }
            Done::Replaced(effect) => self.store.postpone_effect(id, effect.clone(), self.clock.now()).await?,
        }
        Ok(())
    }

    async fn start_chained_invoke(self: &Arc<Self>, parent: &Parent) -> Result<Done, Error> {
        let Some(execution) = self.execution(parent.execution).await? else { return Ok(Done::Finished) };
        let Some(operation) = execution.operation(&parent.operation) else { return Ok(Done::Finished) };
        let Detail::ChainedInvoke(invoke) = &operation.detail else { return Ok(Done::Finished) };
        let Some(request) = invoke.request.as_ref().filter(|_| operation.status == OperationStatus::Started) else {
            return Ok(Done::Finished);
        };
        let input = match &request.input {
            Some(input) => {
                let texts = self.texts(parent.execution, &[input], &Vec::new()).await?;
                Some(Arc::<str>::from(texts.get(input)))
            }
            None => None,
        };
        let trace_id = request.trace_id.clone().or_else(|| execution.start_facts().trace_id.clone());
        match &request.target {
            Target::Durable(child) => self.start_child(child, request, input, trace_id, parent).await?,
            Target::Plain { function, version } => {
                let run = PlainRun {
                    request_id: new_request_id(),
                    payload: input.unwrap_or_else(|| "{}".into()),
                    tenant_id: request.tenant_id.clone(),
                    trace_id,
                };
                let acquired = self.functions.acquire(function, *version, request.tenant_id.as_ref()).await;
                let result = match acquired {
                    Acquired::Ready(slot) => slot.run_plain(run).await,
                    Acquired::Missing => Err(function_missing()),
                    Acquired::Broken(error) => Err(error),
                    Acquired::Throttled => {
                        return Ok(Done::Later(Effect::StartChainedInvoke(parent.clone()), THROTTLE_DELAY_SECONDS));
                    }
                };
                if result.is_err() && self.is_stopping() {
                    return Ok(Done::BrokenOff);
                }
                let mut intake = Intake::default();
                let completion = match result {
                    Ok(body) => ChainedCompletion::Succeeded((!body.is_empty()).then(|| intake.payload(body))),
                    Err(error) => ChainedCompletion::Failed(intake.error(&error)),
                };
                self.complete_chained_invoke(parent, completion, intake.into_texts()).await;
            }
            Target::Refused(_) => {}
        }
        Ok(Done::Finished)
    }

    /// Starts an execution; one that was started before has the name already.
    pub(crate) async fn start_execution(self: &Arc<Self>, start: &Start) -> Result<Done, Error> {
        let mut intake = Intake::default();
        let input = match &start.input {
            Some(Payload::Inline(text)) => Some(intake.payload(Arc::clone(text))),
            Some(Payload::Stored { .. }) | None => start.input.clone(),
        };
        match self.start(Start { input, ..start.clone() }, intake.into_texts()).await {
            Ok(_) | Err(Error::NameTaken(_)) => Ok(Done::Finished),
            Err(error) => Err(error),
        }
    }

    async fn start_child(
        self: &Arc<Self>,
        child: &Child,
        request: &Request,
        input: Option<Arc<str>>,
        trace_id: Option<Arc<str>>,
        parent: &Parent,
    ) -> Result<(), Error> {
        let mut intake = Intake::default();
        let start = Start {
            id: child.id,
            place: child.place.clone(),
            function: child.function.clone(),
            version: child.version,
            name: child.name.clone(),
            input: input.map(|text| intake.payload(text)),
            execution_timeout_seconds: child.execution_timeout_seconds,
            retention_days: child.retention_days,
            mode: StartMode::Async,
            trace_id,
            tenant_id: request.tenant_id.clone(),
            parent: Some(parent.clone()),
            alias: None,
            hops: 0,
        };
        match self.start(start, intake.into_texts()).await {
            Ok(_) => Ok(()),
            Err(Error::NameTaken(taken_by)) => {
                warn!(execution.id = %taken_by, "the name of a child is taken, although it was drawn at random");
                let error = ErrorObject::new("DurableExecutionAlreadyStartedException", "Execution already started");
                self.complete_chained_invoke(parent, ChainedCompletion::Failed((&error).into()), Vec::new()).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Tells an execution how its child ended. Whoever was told before does not mind.
    pub(crate) async fn tell_parent(self: &Arc<Self>, child: ExecutionId, parent: &Parent) -> Result<(), Error> {
        let Some(execution) = self.execution(child).await? else { return Ok(()) };
        let Some(outcome) = execution.outcome() else { return Ok(()) };
        let mut intake = Intake::default();
        let completion = match outcome {
            Outcome::Succeeded(result) => {
                let result = match result {
                    Some(result) => Some(self.carry_over(child, result, &mut intake).await?),
                    None => None,
                };
                ChainedCompletion::Succeeded(result)
            }
            Outcome::Failed(Some(error)) => {
                ChainedCompletion::Failed(ErrorDocument(self.carry_over(child, &error.0, &mut intake).await?))
            }
            Outcome::Failed(None) => ChainedCompletion::Failed((&ErrorObject::default()).into()),
            Outcome::TimedOut(_) => {
                let seconds = execution.start_facts().execution_timeout_seconds;
                let message = format!("CHAINED_INVOKE timed out after {seconds} seconds.");
                ChainedCompletion::TimedOut((&ErrorObject::new("ChainedInvoke.Timeout", message)).into())
            }
            Outcome::Stopped(error) => {
                ChainedCompletion::Stopped(ErrorDocument(self.carry_over(child, &error.0, &mut intake).await?))
            }
        };
        self.complete_chained_invoke(parent, completion, intake.into_texts()).await;
        Ok(())
    }

    /// Takes a payload of one execution in for another.
    async fn carry_over(&self, from: ExecutionId, payload: &Payload, intake: &mut Intake) -> Result<Payload, Error> {
        let texts = self.texts(from, &[payload], &Vec::new()).await?;
        Ok(intake.payload(texts.get(payload)))
    }

    async fn complete_chained_invoke(
        self: &Arc<Self>,
        parent: &Parent,
        completion: ChainedCompletion,
        texts: NewTexts,
    ) {
        let command = Command::CompleteChainedInvoke { operation: parent.operation.clone(), completion };
        self.submit_for_sure(parent.execution, command, texts).await;
    }
}

fn function_missing() -> ErrorObject {
    ErrorObject::new("ResourceNotFoundException", "Function not found")
}
