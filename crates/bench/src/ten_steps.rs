//! Ten steps by the Rust SDK: the function that is measured beside Restate's.

use everstep::{Context, Result, RunError};

/// The `Handler` of the function: what tells it from the native worker.
pub const HANDLER: &str = "ten_steps";

/// Serves invocations until the process is killed.
pub async fn run() -> Result<(), RunError> {
    everstep::run(ten_steps).await
}

async fn ten_steps(input: u64, mut ctx: Context) -> Result<u64> {
    let mut sum = input;
    for number in 0..10 {
        sum += ctx.step("step", async |_| Ok(number)).await?;
    }
    Ok(sum)
}
