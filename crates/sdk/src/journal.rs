//! What is known and what is to be told of one invocation: the records of its operations, the updates that the service
//! has not taken yet, and who waits for what.
//!
//! Operations write to it and wait on it; the `driver` sends what is queued and merges what comes back. It does no I/O.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::clock::Clock;
use crate::limits::{UPDATE_BYTES_MAX, UPDATES_MAX};
use crate::plugin::{Changes, Plugins};
use crate::replay::id::OperationId;
use crate::wire::{ErrorObject, OperationStatus, Record, Update};

/// What was fixed when the invocation began.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) execution_arn: String,
    pub(crate) request_id: String,
    #[cfg_attr(not(feature = "logs"), expect(dead_code, reason = "only the log looks"))]
    pub(crate) tenant_id: Option<String>,
    pub(crate) trace_id: Option<String>,
    /// When the execution started.
    pub(crate) started_at: SystemTime,
    /// When Lambda ends the invocation.
    pub(crate) deadline: SystemTime,
    /// Nothing was recorded yet.
    pub(crate) is_first: bool,
    /// Operations that changed since the last invocation.
    pub(crate) updated: HashSet<OperationId>,
    /// What tells the time.
    pub(crate) clock: Clock,
    /// Logs of replayed code are wanted.
    #[cfg_attr(not(feature = "logs"), expect(dead_code, reason = "only the log looks"))]
    pub(crate) logs_replay: bool,
    /// Who looks on, in a test.
    #[cfg(feature = "test")]
    pub(crate) witness: Arc<crate::testing::witness::Witness>,
}

impl Invocation {
    /// Tells whether what is on record is only read: nothing is told, and no body runs.
    pub(crate) fn only_reads(&self) -> bool {
        #[cfg(feature = "test")]
        return self.witness.only_reads();
        #[cfg(not(feature = "test"))]
        false
    }
}

/// Why no user code may go on.
#[derive(Clone, Debug)]
pub(crate) enum Fatal {
    /// The execution fails.
    Fail(ErrorObject),
    /// The invocation fails, and the service makes another one.
    Throw(String),
}

/// One invocation's journal.
pub(crate) struct Journal {
    pub(crate) invocation: Invocation,
    pub(crate) plugins: Plugins,
    /// The operations that were known when the invocation began, if there are plugins.
    known: HashSet<OperationId>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    records: HashMap<OperationId, Arc<Record>>,
    queue: VecDeque<Update>,
    queued_bytes: usize,
    /// How many updates were ever queued, handed to the driver, and taken by the service.
    queued: u64,
    sent: u64,
    taken: u64,
    /// The last update that somebody waits for.
    urgent: u64,
    /// Since when the oldest update is in the queue.
    queued_since: Option<Instant>,
    /// Who waits for an operation. There is one future of each, so one waker.
    wakers: HashMap<OperationId, Waker>,
    executing: usize,
    /// Who waits for the service, and when it goes on by itself; and by time those that were not asked after since.
    parked: HashMap<OperationId, Option<SystemTime>>,
    due: BTreeSet<(SystemTime, OperationId)>,
    fatal: Option<Fatal>,
    closed: bool,
    driver: Option<Waker>,
}

/// What the driver decides by.
#[derive(Debug, PartialEq)]
pub(crate) struct Load {
    /// Bodies that run.
    pub(crate) executing: usize,
    /// Operations that wait for the service.
    pub(crate) parked: usize,
    /// When the first of them goes on by itself.
    pub(crate) due: Option<SystemTime>,
    /// Since when something is queued.
    pub(crate) queued_since: Option<Instant>,
    /// Somebody waits for what is queued.
    pub(crate) urgent: bool,
    /// As much is queued as one checkpoint may hold.
    pub(crate) full: bool,
}

/// The place of an update in the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

impl Journal {
    pub(crate) fn new(invocation: Invocation, plugins: Plugins, records: Vec<Record>) -> Arc<Self> {
        let records: HashMap<_, _> = records.into_iter().map(|record| (record.id.clone(), Arc::new(record))).collect();
        // Nobody but plugins asks.
        let known = if plugins.is_empty() { HashSet::new() } else { records.keys().cloned().collect() };
        let state = Mutex::new(State { records, ..State::default() });
        Arc::new(Self { invocation, plugins, known, state })
    }

    /// Tells plugins whether an operation was known when the invocation began.
    pub(crate) fn was_known(&self, id: &OperationId) -> bool {
        self.known.contains(id)
    }

    /// Returns what the service knows about an operation.
    pub(crate) fn record(&self, id: &OperationId) -> Option<Arc<Record>> {
        self.state().records.get(id).cloned()
    }

    /// Returns everything that is known.
    pub(crate) fn records(&self) -> Vec<Arc<Record>> {
        self.state().records.values().cloned().collect()
    }

    /// Queues an update; `urgent` if somebody will wait for it.
    pub(crate) fn push(&self, update: Update, urgent: bool) -> Ticket {
        let mut state = self.state();
        if state.closed {
            return Ticket(u64::MAX);
        }
        state.queued_bytes += update.change.bytes();
        state.queue.push_back(update);
        state.queued += 1;
        state.queued_since.get_or_insert_with(Instant::now);
        let ticket = state.queued;
        if urgent {
            state.urgent = ticket;
        }
        state.wake_driver();
        Ticket(ticket)
    }

    /// Waits until the service has taken an update of the operation.
    pub(crate) async fn taken(&self, id: &OperationId, ticket: Ticket) {
        std::future::poll_fn(|context| self.poll_state(id, context, |state| state.taken >= ticket.0)).await;
    }

    /// Waits until the operation neither goes on nor waits for its next attempt.
    pub(crate) async fn settled(&self, id: &OperationId) -> Arc<Record> {
        let _parked = Parked::new(self, id);
        let settled = |state: &State| {
            state.records.get(id).is_some_and(|record| match record.status {
                OperationStatus::Started | OperationStatus::Pending => false,
                OperationStatus::Ready
                | OperationStatus::Succeeded
                | OperationStatus::Failed
                | OperationStatus::Cancelled
                | OperationStatus::TimedOut
                | OperationStatus::Stopped => true,
            })
        };
        std::future::poll_fn(|context| self.poll_state(id, context, settled)).await;
        self.record(id).expect("it was there")
    }

    /// Counts a body that runs, until the guard is dropped.
    pub(crate) fn executing(self: &Arc<Self>) -> Executing {
        self.state().executing += 1;
        Executing(Arc::clone(self))
    }

    /// Stops user code for good. The first reason counts.
    pub(crate) fn stop(&self, fatal: Fatal) {
        let mut state = self.state();
        state.fatal.get_or_insert(fatal);
        state.wake_driver();
    }

    /// Returns why user code was stopped.
    pub(crate) fn fatal(&self) -> Option<Fatal> {
        self.state().fatal.clone()
    }

    /// Takes no update any more.
    pub(crate) fn close(&self) {
        self.state().closed = true;
    }

    /// Sets whom to wake if something changes while the handler is not polled by the driver.
    pub(crate) fn watch(&self, driver: Option<&Waker>) {
        self.state().driver = driver.cloned();
    }

    pub(crate) fn load(&self) -> Load {
        let state = self.state();
        Load {
            executing: state.executing,
            parked: state.parked.len(),
            due: state.due.first().map(|(due, _)| *due),
            queued_since: state.queued_since,
            urgent: state.urgent > state.sent,
            full: state.queue.len() >= UPDATES_MAX || state.queued_bytes >= UPDATE_BYTES_MAX,
        }
    }

    /// The service is asked at this time. It need not be asked at once again for what was due by then; returns whether
    /// something was.
    pub(crate) fn asked(&self, now: SystemTime) -> bool {
        let mut state = self.state();
        let mut was_due = false;
        while state.due.first().is_some_and(|(due, _)| *due <= now) {
            state.due.pop_first();
            was_due = true;
        }
        was_due
    }

    /// Takes as many updates as one checkpoint may hold.
    pub(crate) fn take_batch(&self) -> Vec<Update> {
        let mut state = self.state();
        let mut bytes = 0;
        let fits = state.queue.iter().take(UPDATES_MAX).take_while(|update| {
            let first = bytes == 0;
            bytes += update.change.bytes();
            first || bytes <= UPDATE_BYTES_MAX
        });
        let count = fits.count();
        let batch: Vec<_> = state.queue.drain(..count).collect();
        state.sent += batch.len() as u64;
        state.queued_bytes -= batch.iter().map(|update| update.change.bytes()).sum::<usize>();
        state.queued_since = (!state.queue.is_empty()).then(Instant::now);
        batch
    }

    /// Takes in what the service answered to a checkpoint of these operations, and wakes who waits for it.
    pub(crate) fn merge(&self, sent: &[OperationId], records: Vec<Record>) {
        let mut changes = Changes::default();
        let mut wakers = Vec::new();
        let mut state = self.state();
        state.taken += sent.len() as u64;
        for record in records {
            let (id, record) = (record.id.clone(), Arc::new(record));
            if state.parked.contains_key(&id) {
                state.park(&id, record.due().filter(|_| !record.status.is_terminal()));
            }
            let was_over = state.records.get(&id).is_some_and(|known| known.status.is_terminal());
            changes.note(&record, was_over);
            wakers.extend(state.wakers.remove(&id));
            state.records.insert(id, record);
        }
        for id in sent {
            wakers.extend(state.wakers.remove(id));
        }
        drop(state);
        self.plugins.changed(self, &changes);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn poll_state(&self, id: &OperationId, context: &mut Context<'_>, ready: impl Fn(&State) -> bool) -> Poll<()> {
        let mut state = self.state();
        if state.fatal.is_none() && ready(&state) {
            return Poll::Ready(());
        }
        state.wakers.insert(id.clone(), context.waker().clone());
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code of others runs under the lock")
    }
}

impl State {
    /// The driver looks at everything after it polled the handler; but somebody else may have been polled.
    fn wake_driver(&self) {
        if let Some(driver) = &self.driver {
            driver.wake_by_ref();
        }
    }

    fn park(&mut self, id: &OperationId, due: Option<SystemTime>) {
        self.unpark(id);
        self.parked.insert(id.clone(), due);
        if let Some(due) = due {
            self.due.insert((due, id.clone()));
        }
    }

    fn unpark(&mut self, id: &OperationId) {
        if let Some(due) = self.parked.remove(id).flatten() {
            self.due.remove(&(due, id.clone()));
        }
    }
}

/// Counts a running body.
pub(crate) struct Executing(Arc<Journal>);

impl Drop for Executing {
    fn drop(&mut self) {
        self.0.state().executing -= 1;
    }
}

/// Counts an operation that waits for the service.
struct Parked<'a> {
    journal: &'a Journal,
    id: &'a OperationId,
}

impl<'a> Parked<'a> {
    fn new(journal: &'a Journal, id: &'a OperationId) -> Self {
        let mut state = journal.state();
        let due = state.records.get(id).and_then(|record| record.due());
        state.park(id, due);
        state.wake_driver();
        drop(state);
        Self { journal, id }
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        let mut state = self.journal.state();
        state.unpark(self.id);
        state.wakers.remove(self.id);
    }
}

/// How long until `time`, by a clock that shows `now`.
pub(crate) fn until(time: SystemTime, now: SystemTime) -> Duration {
    time.duration_since(now).unwrap_or_default()
}
