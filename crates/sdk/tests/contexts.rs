//! Contexts: what is told of them, what is not any more once they ended, and what is made anew.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use everstep::testing::{Attempt, Run, replay, test};
use everstep::{Context, Error, OperationStatus, Result};
use tokio::sync::Notify;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Bytes of a context's result beyond which it is made anew.
const CONTEXT_RESULT_BYTES_MAX: usize = 256 * 1024;

/// Bytes of an execution's result, as they are in the answer, beyond which it is checkpointed.
const RESULT_BYTES_MAX: usize = 6 * 1024 * 1024 - 50;

/// Lets tokio's time pass.
async fn sleep(time: Duration) -> Result<()> {
    tokio::time::sleep(time).await;
    Ok(())
}

/// Checks that after an operation ended nothing below it was told.
#[track_caller]
fn assert_nothing_after(run: &Run, end: &str, untold: &str) {
    let told: Vec<String> = run.checkpoints().concat();
    assert!(told.iter().any(|update| update == end), "{told:?}");
    assert!(!told.iter().any(|update| update == untold), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_of_what_a_batch_did_not_wait_for() {
    async fn first_of_three(_: (), mut ctx: Context) -> Result<usize> {
        let batch = ctx
            .map("three", [1, 60, 60], async |mut ctx, seconds| {
                Ok(ctx.step(format!("after {seconds}"), async |_| sleep(seconds * SECOND).await).await?)
            })
            .min_successful(1)
            .await?;
        // Long enough for the others, if they went on.
        ctx.step("beside", async |_| sleep(100 * SECOND).await).await?;
        ctx.wait("later", HOUR).await?;
        Ok(batch.success_count())
    }
    let run = test(first_of_three).start(()).finish().await;
    assert_eq!(run.result::<usize>().unwrap(), 1);
    assert_nothing_after(&run, "SUCCEED three", "SUCCEED after 60");
    assert_eq!(run.operation("after 60").status(), OperationStatus::Started);
}

#[tokio::test]
async fn an_operation_that_escapes_from_its_context_is_not_told_of() {
    async fn escape(_: (), mut ctx: Context) -> Result<&'static str> {
        let mut escaped = None;
        ctx.child("child", async |mut ctx| {
            escaped = Some(ctx.step("escaped", async |_| Ok(())));
            Ok(ctx.step("stays", async |_| Ok(())).await?)
        })
        .await?;
        let later = ctx.wait("later", HOUR).into_future();
        // On replay the child does not run, so nothing escapes.
        let Some(escaped) = escaped else { return Ok(later.await.map(|()| "it did not end")?) };
        tokio::select! {
            biased;
            _ = escaped.into_future() => Ok("it ended"),
            result = later => Ok(result.map(|()| "it did not end at once")?),
        }
    }
    let run = test(escape).start(()).finish().await;
    assert_eq!(run.result::<String>().unwrap(), "it did not end");
    assert_nothing_after(&run, "SUCCEED child", "START escaped");
}

/// Returns a text whose JSON has so many bytes.
fn json_of(bytes: usize) -> String {
    "x".repeat(bytes - 2)
}

#[tokio::test]
async fn a_large_result_of_a_context_is_made_anew() {
    let check = async |bytes: usize, is_kept: bool| {
        let bodies = Arc::new(AtomicUsize::new(0));
        let steps = Arc::new(AtomicUsize::new(0));
        let counts = (Arc::clone(&bodies), Arc::clone(&steps));
        let handler = move |_: (), mut ctx: Context| {
            let (bodies, steps) = counts.clone();
            async move {
                let text = ctx.child("child", async |mut ctx| {
                    bodies.fetch_add(1, Ordering::Relaxed);
                    let step = async |_| {
                        steps.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    };
                    ctx.step("step", step).await?;
                    Ok(json_of(bytes))
                });
                let text = text.summary(|text| format!("{} letters", text.len())).await?;
                ctx.wait("later", HOUR).await?;
                Ok::<_, Error>(text.len())
            }
        };
        let run = test(handler).start(()).finish().await;
        assert_eq!(run.result::<usize>().unwrap(), bytes - 2);
        let counts = (bodies.load(Ordering::Relaxed), steps.load(Ordering::Relaxed));
        assert_eq!(counts, (if is_kept { 1 } else { 2 }, 1), "{bytes} bytes");
        let kept = run.operation("child").result().map(str::len);
        assert_eq!(kept, Some(if is_kept { bytes } else { "262143 letters".len() }), "{bytes} bytes");
    };
    check(CONTEXT_RESULT_BYTES_MAX, true).await;
    check(CONTEXT_RESULT_BYTES_MAX + 1, false).await;
}

#[tokio::test]
async fn a_large_batch_is_made_anew_as_it_was() {
    async fn large(_: (), mut ctx: Context) -> Result<(usize, usize, usize)> {
        let batch = ctx
            .map("items", 0..6, async |mut ctx, n: u32| {
                if n == 2 {
                    // Still waits when the batch ends, and is over when it is made anew.
                    ctx.wait("slow", 2 * HOUR).await?;
                }
                let text = ctx.step("step", async |_| if n == 1 { Err("no".into()) } else { Ok(json_of(70_000)) });
                Ok(text.no_retry().await?)
            })
            .min_successful(4)
            .await?;
        ctx.wait("later", 3 * HOUR).await?;
        Ok((batch.success_count(), batch.failure_count(), batch.started_count()))
    }
    let run = test(large).start(()).finish().await;
    assert_eq!(run.result::<(usize, usize, usize)>().unwrap(), (4, 1, 1));
    assert_eq!(run.steps().len(), 5);
    assert!(run.operation("items").result().unwrap().contains("\"itemStatuses\":\"SF-SSS\""));
    run.replay_every_prefix().await;
    // A history does not say which contexts are made anew, but it can be told.
    replay(large, &run.history().to_string()).await.unwrap();
}

#[tokio::test]
async fn a_large_context_is_made_anew_with_a_callback_that_it_did_not_wait_for() {
    async fn large(_: (), mut ctx: Context) -> Result<usize> {
        let text: String = ctx
            .child("large", async |mut ctx| {
                let callback = ctx.callback::<u32>("unanswered").await?;
                let id = callback.id().to_owned();
                let told = ctx.step("tell", async |_| Ok(id.clone())).await?;
                Ok(told.repeat(10_000))
            })
            .await?;
        ctx.wait("later", HOUR).await?;
        Ok(text.len())
    }
    let run = test(large).start(()).finish().await;
    assert!(run.result::<usize>().unwrap() > CONTEXT_RESULT_BYTES_MAX);
    assert_eq!(run.invocations(), 2);
}

#[tokio::test]
async fn a_large_result_of_an_execution_is_checkpointed() {
    let check = async |bytes: usize, sent: &[&str]| {
        let handler = move |_: (), _: Context| async move { Ok::<_, Error>(json_of(bytes)) };
        let run = test(handler).start(()).finish().await;
        assert_eq!(run.result::<String>().unwrap().len(), bytes - 2);
        assert_eq!(run.checkpoints().concat(), sent, "{bytes} bytes");
    };
    // The quotes around the text take a byte more each in the answer.
    check(RESULT_BYTES_MAX - 2, &[]).await;
    check(RESULT_BYTES_MAX - 1, &["SUCCEED execution"]).await;
}

#[tokio::test]
async fn who_was_first_is_on_record_before_anybody_sees_it() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let first_of_two = move |_: (), mut ctx: Context| {
        let seen = Arc::clone(&kept);
        async move {
            // `b` is short and ends first, and the last step of `a` ends with it.
            let (b_may_end, b_ended) = &Default::default();
            let batch = ctx
                .map("first", ["a", "b"], async |mut ctx, name| {
                    let (b_may_end, b_ended): (&Notify, &Notify) = (b_may_end, b_ended);
                    if name == "a" {
                        ctx.step("a1", async |_| Ok(())).await?;
                    }
                    let body = async |_| {
                        if name == "a" {
                            b_may_end.notify_one();
                            b_ended.notified().await;
                        } else {
                            b_may_end.notified().await;
                            b_ended.notify_one();
                        }
                        Ok(name.to_owned())
                    };
                    Ok(ctx.step(name, body).await?)
                })
                .item_names(|_, name| format!("branch {name}"))
                .min_successful(1)
                .await?;
            let first = batch.into_succeeded();
            let body = async |_| {
                seen.lock().unwrap().push(first.clone());
                Ok(())
            };
            ctx.step("use", body).await?;
            Ok::<_, Error>(())
        }
    };
    let run = test(first_of_two).crash_after("branch b", Attempt::Body).start(()).finish().await;
    assert_eq!(run.error(), None);
    assert_eq!(seen.lock().unwrap().len(), 1, "{seen:?} {:?}", run.checkpoints());
}

#[tokio::test]
async fn a_rule_is_asked_after_a_branch() {
    async fn rule(_: (), mut ctx: Context) -> Result<usize> {
        let batch = ctx
            .map("two", [1, 2], async |mut ctx, n: u32| Ok(ctx.step(None, async |_| Ok(n)).await?))
            .until(|progress| (progress.succeeded >= progress.failed).then_some(true))
            .await?;
        Ok(batch.success_count())
    }
    assert_eq!(test(rule).start(()).finish().await.result::<usize>().unwrap(), 1);
}

#[tokio::test]
async fn the_time_of_a_context_is_the_same_whenever_it_is_replayed() {
    let seen = Arc::new(Mutex::new([Vec::new(), Vec::new()]));
    let kept = Arc::clone(&seen);
    let handler = move |_: (), mut ctx: Context| {
        let seen = Arc::clone(&kept);
        async move {
            ctx.child("before", async |mut ctx| Ok(ctx.wait("inside", SECOND).await?)).await?;
            seen.lock().unwrap()[0].push(ctx.now());
            let wait = ctx.wait("beside", HOUR);
            let child = ctx.child("child", async |mut ctx| {
                seen.lock().unwrap()[1].push(ctx.now());
                Ok(ctx.wait("inside", 2 * HOUR).await?)
            });
            tokio::try_join!(wait.into_future(), child.into_future())?;
            Ok::<_, Error>(())
        }
    };
    assert_eq!(test(handler).start(()).finish().await.error(), None);
    for times in &mut *seen.lock().unwrap() {
        times.dedup();
        assert_eq!(times.len(), 1, "{times:?}");
    }
}
