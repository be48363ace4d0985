//! The task loop: finds what is due and sees to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use everstep_core::command::InvocationResult;
use everstep_core::id::ExecutionId;
use everstep_core::{Command, Execution, Timestamp};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::{Engine, Error};

/// How far ahead the store is read at a time, in seconds.
const HORIZON_SECONDS: u64 = 20;

/// How much of the store is read at a time.
const HORIZON_ITEMS_MAX: usize = 10_000;

/// How long to leave the store alone after it failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

impl Engine {
    /// Runs until `stop` turns true, or nobody is left who could turn it: recovers what the last server lost, then does
    /// what is due. What breaks after that is left as it is, and recovered at the next start.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        self.recover().await;
        let mut refill_at = self.clock.now();
        while !*stop.borrow() {
            let now = self.clock.now();
            if refill_at <= now {
                refill_at = self.refill(now).await;
            }
            for id in self.schedule.pop_due(now) {
                let engine = Arc::clone(&self);
                tokio::spawn(async move { engine.attend(id).await });
            }
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
        self.schedule.begin_reading(horizon);
        let read = async {
            let due = self.store.due(horizon, HORIZON_ITEMS_MAX).await?;
            let effects = self.store.effects(now, HORIZON_ITEMS_MAX).await?;
            Ok::<_, everstep_store::Error>((due, effects))
        };
        match read.await {
            Ok((due, effects)) => {
                let full = due.len() == HORIZON_ITEMS_MAX || effects.len() == HORIZON_ITEMS_MAX;
                self.schedule.fill(horizon, due.into_iter().map(|due| (due.execution, due.wake_up)));
                for stored in effects {
                    self.perform_in_background(stored.id, stored.effect);
                }
                if full { now.plus_seconds(1) } else { now.plus_seconds(HORIZON_SECONDS / 4) }
            }
            Err(error) => {
                error!(
                    error = &error as &dyn std::error::Error,
                    "the store could not be read: trying again in a second"
                );
                now.plus_seconds(1)
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

    /// Notes when an execution wants attention. One that waits for a process only wants its timers looked after.
    ///
    /// Whoever calls this holds the lock of its cell, so that no note overwrites one of a later state.
    pub(crate) fn note(&self, execution: &Execution) {
        let id = execution.start_facts().id;
        let is_invoking = self.schedule.is_invoking(id);
        self.schedule.note(id, if is_invoking { execution.next_timer_at() } else { execution.wake_up() });
    }

    /// Notes when an execution wants attention, as it stands now.
    pub(crate) async fn note_anew(&self, id: ExecutionId) {
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
            if let Err(error) = self.forget(id, &execution).await {
                warn!(execution.id = %id, error = &error as &dyn std::error::Error, "not deleted yet");
            }
            return;
        }
        let execution = if execution.next_timer_at().is_some_and(|at| at <= now) {
            self.submit_for_sure(id, Command::Wake, Vec::new()).await.unwrap_or(execution)
        } else {
            execution
        };
        if execution.invocation_due_at().is_some_and(|at| at <= now.max(self.clock.now()))
            && self.schedule.claim_invocation(id)
        {
            let engine = Arc::clone(self);
            tokio::spawn(async move { engine.invoke(id).await });
        }
        self.note_anew(id).await;
    }

    /// Forgets an execution that is over. What it owes goes with it, so its parent is told first.
    async fn forget(self: &Arc<Self>, id: ExecutionId, execution: &Execution) -> Result<(), Error> {
        let _room = self.forgetting.acquire().await.expect("nobody closes the semaphore");
        if let Some(parent) = &execution.start_facts().parent {
            self.tell_parent(id, parent).await?;
        }
        self.store.delete(id).await?;
        self.cache.forget(id);
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
