//! `replay_every_prefix`: deterministic handlers pass, and each kind of mistake is found.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everstep::testing::{Attempt, test};
use everstep::{Condition, Context, Either, Error, Result, Retry, branch};
use tokio::sync::Notify;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Everything at once, with results that are never the same twice in the bodies.
async fn everything(input: u32, mut ctx: Context) -> Result<String> {
    let drawn = ctx.step("draw", async |_| Ok(uuid())).await?;
    let flaky = ctx
        .step("flaky", async |step| if step.attempt() < 2 { Err("not yet".into()) } else { Ok(step.attempt()) })
        .retry(Retry::fixed(3, SECOND))
        .await?;
    let paid = ctx.step("pay", async |_| Ok(uuid())).at_most_once().no_retry().await;
    let number = ctx.callback::<u32>("number").timeout(HOUR).await?;
    let (billed, ()) = tokio::try_join!(ctx.invoke::<u32>("billing", &input), ctx.wait("cool-off", HOUR / 4))?;
    let number = number.result().await?;
    let sizes: Vec<usize> = ctx
        .map("sizes", ["a", "bb", "ccc"], async |mut ctx, text| {
            ctx.wait("queue", SECOND).await?;
            Ok(ctx.step("size", async |_| Ok(text.len())).await?)
        })
        .max_concurrency(2)
        .await?;
    let large = ctx
        .child("large", async |mut ctx| Ok(ctx.step("seed", async |_| Ok("x".to_owned())).await?.repeat(300_000)))
        .await?;
    let (left, right) = ctx
        .parallel(
            "both",
            (
                branch("left", async |mut ctx| Ok(ctx.step("one", async |_| Ok(1)).await?)),
                branch("right", async |mut ctx| Ok(ctx.wait("two", SECOND).await?)),
            ),
        )
        .await?;
    let level = ctx
        .wait_until("level", 0, async |n| Ok(if n < 2 { Condition::NotYet(n + 1) } else { Condition::Met(n) }))
        .every(SECOND)
        .await?;
    let failed = ctx.step("fail", async |_| Err::<(), _>(Error::new("Declined", "no"))).no_retry().await;
    let slow = ctx.wait("slow", HOUR);
    let quick = ctx.step("quick", async |_| Ok(uuid()));
    let first = match ctx.race("first", (slow, quick)).await? {
        Either::Left(()) => "slow".to_owned(),
        Either::Right(quick) => quick,
    };
    let paid = paid.unwrap_or_else(|error| error.error_type().to_owned());
    let failed = failed.unwrap_err().to_string();
    let rest = (large.len(), left, right, level, failed, first, ctx.uuid());
    Ok(format!("{drawn} {flaky} {paid} {billed} {number} {sizes:?} {rest:?}"))
}

fn uuid() -> String {
    static DRAWN: AtomicUsize = AtomicUsize::new(0);
    format!("drawn {}", DRAWN.fetch_add(1, Ordering::Relaxed))
}

#[tokio::test]
async fn a_deterministic_handler_passes() {
    let check = async |interrupted: bool| {
        let test = test(everything).stub_invoke("billing", |amount: u32| Ok(2 * amount));
        let test = if interrupted { test.crash_after("pay", Attempt::Body).lose_reply(7) } else { test };
        let t = test.start(3);
        t.callback("number").await.succeed(&7).await;
        let run = t.finish().await;
        assert_eq!(run.status(), "SUCCEEDED", "{:?}", run.error());
        run.replay_every_prefix().await;
    };
    check(false).await;
    check(true).await;
}

#[tokio::test]
async fn failures_and_timeouts_are_replayed_too() {
    async fn fail(_: (), mut ctx: Context) -> Result<()> {
        ctx.step("charge", async |_| Err::<(), _>(Error::new("Declined", "no"))).retry(Retry::fixed(2, SECOND)).await?;
        Ok(())
    }
    async fn ask(_: (), mut ctx: Context) -> Result<String> {
        let answer = ctx.wait_for_callback::<u32, _, _>("ask", async |_| Ok(())).timeout(HOUR).await;
        Ok(answer.unwrap_err().error_type().to_owned())
    }
    test(fail).start(()).finish().await.replay_every_prefix().await;
    test(ask).start(()).finish().await.replay_every_prefix().await;
    let t = test(ask).start(());
    t.callback("ask").await;
    t.stop("enough").await;
    t.finish().await.replay_every_prefix().await;
}

#[tokio::test]
async fn a_run_that_is_stopped_before_an_invocation_passes() {
    async fn go_on(_: (), mut ctx: Context) -> Result<()> {
        ctx.step("before", async |_| Ok(())).await?;
        Ok(ctx.step("after", async |_| Ok(())).await?)
    }
    // After an invocation that failed the next one waits for a while.
    let t = test(go_on).lose_reply(1).start(());
    t.history().await;
    t.stop("enough").await;
    let run = t.finish().await;
    assert_eq!((run.status(), run.invocations()), ("STOPPED", 1));
    run.replay_every_prefix().await;
}

/// The step in whose body the first run is stopped.
#[derive(Clone, Default)]
struct Stuck(Arc<Notify>);

impl Stuck {
    async fn step(&self, run: usize, ctx: &mut Context) -> Result<()> {
        let body = async |_| {
            if run == 0 {
                self.0.notify_one();
                std::future::pending::<()>().await;
            }
            Ok(())
        };
        // Its start is on record when the body begins.
        let _ = ctx.step("stuck", body).at_most_once().no_retry().await;
        Ok(())
    }
}

/// Runs a handler that is told how often it was run, stops it in the stuck step, and replays it.
async fn stop_and_replay<F, Fut>(handler: F)
where
    F: Fn(usize, Stuck, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let (runs, stuck) = (AtomicUsize::new(0), Stuck::default());
    let reached = Arc::clone(&stuck.0);
    let counting = move |_: (), ctx: Context| handler(runs.fetch_add(1, Ordering::Relaxed), stuck.clone(), ctx);
    let t = test(counting).start(());
    reached.notified().await;
    t.stop("enough").await;
    let run = t.finish().await;
    assert_eq!(run.status(), "STOPPED");
    run.replay_every_prefix().await;
}

#[tokio::test]
async fn what_comes_after_the_point_where_a_run_was_stopped_is_free() {
    stop_and_replay(async |run, stuck, mut ctx| {
        ctx.step("before", async |_| Ok(())).await?;
        let around = ctx.child("around", async |mut ctx| {
            stuck.step(run, &mut ctx).await?;
            Ok(ctx.step("inside", async |_| Ok(())).await?)
        });
        around.await?;
        ctx.step(format!("after {run}"), async |_| Ok(())).await?;
        if run == 1 { Err("enough".into()) } else { Ok(ctx.wait("long after", HOUR).await?) }
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "it calls Step/Step `other` where it called Step/Step `stuck` before")]
async fn another_operation_before_that_point_is_found() {
    stop_and_replay(async |run, stuck, mut ctx| {
        ctx.step("before", async |_| Ok(())).await?;
        if run > 0 {
            ctx.step("other", async |_| Ok(())).await?;
        }
        stuck.step(run, &mut ctx).await
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "operation 1 is on record as Step/Step with name `before`, but the handler called")]
async fn another_operation_than_on_record_before_that_point_is_found() {
    stop_and_replay(async |run, stuck, mut ctx| {
        // The fourth replay has all of it on record.
        let name = if run < 4 { "before" } else { "other" };
        ctx.step(name, async |_| Ok(())).await?;
        stuck.step(run, &mut ctx).await
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "it ended with the error Error: enough and now ends with the result null")]
async fn an_end_before_that_point_is_found() {
    stop_and_replay(async |run, stuck, mut ctx| {
        ctx.step("before", async |_| Ok(())).await?;
        if run == 0 { stuck.step(run, &mut ctx).await } else { Ok(()) }
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "it calls Step/Step `more`, which it did not call before")]
async fn an_operation_more_is_found_if_the_run_was_stopped_while_it_waited() {
    let runs = AtomicUsize::new(0);
    let handler = move |_: (), mut ctx: Context| {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        async move {
            let wait = ctx.wait("long", HOUR);
            if run > 0 {
                ctx.step("more", async |_| Ok(())).await?;
            }
            Result::<_, Error>::Ok(wait.await?)
        }
    };
    let t = test(handler).start(());
    t.history().await;
    t.stop("enough").await;
    t.finish().await.replay_every_prefix().await;
}

/// Runs a handler that is told how often it was run, and replays it.
async fn replay<F, Fut>(handler: F)
where
    F: Fn(usize, Context) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = Result<String>> + Send + 'static,
{
    let runs = Arc::new(AtomicUsize::new(0));
    let counting = move |_: (), ctx: Context| handler(runs.fetch_add(1, Ordering::Relaxed), ctx);
    test(counting).start(()).finish().await.replay_every_prefix().await;
}

#[tokio::test]
#[should_panic(
    expected = "operation 2 is on record as Step/Step with name `b`, but the handler called Step/Step with name `c`"
)]
async fn another_order_is_found_on_record() {
    replay(async |run, mut ctx| {
        let steps = if run < 4 { ["a", "b", "c"] } else { ["a", "c", "b"] };
        for name in steps {
            ctx.step(name, async |_| Ok(())).await?;
        }
        Ok(String::new())
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "it calls Step/Step `1` where it called Step/Step `0` before")]
async fn a_name_that_depends_on_chance_is_found() {
    replay(async |run, mut ctx| {
        ctx.step(run.to_string(), async |_| Ok(())).await?;
        Ok(String::new())
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "it calls Step/Step `more`, which it did not call before")]
async fn an_operation_more_is_found() {
    replay(async |run, mut ctx| {
        ctx.step("one", async |_| Ok(())).await?;
        if run > 0 {
            ctx.step("more", async |_| Ok(())).await?;
        }
        Ok(String::new())
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "it ended with the result \"0\" and now ends with the result \"1\"")]
async fn another_result_is_found() {
    replay(async |run, mut ctx| {
        ctx.step("one", async |_| Ok(())).await?;
        Ok(run.to_string())
    })
    .await;
}

#[tokio::test]
#[should_panic(
    expected = "replayed from the point where `pay` started on, the handler does not do what it did: attempt 1 of \
                           at-most-once step `pay` runs again"
)]
async fn a_careful_step_that_runs_twice_is_found() {
    replay(async |run, mut ctx| {
        let pay = ctx.step("pay", async |_| Ok("paid".to_owned())).no_retry();
        Ok(if run == 0 { pay.at_most_once().await? } else { pay.await? })
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "it waits for Wait `b`, which ended in no run")]
async fn a_wait_that_was_not_waited_for_is_found() {
    replay(async |run, mut ctx| {
        let (a, b) = (ctx.step("a", async |_| Ok(())), ctx.wait("b", HOUR));
        if run == 0 {
            tokio::select! { biased; result = b.into_future() => result?, result = a.into_future() => result? }
        } else {
            b.await?;
        }
        Ok(String::new())
    })
    .await;
}
