//! A context given to a task that runs on its own, and used after that.

use everstep::{Context, Result};

async fn handler(_: (), mut ctx: Context) -> Result<u32> {
    let task = tokio::spawn(async move { ctx.step("aside", async |_| Ok(1)).await });
    let value: u32 = ctx.step("here", async |_| Ok(2)).await?;
    Ok(value + task.await??)
}

fn main() {
    everstep::Function::new(handler);
}
