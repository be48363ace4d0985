//! Tells a run once more from every point that it came by: a handler that is deterministic ends in the same way.
//!
//! A replay begins with what was on record at that point. After that the bodies of steps run again, but what the handler
//! sees of every operation is what came of it in the first run, in the same order. So whatever differs in the end does so
//! because of code outside of operations.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use everstep_core::command::{CallbackCompletion, ChainedCompletion};
use everstep_core::event::Event;
use everstep_core::id::OperationId;
use everstep_core::operation::{Detail, callback, chained_invoke, step, wait};
use everstep_core::{Command, Execution, Intake, OperationStatus as CoreStatus, Record as CoreRecord, view};
use everstep_engine::NewTexts;
use everstep_store::Executions as _;

use super::diary::Diary;
use super::faults::Faults;
use super::functions::{Script, core_error};
use super::run::{Run, outcome_of};
use super::running::awaited;
use super::world::{Rest, World};
use crate::error::error_type;
use crate::replay::step::Semantics;
use crate::wire::{Action, Change, ErrorObject, OperationStatus, OperationType, Record, Update};

impl Run {
    /// Runs the handler again from every point that this run came by, and checks that it does the same: that it calls the
    /// same operations and ends in the same way, if it sees the same results of them. Finds clocks, chance, hash maps and
    /// `select!` in handlers. The bodies of steps run again, as they do after a crash.
    ///
    /// If the run was stopped or timed out while the handler was going on, the handler is free to do what it likes once it
    /// has come as far again.
    ///
    /// # Panics
    /// If it does not, with the point, what differs, and what happened; or if the body of an at-most-once step ran for an
    /// attempt that had begun.
    pub async fn replay_every_prefix(&self) {
        let all = self.world.store.load(self.world.script.execution, u64::MAX).await.expect("memory does not fail");
        let all = all.expect("it is remembered for weeks");
        let texts = self.texts(&all).await;
        for prefix in prefixes(&all) {
            if let Err((problem, diary)) = self.replay(&prefix, &all, &texts).await {
                let point = prefix.last().and_then(|record| record.events.iter().rev().find(|event| is_told(event)));
                let point = point.map_or_else(|| "its start".to_owned(), |event| self.in_words(event));
                panic!("replayed from {point} on, the handler does not do what it did: {problem}\n{diary}");
            }
        }
    }

    /// Replays from a point; returns what differs.
    async fn replay(&self, prefix: &[CoreRecord], all: &[CoreRecord], texts: &NewTexts) -> Result<(), (String, Diary)> {
        let first = &self.world.script;
        let known = self.operations.iter().map(|recorded| (recorded.id().to_owned(), recorded.0.clone())).collect();
        let script = Script {
            function: first.function.clone(),
            name: first.name.clone(),
            others: HashMap::new(),
            execution: first.execution,
            faults: Faults::default(),
            diary: Diary::default(),
            invocations: AtomicUsize::new(0),
            witness: Arc::default(),
            playback: Some(Playback { known, was_cut_off: was_cut_off(all), problem: Mutex::default() }),
            checkpoints: Mutex::default(),
        };
        let world = World::resume(script, prefix, texts).await;
        let outcome = self.play(&world, all).await.and_then(|()| self.check_bodies(&world, prefix));
        outcome.map_err(|problem| (problem, world.script.diary.clone()))
    }

    async fn play(&self, world: &World, all: &[CoreRecord]) -> Result<(), String> {
        let came: Vec<&Event> =
            all.iter().flat_map(|record| &record.events).filter(|event| comes_by_itself(event)).collect();
        loop {
            let problem = |_: &Execution| world.script.playback.as_ref().and_then(Playback::problem);
            let rest = match world.rest_or(problem).await {
                Ok(problem) => return Err(problem),
                Err(rest) => rest,
            };
            let execution = world.execution().await.expect("it is remembered for weeks");
            if rest == Rest::Over {
                return self.compare(world, &execution).await;
            }
            // After an invocation that broke, the next one waits for a while.
            if let Some(at) = execution.invocation_due_at() {
                world.jump(at);
                continue;
            }
            let next = came.iter().find(|event| {
                event
                    .operation_id()
                    .and_then(|id| execution.operation(id))
                    .is_some_and(|operation| operation.is_pending())
            });
            match next {
                Some(event) => self.happen(world, &execution, event).await,
                // The run was ended from outside: what would have ended this is not known.
                None if matches!(self.status(), "TIMED_OUT" | "STOPPED") => return Ok(()),
                None => return Err(format!("it waits for {}, which ended in no run", awaited(&execution))),
            }
        }
    }

    /// Lets something happen to an operation as it did in the first run.
    async fn happen(&self, world: &World, execution: &Execution, event: &Event) {
        let operation = event.operation_id().expect("only what happens to an operation is looked for").clone();
        let due = execution.operation(&operation).and_then(|operation| operation.due_at());
        let recorded = &self.operation_by_id(operation.as_str()).0;
        let mut intake = Intake::default();
        let result = recorded.result().map(|text| intake.payload(text));
        let error = intake.error(&core_error(recorded.error().cloned().unwrap_or_default()));
        let command = match (recorded.operation_type, recorded.status) {
            (OperationType::Callback, OperationStatus::Succeeded) => {
                Command::CompleteCallback { operation, completion: CallbackCompletion::Succeed(result) }
            }
            (OperationType::Callback, OperationStatus::Failed) => {
                Command::CompleteCallback { operation, completion: CallbackCompletion::Fail(error) }
            }
            (OperationType::ChainedInvoke, status) => {
                let completion = match status {
                    OperationStatus::Succeeded => ChainedCompletion::Succeeded(result),
                    OperationStatus::TimedOut => ChainedCompletion::TimedOut(error),
                    OperationStatus::Stopped => ChainedCompletion::Stopped(error),
                    OperationStatus::Failed
                    | OperationStatus::Cancelled
                    | OperationStatus::Started
                    | OperationStatus::Pending
                    | OperationStatus::Ready => ChainedCompletion::Failed(error),
                };
                Command::CompleteChainedInvoke { operation, completion }
            }
            (
                OperationType::Callback
                | OperationType::Step
                | OperationType::Wait
                | OperationType::Context
                | OperationType::Execution,
                _,
            ) => return world.jump(due.expect("time ended it before")),
        };
        world.script.diary.note(format!("it happens again: {}", self.in_words(event)));
        world.submit(command, intake).await.expect("it is pending");
    }

    async fn compare(&self, world: &World, execution: &Execution) -> Result<(), String> {
        let outcome = outcome_of(world, execution).await;
        if outcome == self.outcome && execution.status() == self.execution.status() {
            return Ok(());
        }
        let was_cut_off = world.script.playback.as_ref().is_some_and(|playback| playback.was_cut_off);
        if was_cut_off && self.came_as_far(execution) && !is_contradiction(&outcome) {
            return Ok(());
        }
        let in_words = |outcome: &Result<String, ErrorObject>| match outcome {
            Ok(text) => format!("the result {text}"),
            Err(error) => {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                format!("the error {}: {}", text(&error.error_type), text(&error.error_message))
            }
        };
        Err(format!("it ended with {} and now ends with {}", in_words(&self.outcome), in_words(&outcome)))
    }

    /// Tells whether the handler called, outside of contexts, all that it had called when the run was ended.
    fn came_as_far(&self, execution: &Execution) -> bool {
        let mut called = self.operations.iter().filter(|operation| operation.parent_id().is_none());
        called.all(|operation| {
            let id: OperationId = operation.id().parse().expect("it was an id");
            execution.operation(&id).is_some()
        })
    }

    /// Checks that no attempt of an at-most-once step that had begun ran again.
    fn check_bodies(&self, world: &World, prefix: &[CoreRecord]) -> Result<(), String> {
        let before = Execution::replay(prefix).expect("it has a first record");
        let at_most_once = self.world.script.witness.bodies();
        for body in world.script.witness.bodies() {
            let was_careful = at_most_once.iter().any(|first| {
                let same = first.operation == body.operation && first.attempt == body.attempt;
                same && first.semantics == Semantics::AtMostOnce
            });
            let id: OperationId = body.operation.as_str().parse().expect("the SDK's ids are ids");
            let had_begun = before.operation(&id).is_some_and(|step| {
                let is_next = match &step.detail {
                    Detail::Step(detail) => detail.attempt + 1 == body.attempt,
                    Detail::Context(_) | Detail::Wait(_) | Detail::Callback(_) | Detail::ChainedInvoke(_) => false,
                };
                is_next && step.status == CoreStatus::Started
            });
            if was_careful && had_begun {
                let label = label(&self.operation_by_id(body.operation.as_str()).0);
                return Err(format!("attempt {} of at-most-once step {label} runs again", body.attempt));
            }
        }
        Ok(())
    }

    async fn texts(&self, records: &[CoreRecord]) -> NewTexts {
        let payloads: Vec<_> =
            records.iter().flat_map(|record| &record.events).filter_map(view::event_payload).collect();
        let mut texts = NewTexts::new();
        for payload in payloads {
            if let everstep_core::Payload::Stored { digest, .. } = payload {
                let text = self.world.store.payload(self.world.script.execution, *digest).await;
                texts.push((
                    *digest,
                    text.expect("memory does not fail").expect("a payload that is referred to is there"),
                ));
            }
        }
        texts
    }

    fn operation_by_id(&self, id: &str) -> &super::Recorded {
        let found = self.operations.iter().find(|operation| operation.id() == id);
        found.expect("what the run is told about is in it")
    }

    fn in_words(&self, event: &Event) -> String {
        let Some(id) = event.operation_id() else { return "its start".into() };
        // `Step { id: .., event: Started }` says the rest.
        let debug = format!("{event:?}");
        let what = debug.split("event: ").nth(1).unwrap_or_default();
        let what = what.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_ascii_lowercase();
        format!("the point where {} {what}", label(&self.operation_by_id(id.as_str()).0))
    }
}

/// What came of every operation in the first run.
pub(super) struct Playback {
    known: HashMap<String, Record>,
    /// The first run was ended from outside while the handler was going on.
    was_cut_off: bool,
    problem: Mutex<Option<String>>,
}

impl Playback {
    /// Returns updates that tell what came of the operations before; nothing if they are of other operations.
    pub(super) fn told_again(&self, updates: &[Update]) -> Option<Vec<Update>> {
        let told: Result<Vec<Update>, String> = updates.iter().map(|update| self.told(update)).collect();
        told.map_err(|problem| {
            self.problem.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
        })
        .ok()
    }

    fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn told(&self, update: &Update) -> Result<Update, String> {
        if update.operation_type == OperationType::Execution {
            return Ok(update.clone());
        }
        let called = |kind: OperationType, sub_type: Option<&str>, name: Option<&str>| {
            format!(
                "{kind:?}/{} {}",
                sub_type.unwrap_or("-"),
                name.map_or("without a name".into(), |name| format!("`{name}`"))
            )
        };
        let now = called(update.operation_type, update.sub_type, update.name.as_deref());
        let Some(known) = self.known.get(update.id.as_str()) else {
            // What a context had not come to when it ended, it may come to now; and so may a handler that was cut off.
            let around = update.parent_id.as_ref().and_then(|parent| self.known.get(parent.as_str()));
            let is_late = around.is_some_and(|around| around.status.is_terminal())
                || update.parent_id.is_some() && around.is_none();
            return if is_late || self.was_cut_off {
                Ok(update.clone())
            } else {
                Err(format!("it calls {now}, which it did not call before"))
            };
        };
        let before = called(known.operation_type, known.sub_type.as_deref(), known.name.as_deref());
        if now != before || update.parent_id != known.parent_id {
            return Err(format!("it calls {now} where it called {before} before"));
        }
        let is_outcome = update.operation_type == OperationType::Step && update.change.action != Action::Start;
        let change = match known.status {
            OperationStatus::Succeeded if is_outcome => Change::succeed(known.result().map(str::to_owned)),
            OperationStatus::Failed if is_outcome => Change::fail(known.error().cloned().unwrap_or_default()),
            OperationStatus::Succeeded
            | OperationStatus::Failed
            | OperationStatus::Cancelled
            | OperationStatus::TimedOut
            | OperationStatus::Stopped
            | OperationStatus::Started
            | OperationStatus::Pending
            | OperationStatus::Ready => update.change.clone(),
        };
        Ok(Update { change, ..update.clone() })
    }
}

/// Returns the records up to every point at which the process could have died.
fn prefixes(all: &[CoreRecord]) -> Vec<Vec<CoreRecord>> {
    let mut prefixes = vec![all[..1].to_vec()];
    for (number, record) in all.iter().enumerate() {
        for (position, event) in record.events.iter().enumerate() {
            if !is_told(event) {
                continue;
            }
            let mut events = record.events[..=position].to_vec();
            events.extend(record.events[position + 1..].iter().filter(|event| is_acceptance(event)).cloned());
            let event_ids = events.iter().filter(|event| event.in_history()).count() as u64;
            let mut prefix = all[..number].to_vec();
            prefix.push(CoreRecord { events, event_ids, ..record.clone() });
            prefixes.push(prefix);
        }
    }
    prefixes
}

/// Tells whether the execution was ended from outside while the handler was going on, or about to.
fn was_cut_off(all: &[CoreRecord]) -> bool {
    let is_end = |event: &Event| matches!(event, Event::ExecutionStopped { .. } | Event::ExecutionTimedOut { .. });
    all.iter().position(|record| record.events.iter().any(is_end)).is_some_and(|end| {
        let before = Execution::replay(&all[..end]).expect("it has a first record");
        before.in_flight().is_some() || before.invocation_due_at().is_some()
    })
}

/// Tells whether the handler called something else than is on record.
fn is_contradiction(outcome: &Result<String, ErrorObject>) -> bool {
    let error = outcome.as_ref().err().and_then(|error| error.error_type.as_deref());
    error == Some(error_type::NON_DETERMINISTIC)
}

fn is_acceptance(event: &Event) -> bool {
    matches!(event, Event::CheckpointAccepted { .. })
}

/// Tells whether it happens to an operation.
fn is_told(event: &Event) -> bool {
    event.operation_id().is_some()
}

/// Tells whether it happens without the handler's doing.
fn comes_by_itself(event: &Event) -> bool {
    match event {
        Event::Step { event, .. } => matches!(event, step::Event::Ready),
        Event::Wait { event, .. } => matches!(event, wait::Event::Succeeded),
        Event::Callback { event, .. } => match event {
            callback::Event::Succeeded { .. } | callback::Event::Failed { .. } | callback::Event::TimedOut { .. } => {
                true
            }
            callback::Event::Started { .. } | callback::Event::Heartbeat => false,
        },
        Event::ChainedInvoke { event, .. } => !matches!(event, chained_invoke::Event::Started(_)),
        Event::Context { .. }
        | Event::ExecutionStarted(_)
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
        | Event::DeletionRequested => false,
    }
}

fn label(record: &Record) -> String {
    format!("`{}`", record.name.as_deref().unwrap_or(record.id.as_str()))
}
