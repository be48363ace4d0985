//! Two blocks that run side by side, and call operations on one context: which one is first is left to chance.

use everstep::{Context, Result};

async fn handler(_: (), mut ctx: Context) -> Result<u32> {
    let (left, right) = tokio::join!(
        async { ctx.step("left", async |_| Ok(1)).await },
        async { ctx.step("right", async |_| Ok(2)).await },
    );
    Ok(left? + right?)
}

fn main() {
    everstep::Function::new(handler);
}
