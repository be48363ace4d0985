//! Two servers over one store: the version check lets only one of them write.

use std::sync::Arc;
use std::time::Duration;

use everstep_core::command::{Action, InvocationResult};
use everstep_core::{Command, ErrorObject, ExecutionStatus, OperationType};
use everstep_engine::new_request_id;
use tokio::sync::watch;

use crate::functions::update;
use crate::world::{LONG, on_every_store};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_rivals_with_the_same_token_one_succeeds() {
    on_every_store(async |world| {
        let token = watch::Sender::new(String::new());
        let mut seen = token.subscribe();
        world.scripts.durable("f", LONG, move |context| {
            token.send_replace(context.token());
            std::future::pending()
        });
        let (node, rival) = (world.node(), world.idle_node());
        let id = node.start("f", "").await;
        seen.changed().await.expect("the handler keeps its sender");
        let mut sealed = seen.borrow().clone();
        for round in 0..20 {
            let token = node.engine.keys().open_checkpoint(&sealed).unwrap();
            let contenders: Vec<_> = (0..6)
                .map(|number| {
                    let engine = Arc::clone(if number % 2 == 0 { &node.engine } else { &rival.engine });
                    let id = format!("step-{round}-{number}");
                    tokio::spawn(async move {
                        let updates = vec![update(&id, OperationType::Step, Action::Start)];
                        engine.checkpoint(token, Some(id.parse().unwrap()), updates, Vec::new()).await
                    })
                })
                .collect();
            let mut next = Vec::new();
            for contender in contenders {
                match contender.await.unwrap() {
                    Ok(answer) => next.push(answer.token.expect("nothing withholds it")),
                    Err(error) => assert_eq!(error.to_string(), "Invalid checkpoint token"),
                }
            }
            assert_eq!(next.len(), 1, "round {round}");
            sealed = next.remove(0);
        }
        let execution = world.stored(id).await.unwrap();
        assert_eq!(execution.operations().len(), 20);
        execution.check_counts();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rivals_who_both_invoke_end_the_execution_once() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |context| async move {
            let first = context.step("first", || "1".into()).await?;
            let second = context.step("second", || "2".into()).await?;
            Ok(first + &second)
        });
        let (node, rival) = (world.node(), world.node());
        for _ in 0..20 {
            let id = node.start("f", "").await;
            // The rival takes the invocation for lost, as it would after it was cut off for a while.
            let commands = async {
                let request_id = new_request_id();
                let _ = rival.submit(id, Command::BeginInvocation { request_id }).await;
                let lost = Command::CompleteInvocation { request_id, result: InvocationResult::Lost };
                let _ = rival.submit(id, lost).await;
                let _ = rival.submit(id, Command::Wake).await;
            };
            let ((), status) = tokio::join!(commands, async {
                world.until("the end", id, |execution| execution.is_announced()).await.status()
            });
            assert_eq!(status, ExecutionStatus::Succeeded);
            assert_eq!(world.outcome(id).await, "SUCCEEDED 12");
            let ends = world.events(id).await.iter().filter(|event| *event == "ExecutionSucceeded").count();
            assert_eq!(ends, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn process_that_comes_after_a_rival_began_is_given_back() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |_| async { Ok("twice".into()) });
        world.scripts.busy.send_replace(true);
        let (node, rival) = (world.node(), world.idle_node());
        let id = node.start("f", "").await;
        let mut waiting = world.scripts.waiting.subscribe();
        waiting.wait_for(|waiting| !waiting.is_empty()).await.unwrap();
        let request_id = new_request_id();
        rival.submit(id, Command::BeginInvocation { request_id }).await.unwrap();
        world.scripts.busy.send_replace(false);
        let other = node.start("f", "").await;
        node.closed(other).await;
        assert_eq!(world.scripts.count("f"), 1);
        assert_eq!(world.stored(id).await.unwrap().in_flight(), Some(request_id));
    })
    .await;
}

#[tokio::test]
async fn rival_with_an_outdated_cache_looks_again() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |context| async move {
            context.create_callback("call", 0, 0).await?;
            context.outcome("call")
        });
        let (node, rival) = (world.node(), world.idle_node());
        let id = node.start("f", "").await;
        rival.engine.execution(id).await.unwrap();
        world.until_asleep(id).await;
        let stopped = rival.submit(id, Command::Stop { error: (&ErrorObject::default()).into() }).await.unwrap();
        assert_eq!(stopped.status(), ExecutionStatus::Stopped);
        let again = node.submit(id, Command::Stop { error: (&ErrorObject::new("Late", "")).into() }).await.unwrap();
        assert_eq!(again.ended_at(), stopped.ended_at());
        assert_eq!(world.outcome(id).await, "STOPPED {}");
    })
    .await;
}

#[tokio::test]
async fn what_a_rival_left_due_is_found_although_the_cache_says_otherwise() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |_| async { Ok("done".into()) });
        let (node, rival) = (world.node(), world.idle_node());
        let first = node.start("f", "").await;
        node.closed(first).await;
        let id = rival.start("f", "").await;
        let request_id = new_request_id();
        rival.submit(id, Command::BeginInvocation { request_id }).await.unwrap();
        let cached = node.engine.execution(id).await.unwrap().unwrap();
        assert_eq!(cached.in_flight(), Some(request_id));
        let lost = Command::CompleteInvocation { request_id, result: InvocationResult::Lost };
        rival.submit(id, lost).await.unwrap();
        world.clock.advance(Duration::from_secs(10));
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
    })
    .await;
}
