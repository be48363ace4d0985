//! The body of a step writes a variable of the handler: on replay the body does not run, and the write is lost.

use everstep::{Context, Result};

async fn handler(_: (), mut ctx: Context) -> Result<u32> {
    let mut count = 0;
    ctx.step("count", async |_| {
        count += 1;
        Ok(())
    })
    .await?;
    Ok(count)
}

fn main() {
    everstep::Function::new(handler);
}
