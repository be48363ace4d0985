//! `replay`: says by a history whether another version of a handler may take over an execution.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everstep::testing::{ReplayError, Running, replay, test};
use everstep::{Condition, Context, Error, Result, Retry, branch};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_secs(3600);

/// What may be changed about the handler below.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Change {
    #[default]
    Nothing,
    /// After what is on record, everything may change.
    AfterTheRecord,
    /// In a context that ended, everything may change.
    InAContextThatEnded,
    Renamed,
    OtherType,
    Added,
    Removed,
    RemovedAtTheEnd,
    InAContextThatRuns,
    FewerBranches,
    InALargeContext,
    OtherResultType,
    Flat,
}
use Change::*;

async fn order(change: Change, ctx: &mut Context) -> Result<String> {
    let change_is = |wanted| change == wanted;
    if change_is(Added) {
        ctx.step("more", async |_| Ok(())).await?;
    }
    if change_is(OtherType) {
        ctx.wait("reserve", HOUR).await?;
    } else if change_is(OtherResultType) {
        let _: Vec<u32> = ctx.step("reserve", async |_| Ok(vec![1])).await?;
    } else if !change_is(Removed) {
        let name = if change_is(Renamed) { "book" } else { "reserve" };
        let _: u32 = ctx.step(name, async |_| Ok(1)).retry(Retry::fixed(2, HOUR)).await?;
    }
    let ended = ctx.child("ended", async |mut ctx| {
        let name = if change_is(InAContextThatEnded) { "new" } else { "old" };
        Ok(ctx.step(name, async |_| Ok(2)).await?)
    });
    let _: u32 = if change_is(Flat) { ended.flat().await? } else { ended.await? };
    let large = ctx.child("large", async |mut ctx| {
        let name = if change_is(InALargeContext) { "new" } else { "old" };
        let text = ctx.step(name, async |_| Ok("x".to_owned())).await?;
        Ok(text.repeat(300_000))
    });
    large.await?;
    let failed: Result<(), _> = ctx.step("fail", async |_| Err(Error::new("Declined", "no"))).no_retry().await;
    failed.unwrap_err();
    let level =
        ctx.wait_until("level", 0, async |n| Ok(if n < 2 { Condition::NotYet(n + 1) } else { Condition::Met(n) }));
    level.every(HOUR).await?;
    let billed: u32 = ctx.invoke("billing", &7).await?;
    let mut branches = vec![branch("first", async |mut ctx: Context| {
        let name = if change_is(InAContextThatRuns) { "new" } else { "old" };
        ctx.step(name, async |_| Ok(())).await?;
        Ok(ctx.wait_for_callback::<u32, _, _>("approve", async |_| Ok(())).await?)
    })];
    if !change_is(FewerBranches) {
        branches.push(branch("second", async |mut ctx: Context| {
            ctx.wait("quick", HOUR).await?;
            Ok(ctx.step("done", async |_| Ok(4)).await?)
        }));
    }
    let both = ctx.parallel("both", branches);
    let last = ctx.step("beside", async |_| Ok(()));
    if change_is(RemovedAtTheEnd) {
        drop(last);
        both.await?;
        return Ok(String::new());
    }
    let (both, ()) = tokio::try_join!(both.into_future(), last.into_future())?;
    if change_is(AfterTheRecord) {
        ctx.wait("new", HOUR).await?;
    }
    Ok(format!("{billed} {both:?}"))
}

/// Runs the first version to where it waits for an answer, and returns its history.
async fn in_flight() -> (Running, String) {
    let t = test(async |_: (), mut ctx: Context| order(Nothing, &mut ctx).await);
    let t = t.stub_invoke("billing", |amount: u32| Ok(amount)).start(());
    t.callback("approve").await;
    t.advance(2 * HOUR).await;
    let history = t.history().await.to_string();
    (t, history)
}

async fn check(history: &str, change: Change, expected: std::result::Result<(), (Option<&str>, &str)>) {
    let handler = move |_: (), mut ctx: Context| async move { order(change, &mut ctx).await };
    let result = replay(handler, history).await;
    match (result, expected) {
        (Ok(()), Ok(())) => {}
        (Err(ReplayError::Differs { operation, message }), Err((path, words))) => {
            assert_eq!(operation.as_deref(), path, "{change:?}: {message}");
            assert!(message.contains(words), "{change:?}: {message}");
        }
        (result, expected) => panic!("{change:?}: {result:?} is not {expected:?}"),
    }
}

#[tokio::test]
async fn changes_that_would_break_an_execution_are_found() {
    let (t, history) = in_flight().await;
    check(&history, Nothing, Ok(())).await;
    check(&history, AfterTheRecord, Ok(())).await;
    check(&history, InAContextThatEnded, Ok(())).await;
    let first = "operation 1 is on record as Step/Step with name `reserve`, but the handler called";
    check(&history, Renamed, Err((Some("1"), &format!("{first} Step/Step with name `book`")))).await;
    check(&history, OtherType, Err((Some("1"), &format!("{first} Wait/Wait with name `reserve`")))).await;
    check(&history, Added, Err((Some("1"), "name `more`"))).await;
    check(&history, Removed, Err((Some("1"), "RunInChildContext with name `ended`"))).await;
    check(
        &history,
        InAContextThatRuns,
        Err((Some("7-1-1"), "name `old`, but the handler called Step/Step with name `new`")),
    )
    .await;
    check(&history, InALargeContext, Err((Some("3-1"), "name `new`"))).await;
    check(&history, OtherResultType, Err((Some("1"), "was its type changed"))).await;
    check(&history, FewerBranches, Err((None, "`second` (CONTEXT/ParallelBranch) of operation 7 is on record"))).await;
    check(
        &history,
        Flat,
        Err((Some("2"), "is on record as a context of its own, but the handler called it as a flat one")),
    )
    .await;
    t.callback("approve").await.succeed(&3).await;
    let run = t.finish().await;
    assert_eq!(run.result::<String>().unwrap(), "7 [3, 4]");
    // The whole history is read too, to its end.
    let whole = run.history().to_string();
    check(&whole, Nothing, Ok(())).await;
    check(&whole, Renamed, Err((Some("1"), "name `book`"))).await;
}

#[tokio::test]
async fn an_operation_that_is_not_called_any_more_is_found() {
    let history = {
        let handler = async |_: (), mut ctx: Context| {
            ctx.step("one", async |_| Ok(())).await?;
            Ok::<_, Error>(ctx.step("two", async |_| Ok(2)).await?)
        };
        test(handler).start(()).finish().await.history().to_string()
    };
    let handler = async |_: (), mut ctx: Context| Ok::<_, Error>(ctx.step("one", async |_| Ok(())).await?);
    let error = replay(handler, &history).await.unwrap_err().to_string();
    assert!(
        error.starts_with("operation `two` (STEP/Step) of the handler is on record, and is not called any more"),
        "{error}"
    );
}

#[tokio::test]
async fn nothing_runs_and_nothing_is_told() {
    let ran = Arc::new(AtomicBool::new(false));
    let (t, history) = in_flight().await;
    let ran_too = Arc::clone(&ran);
    let handler = move |_: (), mut ctx: Context| {
        let ran = Arc::clone(&ran_too);
        async move {
            order(Nothing, &mut ctx).await?;
            ctx.step("new", async |_| {
                ran.store(true, Ordering::Relaxed);
                Ok(())
            })
            .await?;
            Ok::<_, Error>(())
        }
    };
    replay(handler.clone(), &history).await.unwrap();
    t.callback("approve").await.succeed(&3).await;
    let whole = t.finish().await.history().to_string();
    replay(handler, &whole).await.unwrap();
    assert!(!ran.load(Ordering::Relaxed));
}

#[tokio::test]
async fn histories_that_cannot_be_read_are_refused() {
    let check = async |history: Value, words: &str| {
        let error = replay(async |_: (), _: Context| Ok::<_, Error>(()), &history.to_string()).await.unwrap_err();
        assert!(matches!(error, ReplayError::Unreadable(_)) && error.to_string().contains(words), "{error}");
    };
    let started = json!({"EventType": "ExecutionStarted", "EventId": 1, "Id": "a", "EventTimestamp": 1.5});
    let step = |details: Value| json!({"EventType": "StepSucceeded", "EventId": 2, "Id": "b", "EventTimestamp": 2.5, "StepSucceededDetails": details});
    check(json!([]), "no `Events`").await;
    check(json!({"Events": []}), "does not begin").await;
    check(json!({"Events": [started], "NextMarker": "x"}), "more pages").await;
    check(json!({"Events": [started, step(json!({"Result": {"Truncated": true}}))]}), "IncludeExecutionData").await;
    check(json!({"Events": [started, {"EventType": "StepMelted", "Id": "b", "EventId": 2}]}), "`Melted`").await;
}
