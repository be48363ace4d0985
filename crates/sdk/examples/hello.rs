//! The smallest durable function: a step, a wait, and a step.

use std::time::Duration;

use everstep::{Context, Result, RunError};

async fn greet(name: String, mut ctx: Context) -> Result<String> {
    let greeting = ctx.step("greet", async |_| Ok(format!("Hello, {name}!"))).await?;
    ctx.wait("pause", Duration::from_secs(1)).await?;
    Ok(ctx.step("part", async |_| Ok(format!("{greeting} And goodbye."))).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RunError> {
    everstep::run(greet).await
}
