//! Suite `parallel`: requirements 8-x. Branches run one after the other unless a requirement says otherwise.

use everstep::{Branch, Context, Functions, Name, Result, branch};
use serde_json::{Value, json};

use crate::common::{COUNTS, OUTCOME, facts, fail, seconds, step_of, text};

pub fn add(functions: Functions) -> Functions {
    functions
        .add("8-1", basic)
        .add("8-2", unnamed)
        .add("8-3", named_branches)
        .add("8-4", mixed_types)
        .add("8-5", empty)
        .add("8-6", fail_fast)
        .add("8-7", rethrow)
        .add("8-8", min_successful)
        .add("8-9", failure_tolerated)
        .add("8-10", tolerance_exceeded)
        .add("8-11", concurrent)
        .add("8-12", flat)
        .add("8-13", percentage_exceeded)
        .add("8-14", branch_waits)
        .add("8-15", item_serdes)
        .add("8-16", all_fail)
        .add("8-17", min_not_reached)
        .add("8-18", both_criteria)
        .add("8-19", bad_concurrency)
        .add("8-20", accessors)
        .add("8-21", nested)
        .add("8-22", percentage_reached)
}

/// Makes a branch that gives a value.
fn gives(value: &'static str) -> Branch<'static, String> {
    branch(Name::NONE, async |_| Ok(value.to_owned()))
}

/// Makes a branch that gives a value by a step.
fn steps(value: &'static str) -> Branch<'static, String> {
    branch(Name::NONE, async |mut ctx| step_of(&mut ctx, value).await)
}

/// Makes a branch that fails.
fn fails() -> Branch<'static, String> {
    branch(Name::NONE, async |_| fail())
}

async fn basic(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    Ok(ctx.parallel("parallel", vec![steps("task-1"), steps("task-2")]).max_concurrency(1).await?)
}

async fn unnamed(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    Ok(ctx.parallel(None, vec![gives("alpha"), gives("beta")]).max_concurrency(1).await?)
}

async fn named_branches(_: Value, mut ctx: Context) -> Result<(String, String)> {
    let first = branch("first", async |_| Ok("one".to_owned()));
    let second = branch("second", async |_| Ok("two".to_owned()));
    Ok(ctx.parallel("named", (first, second)).max_concurrency(1).await?)
}

async fn mixed_types(_: Value, mut ctx: Context) -> Result<(String, u32, Value)> {
    let number = branch(None, async |_| Ok(42));
    let object = branch(None, async |_| Ok(json!({"k": "v"})));
    Ok(ctx.parallel("hetero", (gives("hello"), number, object)).max_concurrency(1).await?)
}

async fn empty(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    Ok(ctx.parallel("empty", Vec::<Branch<'_, String>>::new()).max_concurrency(1).await?)
}

async fn fail_fast(_: Value, mut ctx: Context) -> Result<Value> {
    let branches = vec![gives("ok"), fails(), gives("never")];
    Ok(facts(&ctx.parallel("failfast", branches).max_concurrency(1).tolerate(0).await?, &OUTCOME))
}

async fn rethrow(_: Value, mut ctx: Context) -> Result<()> {
    let batch = ctx.parallel("throwing", vec![fails(), gives("never")]).max_concurrency(1).tolerate(0).await?;
    Ok(batch.throw_if_error()?)
}

async fn min_successful(_: Value, mut ctx: Context) -> Result<Value> {
    let branches = Vec::from(["r0", "r1", "r2", "r3"].map(gives));
    let batch = ctx.parallel("min-successful", branches).max_concurrency(1).min_successful(2).await?;
    Ok(facts(&batch, &["completionReason", "successCount", "totalCount"]))
}

async fn failure_tolerated(_: Value, mut ctx: Context) -> Result<Value> {
    let branches = vec![gives("ok"), fails(), gives("ok")];
    Ok(facts(&ctx.parallel("tolerated", branches).max_concurrency(1).tolerate(1).await?, &OUTCOME))
}

async fn tolerance_exceeded(_: Value, mut ctx: Context) -> Result<Value> {
    let branches = vec![fails(), fails(), gives("never")];
    Ok(facts(&ctx.parallel("tolerated-exceeded", branches).max_concurrency(1).tolerate(1).await?, &COUNTS))
}

async fn concurrent(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    Ok(ctx.parallel("concurrent", Vec::from(["r0", "r1", "r2"].map(gives))).max_concurrency(2).await?)
}

async fn flat(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    Ok(ctx.parallel("flat", vec![steps("fa"), steps("fb")]).max_concurrency(1).flat().await?)
}

async fn percentage_exceeded(_: Value, mut ctx: Context) -> Result<Value> {
    let branches = vec![fails(), fails(), gives("never"), gives("never")];
    Ok(facts(&ctx.parallel("tolerated-pct", branches).max_concurrency(1).tolerate_percent(25.0).await?, &COUNTS))
}

async fn branch_waits(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    let waits = branch(Name::NONE, async |mut ctx: Context| {
        ctx.wait(None, seconds(2)).await?;
        Ok("b1".to_owned())
    });
    Ok(ctx.parallel("suspending", vec![steps("b0"), waits]).max_concurrency(1).await?)
}

async fn item_serdes(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    let wrapped = |value| {
        gives(value).serdes(text(
            |value: &String| json!({"wrapped": value}).to_string(),
            |text| Ok(serde_json::from_str::<Value>(text)?["wrapped"].as_str().unwrap_or_default().to_owned()),
        ))
    };
    Ok(ctx.parallel("serde", vec![wrapped("x"), wrapped("y")]).max_concurrency(1).await?)
}

async fn all_fail(_: Value, mut ctx: Context) -> Result<Value> {
    let branches = vec![fails(), fails(), fails()];
    Ok(facts(&ctx.parallel("all-fail", branches).max_concurrency(1).tolerate(3).await?, &OUTCOME))
}

async fn min_not_reached(_: Value, mut ctx: Context) -> Result<Value> {
    let branches = vec![gives("ok"), fails(), gives("ok")];
    Ok(facts(&ctx.parallel("min-not-reached", branches).max_concurrency(1).min_successful(3).await?, &OUTCOME))
}

async fn both_criteria(_: Value, mut ctx: Context) -> Result<Value> {
    let branches = vec![fails(), fails(), gives("never"), gives("never")];
    let batch = ctx.parallel("combined", branches).max_concurrency(1).min_successful(3).tolerate(1).await?;
    Ok(facts(&batch, &COUNTS))
}

async fn bad_concurrency(_: Value, mut ctx: Context) -> Result<Vec<String>> {
    Ok(ctx.parallel("bad-concurrency", vec![gives("a"), gives("b")]).max_concurrency(0).await?)
}

async fn accessors(_: Value, mut ctx: Context) -> Result<Value> {
    let branches = vec![gives("ok"), fails(), gives("ok")];
    let batch = ctx.parallel("accessors", branches).max_concurrency(1).tolerate(1).await?;
    Ok(json!({
        "hasFailure": batch.throw_if_error().is_err(),
        "successCount": batch.succeeded().count(),
        "failureCount": batch.failure_count(),
        "errorCount": batch.errors().count(),
    }))
}

async fn nested(_: Value, mut ctx: Context) -> Result<Vec<Vec<String>>> {
    let inner = branch(None, async |mut ctx: Context| {
        Ok(ctx.parallel("inner", vec![steps("i1"), steps("i2")]).max_concurrency(1).await?)
    });
    Ok(ctx.parallel("outer", vec![inner]).max_concurrency(1).await?)
}

async fn percentage_reached(_: Value, mut ctx: Context) -> Result<Value> {
    let branches = vec![fails(), gives("ok"), gives("ok"), gives("ok")];
    Ok(facts(&ctx.parallel("pct-boundary", branches).max_concurrency(1).tolerate_percent(25.0).await?, &OUTCOME))
}
