//! An operation inside the body of a step: on replay the body does not run, and the operation is not there.

use everstep::{Context, Result};

async fn handler(_: (), mut ctx: Context) -> Result<u32> {
    let value = ctx
        .step("outer", async |_| {
            let inner: u32 = ctx.step("inner", async |_| Ok(1)).await?;
            Ok(inner + 1)
        })
        .await?;
    Ok(value)
}

fn main() {
    everstep::Function::new(handler);
}
