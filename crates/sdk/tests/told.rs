//! What plugins are told of time, and of contexts that have no record.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use everstep::plugin::{AttemptEnd, AttemptInfo, InvocationInfo, OperationInfo, Plugin};
use everstep::testing::test;
use everstep::{Clock, Context, Function, Result};

/// When the kit's time begins: 2026-01-01T00:00:00Z.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);
const HOUR: Duration = Duration::from_secs(3600);

type Told = Arc<Mutex<Vec<(String, SystemTime)>>>;

struct Listener {
    told: Told,
    clock: Clock,
}

impl Listener {
    fn note(&self, what: &str, operation: &OperationInfo<'_>, at: SystemTime) {
        let replay = if operation.is_replay { " again" } else { "" };
        let line = format!("{what} {}{replay}", operation.name.unwrap_or_default());
        self.told.lock().unwrap().push((line, at));
    }
}

impl Plugin for Listener {
    fn operation_end(&self, operation: &OperationInfo<'_>) {
        self.note("end", operation, self.clock.now());
    }

    fn attempt_start(&self, attempt: &AttemptInfo<'_>) {
        self.note("attempt", &attempt.operation, attempt.started_at);
    }

    fn attempt_end(&self, attempt: &AttemptInfo<'_>, end: &AttemptEnd<'_>) {
        self.note("attempted", &attempt.operation, end.ended_at);
    }
}

/// Runs a handler, and returns what a plugin was told, with the hours since the beginning.
async fn told<F, Fut>(handler: F) -> Vec<(String, u64)>
where
    F: Fn((), Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let told = Told::default();
    let listener = {
        let told = Arc::clone(&told);
        move |invocation: &InvocationInfo<'_>| -> Box<dyn Plugin> {
            Box::new(Listener { told: Arc::clone(&told), clock: invocation.clock.clone() })
        }
    };
    let run = test(Function::new(handler).plugin(listener)).start(()).finish().await;
    assert_eq!(run.status(), "SUCCEEDED");
    let told = told.lock().unwrap().clone();
    let hours = |at: SystemTime| {
        let since = at.duration_since(UNIX_EPOCH + BEGINNING).expect("time goes on");
        assert_eq!(since.as_secs() % HOUR.as_secs(), 0, "{since:?} is no time of the kit");
        since.as_secs() / HOUR.as_secs()
    };
    told.into_iter().map(|(line, at)| (line, hours(at))).collect()
}

#[tokio::test]
async fn times_are_those_of_the_clock_that_timers_go_by() {
    let lines = told(async |(), mut ctx: Context| {
        ctx.wait("pause", HOUR).await?;
        Ok(ctx.step("work", async |_| Ok(())).await?)
    });
    let expected = [("end pause", 1), ("attempt work", 1), ("attempted work", 1), ("end work", 1)];
    assert_eq!(lines.await, expected.map(|(line, hours)| (line.to_owned(), hours)));
}

#[tokio::test]
async fn a_context_without_a_record_ends_once_and_after_that_again() {
    let lines = told(async |(), mut ctx: Context| {
        let body = async |mut inner: Context| Ok(inner.step("inside", async |_| Ok(())).await?);
        ctx.step("before", async |_| Ok(())).await?;
        ctx.child("flat", body).flat().await?;
        Ok(ctx.wait("pause", HOUR).await?)
    });
    let lines = lines.await;
    let ends: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).filter(|line| line.starts_with("end")).collect();
    assert_eq!(ends, ["end before", "end inside", "end flat", "end flat again", "end pause"]);
}

/// Runs a step in so many flat contexts, each in the one before.
fn step_within(mut ctx: Context, depth: usize) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
    Box::pin(async move {
        match depth {
            0 => Ok(ctx.step("inside", async |_| Ok(())).await?),
            _ => Ok(ctx.child("flat", async move |inner| step_within(inner, depth - 1).await).flat().await?),
        }
    })
}

#[tokio::test]
async fn what_ran_before_is_known_through_flat_contexts() {
    let check = async |depth: usize, is_known: bool| {
        let replays: Arc<Mutex<Vec<bool>>> = Arc::default();
        let noted = Arc::clone(&replays);
        let handler = move |(), mut ctx: Context| {
            noted.lock().unwrap().push(ctx.is_replaying());
            async move {
                ctx.child("flat", async move |inner| step_within(inner, depth - 1).await).flat().await?;
                ctx.wait("pause", HOUR).await
            }
        };
        test(handler).start(()).finish().await;
        assert_eq!(*replays.lock().unwrap(), [false, is_known], "{depth} deep");
    };
    check(1, true).await;
    check(4, true).await;
    check(5, false).await;
}
