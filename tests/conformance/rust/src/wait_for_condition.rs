//! Suite `wait_for_condition`: requirements 6-x.

use everstep::{Condition, Context, Functions, Result};
use serde_json::{Value, json};

use crate::common::{fail, seconds, text};

pub fn add(functions: Functions) -> Functions {
    functions
        .add("6-1", basic)
        .add("6-2", immediate)
        .add("6-3", named)
        .add("6-4", initial_state)
        .add("6-5", fixed_delay)
        .add("6-6", attempts_exhausted)
        .add("6-7", check_fails)
        .add("6-8", failure_caught)
        .add("6-9", complex_object)
        .add("6-10", null_state)
        .add("6-11", custom_serdes)
        .add("6-12", then_step)
        .add("6-13", sequential)
}

/// Tells whether a state is the last one.
fn met_if<T>(met: bool, state: T) -> Condition<T> {
    if met { Condition::Met(state) } else { Condition::NotYet(state) }
}

/// Counts one up with each check, until the threshold is reached.
async fn count(ctx: &mut Context, initial: u32, threshold: u32) -> Result<u32> {
    let check = async |state| Ok(met_if(state + 1 >= threshold, state + 1));
    Ok(ctx.wait_until(None, initial, check).every(seconds(1)).await?)
}

async fn basic(threshold: u32, mut ctx: Context) -> Result<u32> {
    count(&mut ctx, 0, threshold).await
}

async fn immediate(input: u32, mut ctx: Context) -> Result<u32> {
    Ok(ctx.wait_until(None, input, async |state| Ok(Condition::Met(state))).await?)
}

async fn named(threshold: u32, mut ctx: Context) -> Result<u32> {
    let check = async |state| Ok(met_if(state + 1 >= threshold, state + 1));
    Ok(ctx.wait_until("poll-status", 0, check).every(seconds(1)).await?)
}

async fn initial_state(threshold: u32, mut ctx: Context) -> Result<u32> {
    count(&mut ctx, 5, threshold).await
}

async fn fixed_delay(threshold: u32, mut ctx: Context) -> Result<u32> {
    let check = async |state| Ok(met_if(state + 1 >= threshold, state + 1));
    Ok(ctx.wait_until(None, 0, check).every(seconds(2)).await?)
}

async fn attempts_exhausted(_: Value, mut ctx: Context) -> Result<u32> {
    let check = async |state| Ok(Condition::NotYet(state + 1));
    Ok(ctx.wait_until(None, 0, check).every(seconds(1)).max_checks(3).await?)
}

async fn check_fails(_: Value, mut ctx: Context) -> Result<u32> {
    Ok(ctx.wait_until(None, 0, async |_| fail()).await?)
}

async fn failure_caught(_: Value, mut ctx: Context) -> Result<String> {
    let waited = ctx.wait_until(None, String::new(), async |_| fail()).await;
    Ok(waited.unwrap_or_else(|_| "recovered".to_owned()))
}

async fn complex_object(_: Value, mut ctx: Context) -> Result<Value> {
    let check = async |state: Value| {
        let checks = state["attempts"].as_u64().unwrap_or_default() + 1;
        let is_done = checks == 2;
        let status = if is_done { "DONE" } else { "PENDING" };
        Ok(met_if(is_done, json!({"status": status, "attempts": checks})))
    };
    let initial = json!({"status": "PENDING", "attempts": 0});
    Ok(ctx.wait_until(None, initial, check).every(seconds(1)).await?)
}

async fn null_state(_: Value, mut ctx: Context) -> Result<()> {
    Ok(ctx.wait_until(None, (), async |()| Ok(Condition::Met(()))).await?)
}

async fn custom_serdes(_: Value, mut ctx: Context) -> Result<String> {
    let tagged = text(
        |state: &String| format!("state:{state}"),
        |text| Ok(text.strip_prefix("state:").unwrap_or(text).to_owned()),
    );
    let check = async |state: String| Ok(met_if(state.len() == 1, state + "x"));
    Ok(ctx.wait_until(None, String::new(), check).every(seconds(1)).serdes(tagged).await?)
}

async fn then_step(threshold: u32, mut ctx: Context) -> Result<u32> {
    let state = count(&mut ctx, 0, threshold).await?;
    Ok(ctx.step(None, async |_| Ok(state * 10)).await?)
}

async fn sequential(_: Value, mut ctx: Context) -> Result<u32> {
    let state = count(&mut ctx, 0, 2).await?;
    count(&mut ctx, state, 4).await
}
