//! The task loop: finds what is due and sees to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use everstep_core::command::InvocationResult;
use everstep_core::event::Start;
use everstep_core::id::ExecutionId;
use everstep_core::{Command, Execution, Timestamp};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::{Engine, Error};

/// How far ahead the store is read at a time, in seconds.
const HORIZON_SECONDS: u64 = 20;

/// How much of the store is read at a time, besides what is known already.
const HORIZON_ITEMS_MAX: usize = 10_000;

/// How long not to read the store after it was read, in seconds.
const REFILL_PAUSE_SECONDS: u64 = 1;

/// How long to leave the store alone after it failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

impl Engine {
    /// Runs until `stop` turns true, or nobody is left who could turn it: recovers what the last server lost, then does
    /// what is due. What breaks after that is left as it is, and recovered at the next start.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        self.recover().await;
        self.begun.store(true, Ordering::Release);
        let mut refills = Refills::begin(self.clock.now());
        while !*stop.borrow() {
            let now = self.clock.now();
            if refills.are_due(now, self.schedule.next_effect()) {
                refills.next = self.refill(now).await;
            }
            for id in self.schedule.pop_due(now) {
                let engine = Arc::clone(&self);
                tokio::spawn(async move { engine.attend(id).await });
            }
            let refill_at = refills.at(self.schedule.next_effect());
            let next = self.schedule.next().map_or(refill_at, |next| next.min(refill_at));
            tokio::select! {
                () = self.clock.sleep_until(next) => {}
                () = self.schedule.changed() => {}
                changed = stop.changed() => if changed.is_err() { break },
            }
        }
        self.stopping.store(true, Ordering::Release);
    }

    /// Reads one horizon of the store. Returns when to read the next one.
    async fn refill(self: &Arc<Self>, now: Timestamp) -> Timestamp {
        let horizon = now.plus_seconds(HORIZON_SECONDS);
        self.schedule.begin_reading(now, horizon);
        // What waits for long comes first, and must not hide what follows.
        let known = self.schedule.known();
        let (due_max, effects_max) = (HORIZON_ITEMS_MAX + known.executions, HORIZON_ITEMS_MAX + known.effects);
        let read = async {
            let due = self.store.due(horizon, due_max).await?;
            let effects = self.store.effects(now, effects_max).await?;
            Ok::<_, everstep_store::Error>((due, effects))
        };
        match read.await {
            Ok((due, effects)) => {
                let is_all = due.len() < due_max && effects.len() < effects_max;
                self.schedule.fill(horizon, due.into_iter().map(|due| (due.execution, due.wake_up)));
                for stored in effects {
                    self.perform_in_background(stored.id, stored.effect);
                }
                now.plus_seconds(if is_all { HORIZON_SECONDS / 4 } else { REFILL_PAUSE_SECONDS })
            }
            Err(error) => {
                error!(
                    error = &error as &dyn std::error::Error,
                    "the store could not be read: trying again in a second"
                );
                now.plus_seconds(REFILL_PAUSE_SECONDS)
            }
        }
    }

    /// Gives back invocations that were lost with the last server: they count against nobody.
    async fn recover(self: &Arc<Self>) {
        let lost = until_it_works(|| self.store.in_flight()).await;
        if !lost.is_empty() {
            info!(executions = lost.len(), "invocations were lost with the last server: invoking again");
        }
        for id in lost {
            let Some(execution) = until_it_works(|| self.execution(id)).await else { continue };
            if let Some(request_id) = execution.in_flight() {
                let command = Command::CompleteInvocation { request_id, result: InvocationResult::Lost };
                self.submit_for_sure(id, command, Vec::new()).await;
            }
        }
    }

    /// Has the function of an execution invoked if that is due, and notes when else the execution wants attention. Before
    /// [`Self::run`] has recovered what was lost, all of that is only noted.
    ///
    /// Whoever calls this holds the lock of its cell, so that no note overwrites one of a later state.
    pub(crate) fn note(self: &Arc<Self>, execution: &Execution) {
        let id = execution.start_facts().id;
        let is_due = self.is_running() && execution.invocation_due_at().is_some_and(|at| at <= self.clock.now());
        if is_due && self.schedule.claim_invocation(id) {
            tokio::spawn(Arc::clone(self).invoke(id));
        }
        // One that waits for a process only wants its timers looked after.
        let is_invoking = self.schedule.is_invoking(id);
        self.schedule.note(id, if is_invoking { execution.next_timer_at() } else { execution.wake_up() });
    }

    /// Does the same for an execution as it stands now.
    pub(crate) async fn note_anew(self: &Arc<Self>, id: ExecutionId) {
        if let Err(error) = self.look(id, |execution| self.note(execution)).await {
            warn!(execution.id = %id, error = &error as &dyn std::error::Error, "an execution could not be read");
        }
    }

    /// Does what is due of one execution.
    async fn attend(self: &Arc<Self>, id: ExecutionId) {
        let found = match self.execution(id).await {
            // Due by the store and not by the cache: somebody else has committed meanwhile.
            Ok(Some(cached)) if cached.wake_up().is_none_or(|at| at > self.clock.now()) => self.reload(id).await,
            found => found,
        };
        let execution = match found {
            Ok(Some(execution)) => execution,
            Ok(None) => return,
            Err(error) => {
                warn!(execution.id = %id, error = &error as &dyn std::error::Error, "an execution could not be read");
                return;
            }
        };
        let now = self.clock.now();
        if execution.is_expired(now) {
            if self.schedule.claim_forgetting(id) {
                let start = Arc::clone(execution.start_facts());
                drop(execution);
                if let Err(error) = self.forget(&start).await {
                    warn!(execution.id = %id, error = &error as &dyn std::error::Error, "not deleted yet");
                }
                self.schedule.release_forgetting(id);
            }
            return;
        }
        if execution.next_timer_at().is_some_and(|at| at <= now) {
            self.submit_for_sure(id, Command::Wake, Vec::new()).await;
        }
        self.note_anew(id).await;
    }

    /// Forgets an execution that is over. What it owes goes with it, so its parent is told first.
    async fn forget(self: &Arc<Self>, start: &Start) -> Result<(), Error> {
        let _room = self.forgetting.acquire().await.expect("nobody closes the semaphore");
        if let Some(parent) = &start.parent {
            self.tell_parent(start.id, parent).await?;
        }
        self.store.delete(start.id).await?;
        self.cache.forget(start.id);
        Ok(())
    }

    /// Submits what must not be lost: as often as the store needs. Returns `None` if the execution is gone.
    pub(crate) async fn submit_for_sure(
        self: &Arc<Self>,
        id: ExecutionId,
        command: Command,
        texts: crate::NewTexts,
    ) -> Option<Execution> {
        until_it_works(|| async {
            match self.submit(id, command.clone(), texts.clone()).await {
                Err(Error::Rejected(rejection)) => {
                    info!(execution.id = %id, %rejection, "what became of an execution is not wanted any more");
                    Ok(None)
                }
                other => other.map(Some),
            }
        })
        .await
    }
}

/// When the store is read.
struct Refills {
    last: Timestamp,
    next: Timestamp,
    /// When that was asked last.
    seen: Timestamp,
}

impl Refills {
    fn begin(now: Timestamp) -> Self {
        Self { last: now, next: now, seen: now }
    }

    /// Returns when to read next, if an effect that was put off is due at `effect`.
    fn at(&self, effect: Option<Timestamp>) -> Timestamp {
        let soonest = self.last.plus_seconds(REFILL_PAUSE_SECONDS);
        effect.map_or(self.next, |effect| self.next.min(effect.max(soonest)))
    }

    /// Tells whether to read now. After the system's clock was set back, nothing is where it was.
    fn are_due(&mut self, now: Timestamp, effect: Option<Timestamp>) -> bool {
        let are_due = self.at(effect) <= now || now < self.seen;
        self.seen = now;
        if are_due {
            self.last = now;
        }
        are_due
    }
}

/// Does what the store may fail at, until it does not.
pub(crate) async fn until_it_works<T, E, R>(work: impl Fn() -> R) -> T
where
    E: std::error::Error + 'static,
    R: Future<Output = Result<T, E>>,
{
    loop {
        match work().await {
            Ok(done) => return done,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "the store failed: trying again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn store_is_read_when_something_may_have_come() {
        let check = |now, effect: Option<i64>, expected| {
            let mut refills = Refills { last: at(100), next: at(105), seen: at(102) };
            assert_eq!(refills.are_due(at(now), effect.map(at)), expected, "{now} {effect:?}");
            assert_eq!((refills.seen, refills.last), (at(now), at(if expected { now } else { 100 })));
        };
        check(104, None, false);
        check(105, None, true);
        check(103, Some(103), true);
        check(103, Some(104), false);
        check(106, Some(200), true);
        // The clock was set back.
        check(101, None, true);
    }

    #[test]
    fn store_is_not_read_all_the_time() {
        let refills = Refills { last: at(100), next: at(105), seen: at(100) };
        assert_eq!(refills.at(Some(at(90))), at(100).plus_seconds(REFILL_PAUSE_SECONDS));
    }
}
