//! A store that fails at random moments: every execution still ends right. A failure names its seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use everstep_core::event::Event;
use everstep_core::{Command, ErrorObject, ExecutionStatus, OperationStatus};
use everstep_engine::new_execution_id;
use tokio::sync::watch;

use crate::store::{Call, Fault};
use crate::world::{LONG, World};

/// How many worlds are tried.
const SEEDS: u64 = 100;

/// SplitMix64: enough chance for a test, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// What handlers were told: steps that were acknowledged, by execution and id.
type Acknowledged = Arc<Mutex<BTreeMap<(String, String), usize>>>;

fn tell_functions(world: &World, acknowledged: &Acknowledged) {
    let kept = Arc::clone(acknowledged);
    world.scripts.durable("parent", LONG, move |context| {
        let kept = Arc::clone(&kept);
        async move {
            let mut results = Vec::new();
            for number in 0..3 {
                let id = format!("step-{number}");
                let is_new = context.status(&id).is_none();
                results.push(context.step(&id, || format!("{number}")).await?);
                if is_new {
                    let key = (context.run.start.id.to_string(), id);
                    *kept.lock().unwrap().entry(key).or_default() += 1;
                }
            }
            context.wait("nap", 3_600).await?;
            results.push(context.invoke("durable", "child:$LATEST", &"x".repeat(5_000)).await?);
            results.push(context.invoke("plain", "plain", "ping").await?);
            Ok(results.join(" "))
        }
    });
    world.scripts.durable("child", LONG, |context| async move {
        context.wait("nap", 60).await?;
        Ok(context.input().len().to_string())
    });
    world.scripts.plain("plain", |run| async move {
        if run.payload.is_empty() { Err(ErrorObject::new("Empty", "")) } else { Ok(format!("{} pong", run.payload)) }
    });
}

/// Tells one story in a world with bad luck.
async fn tell(seed: u64) {
    let world = World::in_memory();
    let acknowledged = Acknowledged::default();
    tell_functions(&world, &acknowledged);
    let mut chance = Chance(seed);
    let one_in = 2 + chance.below(12);
    let deaths = chance.below(3);
    let bad_luck = |seed: u64, deadly: bool| {
        let mut chance = Chance(seed);
        move |call: &Call<'_>| {
            if chance.below(one_in) > 0 {
                return None;
            }
            let dies = deadly && chance.below(8) == 0;
            Some(match (chance.below(if dies { 2 } else { 4 }), dies) {
                (0, true) => Fault::DeathBefore,
                (_, true) => Fault::DeathAfter,
                (0, false) if matches!(call, Call::Commit(_)) => Fault::Conflict,
                (1, false) => Fault::UnknownUndone,
                (2, false) => Fault::UnknownDone,
                (_, false) => Fault::Failed,
            })
        }
    };
    let mut node = world.node_with(|store| store.go_wrong(bad_luck(chance.next(), deaths > 0)));
    let mut died = 0;
    let ids: Vec<_> = (0..4).map(|_| new_execution_id()).collect();
    // Time passes half a minute at a time, with a bit of real time in between for what is tried again.
    for round in 0..600 {
        for id in &ids {
            if world.stored(*id).await.is_none() {
                let name = id.to_string();
                let start = node.try_start(*id, "parent", &name, "");
                let _ = tokio::time::timeout(Duration::from_secs(60), start).await;
            }
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        if !node.store.is_powered() {
            died += 1;
            node = world.node_with(|store| store.go_wrong(bad_luck(chance.next(), died < deaths)));
        }
        world.clock.advance(Duration::from_secs(30));
        let mut over = 0;
        for id in &ids {
            over += usize::from(world.stored(*id).await.is_some_and(|execution| execution.is_announced()));
        }
        if over == ids.len() {
            break;
        }
        assert!(round < 599, "{over} of {} are over", ids.len());
    }
    node.store.go_wrong(|_| None);
    for id in ids {
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded);
        assert_eq!(world.outcome(id).await, "SUCCEEDED 0 1 2 5000 ping pong");
        let execution = world.stored(id).await.unwrap();
        execution.check_counts();
        for number in 0..3 {
            let step = format!("step-{number}");
            let status = execution.operation(&step.parse().unwrap()).map(|operation| operation.status);
            assert_eq!(status, Some(OperationStatus::Succeeded));
            let times = acknowledged.lock().unwrap().get(&(id.to_string(), step)).copied().unwrap_or_default();
            assert!(times <= 1, "a step that was acknowledged was run again");
        }
        assert_eq!(world.events(id).await.iter().filter(|event| *event == "ExecutionSucceeded").count(), 1);
    }
    world.clock.advance(Duration::from_secs(60));
    world.until_nothing_is_owed().await;
}

#[tokio::test(start_paused = true)]
async fn every_execution_ends_right_whatever_the_store_does() {
    for seed in 0..SEEDS {
        let story = tokio::spawn(tell(seed));
        if let Err(error) = story.await {
            panic!("seed {seed}: {error}");
        }
    }
}

#[tokio::test]
async fn caller_hears_of_an_end_that_the_store_was_not_sure_of() {
    let world = World::in_memory();
    let (go_on, goes_on) = watch::channel(false);
    world.scripts.durable("f", LONG, move |_| {
        let mut goes_on = goes_on.clone();
        async move {
            goes_on.wait_for(|go| *go).await.unwrap();
            Ok("done".into())
        }
    });
    let node = world.node();
    let id = node.start("f", "").await;
    world.until_invoked("f", 1).await;
    node.store.go_wrong_once(Fault::UnknownDone, |call| {
        call.commits(|event| matches!(event, Event::ExecutionSucceeded { .. }))
    });
    let end = async {
        // By now the caller waits.
        go_on.send_replace(true);
    };
    let (status, ()) = tokio::join!(biased; node.closed(id), end);
    assert_eq!(status, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn command_that_the_store_was_not_sure_of_succeeds() {
    for fault in [Fault::UnknownDone, Fault::UnknownUndone, Fault::Conflict] {
        let world = World::in_memory();
        let node = world.idle_node();
        let id = node.start("f", "").await;
        node.store.go_wrong_once(fault, |call| matches!(call, Call::Commit(_)));
        let stopped = node.submit(id, Command::Stop { error: (&ErrorObject::default()).into() }).await.unwrap();
        assert_eq!((stopped.status(), stopped.version()), (ExecutionStatus::Stopped, 2), "{fault:?}");
    }
}

#[tokio::test]
async fn start_that_the_store_was_not_sure_of_is_one_start() {
    for fault in [Fault::UnknownDone, Fault::UnknownUndone] {
        let world = World::in_memory();
        world.scripts.durable("f", LONG, |_| async { Ok("done".into()) });
        let node = world.node_with(|store| store.go_wrong_once(fault, |call| matches!(call, Call::Create)));
        let id = node.start("f", "").await;
        world.clock.advance(Duration::from_secs(10));
        assert_eq!(node.closed(id).await, ExecutionStatus::Succeeded, "{fault:?}");
        assert_eq!(world.scripts.count("f"), 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn invocations_are_recovered_although_the_store_fails_at_first() {
    let world = World::in_memory();
    world.scripts.durable("f", LONG, |_| std::future::pending());
    let node = world.node();
    let id = node.start("f", "").await;
    world.until_invoked("f", 1).await;
    node.kill();
    world.scripts.durable("f", LONG, |_| async { Ok("done".into()) });
    let node = world.node_with(|store| {
        let mut left = 6;
        store.go_wrong(move |_| {
            left -= 1;
            // The first read succeeds: it says what was lost.
            (0..5).contains(&left).then_some(Fault::Failed)
        });
    });
    world.until("the end", id, |execution| execution.is_announced()).await;
    node.closed(id).await;
}
