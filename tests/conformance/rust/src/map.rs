//! Suite `map`: requirements 9-x. Items are worked at one after the other unless a requirement says otherwise.

use everstep::{Batch, BatchItem, BatchOutcome, CompletionReason, Context, Functions, Result, Serdes};
use serde_json::Value;

use crate::common::{COUNTS, OUTCOME, facts, fail, seconds, step_of, text};

pub fn add(functions: Functions) -> Functions {
    functions
        .add("9-1", basic)
        .add("9-2", unnamed)
        .add("9-3", item_and_index)
        .add("9-4", empty)
        .add("9-5", fail_fast)
        .add("9-6", rethrow)
        .add("9-7", min_successful)
        .add("9-8", failure_tolerated)
        .add("9-9", tolerance_exceeded)
        .add("9-10", percentage_exceeded)
        .add("9-11", concurrent)
        .add("9-12", flat)
        .add("9-13", item_names)
        .add("9-14", item_serdes)
        .add("9-15", item_waits)
        .add("9-16", large_result)
        .add("9-17", then_wait)
        .add("9-18", failure_then_wait)
        .add("9-19", operation_serdes)
        .add("9-20", operation_serdes_replayed)
}

const LARGE: usize = 70 * 1024;

/// Fails for the item `fail`, returns every other.
async fn outcome(_: Context, item: &str) -> Result<String> {
    if item == "fail" { fail() } else { Ok(item.to_owned()) }
}

/// Returns the item in upper case.
async fn upper(_: Context, item: &str) -> Result<String> {
    Ok(item.to_uppercase())
}

async fn basic(names: Vec<String>, mut ctx: Context) -> Result<Vec<String>> {
    let greet = async |mut ctx: Context, name| step_of(&mut ctx, &format!("Hello, {name}!")).await;
    Ok(ctx.map("map", names, greet).max_concurrency(1).await?)
}

async fn unnamed(items: Vec<u32>, mut ctx: Context) -> Result<Vec<u32>> {
    Ok(ctx.map(None, items, async |_, item| Ok(item * 2)).max_concurrency(1).await?)
}

async fn item_and_index(items: Vec<usize>, mut ctx: Context) -> Result<Vec<usize>> {
    let add = async |_, (index, item)| Ok(item + index);
    Ok(ctx.map("indexed", items.into_iter().enumerate(), add).max_concurrency(1).await?)
}

async fn empty(items: Vec<u32>, mut ctx: Context) -> Result<Vec<u32>> {
    Ok(ctx.map("empty", items, async |_, item| Ok(item)).max_concurrency(1).await?)
}

async fn fail_fast(_: Value, mut ctx: Context) -> Result<Value> {
    let batch = ctx.map("failfast", ["ok", "fail", "never"], outcome).max_concurrency(1).tolerate(0).await?;
    Ok(facts(&batch, &OUTCOME))
}

async fn rethrow(_: Value, mut ctx: Context) -> Result<()> {
    let batch = ctx.map("throwing", ["fail", "never"], outcome).max_concurrency(1).tolerate(0).await?;
    Ok(batch.throw_if_error()?)
}

async fn min_successful(_: Value, mut ctx: Context) -> Result<Value> {
    let mapped = ctx.map("min-successful", ["a", "b", "c", "d"], outcome).max_concurrency(1).min_successful(2);
    Ok(facts(&mapped.await?, &["completionReason", "successCount", "totalCount"]))
}

async fn failure_tolerated(_: Value, mut ctx: Context) -> Result<Value> {
    let batch = ctx.map("tolerated", ["ok", "fail", "ok"], outcome).max_concurrency(1).tolerate(1).await?;
    Ok(facts(&batch, &OUTCOME))
}

async fn tolerance_exceeded(_: Value, mut ctx: Context) -> Result<Value> {
    let mapped = ctx.map("tolerated-exceeded", ["fail", "fail", "never"], outcome).max_concurrency(1).tolerate(1);
    Ok(facts(&mapped.await?, &COUNTS))
}

async fn percentage_exceeded(_: Value, mut ctx: Context) -> Result<Value> {
    let items = ["fail", "fail", "never", "never"];
    let batch = ctx.map("tolerated-pct", items, outcome).max_concurrency(1).tolerate_percent(25.0).await?;
    Ok(facts(&batch, &COUNTS))
}

async fn concurrent(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    Ok(ctx.map("concurrent", ["r0", "r1", "r2"], outcome).max_concurrency(2).await?)
}

async fn flat(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    let step = async |mut ctx: Context, item| step_of(&mut ctx, item).await;
    Ok(ctx.map("flat", ["fa", "fb"], step).max_concurrency(1).flat().await?)
}

async fn item_names(items: Vec<u32>, mut ctx: Context) -> Result<Vec<u32>> {
    let mapped = ctx.map("named-items", items, async |_, item| Ok(item * 10)).max_concurrency(1);
    Ok(mapped.item_names(|_, item| format!("item-{item}")).await?)
}

async fn item_serdes(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    let wrapped = text(
        |value: &String| format!("wrapped:{value}"),
        |text| Ok(text.strip_prefix("wrapped:").unwrap_or(text).to_owned()),
    );
    Ok(ctx.map("item-serdes", ["x", "y"], upper).max_concurrency(1).serdes(wrapped).await?)
}

async fn item_waits(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    let body = async |mut ctx: Context, (index, item)| {
        if index == 1 {
            ctx.wait(None, seconds(1)).await?;
        }
        step_of(&mut ctx, item).await
    };
    Ok(ctx.map("suspending", ["r0", "r1"].into_iter().enumerate(), body).max_concurrency(1).await?)
}

async fn large_result(_: Value, mut ctx: Context) -> Result<Value> {
    let mapped = ctx.map("large", 0..4, async |_, _| Ok("x".repeat(LARGE))).max_concurrency(1).batch();
    Ok(facts(&mapped.await?, &["successCount", "totalCount"]))
}

async fn then_wait(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    let values = ctx.map("map", ["a", "b"], upper).max_concurrency(1).await?;
    ctx.wait(None, seconds(1)).await?;
    Ok(values)
}

async fn failure_then_wait(_: Value, mut ctx: Context) -> Result<Value> {
    let batch = ctx.map("tolerated", ["ok", "fail"], outcome).max_concurrency(1).tolerate(1).await?;
    ctx.wait(None, seconds(1)).await?;
    Ok(facts(&batch, &OUTCOME))
}

async fn operation_serdes(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    let mapped = ctx.map("op-serde", ["x", "y"], upper).max_concurrency(1);
    Ok(mapped.batch_serdes(joined()).await?.into_succeeded())
}

async fn operation_serdes_replayed(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    let mapped = ctx.map("op-serde-replay", ["x", "y"], upper).max_concurrency(1);
    let batch = mapped.batch_serdes(joined()).await?;
    ctx.wait(None, seconds(1)).await?;
    Ok(batch.into_succeeded())
}

/// Writes and reads the values of a whole operation.
fn joined() -> impl Serdes<Batch<String>> {
    let write = |batch: &Batch<String>| {
        let values: Vec<&str> = batch.succeeded().map(String::as_str).collect();
        format!("OPSERDE:{}", values.join(","))
    };
    let read = |text: &str| {
        let values = text.strip_prefix("OPSERDE:").unwrap_or(text).split(',').enumerate();
        let items =
            values.map(|(index, value)| BatchItem { index, outcome: BatchOutcome::Succeeded(value.to_owned()) });
        Ok(Batch::new(items.collect(), CompletionReason::AllCompleted))
    };
    text(write, read)
}
