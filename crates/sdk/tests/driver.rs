//! When a handler is suspended, and what is sent when.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everstep::testing::{Run, test};
use everstep::{Context, Either, Error, Result, Retry};
use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Counts what a handler did, over all of its invocations.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn add(&self) -> Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Lets tokio's time pass.
async fn sleep(time: Duration) -> Result<()> {
    tokio::time::sleep(time).await;
    Ok(())
}

/// Runs a handler that is given a count of bodies, and checks how often bodies ran and it was invoked, and how much time
/// passed.
async fn check<F, Fut>(handler: F, bodies: usize, invocations: usize, elapsed: Duration) -> Run
where
    F: Fn(Count, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let count = Count::default();
    let counted = count.clone();
    let run = test(move |_: (), ctx: Context| handler(counted.clone(), ctx)).start(()).finish().await;
    assert_eq!(run.error(), None);
    assert_eq!((count.get(), run.invocations(), run.elapsed()), (bodies, invocations, elapsed));
    run
}

#[tokio::test]
async fn a_handler_that_only_waits_is_suspended() {
    let sequence = async |_, mut ctx: Context| {
        ctx.wait("a", HOUR).await?;
        Ok(ctx.wait("b", HOUR).await?)
    };
    check(sequence, 0, 3, 2 * HOUR).await;
}

#[tokio::test]
async fn join_waits_for_both_and_runs_the_body_once() {
    let join = async |count: Count, mut ctx: Context| {
        let step = ctx.step("step", async |_| count.add());
        let (waited, stepped) = tokio::join!(ctx.wait("wait", HOUR).into_future(), step.into_future());
        waited?;
        Ok(stepped?)
    };
    assert_first_invocation_steps(&check(join, 1, 2, HOUR).await);
    let try_join = async |count: Count, mut ctx: Context| {
        let steps = (ctx.step("a", async |_| count.add()), ctx.step("b", async |_| count.add()));
        tokio::try_join!(ctx.wait("wait", HOUR).into_future(), steps.0.into_future(), steps.1.into_future())?;
        Ok(())
    };
    assert_first_invocation_steps(&check(try_join, 2, 2, HOUR).await);
    let try_join_that_fails = async |count: Count, mut ctx: Context| {
        let failing = ctx.step("a", async |_| Err::<(), _>("no".into())).no_retry();
        let both = async { tokio::try_join!(ctx.wait("wait", HOUR).into_future(), failing.into_future()) };
        both.await.unwrap_err();
        Ok(ctx.step("after", async |_| count.add()).await?)
    };
    check(try_join_that_fails, 1, 1, Duration::ZERO).await;
}

#[tokio::test]
async fn streams_of_operations() {
    let unordered = async |count: Count, mut ctx: Context| {
        let mut waits: FuturesUnordered<_> =
            (1..=3).map(|n| ctx.wait(format!("w{n}"), n * HOUR).into_future()).collect();
        let mut steps: FuturesUnordered<_> = (1..=3)
            .map(|n| {
                let count = count.clone();
                ctx.step(format!("s{n}"), move |_| {
                    let count = count.clone();
                    async move { count.add() }
                })
                .into_future()
            })
            .collect();
        while let Some(result) = steps.next().await {
            result?;
        }
        while let Some(result) = waits.next().await {
            result?;
        }
        Ok(())
    };
    check(unordered, 3, 4, 3 * HOUR).await;
    // Two at a time: four waits of an hour take two hours.
    let buffered = async |_, mut ctx: Context| {
        let waits: Vec<_> = (0..4).map(|n| ctx.wait(format!("w{n}"), HOUR).into_future()).collect();
        let mut waits = stream::iter(waits).buffer_unordered(2);
        while let Some(result) = waits.next().await {
            result?;
        }
        Ok(())
    };
    check(buffered, 0, 3, 2 * HOUR).await;
    // One that ends early leaves nothing behind that keeps the handler alive.
    let early = async |count: Count, mut ctx: Context| {
        let mut waits: FuturesUnordered<_> =
            (1..=3).map(|n| ctx.wait(format!("w{n}"), n * HOUR).into_future()).collect();
        waits.next().await.expect("there are three")?;
        drop(waits);
        ctx.step("after", async |_| count.add()).await?;
        Ok(ctx.wait("last", HOUR / 2).await?)
    };
    check(early, 1, 3, HOUR + HOUR / 2).await;
}

/// Checks that the first invocation ended no sooner than the step.
#[track_caller]
fn assert_first_invocation_steps(run: &Run) {
    let events = run.history()["Events"].as_array().expect("a history has events");
    let position = |event_type: &str| events.iter().position(|event| event["EventType"] == event_type);
    assert!(position("StepSucceeded") < position("InvocationCompleted"), "the handler was suspended before its step");
}

#[tokio::test]
async fn code_that_yields_beside_a_wait_is_not_cut_off() {
    let yields = async |count: Count, mut ctx: Context| {
        let (wait, step) = (ctx.wait("wait", HOUR), ctx.step("step", async |_| count.add()));
        let later = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            step.await
        };
        tokio::try_join!(wait.into_future(), later)?;
        Ok(())
    };
    assert_first_invocation_steps(&check(yields, 1, 2, HOUR).await);
    let spends_its_budget = async |count: Count, mut ctx: Context| {
        let (wait, step) = (ctx.wait("wait", HOUR), ctx.step("step", async |_| count.add()));
        let later = async {
            for _ in 0..1000 {
                tokio::task::coop::consume_budget().await;
            }
            step.await
        };
        tokio::try_join!(wait.into_future(), later)?;
        Ok(())
    };
    assert_first_invocation_steps(&check(spends_its_budget, 1, 2, HOUR).await);
}

#[tokio::test]
async fn a_body_on_another_thread_keeps_the_handler_alive() {
    let blocking = async |count: Count, mut ctx: Context| {
        let body = async |_| {
            let (finish, may_finish) = std::sync::mpsc::channel();
            tokio::spawn(async move {
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                finish.send(())
            });
            let count = count.clone();
            let work = tokio::task::spawn_blocking(move || may_finish.recv().map(|()| count.add()));
            work.await??
        };
        tokio::try_join!(ctx.step("step", body).into_future(), ctx.wait("wait", HOUR).into_future())?;
        Ok(())
    };
    assert_first_invocation_steps(&check(blocking, 1, 2, HOUR).await);
}

#[tokio::test]
async fn five_hundred_branches_are_suspended_together() {
    let wide = async |count: Count, mut ctx: Context| {
        let branches = ctx.map("wide", 0..500, async |mut ctx, n: u32| {
            tokio::task::yield_now().await;
            ctx.wait("wait", HOUR).await?;
            let count = &count;
            Ok(ctx.step("step", async move |_| count.add()).await.map(|()| n)?)
        });
        let numbers = branches.await?;
        assert!(numbers.into_iter().eq(0..500));
        Ok(())
    };
    let run = check(wide, 500, 2, HOUR).await;
    assert!(run.checkpoints().iter().all(|updates| updates.len() <= 250));
}

#[tokio::test(start_paused = true)]
async fn what_is_over_while_a_body_runs_goes_on_in_place() {
    let beside = async |count: Count, mut ctx: Context| {
        let slow = ctx.step("slow", async |_| sleep(3 * SECOND).await);
        let (wait, quick) = (ctx.wait("wait", SECOND), ctx.step("quick", async |_| count.add()));
        let branch = async {
            wait.await?;
            assert_eq!(count.get(), 0);
            quick.await
        };
        tokio::try_join!(slow.into_future(), branch)?;
        Ok(())
    };
    // For the execution a second passed: the clock only knows of the time at which news were asked for.
    let run = check(beside, 1, 1, SECOND).await;
    let sent = [vec!["START slow", "START wait"], vec![], vec!["START quick", "SUCCEED quick"], vec!["SUCCEED slow"]];
    assert_eq!(run.checkpoints(), sent);
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_on_in_place_when_the_invocation_is_about_to_end() {
    let check = async |wait: Duration, invocations: usize| {
        let handler = move |_: Count, mut ctx: Context| async move {
            let slow = ctx.step("slow", async |_| sleep(901 * SECOND).await);
            tokio::try_join!(slow.into_future(), ctx.wait("wait", wait).into_future())?;
            Ok(())
        };
        check(handler, 0, invocations, wait).await;
    };
    // The function has 15 minutes, and in the last second of them nothing is begun.
    check(898 * SECOND, 1).await;
    check(900 * SECOND, 2).await;
}

#[tokio::test(start_paused = true)]
async fn news_are_asked_for_less_and_less_often() {
    let long = async |_: Count, mut ctx: Context| {
        let answer = ctx.callback::<()>("never").await?.result();
        let slow = ctx.step("slow", async |_| sleep(60 * SECOND).await);
        tokio::select! { biased; result = slow.into_future() => result?, _ = answer => unreachable!("nobody answers") }
        Ok(())
    };
    let run = check(long, 0, 1, 55 * SECOND + 5 * MILLI).await;
    // 1, 3, 7, 15, 25, 35, 45 and 55 seconds after the start was sent, which was held for five milliseconds.
    assert_eq!(run.checkpoints().iter().filter(|updates| updates.is_empty()).count(), 8);
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_does_not_keep_the_handler_alive() {
    let raced = async |count: Count, mut ctx: Context| {
        let stuck = ctx.step("stuck", async |_| {
            count.add()?;
            std::future::pending::<Result<()>>().await
        });
        let wait = ctx.wait("wait", SECOND);
        let Either::Right(()) = ctx.race("first", (stuck, wait)).await? else { unreachable!("it is stuck") };
        ctx.wait("later", HOUR).await?;
        Ok(())
    };
    check(raced, 1, 2, HOUR + SECOND).await;
    let never_polled = async |count: Count, mut ctx: Context| {
        let unused = ctx.step("unused", async |_| count.add());
        drop(unused);
        drop(ctx.wait("unused too", HOUR));
        Ok(ctx.wait("wait", HOUR).await?)
    };
    let run = check(never_polled, 0, 2, HOUR).await;
    assert_eq!(run.operations().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_outside_of_operations_is_no_suspension() {
    let foreign = async |count: Count, mut ctx: Context| {
        tokio::time::sleep(HOUR).await;
        Ok(ctx.step("step", async |_| count.add()).await?)
    };
    check(foreign, 1, 1, Duration::ZERO).await;
}

#[tokio::test]
async fn a_quick_step_takes_one_checkpoint() {
    let steps = async |count: Count, mut ctx: Context| {
        ctx.step("a", async |_| count.add()).await?;
        ctx.step("b", async |_| count.add()).at_most_once().await?;
        let flaky = async |step: everstep::StepContext| {
            count.add()?;
            if step.attempt() == 1 { Err("not yet".into()) } else { Ok(()) }
        };
        Ok(ctx.step("c", flaky).retry(Retry::fixed(2, HOUR)).await?)
    };
    let run = check(steps, 4, 2, HOUR).await;
    let sent = [
        vec!["START a", "SUCCEED a"],
        vec!["START b"],
        vec!["SUCCEED b"],
        vec!["START c", "RETRY c"],
        vec!["START c", "SUCCEED c"],
    ];
    assert_eq!(run.checkpoints(), sent);
    assert_eq!(run.operation("c").attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_start_of_a_slow_step_is_held_for_five_milliseconds() {
    let t =
        test(async |_: (), mut ctx: Context| Ok::<_, Error>(ctx.step("slow", async |_| sleep(SECOND).await).await?))
            .start(());
    tokio::time::sleep(4 * MILLI).await;
    assert_eq!(t.checkpoints().len(), 0);
    tokio::time::sleep(3 * MILLI).await;
    assert_eq!(t.checkpoints(), [["START slow"]]);
    assert_eq!(t.finish().await.checkpoints(), [["START slow"], ["SUCCEED slow"]]);
}

#[tokio::test]
async fn panics_are_failures() {
    async fn failure<F, Fut>(handler: F) -> (String, String, usize)
    where
        F: Fn((), Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let run = test(handler).start(()).finish().await;
        let error = run.error().expect("it fails").clone();
        (error.error_type.unwrap_or_default(), error.error_message.unwrap_or_default(), run.operations().len())
    }
    let check = |failure: (String, String, usize), message: &str, operations: usize| {
        assert_eq!(failure, ("panic".to_owned(), message.to_owned(), operations));
    };
    let in_a_step = failure(async |_, mut ctx| Ok(ctx.step("a", async |_| panic!("in a step")).no_retry().await?));
    check(in_a_step.await, "in a step", 1);
    check(failure(async |_, _| panic!("in the {}", "handler")).await, "in the handler", 0);
    let in_a_child = failure(async |_, mut ctx| Ok(ctx.child("a", async |_| panic!("in a child")).await?));
    check(in_a_child.await, "in a child", 1);
    let in_a_branch = failure(async |_, mut ctx| {
        ctx.map("a", [1], async |_, _| -> Result<()> { panic!("in a branch") }).await?;
        Ok(())
    });
    check(in_a_branch.await, "in a branch", 2);
    let in_a_check = failure(async |_, mut ctx| Ok(ctx.wait_until("a", (), async |()| panic!("in a check")).await?));
    check(in_a_check.await, "in a check", 1);
    let in_a_submitter = failure(async |_, mut ctx| {
        let none = Retry::none();
        Ok(ctx.wait_for_callback("a", async |_| panic!("in a submitter")).retry(none).await?)
    });
    check(in_a_submitter.await, "in a submitter", 3);
    // Tried again like any other error.
    let tried_again = async |count: Count, mut ctx: Context| {
        let body = async |step: everstep::StepContext| {
            count.add()?;
            assert!(step.attempt() > 1, "the first attempt");
            Ok(())
        };
        Ok(ctx.step("a", body).retry(Retry::fixed(2, HOUR)).await?)
    };
    self::check(tried_again, 2, 2, HOUR).await;
}

#[tokio::test]
async fn state_comes_in_pages() {
    const STEPS: usize = 24;
    let large = async |count: Count, mut ctx: Context| {
        let mut bytes = 0;
        for _ in 0..STEPS {
            let text = async |_| {
                count.add()?;
                Ok("x".repeat(250_000))
            };
            bytes += ctx.step(None, text).await?.len();
        }
        ctx.wait("later", HOUR).await?;
        assert_eq!(bytes, STEPS * 250_000);
        Ok(())
    };
    // More than the 5 MiB that an event holds; without the rest the bodies would run again.
    check(large, STEPS, 2, HOUR).await;
}

#[tokio::test(start_paused = true)]
async fn an_operation_on_another_task_is_seen_to() {
    let step = async |count: Count, mut ctx: Context| {
        let slow = ctx.step("slow", move |_| {
            let count = count.clone();
            async move {
                sleep(SECOND).await?;
                count.add()
            }
        });
        tokio::spawn(slow.into_future()).await??;
        Ok(())
    };
    check(step, 1, 1, Duration::ZERO).await;
    let wait = async |_: Count, mut ctx: Context| {
        let wait = ctx.wait("wait", HOUR);
        let later = async {
            sleep(3 * SECOND).await?;
            Ok::<_, Error>(wait.await?)
        };
        tokio::spawn(later).await??;
        Ok(())
    };
    check(wait, 0, 2, HOUR).await;
}
