//! The context of the handler used inside a child: its operations would be mixed with those of others.

use everstep::{Context, Result};

async fn handler(_: (), mut ctx: Context) -> Result<u32> {
    let value = ctx
        .child("child", async |mut child| {
            let first: u32 = child.step("first", async |_| Ok(1)).await?;
            let second: u32 = ctx.step("second", async |_| Ok(2)).await?;
            Ok(first + second)
        })
        .await?;
    Ok(value)
}

fn main() {
    everstep::Function::new(handler);
}
