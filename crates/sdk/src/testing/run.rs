//! What came of an execution.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use everstep_api::history::{Data, event};
use everstep_api::operation::operation;
use everstep_api::timestamp::TimeFormat;
use everstep_core::event::Outcome;
use everstep_core::history::entries;
use everstep_core::{Execution, ExecutionStatus, Texts, view};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::world::World;
use crate::error::{Error, Result};
use crate::wire::{ErrorObject, OperationStatus, OperationType, Record};

/// An execution that is over.
pub struct Run {
    pub(super) world: Arc<World>,
    pub(super) execution: Execution,
    pub(super) outcome: std::result::Result<String, ErrorObject>,
    pub(super) operations: Vec<Recorded>,
    history: Value,
}

impl Run {
    pub(super) async fn of(world: Arc<World>) -> Self {
        let execution = world.execution().await.expect("it is remembered for weeks");
        let id = world.script.execution;
        let history = history_of(&world).await;
        let outcome = outcome_of(&world, &execution).await;
        let payloads: Vec<_> = execution.operations().iter().flat_map(|operation| view::payloads(operation)).collect();
        let texts = world.engine.texts(id, &payloads, &Vec::new()).await.expect("memory does not fail");
        let operations = recorded(&execution, &texts);
        Self { world, execution, outcome, operations, history }
    }

    /// Returns what the handler returned.
    ///
    /// # Errors
    /// The error that the execution ended with, or that of reading the result as a `T`.
    pub fn result<T: DeserializeOwned>(&self) -> Result<T> {
        match &self.outcome {
            Ok(text) => Ok(serde_json::from_str(text)?),
            Err(error) => {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                Err(Error::new(text(&error.error_type), text(&error.error_message)))
            }
        }
    }

    /// Returns the error that the execution ended with.
    pub fn error(&self) -> Option<&ErrorObject> {
        self.outcome.as_ref().err()
    }

    /// Returns how the execution ended, in AWS's words: `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `STOPPED`.
    pub fn status(&self) -> &'static str {
        self.execution.status().as_str()
    }

    /// Returns what `GetDurableExecutionHistory` says of it, with data and on one page.
    pub fn history(&self) -> &Value {
        &self.history
    }

    /// Returns every operation, in the order in which the service came to know them.
    pub fn operations(&self) -> &[Recorded] {
        &self.operations
    }

    /// Returns the first operation of that name.
    ///
    /// # Panics
    /// If there is none.
    pub fn operation(&self, name: &str) -> &Recorded {
        let found = self.operations.iter().find(|operation| operation.name() == Some(name));
        found.unwrap_or_else(|| panic!("there was no operation `{name}`"))
    }

    /// Returns the names of the steps, in the order in which the service came to know them.
    pub fn steps(&self) -> Vec<&str> {
        let steps = self.operations.iter().filter(|operation| operation.operation_type() == OperationType::Step);
        steps.map(|step| step.name().unwrap_or_default()).collect()
    }

    /// Checks which steps there were, in the order in which the service came to know them.
    ///
    /// # Panics
    /// If there were others.
    #[track_caller]
    pub fn assert_steps<'a>(&self, expected: impl IntoIterator<Item = &'a str>) {
        let expected: Vec<&str> = expected.into_iter().collect();
        assert_eq!(self.steps(), expected, "other steps than expected");
    }

    /// Returns how often the function was invoked.
    pub fn invocations(&self) -> usize {
        self.world.script.invocations.load(Ordering::Relaxed)
    }

    /// Returns what was sent in each checkpoint, such as `["START charge", "SUCCEED charge"]`. One that is empty asked
    /// for news.
    pub fn checkpoints(&self) -> Vec<Vec<String>> {
        self.world.script.checkpoints_so_far()
    }

    /// Returns how much time passed from the start to the end, for the execution.
    pub fn elapsed(&self) -> Duration {
        let ended_at = self.execution.ended_at().expect("it is over");
        Duration::from_millis(ended_at.millis_since(self.execution.started_at()))
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Run({}, {:?})", self.status(), self.outcome)
    }
}

/// An operation as the service has it on record.
#[derive(Clone)]
pub struct Recorded(pub(super) Record);

impl Recorded {
    /// Returns its name.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Returns its id.
    pub fn id(&self) -> &str {
        self.0.id.as_str()
    }

    /// Returns the id of the context that it is in.
    pub fn parent_id(&self) -> Option<&str> {
        self.0.parent_id.as_ref().map(|parent| parent.as_str())
    }

    /// Returns its type.
    pub fn operation_type(&self) -> OperationType {
        self.0.operation_type
    }

    /// Returns its subtype, in the words of AWS's SDKs.
    pub fn sub_type(&self) -> Option<&str> {
        self.0.sub_type.as_deref()
    }

    /// Returns how it stands.
    pub fn status(&self) -> OperationStatus {
        self.0.status
    }

    /// Returns how many attempts were made.
    pub fn attempts(&self) -> u32 {
        self.0.attempts()
    }

    /// Returns the text that it ended with.
    pub fn result(&self) -> Option<&str> {
        self.0.result()
    }

    /// Returns the error that it failed with last.
    pub fn error(&self) -> Option<&ErrorObject> {
        self.0.error()
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {:?} {:?}", self.operation_type(), self.name(), self.status())
    }
}

fn recorded(execution: &Execution, texts: &Texts) -> Vec<Recorded> {
    let records = execution.operations().iter().map(|known| {
        let shape = serde_json::to_vec(&operation(known, texts, TimeFormat::Millis)).expect("shapes serialise");
        Recorded(serde_json::from_slice(&shape).expect("the SDK reads what the service writes"))
    });
    records.collect()
}

/// Returns what `GetDurableExecutionHistory` says by now, with data and on one page.
pub(super) async fn history_of(world: &World) -> Value {
    let page = world.engine.history(world.script.execution, 1, u64::MAX, usize::MAX, false, true).await;
    let page = page.expect("memory does not fail");
    let entries = page.records.iter().flat_map(|record| entries(record, &page.execution));
    let events = entries.map(|entry| event(&entry, &page.execution, Data::Included(&page.texts)));
    json!({"Events": events.collect::<Vec<Value>>()})
}

pub(super) async fn outcome_of(world: &World, execution: &Execution) -> std::result::Result<String, ErrorObject> {
    let outcome = execution.outcome().expect("it is over");
    let payload = match outcome {
        Outcome::Succeeded(result) => result.as_ref(),
        Outcome::Failed(error) => error.as_ref().map(|error| &error.0),
        Outcome::TimedOut(error) | Outcome::Stopped(error) => Some(&error.0),
    };
    let payloads: Vec<_> = payload.into_iter().collect();
    let texts = world.engine.texts(world.script.execution, &payloads, &Vec::new()).await;
    let texts = texts.expect("memory does not fail");
    let text = payload.map(|payload| texts.get(payload).to_owned());
    match execution.status() {
        ExecutionStatus::Succeeded => Ok(text.unwrap_or_else(|| "null".into())),
        ExecutionStatus::Failed
        | ExecutionStatus::TimedOut
        | ExecutionStatus::Stopped
        | ExecutionStatus::Running
        | ExecutionStatus::Deleting
        | ExecutionStatus::Pausing
        | ExecutionStatus::Paused => {
            let error = text.map(|text| serde_json::from_str(&text).expect("an error document is JSON"));
            Err(error.unwrap_or_default())
        }
    }
}
