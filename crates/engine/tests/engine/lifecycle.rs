//! What is done to executions from outside, and what time does to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everstep_core::command::CallbackCompletion;
use everstep_core::event::{Event, Start, StartMode};
use everstep_core::id::{ExecutionId, Version};
use everstep_core::operation::wait;
use everstep_core::{Command, ErrorObject, ExecutionStatus, Intake};
use everstep_engine::{Error, NextWakeUp, new_execution_id};
use tokio::sync::watch;

use crate::functions::{Halt, place};
use crate::store::{Call, Fault};
use crate::world::{DAY, LONG, MINUTE, Node, World, on_every_store, patiently};

fn tell_sleeper(world: &World) {
    world.scripts.durable(
        "f",
        LONG,
        |context| async move { context.wait("nap", 1_000).await.map(|()| "awake".into()) },
    );
}

/// Starts `f` with a timeout and a retention of its own.
async fn start_limited(node: &Node, execution_timeout_seconds: u64, retention_days: u32) -> ExecutionId {
    start_named(node, "f", "name", execution_timeout_seconds, retention_days).await
}

async fn start_named(
    node: &Node,
    function: &str,
    name: &str,
    execution_timeout_seconds: u64,
    retention_days: u32,
) -> ExecutionId {
    let id = new_execution_id();
    let start = Start {
        id,
        place: place(),
        function: function.parse().unwrap(),
        version: Version::Latest,
        name: name.parse().unwrap(),
        input: None,
        execution_timeout_seconds,
        retention_days,
        mode: StartMode::Async,
        trace_id: None,
        tenant_id: None,
        parent: None,
        alias: None,
        hops: 0,
    };
    node.start_as(start, Intake::default()).await.unwrap()
}

fn pause() -> Command {
    Command::Pause { execution_timeout_paused: true, reason: None, client_token: None }
}

fn resume() -> Command {
    Command::Resume { reason: None, client_token: None }
}

#[tokio::test]
async fn name_is_taken_until_the_execution_is_forgotten() {
    on_every_store(async |world| {
        tell_sleeper(&world);
        let node = world.node();
        let first = start_limited(&node, LONG, 3).await;
        for name_holder in [ExecutionStatus::Running, ExecutionStatus::Succeeded] {
            if name_holder == ExecutionStatus::Succeeded {
                world.until_asleep(first).await;
                world.clock.advance(Duration::from_secs(1_000));
                node.closed(first).await;
                world.clock.advance(DAY * 3 - Duration::from_millis(1));
            }
            match node.try_start(new_execution_id(), "f", "name", "").await {
                Err(Error::NameTaken(holder)) => assert_eq!(holder, first),
                other => panic!("{other:?}"),
            }
        }
        world.clock.advance(Duration::from_millis(1));
        world.until_gone(first).await;
        assert!(node.engine.execution(first).await.unwrap().is_none());
        node.try_start(new_execution_id(), "f", "name", "").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn retention_is_kept_also_over_a_restart() {
    on_every_store(async |world| {
        tell_sleeper(&world);
        let node = world.node();
        let id = start_limited(&node, 60, 1).await;
        world.until_asleep(id).await;
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(node.closed(id).await, ExecutionStatus::TimedOut);
        node.kill();
        world.clock.advance(DAY);
        let _node = world.node();
        world.until_gone(id).await;
    })
    .await;
}

#[tokio::test]
async fn executions_are_forgotten_a_few_at_a_time() {
    let world = World::in_memory();
    world.scripts.durable("f", LONG, |_| async { Ok("done".into()) });
    let node = world.node();
    let mut ids = Vec::new();
    for number in 0..30 {
        let id = start_named(&node, "f", &format!("name-{number}"), LONG, 1).await;
        node.closed(id).await;
        ids.push(id);
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    node.store.go_wrong(move |call| {
        let deletes = matches!(call, Call::Delete);
        counter.fetch_add(usize::from(deletes), Ordering::SeqCst);
        deletes.then_some(Fault::Held)
    });
    world.clock.advance(DAY);
    // The first ones are held after they were deleted, and nobody comes after them until they are let go.
    while asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    let at_once = asked.load(Ordering::SeqCst);
    assert!((1..=8).contains(&at_once), "{at_once} at once");
    node.store.let_go();
    for id in ids {
        world.until_gone(id).await;
    }
}

#[tokio::test]
async fn deletion_frees_the_name_at_once() {
    on_every_store(async |world| {
        tell_sleeper(&world);
        let node = world.node();
        let id = start_limited(&node, LONG, 90).await;
        let refused = node.submit(id, Command::Delete).await.unwrap_err();
        assert!(refused.to_string().contains("is not over"), "{refused}");
        node.submit(id, Command::Stop { error: (&ErrorObject::default()).into() }).await.unwrap();
        assert_eq!(node.submit(id, Command::Delete).await.unwrap().status(), ExecutionStatus::Deleting);
        world.until_gone(id).await;
        node.try_start(new_execution_id(), "f", "name", "").await.unwrap();
        let gone = node.submit(id, Command::Delete).await.unwrap_err();
        assert_eq!(gone.to_string(), "Durable Execution does not exist");
    })
    .await;
}

#[tokio::test]
async fn deletion_is_done_after_the_restart_if_the_server_died_before() {
    on_every_store(async |world| {
        tell_sleeper(&world);
        let node = world.node();
        let id = start_limited(&node, LONG, 90).await;
        node.submit(id, Command::Stop { error: (&ErrorObject::default()).into() }).await.unwrap();
        node.store.go_wrong_once(Fault::DeathBefore, |call| matches!(call, Call::Delete));
        node.submit(id, Command::Delete).await.unwrap();
        let _node = world.node();
        world.until_gone(id).await;
    })
    .await;
}

#[tokio::test]
async fn execution_times_out_in_its_sleep() {
    on_every_store(async |world| {
        tell_sleeper(&world);
        let node = world.node();
        let id = start_limited(&node, 600, 1).await;
        world.until_asleep(id).await;
        world.clock.advance(Duration::from_secs(600));
        assert_eq!(node.closed(id).await, ExecutionStatus::TimedOut);
        assert_eq!(world.outcome(id).await, r#"TIMED_OUT {"ErrorMessage":"Execution timed out after 600 seconds."}"#);
        assert_eq!(world.scripts.count("f"), 1);
    })
    .await;
}

#[tokio::test]
async fn execution_times_out_while_its_handler_runs() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |_| std::future::pending());
        let node = world.node();
        let id = start_limited(&node, 600, 1).await;
        world.until_invoked("f", 1).await;
        world.clock.advance(Duration::from_secs(600));
        assert_eq!(node.closed(id).await, ExecutionStatus::TimedOut);
    })
    .await;
}

#[tokio::test]
async fn execution_times_out_before_a_process_was_ready() {
    on_every_store(async |world| {
        tell_sleeper(&world);
        let idle = world.idle_node();
        let id = start_limited(&idle, 600, 1).await;
        idle.kill();
        world.clock.advance(Duration::from_secs(600));
        let node = world.node();
        assert_eq!(node.closed(id).await, ExecutionStatus::TimedOut);
        assert_eq!(world.scripts.count("f"), 0);
    })
    .await;
}

#[tokio::test]
async fn paused_execution_sleeps_until_it_is_resumed() {
    on_every_store(async |world| {
        tell_sleeper(&world);
        let node = world.node();
        let id = node.start("f", "").await;
        world.until_asleep(id).await;
        assert_eq!(node.submit(id, pause()).await.unwrap().status(), ExecutionStatus::Paused);
        node.kill();
        let node = world.node();
        world.clock.advance(Duration::from_secs(5_000));
        world
            .until("the wait's end", id, |execution| {
                execution.operations().iter().all(|operation| operation.status.is_terminal())
            })
            .await;
        assert_eq!(world.scripts.count("f"), 1);
        node.submit(id, resume()).await.unwrap();
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
    })
    .await;
}

#[tokio::test]
async fn execution_that_is_paused_before_its_first_invocation_runs_after_it() {
    on_every_store(async |world| {
        tell_sleeper(&world);
        let idle = world.idle_node();
        let id = idle.start("f", "").await;
        idle.submit(id, pause()).await.unwrap();
        let node = world.node();
        node.submit(id, resume()).await.unwrap();
        world.until_asleep(id).await;
        assert_eq!(world.scripts.count("f"), 1);
    })
    .await;
}

#[tokio::test]
async fn function_that_is_gone_fails_the_execution_at_once() {
    on_every_store(async |world| {
        tell_sleeper(&world);
        let node = world.node();
        let id = node.start("f", "").await;
        world.until_asleep(id).await;
        world.scripts.remove("f");
        world.clock.advance(Duration::from_secs(1_000));
        assert_eq!(node.closed(id).await, ExecutionStatus::Failed);
        assert_eq!(world.outcome(id).await, r#"FAILED {"ErrorMessage":"Function not found"}"#);
    })
    .await;
}

#[tokio::test]
async fn execution_that_is_over_before_its_start_returned_is_over() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |_| async { Ok("fast".into()) });
        let node = world.node();
        node.store.go_wrong_once(Fault::Held, |call| matches!(call, Call::Create));
        let id = new_execution_id();
        let name = id.to_string();
        let start = async {
            node.try_start(id, "f", &name, "").await.unwrap();
            assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        };
        let world = &world;
        let meanwhile = async {
            world.until("the execution", id, |_| true).await;
            // The task loop finds it in the store.
            world.clock.advance(Duration::from_secs(10));
            world.scripts.durable("g", LONG, |_| async { Ok("fast".into()) });
            let other = node.start("g", "").await;
            node.closed(other).await;
            node.store.let_go();
        };
        tokio::join!(start, meanwhile);
    })
    .await;
}

#[tokio::test]
async fn execution_asks_for_one_process_and_times_out_while_it_waits_for_it() {
    on_every_store(async |world| {
        tell_sleeper(&world);
        world.scripts.busy.send_replace(true);
        let node = world.node();
        let id = start_limited(&node, 600, 1).await;
        let mut waiting = world.scripts.waiting.subscribe();
        waiting.wait_for(|waiting| !waiting.is_empty()).await.unwrap();
        for other in ["first", "second", "third"] {
            // Once another one has timed out, the task loop has read the store again and found this one due still.
            let other = start_named(&node, "other", other, 10, 1).await;
            world.clock.advance(Duration::from_secs(10));
            assert_eq!(node.closed(other).await, ExecutionStatus::TimedOut);
        }
        assert_eq!(waiting.borrow().iter().filter(|function| *function == "f").count(), 1);
        world.clock.advance(Duration::from_secs(570));
        assert_eq!(node.closed(id).await, ExecutionStatus::TimedOut);
        world.scripts.busy.send_replace(false);
        assert_eq!(world.scripts.count("f"), 0);
    })
    .await;
}

#[tokio::test]
async fn throttled_execution_begins_no_invocation_until_there_is_concurrency() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |_| async { Ok("done".into()) });
        world.scripts.throttled.send_replace(true);
        let node = world.node();
        let id = node.start("f", "").await;
        world.passing(Duration::from_secs(5), world.until_throttled(9)).await;
        world.scripts.throttled.send_replace(false);
        assert_eq!(world.passing(Duration::from_secs(5), node.closed(id)).await, ExecutionStatus::Succeeded);
        let events = world.events(id).await;
        assert_eq!(events, ["ExecutionStarted", "InvocationStarted", "InvocationCompleted", "ExecutionSucceeded"]);
    })
    .await;
}

#[tokio::test]
async fn throttled_execution_still_times_out() {
    on_every_store(async |world| {
        tell_sleeper(&world);
        world.scripts.throttled.send_replace(true);
        let node = world.node();
        let id = start_limited(&node, 3, 1).await;
        world.until_throttled(1).await;
        world.clock.advance(Duration::from_secs(3));
        assert_eq!(node.closed(id).await, ExecutionStatus::TimedOut);
        assert_eq!(world.scripts.count("f"), 0);
    })
    .await;
}

#[tokio::test]
async fn next_wake_up_is_that_of_the_first_sleeper_and_known_once_nothing_is_at_work() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |context| async move {
            let seconds = if context.input() == "1" { 1_000 } else { 2_000 };
            context.wait("nap", seconds).await.map(|()| "awake".into())
        });
        let idle = world.idle_node();
        assert!(matches!(idle.engine.next_wake_up().await.unwrap(), NextWakeUp::Nothing));
        let late = idle.start("f", "2").await;
        // It was not invoked yet.
        assert!(matches!(idle.engine.next_wake_up().await.unwrap(), NextWakeUp::AtWork(Some(id)) if id == late));
        drop(idle);
        let node = world.node();
        let soon = node.start("f", "1").await;
        world.until_asleep(late).await;
        world.until_asleep(soon).await;
        for expected in [soon, late] {
            let NextWakeUp::At { at, execution } = node.engine.next_wake_up().await.unwrap() else {
                panic!("{expected} sleeps");
            };
            assert_eq!(execution.unwrap().start_facts().id, expected);
            world.clock.advance(Duration::from_millis(at.millis_since(world.clock.now())));
            node.closed(expected).await;
        }
        // What is over waits to be forgotten, which is nothing to wake up for.
        assert!(matches!(node.engine.next_wake_up().await.unwrap(), NextWakeUp::Nothing));
    })
    .await;
}

#[tokio::test]
async fn invocation_that_begins_while_the_next_wake_up_is_looked_for_is_work() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |_| std::future::pending());
        let id = world.idle_node().start("f", "1").await;
        let looking = world.idle_node();
        let (reached, mut is_reached) = watch::channel(false);
        looking.store.go_wrong(move |call| {
            matches!(call, Call::ReadEffects).then(|| {
                reached.send_replace(true);
                Fault::Held
            })
        });
        let begin = async {
            is_reached.wait_for(|reached| *reached).await.unwrap();
            let node = world.node();
            world.until("it is invoked", id, |execution| execution.in_flight().is_some()).await;
            looking.store.let_go();
            node
        };
        let (found, _node) = tokio::join!(looking.engine.next_wake_up(), begin);
        assert!(matches!(found.unwrap(), NextWakeUp::AtWork(Some(found)) if found == id));
    })
    .await;
}

#[tokio::test]
async fn effect_that_appears_while_the_next_wake_up_is_looked_for_is_work() {
    on_every_store(async |world| {
        world.scripts.plain("child", |_| std::future::pending());
        world.scripts.durable("f", LONG, |context| async move {
            context.create_callback("call", 0, 0).await?;
            context.outcome("call")?;
            context.invoke("ask", "child", "ping").await
        });
        let node = world.node();
        let id = node.start("f", "1").await;
        world.until_asleep(id).await;
        let looking = world.idle_node();
        let (reached, mut is_reached) = watch::channel(0);
        // After the look at what is in flight comes that at the sleepers.
        looking.store.go_wrong(move |call| {
            if !matches!(call, Call::Read) {
                return None;
            }
            reached.send_modify(|reads| *reads += 1);
            (*reached.borrow() == 2).then_some(Fault::Held)
        });
        let begin = async {
            is_reached.wait_for(|reads| *reads == 2).await.unwrap();
            let completion = CallbackCompletion::Succeed(None);
            node.submit(id, Command::CompleteCallback { operation: "call".parse().unwrap(), completion })
                .await
                .unwrap();
            world.until_invoked("child", 1).await;
            world.until_asleep(id).await;
            looking.store.let_go();
        };
        let (found, ()) = tokio::join!(looking.engine.next_wake_up(), begin);
        assert!(matches!(found.unwrap(), NextWakeUp::AtWork(None)));
    })
    .await;
}

#[tokio::test]
async fn task_loop_whose_owner_is_gone_ends() {
    on_every_store(async |world| {
        let (stop, stopped) = watch::channel(false);
        drop(stop);
        patiently("the end of the task loop", world.idle_node().engine.clone().run(stopped)).await;
    })
    .await;
}

/// The clock stands, so the store is not read again: nothing but a note wakes an execution.
#[tokio::test]
async fn start_whose_caller_goes_away_is_made_all_the_same() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |_| async { Ok("done".into()) });
        let node = world.node();
        let first = node.start("f", "").await;
        node.closed(first).await;
        node.store.go_wrong_once(Fault::Held, |call| matches!(call, Call::Create));
        let id = new_execution_id();
        tokio::select! {
            biased;
            _ = node.try_start(id, "f", "name", "") => panic!("the answer of the store is held back"),
            _ = world.until("the start", id, |_| true) => {}
        }
        node.store.let_go();
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
    })
    .await;
}

#[tokio::test]
async fn what_is_on_disk_although_that_was_not_known_goes_on_at_once() {
    on_every_store(async |world| {
        world.scripts.durable("f", LONG, |context| async move {
            context.wait("nap", 3_600).await?;
            Ok("done".into())
        });
        world.scripts.durable("g", LONG, |context| async move {
            if context.run.operations.is_empty() {
                context.step("first", || "1".into()).await?;
                return Err(Halt::broken("Runtime.ExitError"));
            }
            Ok("done".into())
        });
        let node = world.node();
        let first = node.start("f", "").await;
        world.until_asleep(first).await;
        let completes = |event: &Event| matches!(event, Event::InvocationCompleted(_));
        node.store.go_wrong_once(Fault::UnknownDone, move |call| call.commits(completes));
        let broken = node.start("g", "").await;
        assert_eq!(node.closed(broken).await, ExecutionStatus::Succeeded);
        node.store.go_wrong_once(Fault::UnknownDone, |call| matches!(call, Call::Create));
        let second = node.start("f", "").await;
        world.until_asleep(second).await;
        let wakes = |event: &Event| matches!(event, Event::Wait { event: wait::Event::Succeeded, .. });
        node.store.go_wrong_once(Fault::UnknownDone, move |call| call.commits(wakes));
        world.clock.advance(Duration::from_secs(3_600));
        for id in [first, second] {
            assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        }
    })
    .await;
}

#[tokio::test]
async fn execution_is_forgotten_once_however_long_that_takes() {
    let world = World::in_memory();
    world.scripts.durable("f", LONG, |_| async { Ok("done".into()) });
    let node = world.node();
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(node.start("f", "").await);
    }
    for id in &ids {
        node.closed(*id).await;
    }
    node.kill();
    world.clock.advance(15 * DAY);
    let counts = Arc::new([const { AtomicUsize::new(0) }; 2]);
    let (looks, mut look) = watch::channel(());
    let counted = Arc::clone(&counts);
    let node = world.node_with(|store| {
        store.go_wrong(move |call| {
            let [loads, deletions] = &*counted;
            match call {
                Call::ReadEffects => looks.send_replace(()),
                Call::ReadLog => {
                    loads.fetch_add(1, Ordering::Relaxed);
                }
                Call::Delete => {
                    deletions.fetch_add(1, Ordering::Relaxed);
                    return Some(Fault::Held);
                }
                Call::Read | Call::ReadPayload | Call::Create | Call::Commit(_) | Call::Effect => {}
            }
            None
        });
    });
    for _ in 0..10 {
        patiently("a look at the store", look.changed()).await.unwrap();
        world.clock.advance(MINUTE);
    }
    let loads = counts[0].load(Ordering::Relaxed);
    node.store.let_go();
    for id in ids {
        world.until_gone(id).await;
    }
    assert_eq!((loads, counts[1].load(Ordering::Relaxed)), (20, 20));
}

#[tokio::test]
async fn many_that_wait_for_a_process_do_not_hide_who_sleeps() {
    let world = World::in_memory();
    world.scripts.durable("f", LONG, |context| async move {
        context.wait("nap", 60).await?;
        Ok("done".into())
    });
    let node = world.node();
    let sleeper = node.start("f", "").await;
    world.until_asleep(sleeper).await;
    world.scripts.busy.send_replace(true);
    for _ in 0..10_000 {
        node.start("f", "").await;
    }
    world.clock.advance(MINUTE);
    world.until("its wait to end", sleeper, |execution| execution.invocation_due_at().is_some()).await;
}
