//! One durable execution: its state, how events change it, and what may be asked of it.
//!
//! [`Execution::decide`] is the only way forward: it takes a [`Command`] and the time, and answers with events,
//! effects and the state after them. Whoever calls it commits the events first and only then believes the state.
//! A clone is cheap (the collections share structure), so a decision works on a copy and a refused batch leaves
//! nothing behind.

mod checkpoint;
mod invocation;
mod lifecycle;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::event::{Effect, Ending, Event, NextToken, Outcome, PauseRequest, Record, Start};
use crate::id::{ClientToken, OperationId, RequestId};
use crate::limits;
use crate::operation::{Operation, callback, chained_invoke, step, wait};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::token::{CheckpointToken, TokenKeys};

/// The status of an execution. Source: Lambda API, `ExecutionStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExecutionStatus {
    /// Under way: running or asleep.
    Running,
    /// Over, with a result.
    Succeeded,
    /// Over, with an error.
    Failed,
    /// Over: it took too long.
    TimedOut,
    /// Over: stopped from outside.
    Stopped,
    /// Over, and about to be forgotten.
    Deleting,
    /// Its pause takes hold when the running invocation lets go.
    Pausing,
    /// Nothing runs until it is resumed.
    Paused,
}

impl ExecutionStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Stopped,
        Self::Deleting,
        Self::Pausing,
        Self::Paused,
    ];

    /// Returns AWS's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
            Self::Deleting => "DELETING",
            Self::Pausing => "PAUSING",
            Self::Paused => "PAUSED",
        }
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text is not the name of an execution status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the status of an execution")]
pub struct UnknownStatus(String);

impl FromStr for ExecutionStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| UnknownStatus(text.into()))
    }
}

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
    /// Invocations that failed in a row.
    failures: u32,
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

    fn opened(event: &Event, at: Timestamp) -> Self {
        let Event::ExecutionStarted(start) = event else {
            unreachable!("the first event starts the execution, not {event:?}");
        };
        Self {
            version: 0,
            started_at: at,
            last_at: at,
            last_event_id: 1,
            operations: imbl::Vector::new(),
            positions: imbl::HashMap::new(),
            timers: imbl::OrdSet::new(),
            pending: 0,
            unseen: Vec::new(),
            changed_outside: Vec::new(),
            invocations: 0,
            invocation: Invocation::Due { at },
            failures: 0,
            failing_since: None,
            last_checkpoint: None,
            deadline: at.plus_seconds(start.execution_timeout_seconds),
            pause: Pause::None,
            deferred: false,
            last_pause_token: None,
            last_resume_token: None,
            closed: None,
            deleting: false,
            operations_used: 1,
            stored_bytes: event.stored_bytes(),
            start: Arc::new((**start).clone()),
        }
    }

    /// Takes in what happened. It must not ask whether it should have: that was decided.
    fn apply(&mut self, event: &Event, at: Timestamp) {
        self.stored_bytes += event.stored_bytes();
        if event.in_history() {
            self.last_event_id += 1;
        }
        match event {
            Event::ExecutionStarted(_) => unreachable!("an execution starts once"),
            Event::OperationAdded(opening) => {
                let position = self.operations.len();
                self.positions.insert(opening.id.clone(), position);
                self.operations.push_back(Arc::new(Operation::open(opening.clone(), at)));
                self.pending += usize::from(self.operations[position].is_pending());
                self.operations_used += 1;
            }
            Event::Step { id, .. }
            | Event::Wait { id, .. }
            | Event::Callback { id, .. }
            | Event::Context { id, .. }
            | Event::ChainedInvoke { id, .. } => self.apply_to_operation(id, event, at),
            Event::InvocationStarted { request_id } => {
                self.invocations += 1;
                self.unseen.clear();
                self.deferred = false;
                self.invocation = Invocation::InFlight(InFlight {
                    request_id: *request_id,
                    started_at: at,
                    checkpoints: 0,
                    token: NextToken::Given,
                    news: Vec::new(),
                    news_in_last_answer: false,
                });
            }
            Event::CheckpointAccepted { client_token, token } => {
                self.apply_checkpoint(client_token.as_ref(), *token, at);
            }
            Event::InvocationCompleted(completed) => {
                match completed.ending {
                    Ending::Clean => {
                        self.failures = 0;
                        self.failing_since = None;
                        self.changed_outside.retain(|position| self.unseen.contains(position));
                    }
                    Ending::Failed => {
                        self.failures += 1;
                        self.failing_since.get_or_insert(at);
                        self.operations_used += u32::from(completed.again_at.is_some());
                    }
                    Ending::Lost => {}
                }
                self.invocation = Invocation::Idle;
                if let Some(again_at) = completed.again_at {
                    self.want_invocation(again_at);
                }
            }
            Event::OutcomeFixed(outcome) => self.close(outcome.clone(), at, false),
            Event::ExecutionSucceeded { result } => self.close(Outcome::Succeeded(result.clone()), at, true),
            Event::ExecutionFailed { error } => self.close(Outcome::Failed(error.clone()), at, true),
            Event::ExecutionTimedOut { error } => self.close(Outcome::TimedOut(error.clone()), at, true),
            Event::ExecutionStopped { error } => self.close(Outcome::Stopped(error.clone()), at, true),
            Event::PauseRequested(request) => {
                self.last_pause_token = request.client_token.clone().map(|token| (token, at));
                self.pause = Pause::Requested(request.clone());
            }
            Event::ExecutionPaused(request) => {
                self.pause = Pause::Held { request: request.clone(), since: at };
                if let Invocation::Due { .. } = self.invocation {
                    self.invocation = Invocation::Idle;
                    self.deferred = true;
                }
            }
            Event::ExecutionResumed { client_token, .. } => {
                self.last_resume_token = client_token.clone().map(|token| (token, at));
                if let Pause::Held { request, since } = &self.pause
                    && request.execution_timeout_paused
                {
                    let extended = self.deadline.plus_millis(at.millis_since(*since));
                    self.deadline = extended.min(self.latest_deadline());
                }
                self.pause = Pause::None;
                if self.deferred && self.invocation == Invocation::Idle {
                    self.deferred = false;
                    self.invocation = Invocation::Due { at };
                }
            }
            Event::PauseCancelled { client_token } => {
                self.last_resume_token = client_token.clone().map(|token| (token, at));
                self.pause = Pause::None;
            }
            Event::DeletionRequested => self.deleting = true,
        }
    }

    fn apply_to_operation(&mut self, id: &OperationId, event: &Event, at: Timestamp) {
        let position = self.position(id).expect("an operation is added before anything happens to it");
        let known = &self.operations[position];
        let (was_due, was_pending) = (known.due_at(), known.is_pending());
        let mut operation = Operation::clone(known);
        operation.apply(event, at);

        if let Some(due) = was_due {
            self.timers.remove(&(due, position));
        }
        if let Some(due) = operation.due_at() {
            self.timers.insert((due, position));
        }
        self.pending = self.pending + usize::from(operation.is_pending()) - usize::from(was_pending);
        self.operations[position] = Arc::new(operation);

        match cause(event) {
            Cause::Handler { retries } => {
                self.operations_used += u32::from(retries);
                move_to_end(&mut self.unseen, position);
                if let Invocation::InFlight(in_flight) = &mut self.invocation {
                    in_flight.news.retain(|news| *news != position);
                }
            }
            Cause::Outside => {
                move_to_end(&mut self.unseen, position);
                move_to_end(&mut self.changed_outside, position);
                if let Invocation::InFlight(in_flight) = &mut self.invocation {
                    move_to_end(&mut in_flight.news, position);
                }
                self.want_invocation(at);
            }
            Cause::Nothing => {}
        }
    }

    fn apply_checkpoint(&mut self, client_token: Option<&ClientToken>, token: NextToken, at: Timestamp) {
        let Invocation::InFlight(in_flight) = &mut self.invocation else {
            unreachable!("a checkpoint belongs to an invocation in flight");
        };
        let shown = match token {
            NextToken::Given | NextToken::WithheldByOutcome => std::mem::take(&mut self.unseen),
            NextToken::WithheldByPause => Vec::new(),
        };
        in_flight.news_in_last_answer = in_flight.news.iter().any(|news| shown.contains(news));
        self.last_checkpoint = Some(LastCheckpoint {
            invocation: self.invocations,
            checkpoint: in_flight.checkpoints,
            client_token: client_token.cloned(),
            at,
            version: self.version,
            repeatable: token == NextToken::Given,
            shown,
        });
        in_flight.checkpoints += 1;
        in_flight.token = token;
    }

    /// Sees to it that the function is invoked, now or when the pause is over. A running invocation will see for itself.
    fn want_invocation(&mut self, at: Timestamp) {
        if self.closed.is_some() {
            return;
        }
        match (&self.pause, &self.invocation) {
            (Pause::Held { .. }, _) => self.deferred = true,
            (Pause::None | Pause::Requested(_), Invocation::Idle) => self.invocation = Invocation::Due { at },
            (Pause::None | Pause::Requested(_), Invocation::Due { at: already }) => {
                self.invocation = Invocation::Due { at: at.min(*already) };
            }
            (Pause::None | Pause::Requested(_), Invocation::InFlight(_)) => {}
        }
    }

    fn close(&mut self, outcome: Outcome, at: Timestamp, announced: bool) {
        match &mut self.closed {
            Some(closed) => closed.announced = announced,
            None => self.closed = Some(Closed { at, outcome, announced }),
        }
        self.pause = Pause::None;
        if let Invocation::Due { .. } = self.invocation {
            self.invocation = Invocation::Idle;
        }
    }
}

/// Who changed an operation, which decides who must hear of it.
enum Cause {
    /// The handler; `retries` if it costs another operation of the quota.
    Handler { retries: bool },
    /// Time, a caller or another function.
    Outside,
    /// It looks the same to the handler as before.
    Nothing,
}

fn cause(event: &Event) -> Cause {
    match event {
        Event::Step { event, .. } => match event {
            step::Event::Ready => Cause::Outside,
            step::Event::Started | step::Event::Succeeded { .. } | step::Event::Failed { .. } => {
                Cause::Handler { retries: event.is_retry() }
            }
        },
        Event::Wait { event, .. } => match event {
            wait::Event::Succeeded => Cause::Outside,
            wait::Event::Started { .. } | wait::Event::Cancelled { .. } => Cause::Handler { retries: false },
        },
        Event::Callback { event, .. } => match event {
            callback::Event::Started { .. } => Cause::Handler { retries: false },
            callback::Event::Heartbeat => Cause::Nothing,
            callback::Event::Succeeded { .. } | callback::Event::Failed { .. } | callback::Event::TimedOut { .. } => {
                Cause::Outside
            }
        },
        Event::ChainedInvoke { event, .. } => match event {
            chained_invoke::Event::Started(_) | chained_invoke::Event::Cancelled => Cause::Handler { retries: false },
            chained_invoke::Event::Succeeded { .. }
            | chained_invoke::Event::Failed { .. }
            | chained_invoke::Event::TimedOut { .. }
            | chained_invoke::Event::Stopped { .. } => Cause::Outside,
        },
        Event::Context { .. } => Cause::Handler { retries: false },
        Event::ExecutionStarted(_)
        | Event::OperationAdded(_)
        | Event::InvocationStarted { .. }
        | Event::CheckpointAccepted { .. }
        | Event::InvocationCompleted(_)
        | Event::OutcomeFixed(_)
        | Event::ExecutionSucceeded { .. }
        | Event::ExecutionFailed { .. }
        | Event::ExecutionTimedOut { .. }
        | Event::ExecutionStopped { .. }
        | Event::PauseRequested(_)
        | Event::ExecutionPaused(_)
        | Event::ExecutionResumed { .. }
        | Event::PauseCancelled { .. }
        | Event::DeletionRequested => Cause::Nothing,
    }
}

fn move_to_end(positions: &mut Vec<usize>, position: usize) {
    if positions.last() == Some(&position) {
        return;
    }
    positions.retain(|known| *known != position);
    positions.push(position);
}

/// A decision in the making: events are taken in as they are recorded, so that what follows sees them.
struct Draft {
    at: Timestamp,
    events: Vec<Event>,
    effects: Vec<Effect>,
    next: Execution,
}

impl Draft {
    /// Opens a draft. Time never runs backwards within an execution.
    fn of(execution: &Execution, now: Timestamp) -> Self {
        Self { at: now.max(execution.last_at), events: Vec::new(), effects: Vec::new(), next: execution.clone() }
    }

    fn record(&mut self, event: Event) {
        if self.events.is_empty() {
            self.next.version += 1;
            self.next.last_at = self.at;
        }
        self.next.apply(&event, self.at);
        self.events.push(event);
    }

    /// Records the event that ends the execution, and owes the news to whoever waits for it.
    fn announce(&mut self, event: Event) {
        self.record(event);
        if let Some(parent) = &self.next.start.parent {
            self.effects.push(Effect::TellParent { child: self.next.start.id, parent: parent.clone() });
        }
    }

    /// Lets everything happen whose time has come, earliest first; the execution timeout ends it all, and nobody
    /// waits any longer for an outcome that was fixed before.
    fn fire_due(&mut self) {
        let deadline = self.next.effective_deadline();
        if self.next.closed.is_some() {
            if deadline <= self.at {
                lifecycle::announce_fixed_outcome(self);
            }
            return;
        }
        while let Some((due, position)) = self.next.timers.get_min().copied()
            && due <= self.at.min(deadline)
        {
            self.record(self.next.operations[position].fire());
        }
        if deadline <= self.at {
            lifecycle::time_out(self);
        }
    }

    fn decision(self) -> Decision {
        let Self { at, events, effects, next } = self;
        Decision { events, effects, at, next }
    }
}
