//! Durable functions written with AWS's preview of a Rust SDK, one for each operation: they run on Everstep as they are.
//!
//! A function's `Handler` is the number of the requirement of AWS's conformance suite that it meets.

use std::time::Duration;

use aws_durable_execution_sdk::builders::wait_for_condition::WaitDecision;
use aws_durable_execution_sdk::{self as durable, BoxError, Branch, DurableContext, RetryDecision};
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    match std::env::var("_HANDLER")?.as_str() {
        "1-1" => durable::run(step).await,
        "1-11" => durable::run(retried_step).await,
        "2-1" => durable::run(wait).await,
        "3-1" => durable::run(child).await,
        "4-1" => durable::run(callback).await,
        "5-1" => durable::run(invoke).await,
        "6-1" => durable::run(wait_for_condition).await,
        "7-1" => durable::run(wait_for_callback).await,
        "8-1" => durable::run(parallel).await,
        "9-1" => durable::run(map).await,
        "target-echo" => durable::run(target_echo).await,
        other => Err(format!("no function `{other}` is in this binary").into()),
    }
}

async fn step(name: String, ctx: DurableContext) -> Result<String, BoxError> {
    Ok(ctx.step(move |_| async move { Ok(format!("Hello, {name}!")) }).await?)
}

async fn retried_step(_: Value, ctx: DurableContext) -> Result<String, BoxError> {
    let unreliable = |step: durable::StepContext| async move {
        if step.attempt() == 1 { Err("not yet".into()) } else { Ok("Operation succeeded".to_owned()) }
    };
    let retry = |_: &durable::StepError, attempt| {
        if attempt < 2 { RetryDecision::Retry { delay: SECOND } } else { RetryDecision::Stop }
    };
    Ok(ctx.step(unreliable).retry_strategy(retry).await?)
}

async fn wait(_: Value, ctx: DurableContext) -> Result<(), BoxError> {
    Ok(ctx.wait(2 * SECOND).await?)
}

async fn child(input: String, ctx: DurableContext) -> Result<String, BoxError> {
    let body = |child: DurableContext| async move { Ok(child.step(move |_| async move { Ok(input) }).await?) };
    Ok(ctx.run_in_child_context(body).await?)
}

async fn callback(name: String, ctx: DurableContext) -> Result<Value, BoxError> {
    Ok(ctx.create_callback::<Value>().name(name).await?.result().await?)
}

async fn invoke(input: Value, ctx: DurableContext) -> Result<Value, BoxError> {
    Ok(ctx.invoke::<Value, _>(std::env::var("TARGET")?, input).await?)
}

async fn target_echo(input: Value, ctx: DurableContext) -> Result<Value, BoxError> {
    // The caller is suspended by then.
    ctx.wait(SECOND).await?;
    Ok(input)
}

async fn wait_for_condition(threshold: u32, ctx: DurableContext) -> Result<u32, BoxError> {
    let decide = move |state: u32, _| {
        if state >= threshold { WaitDecision::complete() } else { WaitDecision::continue_with(SECOND) }
    };
    Ok(ctx.wait_for_condition(|_, state: u32| async move { Ok(state + 1) }, 0).wait_strategy_fn(decide).await?)
}

async fn wait_for_callback(name: String, ctx: DurableContext) -> Result<Value, BoxError> {
    // The requirement itself answers.
    Ok(ctx.wait_for_callback::<Value, _, _>(|_, _callback_id| async move { Ok(()) }).name(name).await?)
}

async fn parallel(_: Value, ctx: DurableContext) -> Result<Vec<String>, BoxError> {
    let branches = ["task-1", "task-2"].map(|task| {
        Branch::new(task, move |child: DurableContext| async move {
            Ok(child.step(move |_| async move { Ok(task.to_owned()) }).await?)
        })
    });
    Ok(ctx.parallel(branches).name("parallel").max_concurrency(1).await?)
}

async fn map(names: Vec<String>, ctx: DurableContext) -> Result<Vec<String>, BoxError> {
    let greet = |child: DurableContext, name: String, _| async move {
        Ok(child.step(move |_| async move { Ok(format!("Hello, {name}!")) }).await?)
    };
    Ok(ctx.map(names, greet).name("map").max_concurrency(1).await?)
}
