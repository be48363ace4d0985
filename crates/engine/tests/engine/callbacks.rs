//! Callbacks: completed early, late, or never.

use std::sync::Arc;
use std::time::Duration;

use everstep_core::command::CallbackCompletion;
use everstep_core::id::ExecutionId;
use everstep_core::{Command, ErrorObject, ExecutionStatus};
use everstep_engine::Error;
use tokio::sync::Notify;

use crate::functions::Halt;
use crate::world::{LONG, Node, World, on_every_store};

/// A function that waits for one callback and returns what it was completed with.
fn tell_callback(world: &World, timeout_seconds: u64, heartbeat_seconds: u64) {
    world.scripts.durable("f", LONG, move |context| async move {
        context.create_callback("call", timeout_seconds, heartbeat_seconds).await?;
        context.outcome("call")
    });
}

async fn complete(node: &Node, id: ExecutionId, completion: CallbackCompletion) -> Result<(), Error> {
    let command = Command::CompleteCallback { operation: "call".parse().unwrap(), completion };
    node.submit(id, command).await.map(|_| ())
}

fn succeeded(text: &str) -> CallbackCompletion {
    CallbackCompletion::Succeed(Some(text.into()))
}

#[tokio::test]
async fn callback_wakes_a_sleeper_once() {
    on_every_store(async |world| {
        tell_callback(&world, 0, 0);
        let node = world.node();
        let id = node.start("f", "").await;
        world.until_asleep(id).await;
        complete(&node, id, succeeded("yes")).await.unwrap();
        let late = complete(&node, id, succeeded("no")).await.unwrap_err();
        assert_eq!(late.to_string(), "The callback is either timed out or already completed");
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        assert_eq!(world.outcome(id).await, "SUCCEEDED yes");
        assert_eq!(world.scripts.count("f"), 2);
    })
    .await;
}

/// The clock stands, so nothing but what was noted of an execution wakes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn callback_that_comes_the_moment_an_execution_goes_to_sleep_wakes_it() {
    let world = World::in_memory();
    tell_callback(&world, 0, 0);
    let node = world.node();
    for _ in 0..1_000 {
        let id = node.start("f", "").await;
        world.until_asleep(id).await;
        complete(&node, id, succeeded("yes")).await.unwrap();
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
    }
}

#[tokio::test]
async fn failed_callback_wakes_a_sleeper_also_after_a_restart() {
    on_every_store(async |world| {
        tell_callback(&world, 0, 0);
        let node = world.node();
        let id = node.start("f", "").await;
        world.until_asleep(id).await;
        node.kill();
        let node = world.node();
        complete(&node, id, CallbackCompletion::Fail((&ErrorObject::new("No", "not today")).into())).await.unwrap();
        node.closed(id).await;
        assert_eq!(world.outcome(id).await, r#"SUCCEEDED Failed: {"ErrorMessage":"not today","ErrorType":"No"}"#);
    })
    .await;
}

#[tokio::test]
async fn callback_completed_during_the_invocation_is_seen_by_it() {
    on_every_store(async |world| {
        let (created, completed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let signals = (Arc::clone(&created), Arc::clone(&completed));
        world.scripts.durable("f", LONG, move |context| {
            let (created, completed) = signals.clone();
            async move {
                context.create_callback("call", 0, 0).await?;
                created.notify_one();
                completed.notified().await;
                context.poll().await?;
                context.outcome("call")
            }
        });
        let node = world.node();
        let id = node.start("f", "").await;
        created.notified().await;
        complete(&node, id, succeeded("soon")).await.unwrap();
        completed.notify_one();
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        assert_eq!(world.outcome(id).await, "SUCCEEDED soon");
        assert_eq!(world.scripts.count("f"), 1);
    })
    .await;
}

#[tokio::test]
async fn callback_completed_while_the_handler_suspends_invokes_it_again() {
    on_every_store(async |world| {
        let (created, completed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let signals = (Arc::clone(&created), Arc::clone(&completed));
        world.scripts.durable("f", LONG, move |context| {
            let (created, completed) = signals.clone();
            async move {
                if context.status("call").is_some() {
                    return context.outcome("call");
                }
                context.create_callback("call", 0, 0).await?;
                created.notify_one();
                completed.notified().await;
                Err(Halt::Pending)
            }
        });
        let node = world.node();
        let id = node.start("f", "").await;
        created.notified().await;
        complete(&node, id, succeeded("just now")).await.unwrap();
        completed.notify_one();
        node.closed(id).await;
        assert_eq!(world.outcome(id).await, "SUCCEEDED just now");
        assert_eq!(world.scripts.count("f"), 2);
    })
    .await;
}

#[tokio::test]
async fn callback_times_out() {
    on_every_store(async |world| {
        tell_callback(&world, 3_600, 0);
        let node = world.node();
        let id = node.start("f", "").await;
        world.until_asleep(id).await;
        world.clock.advance(Duration::from_secs(3_600));
        node.closed(id).await;
        assert_eq!(
            world.outcome(id).await,
            r#"SUCCEEDED TimedOut: {"ErrorMessage":"Callback timed out","ErrorType":"Callback.Timeout"}"#
        );
        complete(&node, id, succeeded("late")).await.unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn heartbeats_keep_a_callback_alive_also_over_a_restart() {
    on_every_store(async |world| {
        tell_callback(&world, 0, 60);
        let mut node = world.node();
        let id = node.start("f", "").await;
        world.until_asleep(id).await;
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(59));
            complete(&node, id, CallbackCompletion::Heartbeat).await.unwrap();
            node.kill();
            node = world.node();
        }
        assert_eq!(world.scripts.count("f"), 1);
        world.clock.advance(Duration::from_secs(60));
        node.closed(id).await;
        assert_eq!(
            world.outcome(id).await,
            r#"SUCCEEDED TimedOut: {"ErrorMessage":"Callback timed out on heartbeat","ErrorType":"Callback.Heartbeat"}"#
        );
    })
    .await;
}
