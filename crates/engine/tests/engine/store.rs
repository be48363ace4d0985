//! A store that goes wrong as told, between an engine and the real one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use everstep_core::event::Event;
use everstep_core::id::{ExecutionId, ExecutionName, FunctionName};
use everstep_core::{Digest, Effect, Record, Timestamp};
use everstep_store::{
    Commit, Committed, Due, EffectId, Error, Executions, ListQuery, Listed, NewExecution, StoredEffect,
};
use tokio::sync::watch;

/// What is asked of the store.
pub(crate) enum Call<'a> {
    Read,
    ReadLog,
    ReadEffects,
    ReadPayload,
    Create,
    Commit(&'a Commit),
    Delete,
    Effect,
}

impl Call<'_> {
    /// Tells whether a commit that holds such an event is asked for.
    pub(crate) fn commits(&self, is_wanted: impl Fn(&Event) -> bool) -> bool {
        matches!(self, Call::Commit(commit) if commit.record.events.iter().any(is_wanted))
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Somebody else committed first, it says.
    Conflict,
    /// Nothing was done.
    Failed,
    /// Nothing was done, but it does not know that.
    UnknownUndone,
    /// It was done, but it does not know that.
    UnknownDone,
    /// It was done, but the answer waits until [`Faulty::let_go`].
    Held,
    /// The server dies before it is done.
    DeathBefore,
    /// The server dies after it was done, and does not get to hear of it.
    DeathAfter,
}

type Plan = Box<dyn FnMut(&Call<'_>) -> Option<Fault> + Send>;

/// A store with a plan of what goes wrong, and a power switch.
pub(crate) struct Faulty {
    inner: Arc<dyn Executions>,
    plan: Mutex<Plan>,
    powered: AtomicBool,
    held: watch::Sender<bool>,
    /// Counts what the real store is at.
    working: watch::Sender<usize>,
    /// Counts what was written, so that tests can wait for it.
    writes: watch::Sender<u64>,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn Executions>, writes: watch::Sender<u64>) -> Arc<Self> {
        let plan: Plan = Box::new(|_| None);
        let (plan, powered) = (Mutex::new(plan), AtomicBool::new(true));
        Arc::new(Self { inner, plan, powered, held: watch::Sender::new(true), working: watch::Sender::new(0), writes })
    }

    /// Lets everything go wrong as `plan` says from now on.
    pub(crate) fn go_wrong(&self, plan: impl FnMut(&Call<'_>) -> Option<Fault> + Send + 'static) {
        *self.plan.lock().unwrap() = Box::new(plan);
    }

    /// Lets the first call that is `wanted` go wrong.
    pub(crate) fn go_wrong_once(&self, fault: Fault, wanted: impl Fn(&Call<'_>) -> bool + Send + 'static) {
        let mut left = Some(fault);
        self.go_wrong(move |call| if wanted(call) { left.take() } else { None });
    }

    /// Lets go of what is held.
    pub(crate) fn let_go(&self) {
        self.held.send_replace(false);
    }

    /// Nothing returns any more.
    pub(crate) fn cut_power(&self) {
        self.powered.store(false, Ordering::SeqCst);
        self.writes.send_modify(|writes| *writes += 1);
    }

    pub(crate) fn is_powered(&self) -> bool {
        self.powered.load(Ordering::SeqCst)
    }

    /// Waits until nothing that was asked before the power was cut can still happen.
    pub(crate) async fn be_dead(&self) {
        self.working.subscribe().wait_for(|working| *working == 0).await.expect("the store keeps its sender");
    }

    async fn call<T>(&self, call: Call<'_>, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.stay_dead_without_power().await;
        let fault = (self.plan.lock().unwrap())(&call);
        let fault = match (fault, &call) {
            (Some(Fault::Conflict), Call::Commit(_)) => return Err(Error::Conflict),
            (Some(Fault::UnknownUndone), Call::Commit(_) | Call::Create) => return Err(unknown()),
            (Some(Fault::Conflict | Fault::Failed | Fault::UnknownUndone), _) => return Err(failed()),
            (fault, _) => fault,
        };
        if fault == Some(Fault::DeathBefore) {
            self.cut_power();
            self.stay_dead_without_power().await;
        }
        self.working.send_modify(|working| *working += 1);
        let done = work.await;
        self.working.send_modify(|working| *working -= 1);
        if fault == Some(Fault::DeathAfter) {
            self.cut_power();
        }
        self.stay_dead_without_power().await;
        if !matches!(call, Call::Read | Call::ReadLog | Call::ReadEffects | Call::ReadPayload) {
            self.writes.send_modify(|writes| *writes += 1);
        }
        if fault == Some(Fault::Held) {
            self.held.subscribe().wait_for(|held| !held).await.expect("the store keeps its sender");
        }
        match (fault, &call) {
            (Some(Fault::UnknownDone), Call::Commit(_) | Call::Create) => Err(unknown()),
            (Some(Fault::UnknownDone), _) => Err(failed()),
            _ => done,
        }
    }

    async fn stay_dead_without_power(&self) {
        if !self.is_powered() {
            std::future::pending::<()>().await;
        }
    }
}

fn unknown() -> Error {
    Error::Unknown("the plan wants it".into())
}

fn failed() -> Error {
    Error::Failed { context: "the plan wants it".into(), source: None }
}

#[async_trait]
impl Executions for Faulty {
    async fn create(&self, execution: NewExecution, commit: Commit) -> Result<Committed, Error> {
        self.call(Call::Create, self.inner.create(execution, commit)).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, Error> {
        self.call(Call::Commit(&commit), self.inner.commit(commit.clone())).await
    }

    async fn load(&self, execution: ExecutionId, version: u64) -> Result<Option<Vec<Record>>, Error> {
        self.call(Call::ReadLog, self.inner.load(execution, version)).await
    }

    async fn records(
        &self,
        execution: ExecutionId,
        first: u64,
        last: u64,
        limit: usize,
        newest_first: bool,
    ) -> Result<Vec<Record>, Error> {
        self.call(Call::Read, self.inner.records(execution, first, last, limit, newest_first)).await
    }

    async fn payload(&self, execution: ExecutionId, digest: Digest) -> Result<Option<Arc<str>>, Error> {
        self.call(Call::ReadPayload, self.inner.payload(execution, digest)).await
    }

    async fn find(&self, function: &FunctionName, name: &ExecutionName) -> Result<Option<ExecutionId>, Error> {
        self.call(Call::Read, self.inner.find(function, name)).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<Listed>, Error> {
        self.call(Call::Read, self.inner.list(query)).await
    }

    async fn due(&self, until: Timestamp, limit: usize) -> Result<Vec<Due>, Error> {
        self.call(Call::Read, self.inner.due(until, limit)).await
    }

    async fn in_flight(&self) -> Result<Vec<ExecutionId>, Error> {
        self.call(Call::Read, self.inner.in_flight()).await
    }

    async fn delete(&self, execution: ExecutionId) -> Result<bool, Error> {
        self.call(Call::Delete, self.inner.delete(execution)).await
    }

    async fn add_effect(&self, effect: Effect, due: Timestamp) -> Result<EffectId, Error> {
        self.call(Call::Effect, self.inner.add_effect(effect, due)).await
    }

    async fn effects(&self, until: Timestamp, limit: usize) -> Result<Vec<StoredEffect>, Error> {
        self.call(Call::ReadEffects, self.inner.effects(until, limit)).await
    }

    async fn postpone_effect(&self, id: EffectId, effect: Effect, due: Timestamp) -> Result<(), Error> {
        self.call(Call::Effect, self.inner.postpone_effect(id, effect, due)).await
    }

    async fn finish_effect(&self, id: EffectId) -> Result<(), Error> {
        self.call(Call::Effect, self.inner.finish_effect(id)).await
    }
}
