//! The context of the handler used for the items of a map: all of them at once.

use everstep::{Context, Result};

async fn handler(items: Vec<u32>, mut ctx: Context) -> Result<Vec<u32>> {
    let doubled = ctx
        .map("items", items, async |_, item| Ok(ctx.step("double", async |_| Ok(item * 2)).await?))
        .await?;
    Ok(doubled)
}

fn main() {
    everstep::Function::new(handler);
}
