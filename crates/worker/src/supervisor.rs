//! The supervisor: finds or starts a process for each invocation.
//!
//! [`Pool`] decides, `Shared` carries out. The lock is held for bookkeeping only: never across an await, and never
//! while a slot is handed over or dropped, because dropping a slot takes the lock again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::language::Toolchains;
use crate::pool::{Action, Lease, Limits, Patience, Pool, ProcessId, Throttle, Ticket, Wanted};
use crate::process::{self, Handle};
use crate::{Config, CredentialSource, Error, Failure, Function, LogSink, Runtime, Slot, limits};

/// Why there is no process for an invocation. None has begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// There is no concurrency left: come again later.
    #[error("throttled: {0:?}")]
    Throttled(Throttle),
    /// Of kind `Platform`: no interpreter, an installation failed, the server is stopping.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Runs functions as processes. See the crate's documentation.
pub struct Supervisor {
    shared: Arc<Shared>,
}

impl Supervisor {
    /// Returns a supervisor without processes. Must be called within a Tokio runtime; nothing is started yet.
    pub fn start(config: Config, credentials: Arc<dyn CredentialSource>, logs: Arc<dyn LogSink>) -> Arc<Self> {
        let state = State {
            pool: Pool::new(Limits {
                processes: config.processes_max,
                backlog: limits::BACKLOG_MAX,
                backlog_per_function: limits::BACKLOG_PER_FUNCTION_MAX,
            }),
            handles: BTreeMap::new(),
            waiters: BTreeMap::new(),
            tasks: JoinSet::new(),
        };
        let toolchains = Toolchains::new(&config);
        let shared = Shared { config, credentials, logs, toolchains, state: Mutex::new(state) };
        Arc::new(Self { shared: Arc::new(shared) })
    }

    /// Makes everything ready that this runtime needs: interpreter, AWS SDK, bootstrap. The first process of a
    /// runtime does the same; ahead of time it does not delay an invocation.
    ///
    /// # Errors
    /// [`Error`] says what is missing and what to do. Nothing half-done is kept, so trying again is safe.
    pub async fn prepare(&self, runtime: Runtime) -> Result<(), Error> {
        self.shared.toolchains.get(runtime).await.map(|_| ())
    }

    /// Waits for a process of this function that is ready for one invocation: an idle one, else a new one. Functions
    /// that wait take turns. Dropping the future gives up the wait; a process already starting then serves a later caller.
    ///
    /// A process whose code cannot be loaded is a slot too: [`Slot::invoke`] then reports why, as Lambda does, with
    /// the invocation's request id and log.
    ///
    /// # Errors
    /// [`Unavailable`], also if too many wait already or the function has no concurrency at all.
    pub async fn acquire(&self, function: &Arc<Function>) -> Result<Slot, Unavailable> {
        self.lend(function, Patience::Any).await
    }

    /// The same for a caller who is to be told at once that the function's reserved concurrency is used up.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn acquire_unless_throttled(&self, function: &Arc<Function>) -> Result<Slot, Unavailable> {
        self.lend(function, Patience::UnlessReserved).await
    }

    async fn lend(&self, function: &Arc<Function>, patience: Patience) -> Result<Slot, Unavailable> {
        let wanted =
            Wanted { function: function.name.clone(), key: function.key.clone(), tenant: function.tenant_id.clone() };
        let (lease, actions, waiting) = {
            let mut state = self.shared.lock();
            let (lease, actions) = state.pool.lend(wanted, patience);
            let mut waiting = None;
            match lease {
                Lease::Cold(id) => self.shared.spawn(&mut state, id, function.clone()),
                Lease::Wait(ticket) => {
                    let (grant, granted) = oneshot::channel();
                    state.waiters.insert(ticket, Waiter { function: function.clone(), grant });
                    waiting = Some((Waiting { shared: self.shared.clone(), ticket }, granted));
                }
                Lease::Warm(_) | Lease::Throttled(_) | Lease::Closed => {}
            }
            (lease, actions, waiting)
        };
        self.shared.perform(actions);
        let mut slot = match lease {
            Lease::Warm(id) | Lease::Cold(id) => self.shared.slot(id).ok_or_else(Failure::stopping)?,
            Lease::Wait(_) => {
                let (_waiting, granted) = waiting.expect("made above for this lease");
                granted.await.unwrap_or_else(|_| Err(Failure::stopping().into()))?
            }
            Lease::Throttled(throttle) => return Err(Unavailable::Throttled(throttle)),
            Lease::Closed => return Err(Failure::stopping().into()),
        };
        slot.started().await?;
        Ok(slot)
    }

    /// Reserves concurrency for a function, or lets it share what the others leave. It is counted over all versions;
    /// a function with none at all is throttled.
    pub fn reserve(&self, function: &str, concurrency: Option<usize>) {
        let actions = self.shared.lock().pool.reserve(function, concurrency);
        self.shared.perform(actions);
    }

    /// Ends the processes of functions with this key: idle ones now, busy ones after their invocation.
    pub fn retire(&self, key: &str) {
        let actions = self.shared.lock().pool.retire(key);
        self.shared.perform(actions);
    }

    /// Ends every process group (SIGTERM, grace, SIGKILL) and returns when all are gone. What is waiting or running
    /// fails with kind `Platform`; so does everything that comes later.
    pub async fn shutdown(&self) {
        let (actions, waiters, mut tasks) = {
            let mut state = self.shared.lock();
            let actions = state.pool.close();
            (actions, std::mem::take(&mut state.waiters), std::mem::take(&mut state.tasks))
        };
        drop(waiters);
        self.shared.perform(actions);
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a process task ended abnormally");
            }
        }
    }

    /// Returns how many processes there may be.
    pub fn processes_max(&self) -> usize {
        self.shared.config.processes_max
    }

    /// Returns the number of processes that are not gone, including those starting and stopping.
    pub fn processes(&self) -> usize {
        self.shared.lock().pool.len()
    }
}

/// What processes, slots and the supervisor share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) credentials: Arc<dyn CredentialSource>,
    pub(crate) logs: Arc<dyn LogSink>,
    pub(crate) toolchains: Toolchains,
    state: Mutex<State>,
}

struct State {
    pool: Pool,
    handles: BTreeMap<ProcessId, Handle>,
    waiters: BTreeMap<Ticket, Waiter>,
    tasks: JoinSet<()>,
}

struct Waiter {
    function: Arc<Function>,
    grant: oneshot::Sender<Result<Slot, Unavailable>>,
}

impl Shared {
    /// Takes back a process that is ready for another invocation.
    pub(crate) fn give_back(self: &Arc<Self>, id: ProcessId) {
        let actions = self.lock().pool.give_back(id);
        self.perform(actions);
    }

    /// Takes an idle process out of use; returns `false` if someone holds it.
    pub(crate) fn withdraw(&self, id: ProcessId) -> bool {
        self.lock().pool.withdraw(id)
    }

    /// Never lends a process again; returns `true` if nobody holds it.
    pub(crate) fn discard(&self, id: ProcessId) -> bool {
        self.lock().pool.discard(id)
    }

    /// Forgets a process that is gone.
    pub(crate) fn gone(self: &Arc<Self>, id: ProcessId) {
        let actions = {
            let mut state = self.lock();
            state.handles.remove(&id);
            state.pool.gone(id)
        };
        self.perform(actions);
    }

    fn perform(self: &Arc<Self>, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Stop(id) => {
                    if let Some(handle) = self.lock().handles.get(&id) {
                        handle.stop();
                    }
                }
                Action::Lend(id, ticket) => {
                    let waiter = self.lock().waiters.remove(&ticket);
                    self.hand_over(id, waiter);
                }
                Action::Start(id, ticket) => {
                    let waiter = {
                        let mut state = self.lock();
                        let waiter = state.waiters.remove(&ticket);
                        if let Some(waiter) = &waiter {
                            self.spawn(&mut state, id, waiter.function.clone());
                        }
                        waiter
                    };
                    match waiter {
                        Some(waiter) => self.hand_over(id, Some(waiter)),
                        None => self.gone(id),
                    }
                }
                Action::Throttle(ticket) => {
                    let waiter = self.lock().waiters.remove(&ticket);
                    if let Some(waiter) = waiter {
                        drop(waiter.grant.send(Err(Unavailable::Throttled(Throttle::Reserved))));
                    }
                }
            }
        }
    }

    /// Gives a slot to a waiter; one who is no longer there drops it, which gives the process back.
    fn hand_over(self: &Arc<Self>, id: ProcessId, waiter: Option<Waiter>) {
        let slot = self.slot(id);
        if let (Some(waiter), Some(slot)) = (waiter, slot) {
            drop(waiter.grant.send(Ok(slot)));
        }
    }

    fn slot(self: &Arc<Self>, id: ProcessId) -> Option<Slot> {
        let handle = self.lock().handles.get(&id).cloned()?;
        Some(Slot::new(self.clone(), id, handle))
    }

    fn spawn(self: &Arc<Self>, state: &mut State, id: ProcessId, function: Arc<Function>) {
        while state.tasks.try_join_next().is_some() {}
        let (handle, mailbox) = process::channel();
        state.handles.insert(id, handle);
        state.tasks.spawn(process::live(self.clone(), id, function, mailbox));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Someone's place in the queue, given up on drop.
struct Waiting {
    shared: Arc<Shared>,
    ticket: Ticket,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let (waiter, actions) = {
            let mut state = self.shared.lock();
            (state.waiters.remove(&self.ticket), state.pool.cancel(self.ticket))
        };
        drop(waiter);
        self.shared.perform(actions);
    }
}
