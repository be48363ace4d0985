//! The supervisor: finds or starts a process for each invocation.
//!
//! [`Pool`] decides, `Shared` carries out. The lock is held for bookkeeping only: never across an await, and never
//! while a slot is handed over or dropped, because dropping a slot takes the lock again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::language::Toolchains;
use crate::pool::{self, Action, Lease, Limits, Patience, Pool, ProcessId, Throttle, Ticket, Wanted};
use crate::process::{self, Handle};
use crate::{Config, CredentialSource, Error, Failure, Function, LogSink, Runtime, Slot, limits};

/// Why there is no process for an invocation. None has begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// There is no concurrency left: come again later.
    #[error("throttled: {0:?}")]
    Throttled(Throttle),
    /// Something was retired since the turn began, perhaps the function: look it up, and ask again in the same turn.
    #[error("the function may have been replaced")]
    Retired,
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

    /// Begins a caller's turn to get a process. Look up the function after that: then what is retired in between is noticed.
    pub fn turn(&self, patience: Patience) -> Turn {
        let turn = self.shared.lock().pool.turn(patience);
        Turn { shared: self.shared.clone(), turn }
    }

    /// Waits for a process, for a caller with any patience whose function is what it is: see [`Turn::acquire`].
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn acquire(&self, function: &Arc<Function>) -> Result<Slot, Unavailable> {
        self.turn(Patience::Any).acquire(function).await
    }

    /// Reserves concurrency for a function, or lets it share what the others leave. It is counted over all versions;
    /// a function with none at all is throttled.
    pub fn reserve(&self, function: &str, concurrency: Option<usize>) {
        let actions = self.shared.lock().pool.reserve(function, concurrency);
        self.shared.perform(actions);
    }

    /// Ends the processes of functions with this key: idle ones now, busy ones after their invocation. Who waits for one
    /// is told so. Call it when whoever looks the function up does not find this key any more.
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

    /// Returns the number of callers who wait for a process.
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiters.len()
    }

    /// Returns the number of processes that are not gone, including those starting and stopping.
    pub fn processes(&self) -> usize {
        self.shared.lock().pool.len()
    }
}

/// A caller's turn to get a process. It goes on when the function is retired meanwhile: who has waited does not have to
/// wait behind those who came later.
pub struct Turn {
    shared: Arc<Shared>,
    turn: pool::Turn,
}

impl Turn {
    /// Waits for a process of this function that is ready for one invocation: an idle one, else a new one. Functions
    /// that wait take turns. Dropping the future gives up the wait; a process already starting then serves a later caller.
    ///
    /// A process whose code cannot be loaded is a slot too: [`Slot::invoke`] then reports why, as Lambda does, with
    /// the invocation's request id and log.
    ///
    /// # Errors
    /// [`Unavailable`], also if too many wait already or the function has no concurrency at all.
    pub async fn acquire(&mut self, function: &Arc<Function>) -> Result<Slot, Unavailable> {
        // A process that is gone before it is in anybody's hands was never lent.
        let mut slot = loop {
            if let Some(slot) = self.lend(function).await? {
                break slot;
            }
        };
        slot.started().await?;
        Ok(slot)
    }

    /// Lends a process, whether it is ready or not; `None` if nothing came of it, and whoever still wants one asks again.
    async fn lend(&mut self, function: &Arc<Function>) -> Result<Option<Slot>, Unavailable> {
        let wanted =
            Wanted { function: function.name.clone(), key: function.key.clone(), tenant: function.tenant_id.clone() };
        let (lease, actions, waiting) = {
            let mut state = self.shared.lock();
            let (lease, actions) = state.pool.lend(wanted, &mut self.turn);
            let mut waiting = None;
            match lease {
                Lease::Cold(id) => self.shared.spawn(&mut state, id, function.clone()),
                Lease::Wait(ticket) => {
                    let (grant, granted) = oneshot::channel();
                    state.waiters.insert(ticket, Waiter { function: function.clone(), grant });
                    waiting = Some((Waiting { shared: self.shared.clone(), ticket }, granted));
                }
                Lease::Warm(_) | Lease::Retired | Lease::Throttled(_) | Lease::Closed => {}
            }
            (lease, actions, waiting)
        };
        self.shared.perform(actions);
        match lease {
            Lease::Warm(id) | Lease::Cold(id) => Ok(self.shared.slot(id)),
            Lease::Wait(_) => {
                let (_waiting, granted) = waiting.expect("made above for this lease");
                granted.await.ok().transpose()
            }
            Lease::Retired => Err(Unavailable::Retired),
            Lease::Throttled(throttle) => Err(Unavailable::Throttled(throttle)),
            Lease::Closed => Err(Failure::stopping().into()),
        }
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
                Action::Recall(ticket) => {
                    let waiter = self.lock().waiters.remove(&ticket);
                    drop(waiter);
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

    /// Gives a slot to a waiter; one who is no longer there drops it, which gives the process back. If the process is
    /// gone, the waiter is sent away without an answer, and asks again.
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::task::Poll;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::{Credentials, Install, LogFormat, LogLine};

    /// Issues keys. When the first of them is revoked, it waits for somebody to open the gate.
    #[derive(Default)]
    struct Keys(Mutex<Option<mpsc::Receiver<()>>>);

    impl CredentialSource for Keys {
        fn issue(&self, _function: &Function) -> Credentials {
            Credentials { access_key_id: "AKIA".into(), secret_access_key: "s".into(), session_token: "t".into() }
        }

        fn revoke(&self, _access_key_id: &str) {
            let gate = self.0.lock().unwrap().take();
            let _ = gate.map(|gate| gate.recv());
        }
    }

    struct Nowhere;

    impl LogSink for Nowhere {
        fn append(&self, _group: &str, _stream: &str, _lines: Vec<LogLine>) {}
    }

    fn supervisor(directory: &TempDir, keys: Keys, processes_max: usize) -> Arc<Supervisor> {
        let mut config = Config::new(directory.path(), "http://127.0.0.1:9");
        config.install = Install::Nothing;
        config.processes_max = processes_max;
        Supervisor::start(config, Arc::new(keys), Arc::new(Nowhere))
    }

    /// A function whose processes end at once, but take an invocation to say so: there is no `bootstrap`.
    fn function(directory: &TempDir) -> Arc<Function> {
        Arc::new(Function {
            key: "demo".into(),
            name: "demo".into(),
            version: "$LATEST".into(),
            arn: "arn:aws:lambda:us-east-1:000000000000:function:demo:$LATEST".into(),
            role: "arn:aws:iam::000000000000:role/demo".into(),
            runtime: Runtime::ProvidedAl2023,
            handler: "h".into(),
            code_dir: directory.path().join("code"),
            layers_dir: None,
            pins: Vec::new(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
            tmp_mb: limits::TMP_MB_DEFAULT,
            environment: BTreeMap::new(),
            region: "us-east-1".into(),
            log_group: "/aws/lambda/demo".into(),
            log_format: LogFormat::Text,
            log_level: None,
            tenant_id: None,
        })
    }

    /// Gets everything going that does not have to wait.
    async fn begin(future: &mut (impl Future + Unpin)) {
        std::future::poll_fn(|context| {
            assert!(std::pin::Pin::new(&mut *future).poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn waiter_whose_process_is_gone_before_it_is_handed_over_gets_another() {
        let directory = tempfile::tempdir().unwrap();
        let (supervisor, function) = (supervisor(&directory, Keys::default(), 1), function(&directory));
        std::fs::create_dir(&function.code_dir).unwrap();
        let shared = &supervisor.shared;
        let wanted = Wanted { function: "demo".into(), key: "demo".into(), tenant: None };
        let mut turn = supervisor.turn(Patience::Any).turn;
        let (lease, _) = shared.lock().pool.lend(wanted, &mut turn);
        let Lease::Cold(id) = lease else { panic!("{lease:?}") };
        let mut acquiring = Box::pin(supervisor.acquire(&function));
        begin(&mut acquiring).await;
        let actions = shared.lock().pool.give_back(id);
        assert!(matches!(actions[..], [Action::Lend(_, _)]), "{actions:?}");
        shared.gone(id);
        shared.perform(actions);
        acquiring.await.unwrap();
        supervisor.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn process_that_could_not_be_started_is_not_lent_to_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let (open, gate) = mpsc::channel();
        let (supervisor, function) = (supervisor(&directory, Keys(Mutex::new(Some(gate))), 2), function(&directory));
        let refused = supervisor.acquire(&function).await.err();
        assert!(
            matches!(&refused, Some(Unavailable::Failed(failure)) if failure.error_message.contains("no code at")),
            "{refused:?}"
        );
        // It is not gone yet, and what was in its way is.
        std::fs::create_dir(&function.code_dir).unwrap();
        let next = supervisor.acquire(&function).await;
        drop(open);
        assert_eq!(next.err(), None);
        supervisor.shutdown().await;
    }
}
