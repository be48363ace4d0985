//! Suite `plugin`: requirements 10-x, and the plugin that writes down what it is told.

use std::time::SystemTime;

use everstep::plugin::{
    AttemptEnd, AttemptInfo, AttemptOutcome, ChangeInfo, InvocationEnd, InvocationInfo, InvocationStatus,
    OperationInfo, Plugin,
};
use everstep::{
    Branch, Context, ErrorObject, Function, Functions, IntoFunction, Name, OperationType, Result, StepContext, branch,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::info;

use crate::common::{attempts, fail, flaky, seconds, step_of};
use crate::output::print;

pub fn add(functions: Functions) -> Functions {
    functions
        .add("10-1", recorded(invocation_hooks))
        .add("10-2", recorded(greet))
        .add("10-3", recorded(attempt_hooks))
        .add("10-4", with(Function::new(greet), "CONFPLUGIN-FAULTY", Manner::Fails))
        .add("10-5", with(with(Function::new(greet), "CONFPLUGIN-A", Manner::Records), "CONFPLUGIN-B", Manner::Records))
        .add("10-6", recorded(wait))
        .add("10-7", recorded(failure))
        .add("10-8", recorded(greet))
        .add("10-9", recorded(wait))
        .add("10-10", recorded(wait))
        .add("10-11", recorded(in_child))
        .add("10-12", recorded(branches))
        .add("10-13", recorded(replayed_step))
        .add("10-14", with(Function::new(results_and_errors), "CONFPLUGIN", Manner::SaysNone))
        .add("10-15", recorded(attempts_exhausted))
        .add("10-16", recorded(wait))
        .add(
            "10-17",
            with(with(Function::new(greet), "CONFPLUGIN-FAULTY", Manner::Fails), "CONFPLUGIN-HEALTHY", Manner::Records),
        )
        .add("10-18", recorded(two_waits))
        .add("10-19", recorded(invocation_fields))
        .add("10-20", recorded(one_step))
        .add("10-21", recorded(attempt_fields))
        .add("10-22", recorded(one_step))
        .add("10-23", recorded(context_fields))
}

/// What a plugin does besides recording.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Nothing.
    Records,
    /// It calls a result or an error that is absent `NONE`.
    SaysNone,
    /// It fails in each hook, after it wrote its line.
    Fails,
}

fn recorded<M>(handler: impl IntoFunction<M>) -> Function {
    with(handler.into_function(), "CONFPLUGIN", Manner::Records)
}

fn with(function: Function, name: &'static str, manner: Manner) -> Function {
    function.plugin(move |invocation: &InvocationInfo<'_>| {
        let (execution_arn, is_first) = (invocation.execution_arn.to_owned(), invocation.is_first);
        Box::new(Recorder { name, manner, execution_arn, is_first }) as Box<dyn Plugin>
    })
}

/// Writes a JSON line for each hook, with all that the hook was told.
///
/// Each requirement looks at some of the fields; a few are asked for under two names.
struct Recorder {
    name: &'static str,
    manner: Manner,
    execution_arn: String,
    is_first: bool,
}

impl Plugin for Recorder {
    fn invocation_start(&self, invocation: &InvocationInfo<'_>) {
        let updated = &invocation.updated_operations;
        let fields = json!({"updatedOperationsCount": updated.len()});
        for operation in updated {
            self.line("updated-on-invoke", [self.of_operation(operation), json!({"first": self.is_first})]);
        }
        self.record("invocation-start", [of_invocation(invocation), fields]);
    }

    fn invocation_end(&self, invocation: &InvocationInfo<'_>, end: &InvocationEnd<'_>) {
        let is_terminal = matches!(end.status, InvocationStatus::Succeeded | InvocationStatus::Failed);
        let error = end.error.and_then(message);
        let fields = json!({"status": end.status.as_str(), "terminal": is_terminal, "executionError": error});
        self.record("invocation-end", [of_invocation(invocation), fields]);
    }

    fn operation_start(&self, operation: &OperationInfo<'_>) {
        self.record("operation-start", [self.of_operation(operation)]);
    }

    fn operation_end(&self, operation: &OperationInfo<'_>) {
        self.record("operation-end", [self.of_operation(operation)]);
    }

    fn operations_change(&self, change: &ChangeInfo<'_>) {
        for operation in &change.updated_operations {
            let is_known = change.operations().any(|known| known.id == operation.id);
            let fields = json!({
                "in_full_map": is_known,
                "inFullMap": is_known,
                "executionArn": change.execution_arn,
                "updatedOperationsCount": change.updated_operations.len(),
                "operationsCount": change.operations().len(),
            });
            self.record("operation-change", [self.of_operation(operation), fields]);
        }
    }

    fn attempt_start(&self, attempt: &AttemptInfo<'_>) {
        self.record(&format!("{}-start", code(attempt)), [self.of_attempt(attempt)]);
    }

    fn attempt_end(&self, attempt: &AttemptInfo<'_>, end: &AttemptEnd<'_>) {
        let outcome = match end.outcome {
            AttemptOutcome::Succeeded => "SUCCEEDED",
            _ => "FAILED",
        };
        let fields = json!({"outcome": outcome, "error": end.error.and_then(message)});
        self.record(&format!("{}-end", code(attempt)), [self.of_attempt(attempt), fields]);
    }
}

impl Recorder {
    /// Writes a line, and perhaps fails.
    fn record<const N: usize>(&self, hook: &str, fields: [Value; N]) {
        self.line(hook, fields);
        assert!(self.manner != Manner::Fails, "a plugin must not disturb the execution");
    }

    /// Writes a line. What is null is left out.
    fn line<const N: usize>(&self, hook: &str, fields: [Value; N]) {
        let mut line = json!({"plugin": self.name, "hook": hook, "durableExecutionArn": self.execution_arn});
        for (name, value) in fields.iter().filter_map(Value::as_object).flatten() {
            line[name] = value.clone();
        }
        if let Value::Object(line) = &mut line {
            line.retain(|_, value| !value.is_null());
        }
        print(&line.to_string());
    }

    fn of_operation(&self, operation: &OperationInfo<'_>) -> Value {
        let absent = (self.manner == Manner::SaysNone).then_some("NONE");
        json!({
            "op": operation.id,
            "id": operation.id,
            "name": operation.name,
            "type": operation.operation_type,
            "subType": operation.sub_type,
            "parentId": operation.parent_id,
            "parent": operation.parent_id.unwrap_or("NONE"),
            "status": operation.status,
            "startTimestamp": operation.started_at.map(iso),
            "endTimestamp": operation.ended_at.map(iso),
            "result": operation.result.or(absent),
            "error": operation.error.and_then(message).or(absent),
            "attempt": operation.attempt,
            "n": operation.attempt,
            "replay": operation.is_replay,
            "isReplay": operation.is_replay,
        })
    }

    fn of_attempt(&self, attempt: &AttemptInfo<'_>) -> Value {
        let mut fields = self.of_operation(&attempt.operation);
        fields["attempt"] = attempt.attempt.into();
        fields["n"] = attempt.attempt.into();
        fields["isReplayingChildren"] = attempt.is_replaying_children.into();
        fields
    }
}

fn of_invocation(invocation: &InvocationInfo<'_>) -> Value {
    json!({
        "first": invocation.is_first,
        "isFirstInvocation": invocation.is_first,
        "requestId": invocation.request_id,
        "operationsCount": invocation.operations.len(),
        "executionStartTimestamp": iso(invocation.execution_started_at),
    })
}

/// Returns what code of an operation is called: that of a context, or that of a step.
fn code(attempt: &AttemptInfo<'_>) -> &'static str {
    if attempt.operation.operation_type == OperationType::Context { "fn" } else { "attempt" }
}

fn iso(time: SystemTime) -> String {
    Timestamp::try_from(time).unwrap_or_default().to_string()
}

fn message(error: &ErrorObject) -> Option<&str> {
    error.error_message.as_deref()
}

async fn invocation_hooks(name: String, mut ctx: Context) -> Result<String> {
    let greet = async |_| {
        info!("Greeting step running for: {name}");
        Ok(format!("Hello, {name}!"))
    };
    Ok(ctx.step(None, greet).await?)
}

async fn greet(name: String, mut ctx: Context) -> Result<String> {
    Ok(ctx.step(None, async |_| Ok(format!("Hello, {name}!"))).await?)
}

async fn attempt_hooks(_: Value, mut ctx: Context) -> Result<String> {
    let unreliable = async |step: StepContext| flaky(step.attempt(), "Operation succeeded");
    Ok(ctx.step(None, unreliable).retry(attempts(2)).await?)
}

async fn wait(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.wait(None, seconds(2)).await?)
}

async fn failure(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.step(None, async |_| fail()).no_retry().await?)
}

async fn in_child(name: String, mut ctx: Context) -> Result<String> {
    let greeting = format!("Hello, {name}!");
    Ok(ctx.child(None, async |mut child| step_of(&mut child, &greeting).await).await?)
}

async fn branches(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    let task = |name: &'static str| branch(Name::NONE, async move |_| Ok(name.to_owned()));
    Ok(ctx.parallel("parallel", vec![task("task-1"), task("task-2")]).max_concurrency(1).await?)
}

async fn replayed_step(_: Value, mut ctx: Context) -> Result<String> {
    step_of(&mut ctx, "step A").await?;
    let unreliable = async |step: StepContext| flaky(step.attempt(), "Operation succeeded");
    Ok(ctx.step(None, unreliable).retry(attempts(2)).await?)
}

async fn results_and_errors(_: Value, mut ctx: Context) -> Result<()> {
    step_of(&mut ctx, "task-a").await?;
    Ok(ctx.step(None, async |_| Err("boom".into())).no_retry().await?)
}

async fn attempts_exhausted(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.step(None, async |_| fail()).retry(attempts(2)).await?)
}

async fn two_waits(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    fn waits(name: &'static str, duration_seconds: u64) -> Branch<'static, String> {
        branch(Name::NONE, async move |mut ctx: Context| {
            ctx.wait(name, seconds(duration_seconds)).await?;
            Ok(format!("{name}-done"))
        })
    }
    Ok(ctx.parallel("waits", vec![waits("short", 2), waits("long", 8)]).max_concurrency(2).await?)
}

async fn invocation_fields(input: String, mut ctx: Context) -> Result<String> {
    ctx.wait(None, seconds(2)).await?;
    Ok(format!("done-{input}"))
}

async fn one_step(_: Value, mut ctx: Context) -> Result<String> {
    Ok(ctx.step("greet", async |_| Ok("task-a".to_owned())).await?)
}

async fn attempt_fields(_: Value, mut ctx: Context) -> Result<String> {
    let unreliable = async |step: StepContext| flaky(step.attempt(), "ok");
    Ok(ctx.step("flaky", unreliable).retry(attempts(2)).await?)
}

async fn context_fields(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    let first = branch("branch-a", async |mut ctx: Context| {
        ctx.step("inner", async |_| Ok("x".to_owned())).await?;
        ctx.wait(None, seconds(2)).await?;
        Ok("a-done".to_owned())
    });
    let second = branch("branch-b", async |_| Ok("b-done".to_owned()));
    Ok(ctx.parallel("ctx", vec![first, second]).max_concurrency(1).await?)
}
