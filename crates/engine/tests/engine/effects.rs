//! Plain functions that are invoked for nobody who waits.

use everstep_core::ErrorObject;
use everstep_core::event::PlainInvocation;
use everstep_core::id::Version;
use everstep_engine::new_request_id;

use crate::store::{Call, Fault};
use crate::world::{MINUTE, Node, World, on_every_store};

async fn invoke(node: &Node, payload: &str) {
    let invocation = PlainInvocation {
        function: "f".parse().unwrap(),
        version: Version::Latest,
        request_id: new_request_id(),
        payload: payload.into(),
        tenant_id: None,
        trace_id: None,
        tries: 0,
    };
    node.engine.invoke_plain_later(invocation).await.unwrap();
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
