//! How events change an execution. Nothing here asks whether something should have happened: that was decided.

use std::sync::Arc;

use super::{Closed, Execution, InFlight, Invocation, LastCheckpoint, Pause};
use crate::event::{Ending, Event, NextToken, Outcome};
use crate::id::{ClientToken, OperationId};
use crate::operation::{Operation, callback, chained_invoke, step, wait};
use crate::time::Timestamp;

impl Execution {
    pub(super) fn opened(event: &Event, at: Timestamp) -> Self {
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
            runtime_failures: 0,
            handler_failures: 0,
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
    pub(super) fn apply(&mut self, event: &Event, at: Timestamp) {
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
                        self.runtime_failures = 0;
                        self.handler_failures = 0;
                        self.failing_since = None;
                        self.changed_outside.retain(|position| self.unseen.contains(position));
                    }
                    Ending::Failed => {
                        if completed.again_at == Some(at) {
                            self.runtime_failures += 1;
                        } else {
                            self.handler_failures += 1;
                        }
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
