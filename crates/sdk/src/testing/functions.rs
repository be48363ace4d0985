//! The functions of a test: the one under test, others beside it, and stubs.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use everstep_api::envelope::{self, Answer, Envelope};
use everstep_api::reference::FunctionReference;
use everstep_core::ErrorObject;
use everstep_core::id::{ExecutionId, FunctionName, Place, TenantId, Version};
use everstep_core::limits::{DURATION_SECONDS_MAX, FUNCTION_TIMEOUT_SECONDS_MAX, RETENTION_DAYS_DEFAULT};
use everstep_engine::{Acquired, DurableRun, Engine, Functions, HandlerAnswer, PlainRun, Resolved, Slot};

use super::diary::Diary;
use super::faults::Faults;
use super::prefixes::Playback;
use super::service::{Local, system_time};
use super::witness::Witness;
use crate::error::Error;
use crate::function::{Function, LambdaInvocation};
use crate::wire::{Action, OperationType, Update};

/// A function that is there to be invoked by the one under test.
#[derive(Clone)]
pub(super) enum Other {
    /// A durable one.
    Durable(Function),
    /// A stub of a function that is not.
    Stub(Arc<Stub>),
}

pub(super) type Stub = dyn Fn(&str) -> Result<String, Error> + Send + Sync;

/// What is told in a test.
pub(super) struct Script {
    /// The function under test.
    pub(super) function: Function,
    pub(super) name: FunctionName,
    pub(super) others: HashMap<FunctionName, Other>,
    /// The execution under test.
    pub(super) execution: ExecutionId,
    pub(super) faults: Faults,
    pub(super) diary: Diary,
    pub(super) invocations: AtomicUsize,
    /// The bodies of steps that ran.
    pub(super) witness: Arc<Witness>,
    /// What came of the operations in a run that is told once more.
    pub(super) playback: Option<Playback>,
    /// The updates of each checkpoint so far, in words.
    pub(super) checkpoints: Mutex<Vec<Vec<String>>>,
}

impl Script {
    pub(super) fn is_about(&self, execution: ExecutionId) -> bool {
        execution == self.execution
    }

    pub(super) fn checkpoints_so_far(&self) -> Vec<Vec<String>> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes a checkpoint, and returns its number, from 1.
    pub(super) fn next_checkpoint(&self, updates: &[Update]) -> usize {
        let words: Vec<String> = updates.iter().map(in_words).collect();
        let mut checkpoints = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let number = checkpoints.len() + 1;
        let line = if words.is_empty() { "asks for news".to_owned() } else { words.join(", ") };
        self.diary.note(format!("checkpoint {number}: {line}"));
        checkpoints.push(words);
        number
    }
}

/// Says an update in short: what happens, and to what.
fn in_words(update: &Update) -> String {
    let action = match update.change.action {
        Action::Start => "START",
        Action::Succeed => "SUCCEED",
        Action::Fail => "FAIL",
        Action::Retry => "RETRY",
    };
    match (&update.name, update.operation_type) {
        (Some(name), _) => format!("{action} {name}"),
        (None, OperationType::Execution) => format!("{action} execution"),
        (None, _) => format!("{action} {}", update.sub_type.unwrap_or("operation")),
    }
}

/// Where functions run: what is told, and the engine that has it told.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) script: Arc<Script>,
    /// The engine owns this, so this does not own the engine.
    pub(super) engine: Arc<OnceLock<Weak<Engine>>>,
}

impl Stage {
    pub(super) fn engine(&self) -> Arc<Engine> {
        let engine = self.engine.get().and_then(Weak::upgrade);
        engine.expect("an engine lives as long as what it runs")
    }
}

/// Returns where every function of a test is.
pub(super) fn place() -> Place {
    Place { region: "us-east-1".into(), account: "000000000000".into() }
}

#[async_trait]
impl Functions for Stage {
    async fn resolve(&self, reference: &str) -> Resolved {
        if self.script.playback.is_some() {
            // It is not invoked: what came of it is known.
            return Resolved::Plain { function: "other".parse().expect("a name"), version: Version::Latest };
        }
        let name = FunctionReference::parse(reference).map(|reference| reference.function);
        let found = name.and_then(|name| self.script.others.get_key_value(&name));
        match found {
            Some((name, Other::Durable(_))) => Resolved::Durable {
                place: place(),
                function: name.clone(),
                version: Version::Latest,
                execution_timeout_seconds: DURATION_SECONDS_MAX,
                retention_days: RETENTION_DAYS_DEFAULT,
            },
            Some((name, Other::Stub(_))) => Resolved::Plain { function: name.clone(), version: Version::Latest },
            None => {
                let message = format!(
                    "the test has no function `{reference}`; add `.stub_invoke(\"{reference}\", ..)` before `.start(..)`"
                );
                Resolved::Refused(ErrorObject::new("ResourceNotFoundException", message))
            }
        }
    }

    async fn acquire(&self, function: &FunctionName, _version: Version, _tenant: Option<&TenantId>) -> Acquired {
        if *function == self.script.name {
            let runs = Other::Durable(self.script.function.clone());
            return Acquired::Ready(Box::new(Process { stage: self.clone(), runs }));
        }
        match self.script.others.get(function) {
            None if self.script.playback.is_some() => Acquired::Throttled,
            Some(other) => Acquired::Ready(Box::new(Process { stage: self.clone(), runs: other.clone() })),
            None => Acquired::Missing,
        }
    }
}

/// A process, so to say: it runs one invocation.
struct Process {
    stage: Stage,
    runs: Other,
}

#[async_trait]
impl Slot for Process {
    async fn run_durable(self: Box<Self>, run: DurableRun) -> HandlerAnswer {
        let Self { stage, runs } = *self;
        let Other::Durable(function) = runs else {
            unreachable!("what is not durable was not resolved as such");
        };
        let execution = run.start.id;
        let diary = stage.script.is_about(execution).then(|| stage.script.diary.clone());
        let note = |line: String| diary.iter().for_each(|diary| diary.note(line.clone()));
        if diary.is_some() {
            let number = stage.script.invocations.fetch_add(1, Ordering::Relaxed) + 1;
            note(format!("invocation {number}, with {} operations on record", run.operations.len()));
        }
        let now = system_time(stage.engine().clock().now());
        let lambda = LambdaInvocation {
            request_id: run.request_id.to_string(),
            deadline: now + Duration::from_secs(FUNCTION_TIMEOUT_SECONDS_MAX.into()),
            trace_id: run.start.trace_id.as_deref().map(str::to_owned),
            tenant_id: run.start.tenant_id.as_ref().map(ToString::to_string),
            witness: Arc::clone(&stage.script.witness),
        };
        let event = envelope::encode(&Envelope {
            start: run.start,
            started_at: run.started_at,
            checkpoint_token: run.checkpoint_token,
            operations: run.operations,
            updated_operation_ids: run.updated_operation_ids,
            texts: run.texts,
        });
        let service = Local::new(stage, execution);
        let answer = tokio::select! {
            biased;
            () = service.dies.notified() => {
                HandlerAnswer::Broken(ErrorObject::new("Runtime.ExitError", "Runtime exited with error: exit status 1"))
            }
            answer = function.invoke(&service, lambda, &event) => match answer {
                Ok(answer) => {
                    let answer = serde_json::to_vec(&answer).expect("shapes serialise");
                    match envelope::decode_answer(&answer) {
                        Answer::Succeeded(result) => HandlerAnswer::Succeeded(result),
                        Answer::Failed(error) => HandlerAnswer::Failed(error),
                        Answer::Pending => HandlerAnswer::Pending,
                        Answer::Invalid(message) => HandlerAnswer::Invalid(message.into()),
                    }
                }
                Err(thrown) => HandlerAnswer::Broken(ErrorObject::new(thrown.error_type, thrown.message)),
            },
        };
        note(match &answer {
            HandlerAnswer::Succeeded(_) => "it succeeds".into(),
            HandlerAnswer::Failed(error) => format!("it fails: {}", error.as_ref().map(in_short).unwrap_or_default()),
            HandlerAnswer::Pending => "it is suspended".into(),
            HandlerAnswer::Invalid(message) => format!("it answers what makes no sense: {message}"),
            HandlerAnswer::Broken(error) => format!("it breaks: {}", in_short(error)),
        });
        answer
    }

    async fn run_plain(self: Box<Self>, run: PlainRun) -> Result<String, ErrorObject> {
        let Other::Stub(stub) = self.runs else {
            unreachable!("what is durable was resolved as such");
        };
        let result = catch_unwind(AssertUnwindSafe(|| stub(&run.payload)));
        let error = match result {
            Ok(Ok(body)) => return Ok(body),
            Ok(Err(error)) => error,
            Err(panic) => Error::of_panic(panic.as_ref()),
        };
        Err(core_error(error.to_object()))
    }
}

/// Returns an error as the engine has it.
pub(super) fn core_error(error: crate::wire::ErrorObject) -> ErrorObject {
    let crate::wire::ErrorObject { error_type, error_message, error_data, stack_trace } = error;
    ErrorObject { error_type, error_message, error_data, stack_trace }
}

fn in_short(error: &ErrorObject) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}: {}", text(&error.error_type), text(&error.error_message))
}
