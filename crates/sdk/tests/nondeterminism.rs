//! A handler that does not do what is on record: found when it is replayed, and reported with the place, what was
//! expected, what was called, and the way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everstep::testing::test;
use everstep::{Context, Error, Name, Result};

const HOUR: Duration = Duration::from_secs(3600);

/// Runs a handler that is told whether it is replayed, and returns the message that its execution failed with.
async fn failure<F, Fut>(handler: F) -> String
where
    F: Fn(bool, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let runs = Arc::new(AtomicUsize::new(0));
    let counting = move |_: (), ctx: Context| handler(runs.fetch_add(1, Ordering::Relaxed) > 0, ctx);
    let run = test(counting).start(()).finish().await;
    let error = run.error().expect("the execution fails");
    assert_eq!(error.error_type.as_deref(), Some("NonDeterministicExecutionError"), "{error:?}");
    error.error_message.clone().unwrap_or_default()
}

fn check(message: &str, difference: &str) {
    let way_out = "Deploy such changes as a new version, and let executions in flight end on the old one.";
    assert!(message.starts_with(difference) && message.ends_with(way_out), "{message}");
}

#[tokio::test]
async fn another_name_type_or_subtype() {
    let renamed = failure(async |again, mut ctx| {
        ctx.step(if again { "b" } else { "a" }, async |_| Ok(())).await?;
        Ok(ctx.wait("later", HOUR).await?)
    });
    let expected =
        "operation 1 is on record as Step/Step with name `a`, but the handler called Step/Step with name `b`.";
    check(&renamed.await, expected);
    let unnamed = failure(async |again, mut ctx| {
        ctx.step(if again { Name::NONE } else { "a".into() }, async |_| Ok(())).await?;
        Ok(ctx.wait("later", HOUR).await?)
    });
    check(
        &unnamed.await,
        "operation 1 is on record as Step/Step with name `a`, but the handler called Step/Step with no name.",
    );
    let other_type = failure(async |again, mut ctx| {
        if again {
            ctx.wait("a", HOUR).await?;
        } else {
            ctx.step("a", async |_| Ok(())).await?;
        }
        Ok(ctx.wait("later", HOUR).await?)
    });
    check(
        &other_type.await,
        "operation 1 is on record as Step/Step with name `a`, but the handler called Wait/Wait with name `a`.",
    );
    let other_sub_type = failure(async |again, mut ctx| {
        if again {
            ctx.map("a", [1], async |_, _| Ok(())).await?;
        } else {
            ctx.child("a", async |_| Ok(())).await?;
        }
        Ok(ctx.wait("later", HOUR).await?)
    });
    let message = other_sub_type.await;
    check(
        &message,
        "operation 1 is on record as Context/RunInChildContext with name `a`, but the handler called Context/Map",
    );
}

#[tokio::test]
async fn another_order_inside_of_a_context() {
    let message = failure(async |again, mut ctx| {
        let order = if again { ["b", "a"] } else { ["a", "b"] };
        let branches = ctx.map("both", [1, 2], async |mut ctx, item| {
            for name in order {
                ctx.step(format!("{name}{item}"), async |_| Ok(())).await?;
            }
            ctx.wait("later", HOUR).await?;
            Ok(())
        });
        branches.await?;
        Ok(())
    });
    check(
        &message.await,
        "operation 1-1-1 is on record as Step/Step with name `a1`, but the handler called Step/Step with name `b1`",
    );
}

#[tokio::test]
async fn a_context_that_becomes_flat_or_is_not_flat_any_more() {
    let handler = async |flat: bool, mut ctx: Context| {
        let child = ctx.child("child", async |mut ctx| {
            ctx.step("inside", async |_| Ok(())).await?;
            Ok(ctx.wait("later", HOUR).await?)
        });
        if flat {
            child.flat().await?
        } else {
            child.await?
        }
        Ok(())
    };
    let message = failure(handler).await;
    check(&message, "operation 1 is on record as a context of its own, but the handler called it as a flat one.");
    let message = failure(move |again, ctx| handler(!again, ctx)).await;
    let expected = "operation 1-1 is on record as Step/Step with name `inside`, but the handler called Step/Step with name \
                    `inside` inside context ";
    check(&message, expected);
}

#[tokio::test]
async fn it_cannot_be_caught() {
    let message = failure(async |again, mut ctx| {
        let result = ctx.step(if again { "b" } else { "a" }, async |_| Ok(())).await;
        // Nobody gets here on replay.
        result.map_err(|_| Error::new("Caught", "and hidden"))?;
        Ok(ctx.wait("later", HOUR).await?)
    });
    check(&message.await, "operation 1 is on record as");
}

#[tokio::test]
async fn a_handler_that_ends_at_once_does_not_hide_it() {
    let began = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let handler = move |_: (), mut ctx: Context| {
        let again = began.swap(true, std::sync::atomic::Ordering::Relaxed);
        async move {
            let step = ctx.step(if again { "renamed" } else { "step" }, async |_| Ok(()));
            let wait = ctx.wait("wait", std::time::Duration::from_secs(1));
            if again {
                tokio::select! { biased; result = step.into_future() => result?, () = std::future::ready(()) => {} }
                return Ok::<_, everstep::Error>(());
            }
            step.await?;
            Ok(wait.await?)
        }
    };
    let run = test(handler).start(()).finish().await;
    assert_eq!(run.error().and_then(|error| error.error_type.as_deref()), Some("NonDeterministicExecutionError"));
}
