//! An execution that runs, and what a test does to it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use everstep_core::command::CallbackCompletion;
use everstep_core::id::OperationId;
use everstep_core::operation::{Detail, Operation};
use everstep_core::{Command, Execution, Intake};
use serde::Serialize;

use super::functions::core_error;
use super::run::{Run, history_of};
use super::service::system_time;
use super::world::{Rest, World};
use crate::error::Error;

/// An execution that runs. It gets on while the test waits for something of it.
#[must_use = "nothing is looked at before `finish`"]
pub struct Running {
    world: Arc<World>,
    timeout_was_set: bool,
}

impl Running {
    pub(super) fn new(world: World, timeout_was_set: bool) -> Self {
        Self { world: Arc::new(world), timeout_was_set }
    }

    /// Runs until a callback of that name waits for its answer. Time passes if nothing else can happen. The callback of a
    /// [`wait_for_callback`](crate::Context::wait_for_callback) goes by the name of that, too.
    ///
    /// # Panics
    /// If there will be no such callback, because the execution is over or waits for something else.
    pub async fn callback(&self, name: &str) -> PendingCallback {
        let is_wanted = |execution: &Execution, operation: &Operation| goes_by(execution, operation, name);
        PendingCallback { name: name.to_owned(), ..self.pending(is_wanted, &format!("callback `{name}`")).await }
    }

    /// Runs until any callback waits for its answer, and returns the first that was made of those that do.
    ///
    /// # Panics
    /// If there will be none, because the execution is over or waits for something else.
    pub async fn next_callback(&self) -> PendingCallback {
        self.pending(|_, _| true, "callback").await
    }

    async fn pending(&self, is_wanted: impl Fn(&Execution, &Operation) -> bool, wanted: &str) -> PendingCallback {
        loop {
            match self.world.rest_or(|execution| pending_callback(execution, &is_wanted)).await {
                Ok((operation, name, id)) => {
                    return PendingCallback { world: Arc::clone(&self.world), name, operation, id };
                }
                Err(rest) => self.go_on(rest, wanted).await,
            }
        }
    }

    /// Lets time pass, and everything happen that happens meanwhile.
    pub async fn advance(&self, by: Duration) {
        let clock = self.world.engine.clock();
        let until = clock.now().plus_millis(u64::try_from(by.as_millis()).unwrap_or(u64::MAX));
        loop {
            match self.world.rest().await {
                Rest::Until(at) if at <= until => self.world.jump(at),
                Rest::Until(_) | Rest::ForGood | Rest::Over => break,
            }
        }
        self.world.jump(until);
        self.world.rest().await;
    }

    /// Returns what time it is for the execution.
    pub fn now(&self) -> SystemTime {
        system_time(self.world.engine.clock().now())
    }

    /// Runs until nothing goes on without time or somebody's doing, and returns what `GetDurableExecutionHistory` says by
    /// then, with data and on one page.
    pub async fn history(&self) -> serde_json::Value {
        self.world.rest().await;
        history_of(&self.world).await
    }

    /// Returns what was sent in each checkpoint so far, as [`Run::checkpoints`] does.
    pub fn checkpoints(&self) -> Vec<Vec<String>> {
        self.world.script.checkpoints_so_far()
    }

    /// Stops the execution, as an operator would.
    ///
    /// # Panics
    /// If there is none.
    pub async fn stop(&self, error: impl Into<Error>) {
        self.world.rest_or(|_| Some(())).await.expect("the execution begins");
        let mut intake = Intake::default();
        let command = Command::Stop { error: intake.error(&core_error(error.into().to_object())) };
        self.world.submit(command, intake).await.expect("an execution can be stopped");
    }

    /// Runs to the end. Time passes if nothing else can happen.
    ///
    /// # Panics
    /// If the execution waits for something that only the test can do; or if a fault did not happen that the test has
    /// asked for.
    pub async fn finish(self) -> Run {
        loop {
            match self.world.rest().await {
                Rest::Over => break,
                rest => self.go_on(rest, "the end").await,
            }
        }
        self.world.script.faults.assert_spent();
        Run::of(self.world).await
    }

    /// Lets time pass until something happens; fails the test if it would be in vain.
    async fn go_on(&self, rest: Rest, wanted: &str) {
        let execution = self.world.execution().await.expect("it is remembered for weeks");
        match rest {
            Rest::Over => panic!("there was no {wanted}: the execution is over, and {}", execution.status()),
            Rest::Until(at) if self.timeout_was_set || execution.expected_timeout_at() != Some(at) => {
                self.world.jump(at);
            }
            Rest::Until(_) | Rest::ForGood => panic!(
                "there is no way to {wanted}: the execution waits for {}, which is the test's to do",
                awaited(&execution)
            ),
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Running({})", self.world.script.diary)
    }
}

/// Finds a callback that waits for its answer: its operation, its name and its id.
fn pending_callback(
    execution: &Execution,
    is_wanted: impl Fn(&Execution, &Operation) -> bool,
) -> Option<(OperationId, String, String)> {
    execution.operations().iter().filter(|operation| operation.is_pending()).find_map(|operation| {
        let Detail::Callback(callback) = &operation.detail else { return None };
        let opening = &operation.opening;
        let name = opening.name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default();
        is_wanted(execution, operation).then(|| (opening.id.clone(), name, callback.callback_id.to_string()))
    })
}

/// Tells whether a callback has this name, or belongs to a wait that has.
fn goes_by(execution: &Execution, operation: &Operation, name: &str) -> bool {
    let is_named = |operation: &Operation| operation.opening.name.as_ref().is_some_and(|known| known.as_str() == name);
    let around = operation.opening.parent.as_ref().and_then(|parent| execution.operation(parent));
    let is_part = around.is_some_and(|around| {
        let sub_type = around.opening.sub_type.as_ref().map(|sub_type| sub_type.as_str());
        sub_type == Some("WaitForCallback") && is_named(around)
    });
    is_named(operation) || is_part
}

/// Says what an execution waits for.
pub(super) fn awaited(execution: &Execution) -> String {
    let pending = execution.operations().iter().filter(|operation| operation.is_pending());
    let names: Vec<String> = pending
        .map(|operation| {
            let opening = &operation.opening;
            let name = opening.name.as_ref().map_or("without a name", |name| name.as_str());
            format!("{:?} `{name}`", opening.operation_type)
        })
        .collect();
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

/// A callback that waits for its answer.
pub struct PendingCallback {
    world: Arc<World>,
    name: String,
    operation: OperationId,
    id: String,
}

impl PendingCallback {
    /// Returns its name, or that by which it was asked for; nothing if it has none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the id that the handler has been given.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Answers with a value, as JSON.
    ///
    /// # Panics
    /// If it cannot be written as JSON, or the callback is over.
    pub async fn succeed(self, value: &(impl Serialize + ?Sized)) {
        let text = serde_json::to_string(value).expect("the answer can be written as JSON");
        self.succeed_raw(text).await;
    }

    /// Answers with a text as it is.
    ///
    /// # Panics
    /// If the callback is over.
    pub async fn succeed_raw(self, text: impl Into<String>) {
        let mut intake = Intake::default();
        let result = intake.payload(text.into());
        self.complete(CallbackCompletion::Succeed(Some(result)), intake, "succeeds").await;
    }

    /// Answers with nothing.
    ///
    /// # Panics
    /// If the callback is over.
    pub async fn succeed_empty(self) {
        self.complete(CallbackCompletion::Succeed(None), Intake::default(), "succeeds with nothing").await;
    }

    /// Answers with an error.
    ///
    /// # Panics
    /// If the callback is over.
    pub async fn fail(self, error: impl Into<Error>) {
        let mut intake = Intake::default();
        let error = intake.error(&core_error(error.into().to_object()));
        self.complete(CallbackCompletion::Fail(error), intake, "fails").await;
    }

    /// Says that whoever has the callback is still at it.
    ///
    /// # Panics
    /// If the callback is over.
    pub async fn heartbeat(&self) {
        self.complete(CallbackCompletion::Heartbeat, Intake::default(), "gets a heartbeat").await;
    }

    async fn complete(&self, completion: CallbackCompletion, intake: Intake, what: &str) {
        self.world.script.diary.note(format!("callback `{}` {what}", self.name));
        let command = Command::CompleteCallback { operation: self.operation.clone(), completion };
        if let Err(error) = self.world.submit(command, intake).await {
            panic!("callback `{}` cannot be answered: {error}", self.name);
        }
    }
}

impl std::fmt::Debug for PendingCallback {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PendingCallback({})", self.name)
    }
}
