//! What a server loses when it dies, and what it does not.

use std::sync::{Arc, Mutex};

use everstep_core::command::{Action, OperationUpdate};
use everstep_core::event::Event;
use everstep_core::{ExecutionStatus, OperationType, Payload};
use everstep_engine::{CheckpointAnswer, HandlerAnswer, new_execution_id};
use tokio::sync::watch;

use crate::functions::{Halt, update};
use crate::store::Fault;
use crate::world::{LONG, Node, World, on_every_store, patiently};

/// A function that takes a step, and then hangs until it is allowed to finish.
fn tell_hanging(world: &World) -> Arc<Mutex<bool>> {
    let allowed = Arc::new(Mutex::new(false));
    let shared = Arc::clone(&allowed);
    world.scripts.durable("f", LONG, move |context| {
        let allowed = Arc::clone(&shared);
        async move {
            let result = context.step("step", || "kept".into()).await?;
            if !*allowed.lock().unwrap() {
                std::future::pending::<()>().await;
            }
            Ok(result)
        }
    });
    allowed
}

#[tokio::test]
async fn lost_invocation_is_made_again_and_noted_once() {
    on_every_store(async |world| {
        let allowed = tell_hanging(&world);
        let node = world.node();
        let id = node.start("f", "").await;
        world.until("the step", id, |execution| !execution.operations().is_empty()).await;
        node.kill();
        *allowed.lock().unwrap() = true;
        let node = world.node();
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        assert_eq!(world.outcome(id).await, "SUCCEEDED kept");
        let events = world.events(id).await.join("\n");
        insta::allow_duplicates! {
            insta::assert_snapshot!(events, @r"
            ExecutionStarted
            InvocationStarted
            OperationAdded
            Step step Started
            Step step Succeeded
            CheckpointAccepted
            InvocationCompleted
            InvocationStarted
            InvocationCompleted
            ExecutionSucceeded
            ");
        }
        let records = world.disk.load(id, u64::MAX).await.unwrap().unwrap();
        let errors: Vec<_> = records
            .iter()
            .flat_map(|record| &record.events)
            .filter_map(|event| match event {
                Event::InvocationCompleted(completed) => completed.error.clone(),
                _ => None,
            })
            .collect();
        let [lost] = &errors[..] else { panic!("one invocation was lost: {errors:?}") };
        assert!(matches!(&lost.0, Payload::Inline(text) if text.contains("Runtime.ExitError")), "{lost:?}");
    })
    .await;
}

#[tokio::test]
async fn lost_invocations_never_count_against_the_execution() {
    on_every_store(async |world| {
        let allowed = tell_hanging(&world);
        let id = {
            let node = world.node();
            let id = node.start("f", "").await;
            world.until_invoked("f", 1).await;
            node.kill();
            id
        };
        for death in 2..=10 {
            let node = world.node();
            world.until_invoked("f", death).await;
            node.kill();
        }
        *allowed.lock().unwrap() = true;
        let node = world.node();
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
    })
    .await;
}

#[tokio::test]
async fn execution_runs_after_a_death_at_any_moment_of_its_life() {
    for moment in 0.. {
        let world = World::in_memory();
        world.scripts.durable("child", LONG, |_| async { Ok("pong".into()) });
        world.scripts.durable("f", LONG, |context| async move {
            let first = context.step("step", || "kept".into()).await?;
            let second = context.invoke("call", "child:$LATEST", "ping").await?;
            Ok(format!("{first} {second}"))
        });
        for fault in [Fault::DeathBefore, Fault::DeathAfter] {
            let node = world.node();
            let id = node.start("f", "").await;
            let mut left = moment;
            node.store.go_wrong(move |_| {
                left -= 1;
                (left < 0).then_some(fault)
            });
            let end = node.engine.wait_until_closed(id);
            let died = async {
                while node.store.is_powered() {
                    tokio::task::yield_now().await;
                }
            };
            let survived = tokio::select! {
                _ = patiently("death or the end", end) => true,
                () = died => false,
            };
            if survived {
                assert!(moment > 15, "it was over after {moment} calls to the store");
                return;
            }
            node.kill();
            let node = world.node();
            assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded, "{fault:?} at {moment}");
            assert_eq!(world.outcome(id).await, "SUCCEEDED kept pong", "{fault:?} at {moment}");
            world.until_nothing_is_owed().await;
        }
    }
}

/// What an SDK sees of an answer.
fn shown(answer: &CheckpointAnswer) -> String {
    format!("{:?} {:?}", answer.operations, answer.token)
}

#[tokio::test]
async fn repeated_checkpoint_gets_the_first_answer_again_also_after_a_restart() {
    on_every_store(async |world| {
        let token = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&token);
        world.scripts.durable("f", LONG, move |context| {
            *seen.lock().unwrap() = Some(context.token());
            std::future::pending()
        });
        let node = world.node();
        let id = node.start("f", "").await;
        world.until_invoked("f", 1).await;
        let sealed = token.lock().unwrap().clone().expect("the handler has a token");
        let token = node.engine.keys().open_checkpoint(&sealed).unwrap();
        let updates = vec![OperationUpdate {
            callback_timeout_seconds: Some(60),
            ..update("call", OperationType::Callback, Action::Start)
        }];
        let client_token = Some("once".parse().unwrap());
        let send =
            async |node: &Node| node.engine.checkpoint(token, client_token.clone(), updates.clone(), Vec::new()).await;
        let first = shown(&send(&node).await.unwrap());
        assert_eq!(shown(&send(&node).await.unwrap()), first);
        node.kill();
        let idle = world.idle_node();
        assert_eq!(shown(&send(&idle).await.unwrap()), first);
        idle.kill();
        let node = world.node();
        world.until_invoked("f", 2).await;
        assert_eq!(shown(&send(&node).await.unwrap()), first);

        let without = node.engine.checkpoint(token, None, updates.clone(), Vec::new()).await;
        assert_eq!(without.unwrap_err().to_string(), "Invalid checkpoint token");
        let other = node.engine.checkpoint(token, Some("twice".parse().unwrap()), updates.clone(), Vec::new()).await;
        assert_eq!(other.unwrap_err().to_string(), "Invalid checkpoint token");
        let calls = world.events(id).await.iter().filter(|event| event.starts_with("Callback")).count();
        assert_eq!(calls, 1);
    })
    .await;
}

#[tokio::test]
async fn request_that_overtakes_its_repetition_is_answered_once_and_for_all() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, move |context| async move {
            let token = context.engine.keys().open_checkpoint(&context.token()).unwrap();
            let updates = vec![update("step", OperationType::Step, Action::Start)];
            let send = || context.engine.checkpoint(token, Some("c".parse().unwrap()), updates.clone(), Vec::new());
            let (first, second) = tokio::join!(send(), send());
            let (first, second) = (first?, second?);
            Ok((shown(&first) == shown(&second)).to_string())
        });
        let node = world.node();
        let id = node.start("f", "").await;
        node.closed(id).await;
        assert_eq!(world.outcome(id).await, "SUCCEEDED true");
    })
    .await;
}

#[tokio::test]
async fn stale_tokens_are_refused() {
    on_every_store(async |world| {
        let tokens = watch::Sender::new(Vec::new());
        let mut seen = tokens.subscribe();
        world.scripts.durable("f", LONG, move |context| {
            let tokens = tokens.clone();
            async move {
                tokens.send_modify(|tokens| tokens.push(context.token()));
                context.step("step", || "kept".into()).await?;
                tokens.send_modify(|tokens| tokens.push(context.token()));
                if tokens.borrow().len() < 4 {
                    return std::future::pending().await;
                }
                Err::<String, _>(Halt::Answer(HandlerAnswer::Failed(None)))
            }
        });
        let node = world.node();
        let id = node.start("f", "").await;
        seen.wait_for(|tokens| tokens.len() == 2).await.unwrap();
        node.kill();
        let node = world.node();
        node.closed(id).await;
        let tokens = seen.borrow().clone();
        assert_eq!(tokens.len(), 4);
        for sealed in &tokens {
            let token = node.engine.keys().open_checkpoint(sealed).unwrap();
            let refused = node.engine.checkpoint(token, None, Vec::new(), Vec::new()).await;
            assert_eq!(refused.unwrap_err().to_string(), "Invalid checkpoint token");
        }
        let mut nobodys = node.engine.keys().open_checkpoint(&tokens[0]).unwrap();
        nobodys.execution = new_execution_id();
        let refused = node.engine.checkpoint(nobodys, Some("c".parse().unwrap()), Vec::new(), Vec::new()).await;
        assert_eq!(refused.unwrap_err().to_string(), "Invalid checkpoint token");
    })
    .await;
}
