//! Suite `invoke`: requirements 5-x, and the functions that they invoke.

use everstep::{Context, Functions, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::common::{Failure, seconds, step_of, text};

pub fn add(functions: Functions) -> Functions {
    functions
        .add("target-echo", target_echo)
        .add("target-error", target_error)
        .add("5-1", basic)
        .add("5-2", named)
        .add("5-3", basic)
        .add("5-4", basic)
        .add("5-5", failure)
        .add("5-6", failure_caught)
        .add("5-7", large_payload)
        .add("5-8", tenant)
        .add("5-9", replayed_success)
        .add("5-10", replayed_failure)
        .add("5-11", after_step)
        .add("5-12", before_step)
        .add("5-13", in_child)
        .add("5-14", sequential)
        .add("5-15", payload_serdes)
        .add("5-16", result_serdes)
}

const LARGE: usize = 200 * 1024;

#[derive(Deserialize)]
struct Named {
    name: String,
    payload: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfTenant {
    tenant_id: String,
    payload: Value,
}

/// Returns the function to invoke: the one that the environment names, or else that of the name.
fn target(name: &str) -> String {
    std::env::var("TARGET").unwrap_or_else(|_| name.to_owned())
}

/// Returns the function that gives back what it is given.
fn echo() -> String {
    target("target-echo")
}

/// Returns the function that fails.
fn erring() -> String {
    target("target-error")
}

async fn target_echo(input: Value, mut ctx: Context) -> Result<Value> {
    // The caller is suspended by then.
    ctx.wait(None, seconds(1)).await?;
    Ok(input)
}

async fn target_error(_: Value, mut ctx: Context) -> Result<()> {
    ctx.wait(None, seconds(1)).await?;
    Err(Failure.into())
}

async fn basic(input: Value, mut ctx: Context) -> Result<Value> {
    Ok(ctx.invoke(echo(), &input).await?)
}

async fn named(Named { name, payload }: Named, mut ctx: Context) -> Result<Value> {
    Ok(ctx.invoke(echo(), &payload).name(name).await?)
}

async fn failure(input: Value, mut ctx: Context) -> Result<Value> {
    Ok(ctx.invoke(erring(), &input).await?)
}

async fn failure_caught(input: Value, mut ctx: Context) -> Result<Value> {
    Ok(ctx.invoke(erring(), &input).await.unwrap_or_else(|_| "fallback".into()))
}

async fn large_payload(_: Value, mut ctx: Context) -> Result<usize> {
    let payload = "x".repeat(LARGE);
    let answer: String = ctx.invoke(echo(), &payload).await?;
    Ok(answer.len())
}

async fn tenant(OfTenant { tenant_id, payload }: OfTenant, mut ctx: Context) -> Result<Value> {
    Ok(ctx.invoke(echo(), &payload).tenant(tenant_id).await?)
}

async fn replayed_success(_: Value, mut ctx: Context) -> Result<Value> {
    let answer = ctx.invoke(echo(), &"echo").await?;
    ctx.wait(None, seconds(1)).await?;
    Ok(answer)
}

async fn replayed_failure(_: Value, mut ctx: Context) -> Result<Value> {
    let answer = ctx.invoke(erring(), &"fail").await;
    ctx.wait(None, seconds(1)).await?;
    Ok(answer.unwrap_or_else(|error| error.message().into()))
}

async fn after_step(_: Value, mut ctx: Context) -> Result<Value> {
    let value = step_of(&mut ctx, "from the step").await?;
    Ok(ctx.invoke(echo(), &value).await?)
}

async fn before_step(_: Value, mut ctx: Context) -> Result<String> {
    let answer: String = ctx.invoke(echo(), &"from the target").await?;
    step_of(&mut ctx, &answer).await
}

async fn in_child(_: Value, mut ctx: Context) -> Result<Value> {
    Ok(ctx.child(None, async |mut child| Ok(child.invoke(echo(), &"from the child").await?)).await?)
}

async fn sequential(_: Value, mut ctx: Context) -> Result<[Value; 2]> {
    let first = ctx.invoke(echo(), &"first").await?;
    Ok([first, ctx.invoke(echo(), &"second").await?])
}

async fn payload_serdes(input: Value, mut ctx: Context) -> Result<Value> {
    let upper_case = text(|value: &Value| value.to_string().to_uppercase(), |text| Ok(json!(text)));
    Ok(ctx.invoke_with(echo(), &input, upper_case).await?)
}

async fn result_serdes(input: String, mut ctx: Context) -> Result<String> {
    let upper_case = text(String::clone, |text| Ok(text.to_uppercase()));
    Ok(ctx.invoke(echo(), &input).serdes(upper_case).await?)
}
