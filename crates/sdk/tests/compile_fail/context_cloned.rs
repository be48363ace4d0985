//! A second handle of one context.

use everstep::{Context, Result};

async fn handler(_: (), ctx: Context) -> Result<()> {
    let _second: Context = ctx.clone();
    Ok(())
}

fn main() {
    everstep::Function::new(handler);
}
