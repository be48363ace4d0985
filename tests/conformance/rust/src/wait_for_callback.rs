//! Suite `wait_for_callback`: requirements 7-x. The input is the operation's name.

use everstep::{Context, Functions, Name, Result, SubmitContext};
use serde::Deserialize;
use serde_json::Value;

use crate::common::{attempts, fail, seconds, step_of};

pub fn add(functions: Functions) -> Functions {
    functions
        .add("7-1", basic)
        .add("7-2", named)
        .add("7-3", unnamed)
        .add("7-4", basic)
        .add("7-5", timeout)
        .add("7-6", failure_caught)
        .add("7-7", submitter_fails)
        .add("7-8", in_child)
        .add("7-9", sequential)
        .add("7-10", after_wait_and_step)
        .add("7-11", json_payload)
        .add("7-12", heartbeat_timeout)
        .add("7-13", heartbeat)
        .add("7-14", timeout_caught)
        .add("7-15", basic)
}

#[derive(Deserialize)]
struct Decision {
    status: String,
}

/// Asks nobody: the requirement itself answers.
async fn ask(_: SubmitContext) -> Result<()> {
    Ok(())
}

/// Asks, and waits for the answer.
async fn answer(ctx: &mut Context, name: impl Into<Name>) -> Result<Value> {
    Ok(ctx.wait_for_callback(name, ask).await?)
}

async fn basic(name: String, mut ctx: Context) -> Result<Value> {
    answer(&mut ctx, name).await
}

async fn named(_: Value, mut ctx: Context) -> Result<Value> {
    answer(&mut ctx, "approval").await
}

async fn unnamed(_: Value, mut ctx: Context) -> Result<Value> {
    answer(&mut ctx, Name::NONE).await
}

async fn timeout(name: String, mut ctx: Context) -> Result<Value> {
    Ok(ctx.wait_for_callback(name, ask).timeout(seconds(3)).await?)
}

async fn failure_caught(name: String, mut ctx: Context) -> Result<Value> {
    Ok(answer(&mut ctx, name).await.unwrap_or_else(|_| "recovered".into()))
}

async fn submitter_fails(name: String, mut ctx: Context) -> Result<Value> {
    Ok(ctx.wait_for_callback(name, async |_| fail()).retry(attempts(2)).await?)
}

async fn in_child(name: String, mut ctx: Context) -> Result<Value> {
    Ok(ctx.child("wrapper", async |mut child| answer(&mut child, name).await).await?)
}

async fn sequential(_: Value, mut ctx: Context) -> Result<Value> {
    answer(&mut ctx, "first").await?;
    answer(&mut ctx, "second").await
}

async fn after_wait_and_step(name: String, mut ctx: Context) -> Result<Value> {
    ctx.wait(None, seconds(1)).await?;
    step_of(&mut ctx, "prepared").await?;
    answer(&mut ctx, name).await
}

async fn json_payload(name: String, mut ctx: Context) -> Result<String> {
    let decision: Decision = ctx.wait_for_callback(name, ask).await?;
    Ok(decision.status)
}

async fn heartbeat_timeout(name: String, mut ctx: Context) -> Result<Value> {
    Ok(ctx.wait_for_callback(name, ask).heartbeat(seconds(5)).await?)
}

async fn heartbeat(name: String, mut ctx: Context) -> Result<Value> {
    Ok(ctx.wait_for_callback(name, ask).heartbeat(seconds(10)).await?)
}

async fn timeout_caught(name: String, mut ctx: Context) -> Result<Value> {
    let waited = ctx.wait_for_callback(name, ask).timeout(seconds(3)).await;
    Ok(waited.unwrap_or_else(|_| "timed-out-handled".into()))
}
