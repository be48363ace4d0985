//! A durable function whose executions are traced. Built, and named `bootstrap` in a zip, it runs on `provided.al2023`.

use std::time::Duration;

use everstep::{Context, Function, Result};
use everstep_otel::{Otel, View};

async fn order(id: String, mut ctx: Context) -> Result<String> {
    let charged = ctx.step("charge", async |_| Ok(format!("charged {id}"))).await?;
    ctx.wait("cool off", Duration::from_secs(1)).await?;
    Ok(ctx.step("ship", async |_| Ok(format!("{charged}, shipped"))).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let otel = Otel::from_env(View::Execution)?;
    Ok(everstep::run(Function::new(order).plugin(otel)).await?)
}
