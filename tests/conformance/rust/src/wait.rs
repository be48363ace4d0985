//! Suite `wait`: requirements 2-x.

use everstep::{Context, Functions, Result};
use serde_json::{Value, json};

use crate::common::seconds;

pub fn add(functions: Functions) -> Functions {
    functions.add("2-1", basic).add("2-2", named).add("2-3", sequential).add("2-4", minute).add("2-5", hour)
}

async fn basic(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.wait(None, seconds(2)).await?)
}

async fn named(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.wait("custom_wait_name", seconds(2)).await?)
}

async fn sequential(_: Value, mut ctx: Context) -> Result<Value> {
    ctx.wait("wait-1", seconds(2)).await?;
    ctx.wait("wait-2", seconds(2)).await?;
    Ok(json!({"completedWaits": 2}))
}

async fn minute(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.wait(None, seconds(60)).await?)
}

async fn hour(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.wait(None, seconds(60 * 60)).await?)
}
