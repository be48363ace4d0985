//! A world around one execution: it commits, keeps the clock and the token, and checks every commit.

use std::sync::Arc;

use everstep_core::command::{
    CallbackCompletion, ChainedCompletion, ChainedInvokeOptions, Checkpoint, InvocationResult, OperationUpdate,
};
use everstep_core::event::{InvocationCompleted, Start, StartMode};
use everstep_core::id::{ExecutionId, Place, RequestId, Version};
use everstep_core::operation::chained_invoke::{Child, Target};
use everstep_core::operation::{Detail, callback, chained_invoke, context, step, wait};
use everstep_core::token::{CheckpointToken, TokenKeys};
use everstep_core::{
    Command, Decision, Digest, Effect, ErrorDocument, ErrorObject, Event, Execution, ExecutionStatus, Operation,
    Payload, Record, Rejection, Timestamp, history,
};

/// When every story begins.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// One execution and the world that drives it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) state: Execution,
    pub(crate) records: Vec<Record>,
    /// What the last commit owes the world.
    pub(crate) effects: Vec<Effect>,
    /// What the handler sends with its next checkpoint.
    pub(crate) token: Option<CheckpointToken>,
    requests: u8,
}

impl World {
    /// Starts an asynchronous execution that may take as long as any.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// Starts an execution after `change` had a say in its facts.
    pub(crate) fn with(change: impl FnOnce(&mut Start)) -> Self {
        let mut start = facts();
        change(&mut start);
        let decision = Execution::start(start, BEGINNING);
        let mut world = Self {
            now: BEGINNING,
            state: decision.next.clone(),
            records: Vec::new(),
            effects: Vec::new(),
            token: None,
            requests: 0,
        };
        world.commit(decision);
        world
    }

    /// Starts an execution whose first invocation runs.
    pub(crate) fn begun() -> Self {
        let mut world = Self::new();
        world.begin();
        world
    }

    /// Lets time pass without anybody noticing.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.pass_millis(seconds * 1000);
    }

    /// Lets time pass without anybody noticing.
    pub(crate) fn pass_millis(&mut self, millis: u64) {
        self.now = self.now.plus_millis(millis);
    }

    /// Sends any command, and commits what follows.
    pub(crate) fn send(&mut self, command: &Command) -> Result<(), Rejection> {
        let decision = self.state.decide(self.now, command, &keys())?;
        self.commit(decision);
        Ok(())
    }

    /// Begins an invocation, which must be due.
    pub(crate) fn begin(&mut self) -> RequestId {
        let request_id = self.try_begin();
        assert_eq!(self.state.in_flight(), Some(request_id), "an invocation was to begin");
        self.token = self.state.checkpoint_token();
        request_id
    }

    /// Offers to begin an invocation.
    pub(crate) fn try_begin(&mut self) -> RequestId {
        self.requests += 1;
        let request_id = RequestId::from_bytes([self.requests; 16]);
        self.send(&Command::BeginInvocation { request_id }).unwrap();
        request_id
    }

    /// Sends a checkpoint with the current token; returns the operations that the answer shows.
    pub(crate) fn checkpoint(&mut self, updates: &[&str]) -> String {
        let token = self.token.expect("the handler has a token");
        self.try_checkpoint(token, None, updates).expect("the checkpoint is accepted")
    }

    /// Sends a checkpoint with the current token, which must be refused without being spent.
    pub(crate) fn refused(&mut self, updates: &[&str]) -> String {
        let token = self.token.expect("the handler has a token");
        let message = self.try_checkpoint(token, None, updates).expect_err("the checkpoint is refused").message;
        assert_eq!(self.state.checkpoint_token(), Some(token), "a refusal spends no token");
        message
    }

    /// Sends a checkpoint with any token.
    pub(crate) fn try_checkpoint(
        &mut self,
        token: CheckpointToken,
        client_token: Option<&str>,
        updates: &[&str],
    ) -> Result<String, Rejection> {
        let checkpoint = Checkpoint {
            invocation: token.invocation,
            checkpoint: token.checkpoint,
            client_token: client_token.map(|text| text.parse().unwrap()),
            updates: updates.iter().map(|text| update(text)).collect(),
        };
        self.send(&Command::Checkpoint(checkpoint))?;
        let (operations, next) = self.state.last_answer();
        let answer = shown(operations);
        assert_eq!(next, self.state.checkpoint_token(), "the answer carries the token that comes next");
        self.token = next;
        Ok(answer)
    }

    /// Returns the answer that a repeated checkpoint gets, if it is recognised.
    pub(crate) fn repeat(&self, token: CheckpointToken, client_token: Option<&str>) -> Option<String> {
        let client_token = client_token.map(|text| text.parse().unwrap());
        let version = self.state.repeats(&token, client_token.as_ref(), self.now)?;
        let then = Execution::replay(&self.records[..version as usize]).unwrap();
        let (operations, next) = then.last_answer();
        Some(format!("{} -> {}", shown(operations), next.expect("only an answer with a token is repeated").checkpoint))
    }

    /// Ends the running invocation.
    pub(crate) fn answer(&mut self, result: InvocationResult) {
        let request_id = self.state.in_flight().expect("an invocation runs");
        self.send(&Command::CompleteInvocation { request_id, result }).unwrap();
        assert_eq!(self.state.in_flight(), None);
    }

    pub(crate) fn pending(&mut self) {
        self.answer(InvocationResult::Pending);
    }

    pub(crate) fn succeed(&mut self, result: &str) {
        self.answer(InvocationResult::Succeeded { result: Some(payload(result)) });
    }

    pub(crate) fn fail(&mut self, error_type: &str) {
        self.answer(InvocationResult::Failed { error: Some(error(error_type)) });
    }

    /// Lets the running invocation fail with an error of a type.
    pub(crate) fn break_down(&mut self, error_type: &str) {
        self.answer(InvocationResult::Broken { error_type: error_type.into(), error: error(error_type) });
    }

    /// Sends the answer of an invocation that may be long gone.
    pub(crate) fn late_answer(&mut self, request_id: RequestId, result: InvocationResult) {
        self.send(&Command::CompleteInvocation { request_id, result }).unwrap();
    }

    pub(crate) fn callback(&mut self, id: &str, completion: CallbackCompletion) -> Result<(), Rejection> {
        self.send(&Command::CompleteCallback { operation: id.parse().unwrap(), completion })
    }

    pub(crate) fn child(&mut self, id: &str, completion: ChainedCompletion) {
        self.send(&Command::CompleteChainedInvoke { operation: id.parse().unwrap(), completion }).unwrap();
    }

    /// Lets time pass, then lets the execution notice.
    pub(crate) fn wake_after(&mut self, seconds: u64) {
        self.pass(seconds);
        self.send(&Command::Wake).unwrap();
    }

    pub(crate) fn stop(&mut self) {
        self.send(&Command::Stop { error: error("Stop") }).unwrap();
    }

    pub(crate) fn pause(&mut self, client_token: Option<&str>) -> Result<(), Rejection> {
        self.pause_with(true, client_token)
    }

    pub(crate) fn pause_with(
        &mut self,
        execution_timeout_paused: bool,
        client_token: Option<&str>,
    ) -> Result<(), Rejection> {
        let client_token = client_token.map(|text| text.parse().unwrap());
        self.send(&Command::Pause { execution_timeout_paused, reason: Some("maintenance".into()), client_token })
    }

    pub(crate) fn resume(&mut self, client_token: Option<&str>) -> Result<(), Rejection> {
        let client_token = client_token.map(|text| text.parse().unwrap());
        self.send(&Command::Resume { reason: None, client_token })
    }

    pub(crate) fn delete(&mut self) -> Result<(), Rejection> {
        self.send(&Command::Delete)
    }

    pub(crate) fn status(&self) -> ExecutionStatus {
        self.state.status()
    }

    /// Returns how an operation stands: its status and what matters of it.
    pub(crate) fn operation(&self, id: &str) -> String {
        look(self.state.operation(&id.parse().unwrap()).expect("the operation is known"))
    }

    /// Returns the ids that the next invocation is told of.
    pub(crate) fn updated(&self) -> String {
        let ids: Vec<String> = self.state.updated_operation_ids().map(ToString::to_string).collect();
        ids.join(" ")
    }

    /// Tells in how many milliseconds the function is to be invoked.
    pub(crate) fn invoked_in(&self) -> Option<u64> {
        self.state.invocation_due_at().map(|due| due.millis_since(self.now))
    }

    /// Returns AWS's history, one line an event.
    pub(crate) fn history(&self) -> Vec<String> {
        let entries = self.records.iter().flat_map(|record| history::entries(record, &self.state));
        entries.map(|entry| line(&entry)).collect()
    }

    /// Compares the history with `expected`, one line an event, indented at will.
    pub(crate) fn expect_history(&self, expected: &str) {
        let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(self.history().join("\n"), expected.join("\n"));
    }

    /// Takes a decision in as the engine does, and checks what must hold of every one.
    fn commit(&mut self, decision: Decision) {
        if decision.events.is_empty() {
            assert_eq!(decision.next, self.state, "nothing happened, so nothing is different");
            assert_eq!(decision.effects, [], "nothing happened, so nothing is owed");
            return;
        }
        let record = decision.record();
        let last = self.records.last();
        assert_eq!(record.version, last.map_or(1, |last| last.version + 1), "versions are dense");
        assert_eq!(
            record.first_event_id,
            last.map_or(1, |last| last.first_event_id + last.event_ids),
            "event ids are dense"
        );
        assert!(last.is_none_or(|last| last.at <= record.at), "time never runs backwards");
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record, "a record survives its storage");
        let json = serde_json::to_string(&decision.effects).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Effect>>(&json).unwrap(), decision.effects, "so do the effects");
        self.records.push(record.clone());
        assert_eq!(Execution::replay(&self.records).as_ref(), Some(&decision.next), "a replay gives the same state");
        decision.next.check_counts();
        self.state = decision.next;
        self.effects = decision.effects;
        assert_eq!(self.state.last_event_id(), record.first_event_id + record.event_ids - 1);
    }
}

/// The keys that callback ids are signed with.
pub(crate) fn keys() -> TokenKeys {
    TokenKeys::new([(1, [1; 32])].into())
}

fn facts() -> Start {
    Start {
        id: ExecutionId::from_bytes([1; 16]),
        place: place(),
        function: "orders".parse().unwrap(),
        version: Version::Latest,
        name: "order-1".parse().unwrap(),
        input: Some(payload("input")),
        execution_timeout_seconds: everstep_core::limits::DURATION_SECONDS_MAX,
        retention_days: 1,
        mode: StartMode::Async,
        trace_id: None,
        tenant_id: None,
        parent: None,
        alias: None,
        hops: 0,
    }
}

fn place() -> Place {
    Place { region: "us-east-1".into(), account: "123456789012".into() }
}

/// Makes a payload of its text, or of its size alone: `#100` stands for 100 bytes in the store.
pub(crate) fn payload(text: &str) -> Payload {
    match text.strip_prefix('#') {
        Some(bytes) => Payload::Stored { digest: Digest::of(text), bytes: bytes.parse().unwrap() },
        None => text.into(),
    }
}

/// Makes an error of its type, or of its size alone.
pub(crate) fn error(text: &str) -> ErrorDocument {
    if text.starts_with('#') {
        return ErrorDocument(payload(text));
    }
    (&ErrorObject { error_type: Some(text.into()), ..ErrorObject::default() }).into()
}

/// Reads an update: `TYPE ACTION id`, then what else it carries, such as `STEP RETRY a delay=1 error=E`.
pub(crate) fn update(text: &str) -> OperationUpdate {
    let mut words = text.split(' ');
    let mut update = OperationUpdate {
        operation_type: name_of(words.next().unwrap()),
        action: name_of(words.next().unwrap()),
        id: words.next().unwrap().parse().unwrap(),
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
    };
    for word in words {
        let (member, value) = word.split_once('=').unwrap_or((word, ""));
        match member {
            "in" => update.parent = Some(value.parse().unwrap()),
            "name" => update.name = Some(value.parse().unwrap()),
            "sub" => update.sub_type = Some(value.parse().unwrap()),
            "payload" => update.payload = Some(payload(value)),
            "error" => update.error = Some(error(value)),
            "replay" => update.replay_children = true,
            "delay" => update.next_attempt_delay_seconds = Some(value.parse().unwrap()),
            "wait" => update.wait_seconds = Some(value.parse().unwrap()),
            "timeout" => update.callback_timeout_seconds = Some(value.parse().unwrap()),
            "heartbeat" => update.heartbeat_timeout_seconds = Some(value.parse().unwrap()),
            "target" => update.chained_invoke = Some(options(value)),
            unknown => panic!("an update has no `{unknown}`"),
        }
    }
    update
}

/// Reads a type or an action by AWS's name for it.
fn name_of<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_value(name.into()).unwrap()
}

/// Resolves a target of a chained invoke: a `durable` or `plain` function, or one that is not there.
fn options(target: &str) -> ChainedInvokeOptions {
    let function = "target".parse().unwrap();
    let resolved = match target {
        "durable" => Target::Durable(Child {
            place: place(),
            function,
            version: Version::Number(7),
            name: "child".parse().unwrap(),
            id: ExecutionId::from_bytes([2; 16]),
            execution_timeout_seconds: 60,
            retention_days: 1,
        }),
        "plain" => Target::Plain { function, version: Version::Latest },
        refusal => Target::Refused(ErrorObject { error_type: Some(refusal.into()), ..ErrorObject::default() }),
    };
    ChainedInvokeOptions { function_name: target.into(), tenant_id: None, trace_id: None, target: resolved }
}

/// Renders operations as an answer shows them.
pub(crate) fn shown<'a>(operations: impl IntoIterator<Item = &'a Arc<Operation>>) -> String {
    let looks: Vec<String> =
        operations.into_iter().map(|operation| format!("{} {}", operation.opening.id, look(operation))).collect();
    looks.join(", ")
}

/// Renders how an operation stands.
fn look(operation: &Operation) -> String {
    let status: String = serde_json::from_value(serde_json::to_value(operation.status).unwrap()).unwrap();
    let details = match &operation.detail {
        Detail::Context(context) => {
            format!(
                "{}{}{}",
                if context.replay_children { " replay" } else { "" },
                of(&context.result),
                why(&context.error)
            )
        }
        Detail::Step(step) => format!(" attempt={}{}{}", step.attempt, of(&step.result), why(&step.error)),
        Detail::Wait(_) => String::new(),
        Detail::Callback(callback) => format!("{}{}", of(&callback.result), why(&callback.error)),
        Detail::ChainedInvoke(invoke) => format!("{}{}", of(&invoke.result), why(&invoke.error)),
    };
    format!("{status}{details}")
}

/// Renders an event of AWS's history.
fn line(entry: &history::Entry<'_>) -> String {
    let (name, details) = match entry.event {
        Event::ExecutionStarted(_) => ("ExecutionStarted", String::new()),
        Event::Step { event, .. } => step_line(event),
        Event::Wait { event, .. } => wait_line(event, entry.operation.expect("a wait is an operation")),
        Event::Callback { event, .. } => callback_line(event),
        Event::Context { event, .. } => context_line(event),
        Event::ChainedInvoke { event, .. } => invoke_line(event),
        Event::InvocationCompleted(InvocationCompleted { error, .. }) => ("InvocationCompleted", why(error)),
        Event::ExecutionSucceeded { result } => ("ExecutionSucceeded", of(result)),
        Event::ExecutionFailed { error } => ("ExecutionFailed", why(error)),
        Event::ExecutionTimedOut { error } => ("ExecutionTimedOut", because(error)),
        Event::ExecutionStopped { error } => ("ExecutionStopped", because(error)),
        Event::ExecutionPaused(_) => ("ExecutionPaused", String::new()),
        Event::ExecutionResumed { .. } => ("ExecutionResumed", String::new()),
        Event::OperationAdded(_)
        | Event::InvocationStarted { .. }
        | Event::CheckpointAccepted { .. }
        | Event::OutcomeFixed(_)
        | Event::PauseRequested(_)
        | Event::PauseCancelled { .. }
        | Event::DeletionRequested => unreachable!("history does not show {:?}", entry.event),
    };
    let operation = entry.operation.map_or(String::new(), |operation| {
        let parent = operation.opening.parent.as_ref().map_or(String::new(), |parent| format!(" in {parent}"));
        format!(" {}{parent}", operation.opening.id)
    });
    format!("{} {name}{operation}{details}", entry.event_id)
}

fn step_line(event: &step::Event) -> (&'static str, String) {
    let retry = |retry: &Option<step::Retry>| {
        retry.as_ref().map_or(String::new(), |retry| format!(" retry={}s", retry.delay_seconds))
    };
    match event {
        step::Event::Started => ("StepStarted", String::new()),
        step::Event::Succeeded { result, attempt, retry: next } => {
            ("StepSucceeded", format!(" attempt={attempt}{}{}", retry(next), of(result)))
        }
        step::Event::Failed { error, attempt, retry: next } => {
            ("StepFailed", format!(" attempt={attempt}{}{}", retry(next), why(error)))
        }
        step::Event::Ready => unreachable!("history does not show it"),
    }
}

fn wait_line(event: &wait::Event, operation: &Operation) -> (&'static str, String) {
    let Detail::Wait(wait) = &operation.detail else { unreachable!("a wait is a wait") };
    match event {
        wait::Event::Started { seconds, .. } => ("WaitStarted", format!(" {seconds}s")),
        wait::Event::Succeeded => ("WaitSucceeded", format!(" {}s", wait.seconds)),
        wait::Event::Cancelled { error } => ("WaitCancelled", why(error)),
    }
}

fn callback_line(event: &callback::Event) -> (&'static str, String) {
    match event {
        callback::Event::Started { timeout_seconds, heartbeat_seconds, .. } => {
            let timeout = timeout_seconds.map_or(String::new(), |seconds| format!(" timeout={seconds}s"));
            let heartbeat = heartbeat_seconds.map_or(String::new(), |seconds| format!(" heartbeat={seconds}s"));
            ("CallbackStarted", timeout + &heartbeat)
        }
        callback::Event::Succeeded { result } => ("CallbackSucceeded", of(result)),
        callback::Event::Failed { error } => ("CallbackFailed", because(error)),
        callback::Event::TimedOut { error } => ("CallbackTimedOut", because(error)),
        callback::Event::Heartbeat => unreachable!("history does not show it"),
    }
}

fn context_line(event: &context::Event) -> (&'static str, String) {
    match event {
        context::Event::Started => ("ContextStarted", String::new()),
        context::Event::Succeeded { result, .. } => ("ContextSucceeded", of(result)),
        context::Event::Failed { error } => ("ContextFailed", why(error)),
    }
}

fn invoke_line(event: &chained_invoke::Event) -> (&'static str, String) {
    match event {
        chained_invoke::Event::Started(request) => ("ChainedInvokeStarted", format!(" {}", request.function_name)),
        chained_invoke::Event::Succeeded { result } => ("ChainedInvokeSucceeded", of(result)),
        chained_invoke::Event::Failed { error } => ("ChainedInvokeFailed", because(error)),
        chained_invoke::Event::TimedOut { error } => ("ChainedInvokeTimedOut", because(error)),
        chained_invoke::Event::Stopped { error } => ("ChainedInvokeStopped", because(error)),
        chained_invoke::Event::Cancelled => unreachable!("history does not show it"),
    }
}

fn of(result: &Option<Payload>) -> String {
    result.as_ref().map_or(String::new(), |result| format!(" result={}", text(result)))
}

fn why(error: &Option<ErrorDocument>) -> String {
    error.as_ref().map_or(String::new(), because)
}

/// Renders an error by its type, or by its message if it has none.
fn because(error: &ErrorDocument) -> String {
    let Payload::Inline(json) = &error.0 else { return format!(" error={}", text(&error.0)) };
    let error: ErrorObject = serde_json::from_str(json).unwrap();
    format!(" error={}", error.error_type.or(error.error_message).unwrap_or_default())
}

fn text(payload: &Payload) -> String {
    match payload {
        Payload::Inline(text) => text.to_string(),
        Payload::Stored { bytes, .. } => format!("#{bytes}"),
    }
}
