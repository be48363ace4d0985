//! Suite `callback`: requirements 4-x. The input is the callback's name, or their names.

use everstep::{Context, Functions, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::common::{seconds, step_of, text};

pub fn add(functions: Functions) -> Functions {
    functions
        .add("4-1", basic)
        .add("4-2", named)
        .add("4-3", timeout)
        .add("4-4", heartbeat_timeout)
        .add("4-5", heartbeat)
        .add("4-6", basic)
        .add("4-7", step_then_failure)
        .add("4-8", step_then_timeout)
        .add("4-9", answer_during_wait)
        .add("4-10", answer_during_wait)
        .add("4-11", timeout_during_wait)
        .add("4-12", success_then_wait)
        .add("4-13", failure_then_wait)
        .add("4-14", timeout_then_wait)
        .add("4-15", message_serdes)
        .add("4-16", number_serdes)
        .add("4-17", two_in_turn)
        .add("4-18", two_at_once)
        .add("4-19", two_at_once_reversed)
}

async fn basic(name: String, mut ctx: Context) -> Result<Value> {
    Ok(ctx.callback(name).await?.result().await?)
}

async fn named(_: Value, mut ctx: Context) -> Result<Value> {
    Ok(ctx.callback("approval").await?.result().await?)
}

async fn timeout(name: String, mut ctx: Context) -> Result<Value> {
    Ok(ctx.callback(name).timeout(seconds(5)).await?.result().await?)
}

async fn heartbeat_timeout(name: String, mut ctx: Context) -> Result<Value> {
    Ok(ctx.callback(name).heartbeat(seconds(5)).await?.result().await?)
}

async fn heartbeat(name: String, mut ctx: Context) -> Result<Value> {
    Ok(ctx.callback(name).heartbeat(seconds(10)).await?.result().await?)
}

async fn step_then_failure(name: String, mut ctx: Context) -> Result<Value> {
    let callback = ctx.callback(name).await?;
    step_of(&mut ctx, "asked").await?;
    Ok(callback.result().await?)
}

async fn step_then_timeout(name: String, mut ctx: Context) -> Result<Value> {
    let callback = ctx.callback(name).timeout(seconds(5)).await?;
    step_of(&mut ctx, "asked").await?;
    Ok(callback.result().await?)
}

async fn answer_during_wait(name: String, mut ctx: Context) -> Result<Value> {
    let callback = ctx.callback(name).await?;
    ctx.wait(None, seconds(5)).await?;
    Ok(callback.result().await?)
}

async fn timeout_during_wait(name: String, mut ctx: Context) -> Result<Value> {
    let callback = ctx.callback(name).timeout(seconds(3)).await?;
    ctx.wait(None, seconds(6)).await?;
    Ok(callback.result().await?)
}

async fn success_then_wait(name: String, mut ctx: Context) -> Result<Value> {
    let answer = ctx.callback(name).await?.result().await?;
    ctx.wait(None, seconds(2)).await?;
    Ok(answer)
}

async fn failure_then_wait(name: String, mut ctx: Context) -> Result<Value> {
    let answer = ctx.callback(name).await?.result().await;
    ctx.wait(None, seconds(2)).await?;
    Ok(answer.unwrap_or_else(|error| error.message().into()))
}

async fn timeout_then_wait(name: String, mut ctx: Context) -> Result<Value> {
    let answer = ctx.callback(name).timeout(seconds(3)).await?.result().await;
    ctx.wait(None, seconds(2)).await?;
    Ok(answer.unwrap_or_else(|error| error.message().into()))
}

async fn message_serdes(name: String, mut ctx: Context) -> Result<Value> {
    let message = text(Value::to_string, |text| {
        let mut message: Value = serde_json::from_str(text)?;
        let moment: Timestamp = message["timestamp"].as_str().unwrap_or_default().parse()?;
        message["timestamp"] = moment.as_second().into();
        Ok(message)
    });
    Ok(json!({"received": ctx.callback(name).serdes(message).await?.result().await?}))
}

async fn number_serdes(name: String, mut ctx: Context) -> Result<Value> {
    let number = text(u64::to_string, |text| Ok(text.parse()?));
    let count = ctx.callback(name).serdes(number).await?.result().await?;
    Ok(json!({"count": count, "doubled": count * 2}))
}

async fn two_in_turn([first, second]: [String; 2], mut ctx: Context) -> Result<[Value; 2]> {
    let first = ctx.callback(first).await?.result().await?;
    Ok([first, ctx.callback(second).await?.result().await?])
}

async fn two_at_once([first, second]: [String; 2], mut ctx: Context) -> Result<[Value; 2]> {
    let (first, second) = (ctx.callback(first).await?, ctx.callback(second).await?);
    Ok([first.result().await?, second.result().await?])
}

async fn two_at_once_reversed([first, second]: [String; 2], mut ctx: Context) -> Result<[Value; 2]> {
    let (first, second) = (ctx.callback(first).await?, ctx.callback(second).await?);
    Ok([second.result().await?, first.result().await?])
}
