//! A durable function as a service of AWS's crate `lambda_runtime`, which runs it (feature `lambda_runtime`).

use std::time::Duration;

use everstep::{Context, Result};

async fn greet(name: String, mut ctx: Context) -> Result<String> {
    let greeting = ctx.step("greet", async |_| Ok(format!("Hello, {name}!"))).await?;
    ctx.wait("pause", Duration::from_secs(1)).await?;
    Ok(ctx.step("part", async |_| Ok(format!("{greeting} And goodbye."))).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::run(everstep::service(greet)?).await
}
