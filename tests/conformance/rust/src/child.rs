//! Suite `child`: requirements 3-x.

use everstep::{Context, Function, Functions, Result, StepContext};
use serde::Deserialize;
use serde_json::Value;
use tracing::info;

use crate::common::{attempts, crash, fail, flaky, seconds, step_of, text};

pub fn add(functions: Functions) -> Functions {
    functions
        .add("3-1", basic)
        .add("3-2", named)
        .add("3-3", sequential)
        .add("3-4", failure)
        .add("3-5", failure_caught)
        .add("3-6", nested)
        .add("3-7", step_retried)
        .add("3-8", retries_exhausted)
        .add("3-9", replayed)
        .add("3-10", step_and_wait)
        .add("3-11", Function::new(large_result).replay_logs(true))
        .add("3-12", interrupted)
        .add("3-13", wait_inside)
        .add("3-14", custom_serdes)
        .add("3-15", failure_without_step)
        .add("3-16", null_result)
        .add("3-17", Function::new(logging_only).replay_logs(true))
        .add("3-18", step_and_wait_twice)
}

const MORE_THAN_A_CHECKPOINT_HOLDS: usize = 300 * 1024;

#[derive(Deserialize)]
struct Named {
    name: String,
    value: String,
}

async fn basic(input: String, mut ctx: Context) -> Result<String> {
    Ok(ctx.child(None, async |mut child| step_of(&mut child, &input).await).await?)
}

async fn named(Named { name, value }: Named, mut ctx: Context) -> Result<String> {
    Ok(ctx.child(name, async |mut child| step_of(&mut child, &value).await).await?)
}

async fn sequential(input: String, mut ctx: Context) -> Result<String> {
    let body = async |mut child: Context| {
        let first = step_of(&mut child, &input).await?;
        step_of(&mut child, &first).await
    };
    Ok(ctx.child("sequential", body).await?)
}

async fn failing_step(mut child: Context) -> Result<String> {
    Ok(child.step(None, async |_| fail()).no_retry().await?)
}

async fn failure(_: Value, mut ctx: Context) -> Result<String> {
    Ok(ctx.child("failing", failing_step).await?)
}

async fn failure_caught(input: String, mut ctx: Context) -> Result<String> {
    match ctx.child("failing", failing_step).await {
        Ok(value) => Ok(value),
        Err(_) => Ok(ctx.step("recovery", async |_| Ok(input.clone())).await?),
    }
}

async fn nested(input: String, mut ctx: Context) -> Result<String> {
    let outer = async |mut child: Context| {
        let value = step_of(&mut child, &input).await?;
        let inner = async |mut grandchild| step_of(&mut grandchild, &value).await;
        Ok(child.child("inner", inner).await?)
    };
    Ok(ctx.child("outer", outer).await?)
}

async fn step_retried(input: String, mut ctx: Context) -> Result<String> {
    let body = async |mut child: Context| {
        let unreliable = async |step: StepContext| flaky(step.attempt(), &input);
        Ok(child.step(None, unreliable).retry(attempts(2)).await?)
    };
    Ok(ctx.child("retrying", body).await?)
}

async fn retries_exhausted(_: Value, mut ctx: Context) -> Result<()> {
    let body = async |mut child: Context| Ok(child.step(None, async |_| fail()).retry(attempts(2)).await?);
    Ok(ctx.child("retrying", body).await?)
}

async fn replayed(input: String, mut ctx: Context) -> Result<String> {
    let value = ctx.child(None, async |mut child| step_of(&mut child, &input).await).await?;
    ctx.wait(None, seconds(1)).await?;
    Ok(value)
}

async fn step_then_wait(mut child: Context, value: &str) -> Result<String> {
    let value = step_of(&mut child, value).await?;
    child.wait(None, seconds(1)).await?;
    Ok(value)
}

async fn step_and_wait(input: String, mut ctx: Context) -> Result<String> {
    Ok(ctx.child("mixed", async |child| step_then_wait(child, &input).await).await?)
}

async fn large_result(input: String, mut ctx: Context) -> Result<usize> {
    let body = async |mut child: Context| {
        info!("the child runs with {input}");
        Ok(step_of(&mut child, "x").await?.repeat(MORE_THAN_A_CHECKPOINT_HOLDS))
    };
    let value = ctx.child("large", body).await?;
    ctx.wait(None, seconds(1)).await?;
    Ok(value.len())
}

async fn interrupted(input: String, mut ctx: Context) -> Result<String> {
    let body = async |mut child: Context| {
        let ran_before = child.is_replaying();
        let crash_at_first = async |_| {
            if !ran_before {
                // By then the checkpoint of the start is out.
                crash(seconds(1)).await;
            }
            Ok(input.clone())
        };
        Ok(child.step("crashing", crash_at_first).await?)
    };
    Ok(ctx.child("interrupted", body).await?)
}

async fn wait_inside(input: String, mut ctx: Context) -> Result<String> {
    let body = async |mut child: Context| {
        child.wait(None, seconds(1)).await?;
        Ok(input.clone())
    };
    let value = ctx.child("waiting", body).await?;
    step_of(&mut ctx, &value).await
}

async fn custom_serdes(input: String, mut ctx: Context) -> Result<String> {
    let upper_case = text(|value: &String| value.to_uppercase(), |text| Ok(text.to_owned()));
    Ok(ctx.child("upper-case", async |mut child| step_of(&mut child, &input).await).serdes(upper_case).await?)
}

async fn failure_without_step(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.child("failing", async |_| fail()).await?)
}

async fn null_result(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.child("nothing", async |_| Ok(())).await?)
}

async fn logging_only(input: String, mut ctx: Context) -> Result<String> {
    let body = async |_| {
        info!("the child runs with {input}");
        Ok(input.clone())
    };
    let value = ctx.child("logging", body).await?;
    ctx.wait(None, seconds(1)).await?;
    Ok(value)
}

async fn step_and_wait_twice(input: String, mut ctx: Context) -> Result<String> {
    let value = ctx.child("mixed", async |child| step_then_wait(child, &input).await).await?;
    let value = step_of(&mut ctx, &value).await?;
    ctx.wait(None, seconds(1)).await?;
    Ok(value)
}
