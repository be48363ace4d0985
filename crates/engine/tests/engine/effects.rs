//! Plain functions that are invoked for nobody who waits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use everstep_core::event::{PlainInvocation, Start, StartMode};
use everstep_core::id::Version;
use everstep_core::limits::{ASYNC_EVENT_AGE_SECONDS_MAX, ASYNC_EVENT_AGE_SECONDS_MIN, DESTINATION_HOPS_MAX};
use everstep_core::{Effect, ErrorObject, Payload};
use everstep_engine::{AsyncEnding, Condition, EventInvokeConfig, HandlerAnswer, new_execution_id, new_request_id};

use crate::functions::{Halt, place};
use crate::store::{Call, Fault};
use crate::world::{LONG, MINUTE, Node, World, on_every_store, patiently};

fn invocation(function: &str, payload: &str) -> PlainInvocation {
    PlainInvocation {
        function: function.parse().unwrap(),
        version: Version::Latest,
        request_id: new_request_id(),
        payload: payload.into(),
        tenant_id: None,
        trace_id: None,
        tries: 0,
        qualifier: None,
        accepted_at: None,
        deferrals: 0,
        hops: 0,
    }
}

async fn invoke(node: &Node, payload: &str) {
    node.engine.invoke_plain_later(invocation("f", payload)).await.unwrap();
}

fn tell_failing(world: &World) {
    world.scripts.plain("f", |_| async { Err(ErrorObject::new("Whoops", "it broke")) });
}

/// Waits until the next try is put off.
async fn until_put_off(world: &World, tries: usize) {
    world.until_invoked("f", tries).await;
    world.until_owed(|effects| effects.iter().all(|effect| effect.due > world.clock.now())).await;
}

#[tokio::test]
async fn failing_invocation_is_tried_after_one_and_two_minutes_and_then_dropped() {
    on_every_store(async |world| {
        tell_failing(&world);
        let node = world.node();
        invoke(&node, "{}").await;
        until_put_off(&world, 1).await;
        let due = world.until_owed(|effects| effects.len() == 1).await[0].due;
        assert_eq!(due.millis_since(world.clock.now()), 60_000);
        world.clock.advance(MINUTE);
        until_put_off(&world, 2).await;
        let due = world.until_owed(|effects| effects.len() == 1).await[0].due;
        assert_eq!(due.millis_since(world.clock.now()), 120_000);
        world.clock.advance(MINUTE * 2);
        world.until_nothing_is_owed().await;
        assert_eq!(world.scripts.count("f"), 3);
    })
    .await;
}

#[tokio::test]
async fn invocation_survives_a_restart_between_its_tries() {
    on_every_store(async |world| {
        tell_failing(&world);
        let node = world.node();
        invoke(&node, "{}").await;
        until_put_off(&world, 1).await;
        node.kill();
        world.scripts.plain("f", |run| async move { Ok(run.payload.to_string()) });
        world.clock.advance(MINUTE);
        let _node = world.node();
        world.until_nothing_is_owed().await;
        assert_eq!(world.scripts.count("f"), 2);
    })
    .await;
}

#[tokio::test]
async fn invocation_of_a_function_that_is_gone_is_dropped() {
    on_every_store(async |world| {
        let node = world.node();
        invoke(&node, "{}").await;
        world.until_nothing_is_owed().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn invocation_that_was_made_is_not_made_again_because_the_store_fails() {
    let world = World::in_memory();
    world.scripts.plain("f", |_| async { Ok("done".into()) });
    let node = world.node();
    let mut added = false;
    let mut failures = 0;
    node.store.go_wrong(move |call| {
        let is_finish = matches!(call, Call::Effect) && std::mem::replace(&mut added, true);
        failures += u32::from(is_finish);
        (is_finish && failures <= 5).then_some(Fault::Failed)
    });
    invoke(&node, "{}").await;
    world.until_nothing_is_owed().await;
    assert_eq!(world.scripts.count("f"), 1);
}

#[tokio::test]
async fn invocation_that_ends_while_the_outbox_is_read_is_not_made_again() {
    on_every_store(async |world| {
        let (begun, go_on) = (tokio::sync::Notify::new(), tokio::sync::watch::Sender::new(false));
        let (begun, goes_on) = (std::sync::Arc::new(begun), go_on.subscribe());
        let signal = std::sync::Arc::clone(&begun);
        world.scripts.plain("f", move |_| {
            let (begun, mut goes_on) = (signal.clone(), goes_on.clone());
            async move {
                begun.notify_one();
                goes_on.wait_for(|go| *go).await.unwrap();
                Ok("done".into())
            }
        });
        let node = world.node();
        invoke(&node, "{}").await;
        begun.notified().await;
        // The task loop has read that the invocation is due, and does not know yet.
        let (read, was_read) = tokio::sync::oneshot::channel();
        let mut read = Some(read);
        node.store.go_wrong(move |call| {
            let first = matches!(call, Call::ReadEffects).then(|| read.take()).flatten();
            first.map(|read| {
                read.send(()).unwrap();
                Fault::Held
            })
        });
        world.clock.advance(MINUTE);
        was_read.await.unwrap();
        tokio::task::yield_now().await;
        go_on.send_replace(true);
        world.until_nothing_is_owed().await;
        node.store.let_go();
        // The task loop goes on and does what is due.
        world.clock.advance(MINUTE);
        let other = node.start("gone", "").await;
        node.closed(other).await;
        assert_eq!(world.scripts.count("f"), 1);
    })
    .await;
}

/// Writes down how asynchronous invocations end, and tells nobody else.
fn endings(world: &World) -> Arc<Mutex<Vec<AsyncEnding>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_here = Arc::clone(&seen);
    *world.scripts.destination.lock().unwrap() = Some(Box::new(move |_, ending| {
        seen_here.lock().unwrap().push(ending.clone());
        None
    }));
    seen
}

/// Fails an invocation that may be tried again `retries` times, for `age` seconds, until it is over.
async fn check_ending(retries: u32, age: u64, condition: Condition, invoke_count: u32) {
    let world = World::in_memory();
    tell_failing(&world);
    let seen = endings(&world);
    *world.scripts.event_invoke_config.lock().unwrap() =
        EventInvokeConfig { maximum_retry_attempts: retries, maximum_event_age_seconds: age };
    let node = world.node();
    invoke(&node, "{}").await;
    for tried in 1..invoke_count {
        until_put_off(&world, tried as usize).await;
        world.clock.advance(MINUTE * tried);
    }
    world.until_nothing_is_owed().await;
    let seen = seen.lock().unwrap().clone();
    let error = ErrorObject::new("Whoops", "it broke");
    let expected = AsyncEnding { condition, invoke_count, result: Some(Err(error)), at: world.clock.now() };
    assert_eq!(seen, [expected], "{retries} retries, {age} s");
}

#[tokio::test]
async fn configuration_says_how_often_and_how_long_it_is_tried() {
    check_ending(0, ASYNC_EVENT_AGE_SECONDS_MAX, Condition::RetriesExhausted, 1).await;
    check_ending(1, ASYNC_EVENT_AGE_SECONDS_MAX, Condition::RetriesExhausted, 2).await;
    check_ending(2, ASYNC_EVENT_AGE_SECONDS_MAX, Condition::RetriesExhausted, 3).await;
    check_ending(2, ASYNC_EVENT_AGE_SECONDS_MIN, Condition::EventAgeExceeded, 2).await;
    check_ending(2, 59, Condition::EventAgeExceeded, 1).await;
}

#[tokio::test]
async fn invocation_that_is_too_old_does_not_begin() {
    let world = World::in_memory();
    world.scripts.plain("f", |_| async { Ok("done".into()) });
    let seen = endings(&world);
    let node = world.node();
    let accepted_at = Some(world.clock.now());
    world.clock.advance(Duration::from_secs(ASYNC_EVENT_AGE_SECONDS_MAX + 1));
    let old = PlainInvocation { accepted_at, ..invocation("f", "{}") };
    node.engine.invoke_plain_later(old).await.unwrap();
    world.until_nothing_is_owed().await;
    let ending = seen.lock().unwrap().pop().unwrap();
    assert_eq!((ending.condition, ending.invoke_count, ending.result), (Condition::EventAgeExceeded, 0, None));
    assert_eq!(world.scripts.count("f"), 0);
}

#[tokio::test]
async fn lack_of_a_process_is_no_try_and_is_waited_out() {
    let world = World::in_memory();
    world.scripts.unstartable("f");
    let seen = endings(&world);
    let node = world.node();
    invoke(&node, "{}").await;
    let mut waits = Vec::new();
    for deferral in 1..=10 {
        let owed = world
            .until_owed(|effects| matches!(&effects[0].effect, Effect::InvokePlain(next) if next.deferrals == deferral))
            .await;
        waits.push(owed[0].due.millis_since(world.clock.now()) / 1000);
        // The store is read every five seconds.
        world.clock.advance(Duration::from_secs(waits.last().unwrap() + 5));
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
    world.scripts.plain("f", |_| async { Ok("done".into()) });
    world.clock.advance(MINUTE * 5);
    world.until_nothing_is_owed().await;
    let ending = seen.lock().unwrap().pop().unwrap();
    assert_eq!((ending.condition, ending.invoke_count), (Condition::Success, 1));
}

/// Has every invocation of `f` tell `g`, and every one of `g` tell `f`.
fn tell_each_other(world: &World) {
    for name in ["f", "g"] {
        world.scripts.plain(name, |run| async move { Ok(run.payload.to_string()) });
    }
    *world.scripts.destination.lock().unwrap() = Some(Box::new(|told, _| {
        let other = if told.function.as_str() == "f" { "g" } else { "f" };
        Some(Effect::InvokePlain(PlainInvocation { hops: told.hops + 1, ..invocation(other, "{}") }))
    }));
}

#[tokio::test]
async fn functions_that_tell_each_other_end_some_time() {
    let world = World::in_memory();
    tell_each_other(&world);
    let node = world.node();
    invoke(&node, "{}").await;
    world.until_nothing_is_owed().await;
    assert_eq!(world.scripts.invoked.borrow().len() as u32, 1 + DESTINATION_HOPS_MAX);
}

#[tokio::test]
async fn destination_is_told_after_a_crash() {
    on_every_store(async |world| {
        world.scripts.plain("f", |_| async { Ok("done".into()) });
        world.scripts.plain("g", |_| async { Ok("told".into()) });
        *world.scripts.destination.lock().unwrap() = Some(Box::new(|told, ending| {
            let Some(Ok(result)) = ending.result.as_ref().filter(|_| told.function.as_str() == "f") else { return None };
            Some(Effect::InvokePlain(invocation("g", result)))
        }));
        // Every process is taken from the moment the first invocation has one.
        let node = world.node();
        let busy = world.scripts.busy.clone();
        world.scripts.plain("f", move |_| {
            busy.send_replace(true);
            async { Ok("done".into()) }
        });
        invoke(&node, "{}").await;
        let owed = world
            .until_owed(|effects| matches!(effects, [owed] if matches!(&owed.effect, Effect::InvokePlain(next) if next.function.as_str() == "g")))
            .await;
        let Effect::InvokePlain(next) = &owed[0].effect else { unreachable!("just waited for") };
        assert_eq!(&*next.payload, "done");
        node.kill();
        world.scripts.busy.send_replace(false);
        let _node = world.node();
        world.until_nothing_is_owed().await;
        // The dead server may have got as far as `g`, but nobody has `f` done again.
        assert_eq!(world.scripts.count("f"), 1);
        assert!(world.scripts.count("g") >= 1);
    })
    .await;
}

#[tokio::test]
async fn execution_that_is_owed_starts_once() {
    on_every_store(async |world| {
        world.scripts.durable("d", LONG, |context| async move { Ok(context.input().to_string()) });
        let node = world.node();
        let start = Start {
            id: new_execution_id(),
            place: place(),
            function: "d".parse().unwrap(),
            version: Version::Latest,
            name: "n".parse().unwrap(),
            input: Some(Payload::Inline("x".repeat(5_000).into())),
            execution_timeout_seconds: LONG,
            retention_days: 1,
            mode: StartMode::Async,
            trace_id: None,
            tenant_id: None,
            parent: None,
            alias: None,
            hops: 0,
        };
        let id = start.id;
        for _ in 0..2 {
            world.disk.add_effect(Effect::StartExecution(Box::new(start.clone())), world.clock.now()).await.unwrap();
        }
        world.clock.advance(MINUTE);
        world.until_nothing_is_owed().await;
        node.closed(id).await;
        assert_eq!(world.outcome(id).await, format!("SUCCEEDED {}", "x".repeat(5_000)));
    })
    .await;
}

#[tokio::test]
async fn throttle_is_no_try_and_is_waited_out() {
    let world = World::in_memory();
    world.scripts.plain("f", |_| async { Ok("done".into()) });
    world.scripts.throttled.send_replace(true);
    let seen = endings(&world);
    let node = world.node();
    invoke(&node, "{}").await;
    for deferral in 1..=3 {
        let owed = world
            .until_owed(|effects| matches!(&effects[0].effect, Effect::InvokePlain(next) if next.deferrals == deferral))
            .await;
        world.scripts.throttled.send_replace(deferral < 3);
        // It is looked at when it is due, not only when the store is read anyway.
        world.clock.advance(Duration::from_millis(owed[0].due.millis_since(world.clock.now())));
    }
    world.until_nothing_is_owed().await;
    let ending = seen.lock().unwrap().pop().unwrap();
    assert_eq!((ending.condition, ending.invoke_count), (Condition::Success, 1));
}

#[tokio::test]
async fn many_invocations_that_wait_for_a_process_do_not_hide_one_that_was_put_off() {
    let world = World::in_memory();
    for name in ["f", "g"] {
        world.scripts.plain(name, |_| async { Ok("done".into()) });
    }
    let node = world.node();
    let invoke = async |name: &str| node.engine.invoke_plain_later(invocation(name, "{}")).await.unwrap();
    world.scripts.throttled.send_replace(true);
    invoke("f").await;
    world.until_throttled(1).await;
    world.scripts.throttled.send_replace(false);
    world.scripts.busy.send_replace(true);
    for _ in 0..10_000 {
        invoke("g").await;
    }
    world.clock.advance(MINUTE);
    let mut waiting = world.scripts.waiting.subscribe();
    let waits = waiting.wait_for(|names| names.iter().any(|name| name == "f"));
    patiently("another try", waits).await.unwrap();
}

#[tokio::test]
async fn execution_that_fails_for_nobody_who_waits_is_told_of_like_an_invocation() {
    on_every_store(async |world| {
        world.scripts.durable("d", LONG, |_| async {
            Err(Halt::Answer(HandlerAnswer::Failed(Some(ErrorObject::new("No", "never")))))
        });
        world.scripts.plain("g", |run| async move { Ok(run.payload.to_string()) });
        let told = Arc::new(Mutex::new(Vec::new()));
        let told_here = Arc::clone(&told);
        *world.scripts.destination.lock().unwrap() = Some(Box::new(move |of, ending| {
            if of.function.as_str() == "g" {
                return None;
            }
            told_here.lock().unwrap().push((of.clone(), ending.clone()));
            Some(Effect::InvokePlain(invocation("g", &of.payload)))
        }));
        let node = world.node();
        let input = "x".repeat(5_000);
        let id = node.start("d", &input).await;
        node.closed(id).await;
        world.until_invoked("g", 1).await;
        world.until_nothing_is_owed().await;
        let (of, ending) = told.lock().unwrap().pop().unwrap();
        assert_eq!((&*of.payload, of.qualifier.as_deref()), (input.as_str(), Some("$LATEST")));
        assert_eq!((ending.condition, ending.invoke_count), (Condition::RetriesExhausted, 1));
        assert_eq!(ending.result, Some(Err(ErrorObject::new("No", "never"))));
    })
    .await;
}
