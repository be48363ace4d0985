//! Functions that are closures, and a tiny SDK for the durable ones: it replays, checkpoints and suspends.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use async_trait::async_trait;
use everstep_core::command::{Action, ChainedInvokeOptions, OperationUpdate};
use everstep_core::event::PlainInvocation;
use everstep_core::id::{ClientToken, FunctionName, Place, TenantId, Version};
use everstep_core::operation::Detail;
use everstep_core::operation::chained_invoke::{Child, Target};
use everstep_core::{Effect, ErrorObject, Intake, Operation, OperationStatus, OperationType, Payload, Texts};
use everstep_engine::{
    Acquired, AsyncEnding, DurableRun, Engine, Error, EventInvokeConfig, Functions, HandlerAnswer, PlainRun, Resolved,
    Slot, Unavailable, new_execution_id,
};
use tokio::sync::watch;

type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Durable = Arc<dyn Fn(Arc<Context>) -> Task<Result<String, Halt>> + Send + Sync>;
type Destination = Box<dyn Fn(&PlainInvocation, &AsyncEnding) -> Option<Effect> + Send>;
type Plain = Arc<dyn Fn(PlainRun) -> Task<Result<String, ErrorObject>> + Send + Sync>;

/// Why a durable handler does not return a result.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It waits for something.
    Pending,
    /// It answers this.
    Answer(HandlerAnswer),
}

impl Halt {
    /// The handler throws, or its process dies.
    pub(crate) fn broken(error_type: &str) -> Self {
        Self::Answer(HandlerAnswer::Broken(ErrorObject::new(error_type, "it broke")))
    }
}

/// A function of these tests.
#[derive(Clone)]
enum Function {
    /// No process of it can be made ready.
    Unstartable,
    Durable {
        handler: Durable,
        execution_timeout_seconds: u64,
    },
    Plain(Plain),
}

/// The functions there are, shared by every node, and who was invoked.
#[derive(Default)]
pub(crate) struct Scripts {
    functions: Mutex<HashMap<String, Function>>,
    /// Names of functions, in the order in which they were invoked.
    pub(crate) invoked: watch::Sender<Vec<String>>,
    /// Names of functions that wait for a process while there is none.
    pub(crate) waiting: watch::Sender<Vec<String>>,
    /// Whether every process is taken.
    pub(crate) busy: watch::Sender<bool>,
    /// What governs asynchronous invocations.
    pub(crate) event_invoke_config: Mutex<EventInvokeConfig>,
    /// What the end of an asynchronous invocation owes.
    pub(crate) destination: Mutex<Option<Destination>>,
    /// Whether functions have no concurrency.
    pub(crate) throttled: watch::Sender<bool>,
    /// How often a function was throttled.
    pub(crate) throttles: watch::Sender<usize>,
}

impl Scripts {
    /// Adds a durable function whose executions may take as long as `execution_timeout_seconds`.
    pub(crate) fn durable<R>(
        &self,
        name: &str,
        execution_timeout_seconds: u64,
        handler: impl Fn(Arc<Context>) -> R + Send + Sync + 'static,
    ) where
        R: Future<Output = Result<String, Halt>> + Send + 'static,
    {
        let handler: Durable = Arc::new(move |context| Box::pin(handler(context)));
        self.functions.lock().unwrap().insert(name.into(), Function::Durable { handler, execution_timeout_seconds });
    }

    /// Adds a function that is not durable.
    pub(crate) fn plain<R>(&self, name: &str, handler: impl Fn(PlainRun) -> R + Send + Sync + 'static)
    where
        R: Future<Output = Result<String, ErrorObject>> + Send + 'static,
    {
        let handler: Plain = Arc::new(move |run| Box::pin(handler(run)));
        self.functions.lock().unwrap().insert(name.into(), Function::Plain(handler));
    }

    /// Adds a function of which no process can be made ready.
    pub(crate) fn unstartable(&self, name: &str) {
        self.functions.lock().unwrap().insert(name.into(), Function::Unstartable);
    }

    /// Removes a function.
    pub(crate) fn remove(&self, name: &str) {
        self.functions.lock().unwrap().remove(name);
    }

    /// Returns how often a function was invoked.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.invoked.borrow().iter().filter(|invoked| *invoked == name).count()
    }

    fn get(&self, name: &str) -> Option<Function> {
        self.functions.lock().unwrap().get(name).cloned()
    }
}

/// The functions as one node has them.
#[derive(Clone)]
pub(crate) struct NodeFunctions {
    pub(crate) scripts: Arc<Scripts>,
    pub(crate) engine: Arc<OnceLock<Weak<Engine>>>,
}

impl NodeFunctions {
    fn engine(&self) -> Arc<Engine> {
        self.engine.get().and_then(Weak::upgrade).expect("an engine runs the functions")
    }
}

#[async_trait]
impl Functions for NodeFunctions {
    async fn resolve(&self, reference: &str) -> Resolved {
        let (name, qualifier) = reference.split_once(':').map_or((reference, None), |(name, rest)| (name, Some(rest)));
        let (function, version) = (name.parse().unwrap(), qualifier.unwrap_or("$LATEST").parse().unwrap());
        match self.scripts.get(name) {
            None => Resolved::Refused(ErrorObject::new("ResourceNotFoundException", "Function not found")),
            Some(Function::Durable { .. }) if qualifier.is_none() => {
                Resolved::Refused(ErrorObject::new("InvalidParameterValueException", "unqualified"))
            }
            Some(Function::Durable { execution_timeout_seconds, .. }) => {
                Resolved::Durable { place: place(), function, version, execution_timeout_seconds, retention_days: 1 }
            }
            Some(Function::Plain(_) | Function::Unstartable) => Resolved::Plain { function, version },
        }
    }

    async fn acquire(&self, function: &FunctionName, _: Version, _: Option<&TenantId>) -> Acquired {
        let mut busy = self.scripts.busy.subscribe();
        if *busy.borrow() {
            self.scripts.waiting.send_modify(|waiting| waiting.push(function.to_string()));
            busy.wait_for(|busy| !busy).await.expect("the scripts keep their sender");
        }
        if *self.scripts.throttled.borrow() {
            self.scripts.throttles.send_modify(|throttles| *throttles += 1);
            return Acquired::Throttled;
        }
        match self.scripts.get(function.as_str()) {
            None => Acquired::Missing,
            Some(Function::Unstartable) => {
                self.scripts.waiting.send_modify(|waiting| waiting.push(function.to_string()));
                Acquired::Broken(ErrorObject::new("Service.RuntimeUnavailable", "no interpreter"))
            }
            Some(found) => {
                let process = Process { name: function.to_string(), function: found, functions: self.clone() };
                Acquired::Ready(Box::new(process))
            }
        }
    }

    async fn event_invoke_config(&self, _: &PlainInvocation) -> Result<EventInvokeConfig, Unavailable> {
        Ok(*self.scripts.event_invoke_config.lock().unwrap())
    }

    async fn destination(
        &self,
        invocation: &PlainInvocation,
        ending: &AsyncEnding,
    ) -> Result<Option<Effect>, Unavailable> {
        let destination = self.scripts.destination.lock().unwrap();
        Ok(destination.as_ref().and_then(|destination| destination(invocation, ending)))
    }
}

struct Process {
    name: String,
    function: Function,
    functions: NodeFunctions,
}

impl Process {
    fn note(&self) {
        self.functions.scripts.invoked.send_modify(|invoked| invoked.push(self.name.clone()));
    }
}

#[async_trait]
impl Slot for Process {
    async fn run_durable(self: Box<Self>, run: DurableRun) -> HandlerAnswer {
        self.note();
        let Function::Durable { handler, .. } = &self.function else { panic!("{} is not durable", self.name) };
        match handler(Context::new(self.functions.clone(), run)).await {
            Ok(result) => HandlerAnswer::Succeeded(Some(result)),
            Err(Halt::Pending) => HandlerAnswer::Pending,
            Err(Halt::Answer(answer)) => answer,
        }
    }

    async fn run_plain(self: Box<Self>, run: PlainRun) -> Result<String, ErrorObject> {
        self.note();
        let Function::Plain(handler) = &self.function else { panic!("{} is durable", self.name) };
        handler(run).await
    }
}

pub(crate) fn place() -> Place {
    Place { region: "us-east-1".into(), account: "123456789012".into() }
}

/// What a durable handler works with.
pub(crate) struct Context {
    functions: NodeFunctions,
    pub(crate) engine: Arc<Engine>,
    pub(crate) run: DurableRun,
    known: Mutex<Known>,
}

struct Known {
    token: Option<String>,
    operations: HashMap<String, Arc<Operation>>,
    texts: Texts,
}

/// A checkpoint that was not taken: the SDKs let the invocation fail then.
impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Answer(HandlerAnswer::Broken(ErrorObject::new("CheckpointError", error.to_string())))
    }
}

impl Context {
    fn new(functions: NodeFunctions, run: DurableRun) -> Arc<Self> {
        let operations = run.operations.iter().map(|known| (known.opening.id.to_string(), Arc::clone(known))).collect();
        let known = Known { token: Some(run.checkpoint_token.clone()), operations, texts: run.texts.clone() };
        Arc::new(Self { engine: functions.engine(), functions, run, known: Mutex::new(known) })
    }

    /// Returns what the execution was started with.
    pub(crate) fn input(&self) -> String {
        self.run.start.input.as_ref().map(|input| self.run.texts.get(input).to_string()).unwrap_or_default()
    }

    /// Returns the token of the next checkpoint.
    pub(crate) fn token(&self) -> String {
        self.known.lock().unwrap().token.clone().expect("the last answer had a token")
    }

    /// Runs a step once: its result is kept.
    pub(crate) async fn step(&self, id: &str, result: impl FnOnce() -> String) -> Result<String, Halt> {
        if self.status(id).is_none() {
            let result = result();
            self.checkpoint(|intake| {
                let succeed = OperationUpdate { payload: Some(intake.payload(result)), ..succeed(id) };
                vec![update(id, OperationType::Step, Action::Start), succeed]
            })
            .await?;
        }
        self.outcome(id)
    }

    /// Lets time pass.
    pub(crate) async fn wait(&self, id: &str, seconds: u64) -> Result<(), Halt> {
        if self.status(id).is_none() {
            let wait =
                OperationUpdate { wait_seconds: Some(seconds), ..update(id, OperationType::Wait, Action::Start) };
            self.checkpoint(|_| vec![wait]).await?;
        }
        self.outcome(id).map(|_| ())
    }

    /// Creates a callback; returns its id.
    pub(crate) async fn create_callback(&self, id: &str, timeout: u64, heartbeat: u64) -> Result<String, Halt> {
        if self.status(id).is_none() {
            let create = OperationUpdate {
                callback_timeout_seconds: Some(timeout),
                heartbeat_timeout_seconds: Some(heartbeat),
                ..update(id, OperationType::Callback, Action::Start)
            };
            self.checkpoint(|_| vec![create]).await?;
        }
        match &self.known.lock().unwrap().operations[id].detail {
            Detail::Callback(callback) => Ok(callback.callback_id.to_string()),
            detail => panic!("{id} is {detail:?}"),
        }
    }

    /// Invokes another function.
    pub(crate) async fn invoke(&self, id: &str, function: &str, payload: &str) -> Result<String, Halt> {
        if self.status(id).is_none() {
            let target = match self.functions.resolve(function).await {
                Resolved::Durable { place, function, version, execution_timeout_seconds, retention_days } => {
                    Target::Durable(Child {
                        place,
                        function,
                        version,
                        name: new_execution_id().to_string().parse().unwrap(),
                        id: new_execution_id(),
                        execution_timeout_seconds,
                        retention_days,
                    })
                }
                Resolved::Plain { function, version } => Target::Plain { function, version },
                Resolved::Refused(error) => Target::Refused(error),
            };
            let options =
                ChainedInvokeOptions { function_name: function.into(), tenant_id: None, trace_id: None, target };
            self.checkpoint(|intake| {
                let payload = (!payload.is_empty()).then(|| intake.payload(payload));
                vec![OperationUpdate {
                    payload,
                    chained_invoke: Some(options),
                    ..update(id, OperationType::ChainedInvoke, Action::Start)
                }]
            })
            .await?;
        }
        self.outcome(id)
    }

    /// Returns the result of an operation that is over; an error comes as the handler's own result.
    pub(crate) fn outcome(&self, id: &str) -> Result<String, Halt> {
        let known = self.known.lock().unwrap();
        let operation = &known.operations[id];
        let text = |payload: &Option<Payload>| {
            payload.as_ref().map(|payload| known.texts.get(payload).to_string()).unwrap_or_default()
        };
        let (result, error) = match &operation.detail {
            Detail::Step(step) => (&step.result, &step.error),
            Detail::Wait(_) => (&None, &None),
            Detail::Callback(callback) => (&callback.result, &callback.error),
            Detail::ChainedInvoke(invoke) => (&invoke.result, &invoke.error),
            Detail::Context(context) => (&context.result, &context.error),
        };
        match operation.status {
            OperationStatus::Succeeded => Ok(text(result)),
            OperationStatus::Started | OperationStatus::Pending | OperationStatus::Ready => Err(Halt::Pending),
            status => {
                let error = error.as_ref().map(|error| known.texts.get(&error.0)).unwrap_or_default();
                Err(Halt::Answer(HandlerAnswer::Succeeded(Some(format!("{status:?}: {error}")))))
            }
        }
    }

    /// Asks for news.
    pub(crate) async fn poll(&self) -> Result<(), Halt> {
        self.checkpoint(|_| Vec::new()).await
    }

    pub(crate) fn status(&self, id: &str) -> Option<OperationStatus> {
        self.known.lock().unwrap().operations.get(id).map(|operation| operation.status)
    }

    /// Sends a checkpoint as the SDKs do: with a client token, and once more if the first answer was lost.
    pub(crate) async fn checkpoint(
        &self,
        updates: impl FnOnce(&mut Intake) -> Vec<OperationUpdate>,
    ) -> Result<(), Halt> {
        let mut intake = Intake::default();
        let updates = updates(&mut intake);
        let client_token: ClientToken = new_execution_id().to_string().parse().unwrap();
        let token = self.engine.keys().open_checkpoint(&self.token()).expect("the token is genuine");
        let send =
            || self.engine.checkpoint(token, Some(client_token.clone()), updates.clone(), intake.texts().to_vec());
        let mut answer = send().await;
        if let Err(Error::Store(_)) = answer {
            answer = send().await;
        }
        let answer = answer?;
        let mut known = self.known.lock().unwrap();
        known.token = answer.token;
        for (digest, text) in intake.into_texts() {
            known.texts.insert(digest, text);
        }
        for operation in answer.operations {
            for payload in everstep_core::view::payloads(&operation) {
                if let Payload::Stored { digest, .. } = payload {
                    known.texts.insert(*digest, answer.texts.get(payload).into());
                }
            }
            known.operations.insert(operation.opening.id.to_string(), operation);
        }
        Ok(())
    }
}

/// Makes an update without anything but what it is about.
pub(crate) fn update(id: &str, operation_type: OperationType, action: Action) -> OperationUpdate {
    OperationUpdate {
        id: id.parse().unwrap(),
        operation_type,
        action,
        parent: None,
        name: None,
        sub_type: None,
        payload: None,
        error: None,
        replay_children: false,
        next_attempt_delay_seconds: None,
        wait_seconds: None,
        callback_timeout_seconds: None,
        heartbeat_timeout_seconds: None,
        chained_invoke: None,
    }
}

pub(crate) fn succeed(id: &str) -> OperationUpdate {
    update(id, OperationType::Step, Action::Succeed)
}
