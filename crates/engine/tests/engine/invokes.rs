//! Chained invokes: what becomes of the child becomes of the operation, whatever happens to the server.

use std::time::Duration;

use everstep_core::event::Event;
use everstep_core::id::ExecutionId;
use everstep_core::operation::Detail;
use everstep_core::operation::chained_invoke::Target;
use everstep_core::{Command, ErrorObject, ExecutionStatus};
use everstep_store::{ListOrder, ListQuery};

use crate::functions::Halt;
use crate::store::{Call, Fault};
use crate::world::{DAY, LONG, World, on_every_store};

/// A function that calls `target` and returns what comes of it.
fn tell_parent(world: &World, target: &str) {
    let target = target.to_string();
    world.scripts.durable("parent", LONG, move |context| {
        let target = target.clone();
        async move { context.invoke("call", &target, "ping").await }
    });
}

/// Runs a parent of `target` to its end and compares its outcome.
async fn check(world: &World, target: &str, expected: &str) {
    tell_parent(world, target);
    let node = world.node();
    let id = node.start("parent", "").await;
    node.closed(id).await;
    assert_eq!(world.outcome(id).await, expected);
    world.until_nothing_is_owed().await;
}

/// Returns the child that a parent waits for.
async fn child_of(world: &World, parent: ExecutionId) -> ExecutionId {
    let parent = world.stored(parent).await.unwrap();
    match &parent.operation(&"call".parse().unwrap()).expect("the parent has called").detail {
        Detail::ChainedInvoke(invoke) => match &invoke.request.as_ref().unwrap().target {
            Target::Durable(child) => child.id,
            target => panic!("{target:?} is not durable"),
        },
        detail => panic!("{detail:?} is no invoke"),
    }
}

/// Counts the executions of a function.
async fn executions_of(world: &World, function: &str) -> usize {
    let query = ListQuery {
        function: Some(function.parse().unwrap()),
        version: None,
        name: None,
        status: None,
        started_after: None,
        started_before: None,
        order: ListOrder::Ascending,
        after: None,
        limit: 10,
    };
    world.disk.list(&query).await.unwrap().len()
}

fn is_call(event: &Event) -> bool {
    matches!(event, Event::ChainedInvoke { .. })
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::ExecutionSucceeded { .. })
}

#[tokio::test]
async fn outcome_of_a_durable_child_is_the_outcome_of_the_call() {
    on_every_store(async |world| {
        world.scripts.durable("good", LONG, |context| async move { Ok(format!("{} pong", context.input())) });
        check(&world, "good:$LATEST", "SUCCEEDED ping pong").await;
        world.scripts.durable("bad", LONG, |_| async {
            let error = ErrorObject::new("Bad", "no pong");
            Err(Halt::Answer(everstep_engine::HandlerAnswer::Failed(Some(error))))
        });
        let failed = r#"SUCCEEDED Failed: {"ErrorMessage":"no pong","ErrorType":"Bad"}"#;
        check(&world, "bad:$LATEST", failed).await;
    })
    .await;
}

#[tokio::test]
async fn outcome_of_a_plain_function_is_the_outcome_of_the_call() {
    on_every_store(async |world| {
        world.scripts.plain("good", |run| async move { Ok(format!("{} pong", run.payload)) });
        check(&world, "good", "SUCCEEDED ping pong").await;
        world.scripts.plain("bad", |_| async { Err(ErrorObject::new("Bad", "no pong")) });
        let failed = r#"SUCCEEDED Failed: {"ErrorMessage":"no pong","ErrorType":"Bad"}"#;
        check(&world, "bad", failed).await;
        assert_eq!(world.scripts.count("bad"), 1, "a chained call is not retried");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_called_fails_at_once() {
    on_every_store(async |world| {
        let missing =
            r#"SUCCEEDED Failed: {"ErrorMessage":"Function not found","ErrorType":"ResourceNotFoundException"}"#;
        check(&world, "nothing", missing).await;
        let unqualified =
            r#"SUCCEEDED Failed: {"ErrorMessage":"unqualified","ErrorType":"InvalidParameterValueException"}"#;
        check(&world, "parent", unqualified).await;
        assert_eq!(world.scripts.count("parent"), 2, "neither suspended");
    })
    .await;
}

#[tokio::test]
async fn child_that_times_out_or_is_stopped_ends_the_call() {
    on_every_store(async |world| {
        world.scripts.durable("child", 60, |context| async move {
            context.wait("nap", 1_000).await.map(|()| "late".into())
        });
        tell_parent(&world, "child:$LATEST");
        let node = world.node();
        let id = node.start("parent", "").await;
        world.until_asleep(id).await;
        world.until_asleep(child_of(&world, id).await).await;
        world.clock.advance(Duration::from_secs(60));
        node.closed(id).await;
        assert_eq!(
            world.outcome(id).await,
            r#"SUCCEEDED TimedOut: {"ErrorMessage":"CHAINED_INVOKE timed out after 60 seconds.","ErrorType":"ChainedInvoke.Timeout"}"#
        );

        let id = node.start("parent", "").await;
        world.until_asleep(id).await;
        let child = child_of(&world, id).await;
        world.until_asleep(child).await;
        let error = (&ErrorObject::new("Enough", "stop it")).into();
        node.submit(child, Command::Stop { error }).await.unwrap();
        node.closed(id).await;
        assert_eq!(world.outcome(id).await, r#"SUCCEEDED Stopped: {"ErrorMessage":"stop it","ErrorType":"Enough"}"#);
    })
    .await;
}

#[tokio::test]
async fn child_is_started_if_the_server_died_before() {
    on_every_store(async |world| {
        world.scripts.durable("child", LONG, |_| async { Ok("pong".into()) });
        tell_parent(&world, "child:$LATEST");
        let node = world.node();
        node.store.go_wrong_once(Fault::DeathAfter, |call| call.commits(is_call));
        let id = node.start("parent", "").await;
        world.until("the call", id, |execution| !execution.operations().is_empty()).await;
        assert_eq!(executions_of(&world, "child").await, 0);
        let node = world.node();
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        world.until_nothing_is_owed().await;
        assert_eq!(world.outcome(id).await, "SUCCEEDED pong");
        assert_eq!((executions_of(&world, "child").await, world.scripts.count("child")), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn child_is_not_started_twice_if_the_server_died_before_it_noted_the_start() {
    on_every_store(async |world| {
        world.scripts.durable("child", LONG, |_| async { Ok("pong".into()) });
        tell_parent(&world, "child:$LATEST");
        let node = world.node();
        let id = node.start("parent", "").await;
        node.store.go_wrong_once(Fault::DeathAfter, |call| matches!(call, Call::Create));
        world.until("the call", id, |execution| !execution.operations().is_empty()).await;
        let child = child_of(&world, id).await;
        world.until("the child", child, |_| true).await;
        let node = world.node();
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        world.until_nothing_is_owed().await;
        assert_eq!((executions_of(&world, "child").await, world.scripts.count("child")), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn parent_is_told_if_the_server_died_before() {
    on_every_store(async |world| {
        world.scripts.durable("child", LONG, |_| async { Ok("pong".into()) });
        tell_parent(&world, "child:$LATEST");
        let node = world.node();
        node.store.go_wrong_once(Fault::DeathAfter, |call| call.commits(is_end));
        let id = node.start("parent", "").await;
        world.until("the call", id, |execution| !execution.operations().is_empty()).await;
        let child = child_of(&world, id).await;
        world.until("the child's end", child, |execution| execution.is_announced()).await;
        let node = world.node();
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        assert_eq!(world.outcome(id).await, "SUCCEEDED pong");
        assert_eq!(world.scripts.count("child"), 1);
    })
    .await;
}

#[tokio::test]
async fn parent_is_told_before_the_child_is_forgotten() {
    on_every_store(async |world| {
        world.scripts.durable("child", LONG, |_| async { Ok("pong".repeat(10_000)) });
        tell_parent(&world, "child:$LATEST");
        let node = world.node();
        node.store.go_wrong_once(Fault::DeathAfter, |call| call.commits(is_end));
        let id = node.start("parent", "").await;
        world.until("the call", id, |execution| !execution.operations().is_empty()).await;
        let child = child_of(&world, id).await;
        world.until("the child's end", child, |execution| execution.is_announced()).await;
        world.clock.advance(DAY * 2);
        // The first try to tell it fails.
        let node =
            world.node_with(|store| store.go_wrong_once(Fault::Failed, |call| matches!(call, Call::ReadPayload)));
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        world.until_gone(child).await;
        assert_eq!(world.outcome(id).await, format!("SUCCEEDED {}", "pong".repeat(10_000)));
    })
    .await;
}

#[tokio::test]
async fn plain_call_is_made_again_if_the_server_died_meanwhile() {
    on_every_store(async |world| {
        world.scripts.plain("child", |_| std::future::pending());
        tell_parent(&world, "child");
        let node = world.node();
        let id = node.start("parent", "").await;
        world.until_invoked("child", 1).await;
        world.until_asleep(id).await;
        node.kill();
        world.scripts.plain("child", |_| async { Ok("pong".into()) });
        let node = world.node();
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        assert_eq!(world.outcome(id).await, "SUCCEEDED pong");
    })
    .await;
}

#[tokio::test]
async fn plain_call_is_not_made_again_once_its_outcome_is_known() {
    on_every_store(async |world| {
        world.scripts.plain("child", |_| async { Ok("pong".into()) });
        tell_parent(&world, "child");
        let node = world.node();
        node.store.go_wrong_once(Fault::DeathBefore, |call| matches!(call, Call::Effect));
        let id = node.start("parent", "").await;
        world
            .until("the outcome", id, |execution| {
                execution.operations().iter().any(|operation| operation.status.is_terminal())
            })
            .await;
        node.kill();
        let node = world.node();
        node.closed(id).await;
        world.until_nothing_is_owed().await;
        assert_eq!(world.scripts.count("child"), 1);
    })
    .await;
}

#[tokio::test]
async fn child_outlives_its_parent_and_tells_nobody() {
    on_every_store(async |world| {
        world
            .scripts
            .durable("child", LONG, |context| async move { context.wait("nap", 60).await.map(|()| "alone".into()) });
        tell_parent(&world, "child:$LATEST");
        let node = world.node();
        let id = node.start("parent", "").await;
        world.until_asleep(id).await;
        let child = child_of(&world, id).await;
        world.until_asleep(child).await;
        node.submit(id, Command::Stop { error: (&ErrorObject::default()).into() }).await.unwrap();
        node.submit(id, Command::Delete).await.unwrap();
        world.until_gone(id).await;
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(node.closed(child).await, ExecutionStatus::Succeeded);
        world.until_nothing_is_owed().await;
    })
    .await;
}
