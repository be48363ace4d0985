//! One durable execution: its state, how events change it, and what may be asked of it.
//!
//! [`Execution::decide`] is the only way forward: it takes a [`Command`] and the time, and answers with events,
//! effects and the state after them. Whoever calls it commits the events first and only then believes the state.
//! A clone is cheap (the collections share structure), so a decision works on a copy and a refused batch leaves
//! nothing behind.

mod apply;
mod checkpoint;
mod draft;
mod invocation;
mod lifecycle;
mod status;

use std::sync::Arc;

use crate::command::Command;
use crate::event::{Effect, Event, NextToken, Outcome, PauseRequest, Record, Start};
use crate::id::{ClientToken, OperationId, RequestId};
use crate::limits;
use crate::operation::Operation;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::token::{CheckpointToken, TokenKeys};
use draft::Draft;
pub use status::ExecutionStatus;

/// What follows from a command: commit the events and effects, then believe the state.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What happened, in order; empty if the command changes nothing.
    pub events: Vec<Event>,
    /// What is owed to the world because of it.
    pub effects: Vec<Effect>,
    /// When it was decided, in durable time.
    pub at: Timestamp,
    /// The execution afterwards.
    pub next: Execution,
}

impl Decision {
    /// Returns the record to commit.
    pub fn record(&self) -> Record {
        let event_ids = self.events.iter().filter(|event| event.in_history()).count() as u64;
        Record {
            version: self.next.version,
            at: self.at,
            first_event_id: self.next.last_event_id + 1 - event_ids,
            event_ids,
            events: self.events.clone(),
        }
    }
}

/// An execution as it stands after its recorded events.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    version: u64,
    start: Arc<Start>,
    started_at: Timestamp,
    last_at: Timestamp,
    last_event_id: u64,

    operations: imbl::Vector<Arc<Operation>>,
    positions: imbl::HashMap<OperationId, usize>,
    /// When time will change which operation.
    timers: imbl::OrdSet<(Timestamp, usize)>,
    /// How many operations something outside the handler will change.
    pending: usize,
    /// Changed and not shown to the running invocation yet, in the order of their last change.
    unseen: Vec<usize>,
    /// Changed by something outside the handler since the last invocation that ended well.
    changed_outside: Vec<usize>,

    invocations: u32,
    invocation: Invocation,
    /// Invocations since the last clean one that failed and were retried at once.
    runtime_failures: u32,
    /// Invocations since the last clean one that failed and were retried after a delay.
    handler_failures: u32,
    failing_since: Option<Timestamp>,
    last_checkpoint: Option<LastCheckpoint>,

    deadline: Timestamp,
    pause: Pause,
    /// Something wanted to invoke the function while it was paused.
    deferred: bool,
    last_pause_token: Option<(ClientToken, Timestamp)>,
    last_resume_token: Option<(ClientToken, Timestamp)>,

    closed: Option<Closed>,
    deleting: bool,
    operations_used: u32,
    stored_bytes: u64,
}

/// Whether the function runs for this execution, or is about to.
#[derive(Clone, Debug, PartialEq)]
enum Invocation {
    Idle,
    Due { at: Timestamp },
    InFlight(InFlight),
}

#[derive(Clone, Debug, PartialEq)]
struct InFlight {
    request_id: RequestId,
    started_at: Timestamp,
    /// Checkpoints accepted so far.
    checkpoints: u32,
    token: NextToken,
    /// Changed by something outside the handler while it ran, and not by the handler since.
    news: Vec<usize>,
    /// The last checkpoint's answer showed some of the news.
    news_in_last_answer: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Pause {
    None,
    Requested(PauseRequest),
    Held { request: PauseRequest, since: Timestamp },
}

/// The last checkpoint that was accepted, so that its repetition is recognised.
#[derive(Clone, Debug, PartialEq)]
struct LastCheckpoint {
    invocation: u32,
    checkpoint: u32,
    client_token: Option<ClientToken>,
    at: Timestamp,
    version: u64,
    repeatable: bool,
    /// What the answer showed.
    shown: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
struct Closed {
    at: Timestamp,
    outcome: Outcome,
    /// Whether history says so already.
    announced: bool,
}

impl Execution {
    /// Starts an execution.
    pub fn start(start: Start, now: Timestamp) -> Decision {
        let events = vec![Event::ExecutionStarted(Box::new(start))];
        let mut next = Self::opened(&events[0], now);
        next.version = 1;
        Decision { events, effects: Vec::new(), at: now, next }
    }

    /// Returns the execution that the records describe, or `None` if there are none.
    ///
    /// # Panics
    /// If the first event does not start an execution: only `start` writes the first record.
    pub fn replay(records: &[Record]) -> Option<Self> {
        let first = records.first()?;
        let mut execution = Self::opened(first.events.first()?, first.at);
        for (number, record) in records.iter().enumerate() {
            execution.version = record.version;
            execution.last_at = record.at;
            for event in record.events.iter().skip(usize::from(number == 0)) {
                execution.apply(event, record.at);
            }
        }
        Some(execution)
    }

    /// Decides what follows from a command at the time `now`, which `keys` sign callback ids for.
    ///
    /// # Errors
    /// A [`Rejection`] if the caller asks for something that cannot be; then nothing follows.
    pub fn decide(&self, now: Timestamp, command: &Command, keys: &TokenKeys) -> Result<Decision, Rejection> {
        let mut draft = Draft::of(self, now);
        match command {
            Command::BeginInvocation { request_id } => invocation::begin(&mut draft, *request_id),
            Command::Checkpoint(checkpoint) => return checkpoint::decide(self, draft, checkpoint, keys),
            Command::CompleteInvocation { request_id, result } => {
                invocation::complete(&mut draft, *request_id, result);
            }
            Command::CompleteCallback { operation, completion } => {
                lifecycle::complete_callback(&mut draft, operation, completion)?;
            }
            Command::CompleteChainedInvoke { operation, completion } => {
                lifecycle::complete_chained_invoke(&mut draft, operation, completion);
            }
            Command::Wake => draft.fire_due(),
            Command::Stop { error } => lifecycle::stop(&mut draft, error),
            Command::Pause { execution_timeout_paused, reason, client_token } => {
                let request = PauseRequest {
                    requested_at: draft.at,
                    execution_timeout_paused: *execution_timeout_paused,
                    reason: reason.clone(),
                    client_token: client_token.clone(),
                };
                lifecycle::pause(&mut draft, request)?;
            }
            Command::Resume { reason, client_token } => {
                lifecycle::resume(&mut draft, reason.as_ref(), client_token.as_ref())?;
            }
            Command::Delete => lifecycle::delete(&mut draft)?,
        }
        Ok(draft.decision())
    }

    /// Returns the number of records that made this state.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns what was fixed at the start.
    pub fn start_facts(&self) -> &Arc<Start> {
        &self.start
    }

    /// Returns when it started.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Returns the largest `EventId` so far.
    pub fn last_event_id(&self) -> u64 {
        self.last_event_id
    }

    /// Returns every operation but EXECUTION, in the order in which they were first seen.
    pub fn operations(&self) -> &imbl::Vector<Arc<Operation>> {
        &self.operations
    }

    /// Returns an operation by its id.
    pub fn operation(&self, id: &OperationId) -> Option<&Arc<Operation>> {
        self.operations.get(self.position(id)?)
    }

    /// Returns where an operation stands among [`Self::operations`].
    pub(crate) fn position(&self, id: &OperationId) -> Option<usize> {
        self.positions.get(id).copied()
    }

    /// Returns how it stands.
    pub fn status(&self) -> ExecutionStatus {
        if self.deleting {
            return ExecutionStatus::Deleting;
        }
        match (&self.closed, &self.pause) {
            (Some(closed), _) => match closed.outcome {
                Outcome::Succeeded(_) => ExecutionStatus::Succeeded,
                Outcome::Failed(_) => ExecutionStatus::Failed,
                Outcome::TimedOut(_) => ExecutionStatus::TimedOut,
                Outcome::Stopped(_) => ExecutionStatus::Stopped,
            },
            (None, Pause::None) => ExecutionStatus::Running,
            (None, Pause::Requested(_)) => ExecutionStatus::Pausing,
            (None, Pause::Held { .. }) => ExecutionStatus::Paused,
        }
    }

    /// Returns how it ended, once it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.closed.as_ref().map(|closed| &closed.outcome)
    }

    /// Returns how often the function was invoked.
    pub fn invocations(&self) -> u32 {
        self.invocations
    }

    /// Returns when it ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.closed.as_ref().map(|closed| closed.at)
    }

    /// Tells whether it is over and history says so: whoever waits for it may go.
    pub fn is_announced(&self) -> bool {
        self.closed.as_ref().is_some_and(|closed| closed.announced)
    }

    /// Returns the pause that was asked for, while it lasts.
    pub fn pause_request(&self) -> Option<&PauseRequest> {
        match &self.pause {
            Pause::None => None,
            Pause::Requested(request) | Pause::Held { request, .. } => Some(request),
        }
    }

    /// Returns when it will time out; `None` once it is over.
    pub fn expected_timeout_at(&self) -> Option<Timestamp> {
        self.closed.is_none().then(|| self.effective_deadline())
    }

    /// Returns the invocation in flight.
    pub fn in_flight(&self) -> Option<RequestId> {
        match &self.invocation {
            Invocation::InFlight(in_flight) => Some(in_flight.request_id),
            Invocation::Idle | Invocation::Due { .. } => None,
        }
    }

    /// Returns the token that the next checkpoint must carry, or `None` if none would be accepted.
    pub fn checkpoint_token(&self) -> Option<CheckpointToken> {
        match &self.invocation {
            Invocation::InFlight(in_flight) if self.closed.is_none() && in_flight.token == NextToken::Given => {
                Some(CheckpointToken {
                    execution: self.start.id,
                    invocation: self.invocations,
                    checkpoint: in_flight.checkpoints,
                })
            }
            Invocation::InFlight(_) | Invocation::Idle | Invocation::Due { .. } => None,
        }
    }

    /// Refuses a token that the next checkpoint could not carry.
    ///
    /// # Errors
    /// `Invalid checkpoint token`.
    pub fn check_token(&self, token: &CheckpointToken) -> Result<(), Rejection> {
        if self.checkpoint_token().as_ref() == Some(token) { Ok(()) } else { Err(Rejection::checkpoint_token()) }
    }

    /// Returns the version whose record holds the checkpoint that this one repeats, if it is the last one again.
    pub fn repeats(&self, token: &CheckpointToken, client_token: Option<&ClientToken>, now: Timestamp) -> Option<u64> {
        let last = self.last_checkpoint.as_ref()?;
        let same = last.repeatable
            && client_token.is_some()
            && client_token == last.client_token.as_ref()
            && (token.invocation, token.checkpoint) == (last.invocation, last.checkpoint)
            && now.millis_since(last.at) <= limits::CLIENT_TOKEN_WINDOW_SECONDS * 1000;
        same.then_some(last.version)
    }

    /// Returns the answer to the last accepted checkpoint: its operations, and the token that followed, if one did.
    pub fn last_answer(&self) -> (Vec<&Arc<Operation>>, Option<CheckpointToken>) {
        let Some(last) = &self.last_checkpoint else { return (Vec::new(), None) };
        let token =
            CheckpointToken { execution: self.start.id, invocation: last.invocation, checkpoint: last.checkpoint + 1 };
        (last.shown.iter().map(|position| &self.operations[*position]).collect(), last.repeatable.then_some(token))
    }

    /// Returns what changed outside the handler since the last invocation that ended well.
    pub fn updated_operation_ids(&self) -> impl Iterator<Item = &OperationId> {
        self.changed_outside.iter().map(|position| &self.operations[*position].opening.id)
    }

    /// Returns when the function is to be invoked next, if that is so.
    pub fn invocation_due_at(&self) -> Option<Timestamp> {
        match &self.invocation {
            Invocation::Due { at } if self.closed.is_none() => Some(*at),
            Invocation::Due { .. } | Invocation::Idle | Invocation::InFlight(_) => None,
        }
    }

    /// Returns when time changes it next, invocations left aside.
    pub fn next_timer_at(&self) -> Option<Timestamp> {
        if let Some(expiry) = self.expires_at() {
            return Some(expiry);
        }
        let deadline = self.effective_deadline();
        if self.closed.is_some() {
            return Some(deadline);
        }
        Some(self.timers.get_min().map_or(deadline, |(at, _)| deadline.min(*at)))
    }

    /// Returns when it wants attention next; `None` if only something from outside can change it.
    pub fn wake_up(&self) -> Option<Timestamp> {
        [self.next_timer_at(), self.invocation_due_at()].into_iter().flatten().min()
    }

    /// Tells whether it is time to forget it.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at().is_some_and(|expiry| expiry <= now)
    }

    /// Compares what is counted along the way with a recount, for tests.
    ///
    /// # Panics
    /// If they differ.
    #[doc(hidden)]
    pub fn check_counts(&self) {
        let operations = || self.operations.iter().enumerate();
        assert!(operations().all(|(position, operation)| self.position(&operation.opening.id) == Some(position)));
        let timers = operations().filter_map(|(position, operation)| Some((operation.due_at()?, position))).collect();
        let pending = operations().filter(|(_, operation)| operation.is_pending()).count();
        assert_eq!(self.positions.len(), self.operations.len());
        assert_eq!(self.timers, timers);
        assert_eq!(self.pending, pending);
    }

    fn expires_at(&self) -> Option<Timestamp> {
        let closed = self.closed.as_ref().filter(|closed| closed.announced)?;
        let retention = u64::from(self.start.retention_days) * 86_400;
        Some(if self.deleting { self.last_at } else { closed.at.plus_seconds(retention) })
    }

    /// The execution timeout stands still during a pause that asked for it, up to the longest execution there is.
    fn effective_deadline(&self) -> Timestamp {
        match &self.pause {
            Pause::Held { request, .. } if request.execution_timeout_paused => self.latest_deadline(),
            Pause::None | Pause::Requested(_) | Pause::Held { .. } => self.deadline,
        }
    }

    fn latest_deadline(&self) -> Timestamp {
        self.started_at.plus_seconds(limits::DURATION_SECONDS_MAX)
    }
}
