//! What is longer than the service waits is an error of the operation that asks for it, and the handler goes on.

use std::time::Duration;

use everstep::testing::test;
use everstep::{Condition, Context, Error, OperationError, Result, Retry};
use serde_json::Value;

/// Seconds of a wait, and until the next attempt: a leap year.
const YEAR: u64 = 31_622_400;

/// Seconds until the answer of a callback, and until its next heartbeat.
const CALLBACK: u64 = 99_999_999;

/// Gives an operation the longest time that there is, and a second more; checks that it waits, and what it fails with.
async fn check<F, Fut>(seconds_max: u64, expected: &str, operation: F)
where
    F: Fn(Duration, Context) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), OperationError>> + Send + 'static,
{
    let start = |seconds: u64| {
        let operation = operation.clone();
        let handler = move |_: (), ctx: Context| {
            let outcome = operation(Duration::from_secs(seconds), ctx);
            async move { Ok::<_, Error>(outcome.await.expect_err("it does not succeed").object().clone()) }
        };
        test(handler).start(())
    };
    let history = start(seconds_max).history().await;
    let is_over =
        |event: &Value| ["ExecutionSucceeded", "ExecutionFailed"].iter().any(|ended| event["EventType"] == *ended);
    let events = history["Events"].as_array().unwrap();
    assert!(events.len() > 1 && !events.iter().any(is_over), "{history:#}");
    let error: everstep::ErrorObject = start(seconds_max + 1).finish().await.result().unwrap();
    assert_eq!(error.error_type.as_deref(), Some("ValidationError"));
    assert_eq!(error.error_message.as_deref(), Some(expected));
}

#[tokio::test]
async fn waits_are_at_most_a_year() {
    let expected = "a wait of 31622401 seconds is longer than 31622400";
    check(YEAR, expected, async |time, mut ctx| ctx.wait("wait", time).await).await;
}

#[tokio::test]
async fn callbacks_are_waited_for_three_years() {
    let expected = "a timeout of 100000000 seconds is longer than 99999999";
    check(CALLBACK, expected, async |time, mut ctx| ctx.callback("a").timeout(time).await?.result().await).await;
    check(CALLBACK, expected, async |time, mut ctx| ctx.callback("a").heartbeat(time).await?.result().await).await;
    check(CALLBACK, expected, async |time, mut ctx| ctx.wait_for_callback("a", async |_| Ok(())).timeout(time).await)
        .await;
    check(CALLBACK, expected, async |time, mut ctx| {
        ctx.wait_for_callback("a", async |_| Ok(())).timeout(Duration::from_secs(1)).heartbeat(time).await
    })
    .await;
}

#[tokio::test]
async fn attempts_are_at_most_a_year_apart() {
    let expected = "a delay of 31622401 seconds until the next attempt is longer than 31622400";
    let of_step = format!("{expected}; the attempt failed with Declined: no");
    check(YEAR, &of_step, async |time, mut ctx| {
        ctx.step("a", async |_| Err(Error::new("Declined", "no"))).retry(Retry::fixed(2, time)).await
    })
    .await;
    check(YEAR, &of_step, async |time, mut ctx| {
        let retry = Retry::custom(move |_, _| Some(time));
        ctx.step("a", async |_| Err(Error::new("Declined", "no"))).retry(retry).await
    })
    .await;
    check(YEAR, expected, async |time, mut ctx| {
        ctx.wait_until("a", (), async |()| Ok(Condition::NotYet(()))).every(time).await
    })
    .await;
    check(YEAR, expected, async |time, mut ctx| {
        ctx.wait_until("a", (), async |()| Ok(Condition::Later((), time))).await
    })
    .await;
}
