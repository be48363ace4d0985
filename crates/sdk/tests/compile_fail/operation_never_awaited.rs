//! An operation that is called and never awaited: nothing happens.

#![deny(unused_must_use)]

use std::time::Duration;

use everstep::{Context, Result};

async fn handler(_: (), mut ctx: Context) -> Result<()> {
    ctx.step("forgotten", async |_| Ok(1));
    ctx.wait("forgotten", Duration::from_secs(1));
    Ok(())
}

fn main() {
    everstep::Function::new(handler);
}
