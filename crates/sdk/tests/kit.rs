//! The test kit: what a test can do to an execution, what it sees of it, and what goes wrong as it wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everstep::testing::{Attempt, Test, test};
use everstep::{Context, Error, OperationStatus, Result, Retry};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

async fn two_steps(name: String, mut ctx: Context) -> Result<String> {
    let greeting = ctx.step("greet", async |_| Ok(format!("Hello, {name}!"))).await?;
    ctx.wait("a year", 365 * DAY).await?;
    Ok(ctx.step("shout", async |_| Ok(greeting.to_uppercase())).await?)
}

async fn approval(_: (), mut ctx: Context) -> Result<String> {
    let answer = ctx.wait_for_callback("approve", async |_| Ok(())).timeout(DAY).heartbeat(2 * HOUR).await;
    Ok(match answer {
        Ok(answer) => answer,
        Err(error) => format!("{}: {}", error.error_type(), error.message()),
    })
}

#[tokio::test]
async fn a_year_passes_at_once() {
    let run = test(two_steps).start("Ada").finish().await;
    assert_eq!(run.result::<String>().unwrap(), "HELLO, ADA!");
    assert_eq!((run.status(), run.invocations(), run.elapsed()), ("SUCCEEDED", 2, 365 * DAY));
    run.assert_steps(["greet", "shout"]);
    let checkpoints = run.checkpoints();
    assert_eq!(
        checkpoints,
        [vec!["START greet", "SUCCEED greet"], vec!["START a year"], vec!["START shout", "SUCCEED shout"]]
    );
    let events = run.history()["Events"].as_array().unwrap();
    assert_eq!(events[0]["EventType"], "ExecutionStarted");
    assert_eq!(events.last().unwrap()["ExecutionSucceededDetails"]["Result"]["Payload"], "\"HELLO, ADA!\"");
    let wait = run.operation("a year");
    assert_eq!((wait.status(), wait.parent_id(), wait.sub_type()), (OperationStatus::Succeeded, None, Some("Wait")));
}

#[tokio::test]
async fn callbacks_are_answered() {
    let check = async |answer: &str, expected: &str| {
        let t = test(approval).start(());
        let callback = t.callback("approve").await;
        match answer {
            "yes" => callback.succeed("yes").await,
            "no" => callback.fail(Error::new("Declined", "not today")).await,
            "late" => t.advance(3 * HOUR).await,
            "alive" => {
                t.advance(HOUR).await;
                callback.heartbeat().await;
                t.advance(HOUR + HOUR / 2).await;
                callback.succeed("yes").await;
            }
            other => unreachable!("{other}"),
        }
        assert_eq!(t.finish().await.result::<String>().unwrap(), expected, "{answer}");
    };
    check("yes", "yes").await;
    check("no", "Declined: not today").await;
    check("late", "Callback.Heartbeat: Callback timed out on heartbeat").await;
    check("alive", "yes").await;
}

#[tokio::test]
async fn callbacks_of_one_name_are_answered_one_after_the_other() {
    async fn two(_: (), mut ctx: Context) -> Result<(u32, u32)> {
        let (first, second) = (ctx.callback("number").await?, ctx.callback("number").await?);
        ctx.wait("first", HOUR).await?;
        Ok((first.result().await?, second.result().await?))
    }
    let t = test(two).start(());
    t.callback("number").await.succeed(&1).await;
    let second = t.next_callback().await;
    assert_eq!(second.name(), "number");
    second.succeed_raw("2").await;
    assert_eq!(t.finish().await.result::<(u32, u32)>().unwrap(), (1, 2));
}

#[tokio::test]
async fn functions_are_stubbed() {
    async fn pay(amount: u32, mut ctx: Context) -> Result<u32> {
        Ok(ctx.invoke("billing", &amount).await?)
    }
    async fn slowly(amount: u32, mut ctx: Context) -> Result<u32> {
        ctx.wait("first", DAY).await?;
        if amount == 0 { Err(Error::new("Empty", "nothing")) } else { Ok(amount + 1) }
    }
    let check = async |test: Test, amount: u32, expected: std::result::Result<u32, &str>| {
        let run = test.start(amount).finish().await;
        let result = run.result::<u32>().map_err(|error| error.to_string());
        match (result, expected) {
            (Ok(result), Ok(expected)) => assert_eq!(result, expected),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (result, expected) => panic!("{result:?} is not {expected:?}"),
        }
    };
    check(test(pay).stub_invoke("billing", |amount: u32| Ok(2 * amount)), 3, Ok(6)).await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:billing:live";
    check(test(pay).stub_invoke(arn, |amount: u32| Ok(2 * amount)), 3, Ok(6)).await;
    check(test(pay).stub_invoke("billing", |_: u32| Err::<u32, _>("closed".into())), 3, Err("closed")).await;
    check(test(pay).stub_invoke("billing", |_: u32| -> Result<u32> { panic!("broken") }), 3, Err("broken")).await;
    check(test(pay).with_function("billing", slowly), 3, Ok(4)).await;
    check(test(pay).with_function("billing", slowly), 0, Err("nothing")).await;
    check(test(pay), 3, Err("`.stub_invoke(\"billing\", ..)`")).await;
}

#[tokio::test]
async fn an_execution_ends_in_every_way() {
    async fn wait(_: (), mut ctx: Context) -> Result<()> {
        Ok(ctx.wait("long", 10 * DAY).await?)
    }
    async fn fail(_: (), _: Context) -> Result<()> {
        Err(Error::new("Declined", "no"))
    }
    let run = test(wait).execution_timeout(DAY).start(()).finish().await;
    assert_eq!((run.status(), run.elapsed()), ("TIMED_OUT", DAY));
    let t = test(wait).start(());
    t.stop(Error::new("Enough", "stop it")).await;
    let run = t.finish().await;
    assert_eq!((run.status(), run.error().unwrap().error_type.as_deref()), ("STOPPED", Some("Enough")));
    let run = test(fail).start(()).finish().await;
    assert_eq!((run.status(), run.error().unwrap().error_message.as_deref()), ("FAILED", Some("no")));
    assert!(run.result::<()>().is_err());
}

#[tokio::test]
#[should_panic(expected = "the execution waits for Callback `answer`, which is the test's to do")]
async fn a_wait_for_the_test_itself_fails_it() {
    async fn wait(_: (), mut ctx: Context) -> Result<u32> {
        Ok(ctx.callback("answer").await?.result().await?)
    }
    let _run = test(wait).start(()).finish().await;
}

#[tokio::test]
#[should_panic(expected = "there was no callback `answer`: the execution is over, and SUCCEEDED")]
async fn a_callback_that_never_comes_fails_the_test() {
    test(two_steps).start("Ada").callback("answer").await;
}

/// Charges a card in a step, and returns how often the body ran.
async fn charge(at_most_once: bool, faults: impl FnOnce(Test) -> Test) -> (Result<String>, usize, usize) {
    let charges = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&charges);
    let handler = move |_: (), mut ctx: Context| {
        let count = Arc::clone(&count);
        async move {
            ctx.step("first", async |_| Ok(())).await?;
            let retry = Retry::fixed(2, Duration::from_secs(1));
            let body = async |_| {
                count.fetch_add(1, Ordering::Relaxed);
                Ok("paid".to_owned())
            };
            let step = ctx.step("charge", body).retry(retry);
            let paid = if at_most_once { step.at_most_once().no_retry().await? } else { step.await? };
            ctx.step("last", async |_| Ok(())).await?;
            Ok::<_, Error>(paid)
        }
    };
    let run = faults(test(handler)).start(()).finish().await;
    (run.result(), charges.load(Ordering::Relaxed), run.invocations())
}

#[tokio::test]
async fn faults_happen_where_they_should() {
    type Plan = fn(Test) -> Test;
    let check = async |plan: Plan, at_most_once: bool, expected: (std::result::Result<&str, &str>, usize, usize)| {
        let (result, charges, invocations) = charge(at_most_once, plan).await;
        let result = result.map_err(|error| error.error_type().to_owned());
        let result = result.as_deref().map_err(String::as_str);
        assert_eq!((result, charges, invocations), expected);
    };
    let paid = Ok("paid");
    check(|test| test, false, (paid, 1, 1)).await;
    // The body runs again, because the service does not know that it ran.
    check(|test| test.crash_after("charge", Attempt::Start), false, (paid, 2, 2)).await;
    check(|test| test.crash_after("charge", Attempt::Body), false, (paid, 2, 2)).await;
    // It does not run again; if it was not run, it is not run at all.
    check(|test| test.crash_after("charge", Attempt::Start), true, (Err("StepInterrupted"), 0, 2)).await;
    check(|test| test.crash_after("charge", Attempt::Body), true, (Err("StepInterrupted"), 1, 2)).await;
    // What was taken is not done again.
    check(|test| test.lose_reply(2), false, (paid, 1, 2)).await;
    // What was not taken is.
    check(|test| test.stale_token(), false, (paid, 1, 2)).await;
    check(|test| test.throttle(3), false, (paid, 1, 4)).await;
    check(|test| test.crash_after("first", Attempt::Body).lose_reply(4).throttle(1), false, (paid, 1, 4)).await;
}

#[tokio::test]
#[should_panic(expected = "this did not happen to it")]
async fn a_fault_that_does_not_happen_fails_the_test() {
    let _run = charge(false, |test| test.crash_after("chagre", Attempt::Body)).await;
}

#[tokio::test]
async fn limits_of_the_service_hold() {
    let check = async |bytes: usize, fits: bool| {
        let handler = move |_: (), mut ctx: Context| async move {
            Ok::<_, Error>(ctx.step("large", async |_| Ok("x".repeat(bytes - 2))).await?.len())
        };
        let run = test(handler).start(()).finish().await;
        let message = run.error().and_then(|error| error.error_message.as_deref());
        let refusal = "STEP output payload size must be less than or equal to 262144 bytes.";
        assert_eq!(message, (!fits).then_some(refusal), "{bytes}");
    };
    check(262_144, true).await;
    check(262_145, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_make_no_difference() {
    let t = test(approval).crash_after("approve-submitter", Attempt::Body).start(());
    t.callback("approve").await.succeed("yes").await;
    let run = t.finish().await;
    assert_eq!(run.result::<String>().unwrap(), "yes");
    run.replay_every_prefix().await;
}
