//! Asynchronous invocations of plain functions: tries, retries, and what their end owes to a destination.
//!
//! An invocation is one effect row from the time it was accepted until its destination has the record: what the end
//! of the invocation owes takes the place of the invocation in that row, in one write, so that a crash loses neither.

use std::sync::Arc;

use everstep_core::event::{Outcome, PlainInvocation};
use everstep_core::id::{ExecutionId, RequestId};
use everstep_core::limits::{
    ASYNC_BACKOFF_SECONDS_MAX, ASYNC_EVENT_AGE_SECONDS_MAX, ASYNC_RETRY_DELAY_SECONDS, DESTINATION_HOPS_MAX,
};
use everstep_core::{Effect, ErrorObject, Timestamp};
use tracing::{info, warn};

use crate::effects::Done;
use crate::functions::Acquired;
use crate::task_loop::until_it_works;
use crate::{Engine, Error};

/// What governs the asynchronous invocations of a function. Source: Lambda API, `FunctionEventInvokeConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventInvokeConfig {
    /// How often an invocation that failed is tried again; no more than there are delays for.
    pub maximum_retry_attempts: u32,
    /// How long after it was accepted an invocation may still begin, in seconds.
    pub maximum_event_age_seconds: u64,
}

impl Default for EventInvokeConfig {
    fn default() -> Self {
        Self {
            maximum_retry_attempts: ASYNC_RETRY_DELAY_SECONDS.len() as u32,
            maximum_event_age_seconds: ASYNC_EVENT_AGE_SECONDS_MAX,
        }
    }
}

/// How an asynchronous invocation ended.
#[derive(Clone, Debug, PartialEq)]
pub struct AsyncEnding {
    /// Why it is over.
    pub condition: Condition,
    /// How often the function was invoked.
    pub invoke_count: u32,
    /// What the last try came to, if it is known.
    pub result: Option<Result<String, ErrorObject>>,
    /// When it ended.
    pub at: Timestamp,
}

/// Why an asynchronous invocation is over. Source: Lambda Developer Guide, invocation records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The function returned.
    Success,
    /// It failed as often as it may.
    RetriesExhausted,
    /// It could not be tried again in time.
    EventAgeExceeded,
}

impl Engine {
    /// Tries an invocation once.
    pub(crate) async fn invoke_plain(&self, invocation: &PlainInvocation) -> Done {
        let PlainInvocation { function, version, tenant_id, tries, .. } = invocation;
        let config = until_it_works(|| self.functions.event_invoke_config(invocation)).await;
        let accepted_at = invocation.accepted_at.unwrap_or_else(|| self.clock.now());
        let expires_at = accepted_at.plus_seconds(config.maximum_event_age_seconds);
        if self.clock.now() > expires_at {
            return self.end(invocation, Condition::EventAgeExceeded, *tries, None).await;
        }
        let acquired = self.functions.acquire(function, *version, tenant_id.as_ref()).await;
        let result = match acquired {
            Acquired::Ready(slot) => slot.run_plain(invocation.into()).await,
            Acquired::Missing => {
                warn!(function.name = %function, "an asynchronous invocation is dropped: the function is gone");
                return Done::Finished;
            }
            Acquired::Broken(_) if self.is_stopping() => return Done::BrokenOff,
            Acquired::Broken(error) => return self.defer(invocation, accepted_at, expires_at, Some(error)).await,
            Acquired::Throttled => return self.defer(invocation, accepted_at, expires_at, None).await,
        };
        let Err(error) = &result else {
            return self.end(invocation, Condition::Success, tries + 1, Some(result)).await;
        };
        if self.is_stopping() {
            return Done::BrokenOff;
        }
        let error_type = error.error_type.as_deref().unwrap_or_default();
        let delay = ASYNC_RETRY_DELAY_SECONDS.get(*tries as usize).filter(|_| *tries < config.maximum_retry_attempts);
        let Some(delay) = delay else {
            warn!(function.name = %function, error_type, "an asynchronous invocation failed for good");
            return self.end(invocation, Condition::RetriesExhausted, tries + 1, Some(result)).await;
        };
        if self.clock.now().plus_seconds(*delay) > expires_at {
            warn!(function.name = %function, error_type, "an asynchronous invocation failed, and is too old to be tried again");
            return self.end(invocation, Condition::EventAgeExceeded, tries + 1, Some(result)).await;
        }
        info!(function.name = %function, error_type, delay_seconds = delay, "an asynchronous invocation failed: trying again");
        let next = PlainInvocation { accepted_at: Some(accepted_at), tries: tries + 1, ..invocation.clone() };
        Done::Later(Effect::InvokePlain(next), *delay)
    }

    /// Puts off an invocation that found no process. That is not the function's fault, so it does not count as a try.
    async fn defer(
        &self,
        invocation: &PlainInvocation,
        accepted_at: Timestamp,
        expires_at: Timestamp,
        error: Option<ErrorObject>,
    ) -> Done {
        let delay = backoff_seconds(invocation.deferrals);
        if self.clock.now().plus_seconds(delay) > expires_at {
            return self.end(invocation, Condition::EventAgeExceeded, invocation.tries, error.map(Err)).await;
        }
        let next = PlainInvocation {
            accepted_at: Some(accepted_at),
            deferrals: invocation.deferrals + 1,
            ..invocation.clone()
        };
        Done::Later(Effect::InvokePlain(next), delay)
    }

    /// Says what the end of an invocation owes.
    async fn end(
        &self,
        invocation: &PlainInvocation,
        condition: Condition,
        invoke_count: u32,
        result: Option<Result<String, ErrorObject>>,
    ) -> Done {
        let ending = AsyncEnding { condition, invoke_count, result, at: self.clock.now() };
        self.owed(invocation, &ending).await.map_or(Done::Finished, Done::Replaced)
    }

    /// Tells the destination of an execution that it failed. Whoever started it for nobody invoked the function
    /// asynchronously, so it is told as of any such invocation.
    pub(crate) async fn tell_destination(self: &Arc<Self>, id: ExecutionId) -> Result<Done, Error> {
        let Some(execution) = self.execution(id).await? else { return Ok(Done::Finished) };
        let start = Arc::clone(execution.start_facts());
        let error = match execution.outcome() {
            None | Some(Outcome::Succeeded(_)) => return Ok(Done::Finished),
            Some(Outcome::Failed(error)) => error.clone(),
            Some(Outcome::TimedOut(error) | Outcome::Stopped(error)) => Some(error.clone()),
        };
        let payloads = start.input.iter().chain(error.as_ref().map(|error| &error.0)).collect::<Vec<_>>();
        let texts = self.texts(id, &payloads, &Vec::new()).await?;
        let error = match &error {
            Some(error) => ErrorObject::from_json(texts.get(&error.0)).unwrap_or_default(),
            None => ErrorObject::default(),
        };
        let invocation = PlainInvocation {
            function: start.function.clone(),
            version: start.version,
            request_id: RequestId::from_bytes(*id.as_bytes()),
            payload: start.input.as_ref().map_or("{}", |input| texts.get(input)).into(),
            tenant_id: start.tenant_id.clone(),
            trace_id: start.trace_id.clone(),
            tries: 0,
            qualifier: Some(start.alias.clone().unwrap_or_else(|| start.version.to_string().into())),
            accepted_at: None,
            deferrals: 0,
            hops: start.hops,
        };
        let ending = AsyncEnding {
            condition: Condition::RetriesExhausted,
            invoke_count: execution.invocations(),
            result: Some(Err(error)),
            at: execution.ended_at().unwrap_or_else(|| self.clock.now()),
        };
        // It stands for itself: what it says does not go with the execution.
        match self.owed(&invocation, &ending).await {
            None => {}
            Some(Effect::StartExecution(start)) => return self.start_execution(&start).await,
            Some(effect) => {
                let id = self.store.add_effect(effect.clone(), self.clock.now()).await?;
                self.perform_in_background(id, effect);
            }
        }
        Ok(Done::Finished)
    }

    /// Returns what the end of an invocation owes to its destination, unless functions tell each other in a circle.
    async fn owed(&self, invocation: &PlainInvocation, ending: &AsyncEnding) -> Option<Effect> {
        let owed = until_it_works(|| self.functions.destination(invocation, ending)).await;
        match owed {
            Some(_) if invocation.hops >= DESTINATION_HOPS_MAX => {
                warn!(
                    function.name = %invocation.function,
                    hops = invocation.hops,
                    "the destination is not told: functions that tell each other in a circle would never end"
                );
                None
            }
            owed => owed,
        }
    }
}

/// How long to wait after so many times in which no process could be had: twice as long each time.
fn backoff_seconds(deferrals: u32) -> u64 {
    1_u64.checked_shl(deferrals).unwrap_or(ASYNC_BACKOFF_SECONDS_MAX).min(ASYNC_BACKOFF_SECONDS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_five_minutes() {
        let waits: Vec<u64> = [0, 1, 2, 8, 9, 63, 64, u32::MAX].map(backoff_seconds).to_vec();
        assert_eq!(waits, [1, 2, 4, 256, 300, 300, 300, 300]);
    }
}
