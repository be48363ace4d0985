//! The handler that AWS's requirements ask for: what it does is chosen by its input.

use std::time::Duration;

use everstep::{Condition, Context, Error, Result, Retry, StepContext, branch};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::receiver::Receiver;

/// The function that the scenarios invoke.
pub const TARGET: &str = "target";

/// What an execution is to do.
#[derive(Deserialize)]
pub struct Input {
    scenario: String,
    delay_seconds: Option<Number>,
}

/// A number, also as a variable of a requirement has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl Input {
    fn delay(&self) -> Duration {
        let seconds = match &self.delay_seconds {
            None => 1,
            Some(Number::Number(seconds)) => *seconds,
            Some(Number::Text(text)) => text.parse().expect("a number"),
        };
        Duration::from_secs(seconds)
    }
}

/// Does what the scenario is named after.
pub async fn run(input: Input, mut ctx: Context) -> Result<Value> {
    let delay = input.delay();
    match input.scenario.as_str() {
        "success" => done(ctx.step("otel-success", async |_| said("done")).await?),
        "wait-resume" => {
            ctx.wait("otel-wait", delay).await?;
            done(ctx.step("otel-after-resume", async |_| said("resumed")).await?)
        }
        "retry" => done(flaky(&mut ctx, "otel-retry", delay).await?),
        "terminal-failure" => done(ctx.step("otel-terminal-failure", async |_| failed::<()>("step")).no_retry().await?),
        "child-context" => {
            let body = async |mut child: Context| Ok(child.step("otel-child-step", async |_| said("child")).await?);
            done(ctx.child("otel-child-context", body).await?)
        }
        "parallel-hierarchy" => {
            let branches = (
                branch("otel-parallel-branch-a", async |mut c| {
                    Ok(c.step("otel-parallel-step-a", async |_| Ok(1)).await?)
                }),
                branch("otel-parallel-branch-b", async |mut c| {
                    Ok(c.step("otel-parallel-step-b", async |_| Ok(2)).await?)
                }),
            );
            done(ctx.parallel("otel-parallel", branches).max_concurrency(1).await?)
        }
        "map-hierarchy" => {
            let body = async |mut c: Context, index: u32| {
                Ok(c.step(format!("otel-map-step-{index}"), async |_| Ok(index)).await?)
            };
            let names = |index, _: &u32| format!("otel-map-iteration-{index}");
            done(ctx.map("otel-map", [0, 1], body).item_names(names).max_concurrency(1).await?)
        }
        "handled-failure" => {
            let failure = ctx.step("otel-handled-failure", async |_| failed::<()>("step")).no_retry().await;
            assert!(failure.is_err());
            done(ctx.step("otel-recovery-step", async |_| said("recovered")).await?)
        }
        "wait-for-condition" => {
            let check =
                async |count: u32| Ok(if count == 1 { Condition::Met(2) } else { Condition::NotYet(count + 1) });
            done(ctx.wait_until("otel-condition", 0, check).every(delay).await?)
        }
        "wait-for-callback" => done(callback(&mut ctx, "otel-callback").await?),
        "chained-invoke" => done(invoke(&mut ctx, "otel-invoke", json!({"scenario": "target"})).await?),
        "child-context-failure" => {
            done(ctx.child("otel-failed-child-context", async |_| failed::<()>("child context")).await?)
        }
        "parallel-failure" => {
            let branches = (branch("otel-failed-parallel-branch", async |_| failed::<()>("branch")),);
            done(ctx.parallel("otel-failed-parallel", branches).await?)
        }
        "map-failure" => {
            let names = |index, _: &u32| format!("otel-failed-map-iteration-{index}");
            let body = async |_, _: u32| failed::<()>("iteration");
            done(ctx.map("otel-failed-map", [0], body).item_names(names).await?)
        }
        "wait-interrupted" => done(ctx.wait("otel-interrupted-wait", Duration::from_secs(3600)).await?),
        "wait-for-condition-failure" => {
            let check = async |_: u32| failed::<Condition<u32>>("check");
            done(ctx.wait_until("otel-failed-condition", 0, check).await?)
        }
        "wait-for-callback-failure" => done(callback(&mut ctx, "otel-failed-callback").await?),
        "chained-invoke-failure" => {
            done(invoke(&mut ctx, "otel-failed-invoke", json!({"scenario": "target-failure"})).await?)
        }
        "execution-failure" => failed("execution"),
        "virtual-context" => done(ctx.child("otel-virtual-context", async |_| said("virtual-complete")).flat().await?),
        "long-wait" => {
            ctx.wait("otel-long-wait", delay).await?;
            done(ctx.step("otel-after-long-wait", async |_| said("resumed")).await?)
        }
        "long-retry" => done(flaky(&mut ctx, "otel-long-retry", delay).await?),
        "long-callback" => done(callback(&mut ctx, "otel-long-callback").await?),
        "long-chained-invoke" => {
            let input = json!({"scenario": "target-wait", "delay_seconds": delay.as_secs()});
            done(invoke(&mut ctx, "otel-long-invoke", input).await?)
        }
        other => Err(format!("there is no scenario `{other}`").into()),
    }
}

/// Does what the invoked function is to do. It is over after its caller waits, as it is with functions that take time.
pub async fn target(input: Input, mut ctx: Context, receiver: Receiver) -> Result<Value> {
    while !receiver.spans().iter().any(|span| span.name == "Invocation") {
        tokio::task::yield_now().await;
    }
    match input.scenario.as_str() {
        "target-failure" => failed("target"),
        "target-wait" => done(ctx.wait("otel-long-invoke-target-wait", input.delay()).await?),
        _ => done("target"),
    }
}

async fn flaky(ctx: &mut Context, name: &str, delay: Duration) -> Result<String> {
    let body = async |step: StepContext| if step.attempt() == 1 { failed("attempt") } else { said("done") };
    Ok(ctx.step(name, body).retry(Retry::fixed(2, delay)).await?)
}

async fn callback(ctx: &mut Context, name: &str) -> Result<String> {
    Ok(ctx.wait_for_callback(name, async |_| Ok(())).await?)
}

async fn invoke(ctx: &mut Context, name: &str, input: Value) -> Result<Value> {
    Ok(ctx.invoke(TARGET, &input).name(name).await?)
}

fn said(what: &str) -> Result<String> {
    Ok(what.to_owned())
}

fn failed<T>(what: &str) -> Result<T> {
    Err(Error::from(format!("this {what} has to fail")).with_type("IntendedError"))
}

fn done(value: impl serde::Serialize) -> Result<Value> {
    Ok(serde_json::to_value(value)?)
}
