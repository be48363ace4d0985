//! Suite `step`: requirements 1-x.

use std::time::Duration;

use everstep::{Context, Error, Functions, Result, Retry, StepContext};
use serde_json::{Value, json};
use tracing::info;

use crate::common::{attempts, crash, fail, flaky, seconds, text};

pub fn add(functions: Functions) -> Functions {
    functions
        .add("1-1", greeting)
        .add("1-2", named)
        .add("1-3", sequential)
        .add("1-4", complex_object)
        .add("1-5", null_result)
        .add("1-6", custom_serdes)
        .add("1-7", logging)
        .add("1-8", then_wait)
        .add("1-9", replayed_success)
        .add("1-10", replayed_failure)
        .add("1-11", retried)
        .add("1-12", retries_exhausted)
        .add("1-13", default_retries)
        .add("1-14", backoff)
        .add("1-15", retryable_error)
        .add("1-16", error_not_retryable)
        .add("1-17", crash_not_retried)
        .add("1-18", crash_retried)
        .add("1-19", failure)
        .add("1-20", failure_caught)
}

/// The error that a retry strategy may know.
#[derive(Debug, thiserror::Error)]
#[error("busy")]
struct TransientError;

async fn greeting(name: String, mut ctx: Context) -> Result<String> {
    Ok(ctx.step(None, async |_| Ok(format!("Hello, {name}!"))).await?)
}

async fn named(name: String, mut ctx: Context) -> Result<String> {
    Ok(ctx.step("custom_step_name", async |_| Ok(format!("Hello, {name}!"))).await?)
}

async fn sequential(_: Value, mut ctx: Context) -> Result<String> {
    let first = ctx.step(None, async |_| Ok("first".to_owned())).await?;
    Ok(ctx.step(None, async |_| Ok(format!("{first}_second"))).await?)
}

async fn complex_object(user: Value, mut ctx: Context) -> Result<Value> {
    let count = user["tags"].as_array().map_or(0, Vec::len);
    Ok(ctx.step(None, async |_| Ok(json!({"user": user, "count": count}))).await?)
}

async fn null_result(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.step(None, async |_| Ok(())).await?)
}

async fn custom_serdes(input: String, mut ctx: Context) -> Result<String> {
    let upper_case =
        text(|value: &String| json!(value.to_uppercase()).to_string(), |text| Ok(serde_json::from_str(text)?));
    Ok(ctx.step(None, async |_| Ok(input.clone())).serdes(upper_case).await?)
}

async fn logging(name: String, mut ctx: Context) -> Result<String> {
    let greet = async |_| {
        info!("Greeting step started for: {name}");
        let greeting = format!("Hello, {name}!");
        info!("Greeting step completed with: {greeting}");
        Ok(greeting)
    };
    Ok(ctx.step(None, greet).await?)
}

async fn then_wait(_: Value, mut ctx: Context) -> Result<String> {
    let value = ctx.step(None, async |_| Ok("computed".to_owned())).await?;
    ctx.wait(None, seconds(2)).await?;
    Ok(value)
}

async fn replayed_success(_: Value, mut ctx: Context) -> Result<String> {
    let compute = async |_| {
        info!("step executed");
        Ok("cached_value".to_owned())
    };
    let value = ctx.step(None, compute).await?;
    ctx.wait(None, seconds(1)).await?;
    Ok(value)
}

async fn replayed_failure(_: Value, mut ctx: Context) -> Result<String> {
    let fail = async |_| {
        info!("step executed");
        fail::<()>()
    };
    let failed = ctx.step(None, fail).no_retry().await;
    ctx.wait(None, seconds(1)).await?;
    Ok(failed.err().map_or_else(|| "no error".to_owned(), |error| error.message().to_owned()))
}

async fn retried(_: Value, mut ctx: Context) -> Result<String> {
    let unreliable = async |step: StepContext| flaky(step.attempt(), "Operation succeeded");
    Ok(ctx.step(None, unreliable).retry(attempts(2)).await?)
}

async fn retries_exhausted(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.step(None, async |_| fail()).retry(attempts(4)).await?)
}

async fn default_retries(_: Value, mut ctx: Context) -> Result<String> {
    Ok(ctx.step(None, third_time_lucky).await?)
}

async fn backoff(_: Value, mut ctx: Context) -> Result<String> {
    let retry = Retry::exponential(5).first(seconds(2)).factor(3.0).jitter(everstep::Jitter::None);
    Ok(ctx.step(None, third_time_lucky).retry(retry).await?)
}

async fn third_time_lucky(step: StepContext) -> Result<String> {
    if step.attempt() < 3 { fail() } else { Ok("third time lucky".to_owned()) }
}

async fn retryable_error(_: Value, mut ctx: Context) -> Result<String> {
    let retry = attempts(3).when(|error| error.is::<TransientError>());
    Ok(ctx.step(None, busy_at_first).retry(retry).await?)
}

async fn error_not_retryable(_: Value, mut ctx: Context) -> Result<String> {
    let retry = attempts(3).when(|error| !error.is::<TransientError>());
    Ok(ctx.step(None, busy_at_first).retry(retry).await?)
}

async fn busy_at_first(step: StepContext) -> Result<String> {
    if step.attempt() == 1 { Err(TransientError.into()) } else { Ok("done".to_owned()) }
}

async fn crash_not_retried(input: String, mut ctx: Context) -> Result<String> {
    let crash = async |_| {
        info!("input: {input}");
        crash(Duration::ZERO).await;
        Ok("unheard".to_owned())
    };
    Ok(ctx.step("at_most_once_flaky_step", crash).at_most_once().no_retry().await?)
}

async fn crash_retried(input: String, mut ctx: Context) -> Result<String> {
    let crash_at_first = async |step: StepContext| {
        info!("input: {input}");
        if step.attempt() == 1 {
            crash(Duration::ZERO).await;
        }
        Ok("succeeded on second attempt".to_owned())
    };
    Ok(ctx.step("crashing", crash_at_first).at_most_once().retry(attempts(2)).await?)
}

async fn failure(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.step(None, async |_| fail()).no_retry().await?)
}

async fn failure_caught(_: Value, mut ctx: Context) -> Result<String, Error> {
    match ctx.step(None, async |_| fail()).no_retry().await {
        Ok(value) => Ok(value),
        Err(_) => Ok(ctx.step(None, async |_| Ok("fallback_result".to_owned())).await?),
    }
}
