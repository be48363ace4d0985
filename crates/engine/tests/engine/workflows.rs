//! Executions from start to end, with time passing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everstep_core::ExecutionStatus;

use crate::world::{DAY, LONG, World, on_every_store, patiently};

/// A step, a wait of `seconds`, and a step that uses the first one's result.
fn tell_workflow(world: &World, seconds: u64) {
    world.scripts.durable("f", LONG, move |context| async move {
        let first = context.step("first", || format!("hello {}", context.input())).await?;
        context.wait("nap", seconds).await?;
        context.step("second", || format!("{first}, good morning")).await
    });
}

#[tokio::test]
async fn workflow_goes_on_after_its_wait() {
    on_every_store(async |world| {
        tell_workflow(&world, 60);
        let node = world.node();
        let id = node.start("f", "world").await;
        world.until_asleep(id).await;
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        assert_eq!(world.outcome(id).await, "SUCCEEDED hello world, good morning");
        let events = world.events(id).await.join("\n");
        insta::allow_duplicates! {
            insta::assert_snapshot!(events, @r"
            ExecutionStarted
            InvocationStarted
            OperationAdded
            Step first Started
            Step first Succeeded
            CheckpointAccepted
            OperationAdded
            Wait nap Started
            CheckpointAccepted
            InvocationCompleted
            Wait nap Succeeded
            InvocationStarted
            OperationAdded
            Step second Started
            Step second Succeeded
            CheckpointAccepted
            InvocationCompleted
            ExecutionSucceeded
            ");
        }
    })
    .await;
}

#[tokio::test]
async fn wait_does_not_end_a_millisecond_early() {
    on_every_store(async |world| {
        tell_workflow(&world, 60);
        let node = world.node();
        let id = node.start("f", "world").await;
        world.until_asleep(id).await;
        world.clock.advance(Duration::from_millis(59_999));
        // Whatever was due is done by the time a later start is over.
        world.scripts.durable("g", LONG, |_| async { Ok("done".into()) });
        let other = node.start("g", "").await;
        node.closed(other).await;
        assert!(world.stored(id).await.unwrap().in_flight().is_none());
        assert_eq!(world.scripts.count("f"), 1);
        world.clock.advance(Duration::from_millis(1));
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
    })
    .await;
}

#[tokio::test]
async fn year_passes_as_a_minute_does_also_over_a_restart() {
    on_every_store(async |world| {
        tell_workflow(&world, 365 * 86_400);
        let node = world.node();
        let id = node.start("f", "world").await;
        world.until_asleep(id).await;
        world.clock.advance(DAY * 100);
        node.kill();
        let node = world.node();
        world.clock.advance(DAY * 264);
        world.scripts.durable("g", LONG, |_| async { Ok("done".into()) });
        let other = node.start("g", "").await;
        node.closed(other).await;
        assert_eq!(world.scripts.count("f"), 1, "it sleeps a day longer");
        world.clock.advance(DAY);
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        assert_eq!(world.outcome(id).await, "SUCCEEDED hello world, good morning");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_sleepers_wake_at_once_and_finish() {
    on_every_store(async |world| {
        tell_workflow(&world, 3_600);
        let node = world.node();
        let mut ids = Vec::new();
        for number in 0..500 {
            ids.push(node.start("f", &number.to_string()).await);
        }
        for id in &ids {
            world.until_asleep(*id).await;
        }
        world.clock.advance(Duration::from_secs(3_600));
        for (number, id) in ids.into_iter().enumerate() {
            assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
            assert_eq!(world.outcome(id).await, format!("SUCCEEDED hello {number}, good morning"));
        }
        assert_eq!(world.scripts.count("f"), 1_000, "each was invoked when it started and when it woke");
    })
    .await;
}

#[tokio::test]
async fn every_wake_up_of_one_execution_is_heeded() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |context| async move {
            let (short, long) = (context.wait("short", 5).await, context.wait("long", 100_000).await);
            short.and(long).map(|()| "both".into())
        });
        let node = world.node();
        let id = node.start("f", "").await;
        world.until_asleep(id).await;
        world.clock.advance(Duration::from_secs(5));
        world.until_invoked("f", 2).await;
        world.until_asleep(id).await;
        world.clock.advance(Duration::from_secs(99_995));
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        assert_eq!(world.scripts.count("f"), 3);
    })
    .await;
}

#[tokio::test]
async fn large_payloads_reach_handlers_children_and_callers() {
    on_every_store(async |world| {
        let large = |letter: &str| letter.repeat(100_000);
        world.scripts.durable("child", LONG, |context| async move { Ok(context.input().replace('b', "c")) });
        world.scripts.durable("parent", LONG, move |context| async move {
            assert_eq!(context.input(), large("a"));
            let step = context.step("step", || large("b")).await?;
            assert_eq!(step, large("b"));
            context.wait("nap", 60).await?;
            context.invoke("call", "child:$LATEST", &step).await
        });
        let node = world.node();
        let id = node.start("parent", &large("a")).await;
        world.until_asleep(id).await;
        node.kill();
        world.clock.advance(Duration::from_secs(60));
        let node = world.node();
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        assert_eq!(world.outcome(id).await, format!("SUCCEEDED {}", large("c")));
    })
    .await;
}

#[tokio::test]
async fn handlers_answer_nonsense_only_so_often() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |_| async { Err(crate::functions::Halt::Pending) });
        let node = world.node();
        let id = node.start("f", "").await;
        assert_eq!(node.closed(id).await, ExecutionStatus::Failed);
        assert_eq!(world.scripts.count("f"), 4);
        assert!(world.outcome(id).await.contains("Cannot return PENDING status with no pending operations."));
    })
    .await;
}

#[tokio::test]
async fn handler_that_throws_is_retried_with_growing_delays() {
    on_every_store(async |world| {
        let tries = Arc::new(AtomicUsize::new(0));
        world.scripts.durable("f", LONG, move |_| {
            let tries = Arc::clone(&tries);
            async move {
                match tries.fetch_add(1, Ordering::SeqCst) {
                    0..3 => Err(crate::functions::Halt::broken("Whoops")),
                    _ => Ok("at last".into()),
                }
            }
        });
        let node = world.node();
        let id = node.start("f", "").await;
        for (tries, delay) in [(1, 1), (2, 2), (3, 4)] {
            let waiting = |execution: &everstep_core::Execution| {
                execution.in_flight().is_none() && execution.invocation_due_at().is_some()
            };
            world.until_invoked("f", tries).await;
            let now = world.clock.now();
            let execution = world.until("the end of an invocation", id, waiting).await;
            assert_eq!(execution.invocation_due_at(), Some(now.plus_seconds(delay)));
            world.clock.advance(Duration::from_secs(delay));
        }
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
    })
    .await;
}

#[tokio::test]
async fn whoever_waits_for_an_execution_hears_of_its_end() {
    on_every_store(async |world| {
        tell_workflow(&world, 60);
        let node = world.node();
        let id = node.start("f", "world").await;
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let engine = Arc::clone(&node.engine);
                tokio::spawn(async move { engine.wait_until_closed(id).await.unwrap().status() })
            })
            .collect();
        world.until_asleep(id).await;
        world.clock.advance(Duration::from_secs(60));
        for waiter in waiters {
            assert_eq!(patiently("the end", waiter).await.unwrap(), ExecutionStatus::Succeeded);
        }
        let nobody = node.engine.wait_until_closed(everstep_engine::new_execution_id()).await;
        assert_eq!(nobody.unwrap_err().to_string(), "Durable Execution does not exist");
    })
    .await;
}
