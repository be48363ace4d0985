//! What holds whatever happens: chance writes the story, sense and nonsense, and every commit is checked.
//!
//! The world itself checks that a replay equals the state, that ids are dense and that time does not run backwards.

use everstep_core::ExecutionStatus::{Deleting, Paused, Running};
use everstep_core::command::{CallbackCompletion, ChainedCompletion, Checkpoint, InvocationResult};
use everstep_core::id::RequestId;
use everstep_core::{Command, Event, Timestamp, limits};
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::{BEGINNING, World, error, payload, update};

const TIMEOUT_SECONDS: u64 = 1_000;

/// Something that may happen at any time.
#[derive(Clone, Debug)]
enum Act {
    /// The clock goes on, or is set back.
    Clock {
        millis: i64,
    },
    Begin,
    /// A checkpoint with the current token, or with one that is `behind`.
    Checkpoint {
        behind: u32,
        client_token: Option<&'static str>,
        updates: Vec<String>,
    },
    /// An answer of the n-th invocation from the last.
    Answer {
        back: u8,
        result: InvocationResult,
    },
    Other(Command),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => select(vec![0, 1, 500, 1_000, 3_000, 20_000, 400_000, -2_000]).prop_map(|millis| Act::Clock { millis }),
        6 => Just(Act::Begin),
        12 => checkpoint(),
        6 => (prop_oneof![9 => Just(0_u8), 1 => Just(1_u8)], result())
            .prop_map(|(back, result)| Act::Answer { back, result }),
        4 => Just(Act::Other(Command::Wake)),
        5 => other().prop_map(Act::Other),
    ]
}

fn checkpoint() -> impl Strategy<Value = Act> {
    let behind = prop_oneof![9 => Just(0_u32), 1 => Just(1_u32)];
    let client_token = select(vec![None, Some("t"), Some("u")]);
    (behind, client_token, prop::collection::vec(operation_update(), 0..4))
        .prop_map(|(behind, client_token, updates)| Act::Checkpoint { behind, client_token, updates })
}

/// An update that makes sense in some state.
fn operation_update() -> impl Strategy<Value = String> {
    let step = select(vec![
        "STEP START s",
        "STEP SUCCEED s payload=x",
        "STEP FAIL s error=E",
        "STEP RETRY s delay=1 error=E",
        "STEP START r in=p",
        "STEP RETRY r in=p delay=3 payload=x",
        "STEP RETRY r delay=1",
        "STEP SUCCEED r",
    ]);
    let others = select(vec![
        "WAIT START w wait=1",
        "WAIT START v wait=30",
        "WAIT CANCEL w",
        "CONTEXT START p",
        "CONTEXT SUCCEED p replay",
        "CONTEXT FAIL p error=E",
        "CALLBACK START c timeout=20 heartbeat=3",
        "CALLBACK START d",
        "CHAINED_INVOKE START i target=durable",
        "CHAINED_INVOKE START j target=missing",
        "CHAINED_INVOKE CANCEL i",
        "STEP START w",
        "CALLBACK CANCEL c",
        "STEP START x in=s",
    ]);
    let ends = select(vec!["EXECUTION SUCCEED x payload=x", "EXECUTION FAIL x error=E"]);
    prop_oneof![10 => step, 14 => others, 1 => ends].prop_map(String::from)
}

fn result() -> impl Strategy<Value = InvocationResult> {
    let broken =
        |error_type: &str| InvocationResult::Broken { error_type: error_type.into(), error: error(error_type) };
    prop_oneof![
        8 => Just(InvocationResult::Pending),
        1 => Just(InvocationResult::Succeeded { result: None }),
        1 => Just(InvocationResult::Succeeded { result: Some(payload("#9999999")) }),
        1 => Just(InvocationResult::Failed { error: Some(error("E")) }),
        1 => Just(InvocationResult::Invalid { message: "nonsense".into() }),
        2 => Just(broken("Runtime.ExitError")),
        2 => Just(broken("TypeError")),
        1 => Just(InvocationResult::FunctionMissing),
        2 => Just(InvocationResult::Lost),
    ]
}

fn other() -> impl Strategy<Value = Command> {
    let id = || select(vec!["c", "d", "s", "nobody"]).prop_map(|id| id.parse().unwrap());
    let child = || select(vec!["i", "j", "w"]).prop_map(|id| id.parse().unwrap());
    let completion = select(vec![
        CallbackCompletion::Succeed(Some(payload("x"))),
        CallbackCompletion::Fail(error("E")),
        CallbackCompletion::Heartbeat,
    ]);
    let outcome = select(vec![
        ChainedCompletion::Succeeded(None),
        ChainedCompletion::Failed(error("E")),
        ChainedCompletion::TimedOut(error("E")),
        ChainedCompletion::Stopped(error("E")),
    ]);
    let client_token = || select(vec![None, Some("t"), Some("u")]).prop_map(|text| text.map(|t| t.parse().unwrap()));
    prop_oneof![
        6 => (id(), completion)
            .prop_map(|(operation, completion)| Command::CompleteCallback { operation, completion }),
        4 => (child(), outcome)
            .prop_map(|(operation, completion)| Command::CompleteChainedInvoke { operation, completion }),
        1 => Just(Command::Stop { error: error("Stop") }),
        2 => (any::<bool>(), client_token()).prop_map(|(execution_timeout_paused, client_token)| {
            Command::Pause { execution_timeout_paused, reason: None, client_token }
        }),
        3 => client_token().prop_map(|client_token| Command::Resume { reason: None, client_token }),
        1 => Just(Command::Delete),
    ]
}

/// Turns an act into a command, given the world it happens in.
fn command(world: &World, act: &Act, begun: u8) -> Option<Command> {
    Some(match act {
        Act::Clock { .. } => return None,
        Act::Begin => Command::BeginInvocation { request_id: request(begun + 1) },
        Act::Checkpoint { behind, client_token, updates } => {
            let token = world.state.checkpoint_token().or(world.token)?;
            Command::Checkpoint(Checkpoint {
                invocation: token.invocation,
                checkpoint: token.checkpoint.saturating_sub(*behind),
                client_token: client_token.map(|text| text.parse().unwrap()),
                updates: updates.iter().map(|text| update(text)).collect(),
            })
        }
        Act::Answer { back, result } => {
            Command::CompleteInvocation { request_id: request(begun.saturating_sub(*back)), result: result.clone() }
        }
        Act::Other(command) => command.clone(),
    })
}

fn request(number: u8) -> RequestId {
    RequestId::from_bytes([number; 16])
}

/// Lets it all happen; after each act, the laws hold.
fn check(acts: &[Act]) {
    let mut world = World::with(|start| start.execution_timeout_seconds = TIMEOUT_SECONDS);
    let mut begun = 0;
    for act in acts {
        if let Act::Clock { millis } = act {
            world.now = Timestamp::from_millis(world.now.as_millis() + millis);
        }
        let Some(command) = command(&world, act, begun) else { continue };
        let before = world.clone();
        let accepted = world.send(&command).is_ok();
        world.token = world.state.checkpoint_token().or(world.token);
        let news: Vec<&Event> =
            world.records[before.records.len()..].iter().flat_map(|record| &record.events).collect();
        if news.iter().any(|event| matches!(event, Event::InvocationStarted { .. })) {
            assert_eq!(before.state.in_flight(), None, "one invocation at a time");
            begun += 1;
        }
        check_end(&before, &world, &news);
        check_attention(&world);
        if accepted {
            check_repetition(&world, &command);
        }
    }
    check_drain(world, begun);
}

/// What is over stays over, and little happens afterwards.
fn check_end(before: &World, after: &World, news: &[&Event]) {
    let Some(outcome) = before.state.outcome() else { return };
    assert_eq!(after.state.outcome(), Some(outcome));
    assert_eq!(after.state.ended_at(), before.state.ended_at());
    assert!([before.status(), Deleting].contains(&after.status()));
    assert_eq!(after.state.operations(), before.state.operations());
    assert_eq!(after.state.checkpoint_token(), None);
    for event in news {
        match event {
            Event::InvocationCompleted(_) => assert!(before.state.in_flight().is_some()),
            Event::DeletionRequested => assert!(before.state.is_announced()),
            Event::ExecutionSucceeded { .. } | Event::ExecutionFailed { .. } => {
                assert!(!before.state.is_announced(), "the end is announced once");
            }
            other => panic!("{other:?} after the end"),
        }
    }
}

/// Nobody is forgotten: whatever is to come has a time or a cause.
fn check_attention(world: &World) {
    let state = &world.state;
    let asleep = state.in_flight().is_none() && state.invocation_due_at().is_none();
    if world.status() == Running {
        assert!(state.wake_up().is_some());
        if asleep {
            assert!(state.operations().iter().any(|operation| operation.is_pending()), "something will wake it");
            assert_eq!(world.updated(), "", "the handler has seen everything");
        }
    }
    if state.outcome().is_some() {
        assert_eq!(state.invocation_due_at(), None);
    }
    if world.status() == Paused {
        assert_eq!(state.invocation_due_at(), None);
        assert!(state.wake_up().is_some(), "even a pause ends with the longest execution there is");
    }
}

/// The same command twice adds nothing.
fn check_repetition(world: &World, command: &Command) {
    let mut again = world.clone();
    match command {
        Command::CompleteInvocation { .. }
        | Command::CompleteChainedInvoke { .. }
        | Command::BeginInvocation { .. }
        | Command::Stop { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Wake
        | Command::Delete => {
            again.send(command).unwrap();
            assert_eq!(again.records.len(), world.records.len(), "{command:?}");
        }
        Command::CompleteCallback { completion: CallbackCompletion::Heartbeat, .. } => {}
        Command::CompleteCallback { .. } => assert!(again.send(command).is_err()),
        Command::Checkpoint(checkpoint) => {
            assert!(again.send(command).is_err(), "a token is good once");
            let token = everstep_core::token::CheckpointToken {
                execution: world.state.start_facts().id,
                invocation: checkpoint.invocation,
                checkpoint: checkpoint.checkpoint,
            };
            let repeated = world.state.repeats(&token, checkpoint.client_token.as_ref(), world.now);
            let repeatable = checkpoint.client_token.is_some() && world.state.checkpoint_token().is_some();
            assert_eq!(repeated, repeatable.then_some(world.state.version()));
        }
    }
}

/// Left alone with a handler that only ever sleeps, an execution comes to its end, and not by running in circles.
fn check_drain(mut world: World, begun: u8) {
    world.now = world.now.max(world.records.last().expect("it was started").at);
    for round in begun..u8::MAX {
        if world.status() == Paused {
            world.resume(None).unwrap();
        }
        if let Some(request_id) = world.state.in_flight() {
            world.late_answer(request_id, InvocationResult::Pending);
        } else if world.state.outcome().is_none() {
            world.now = world.now.max(world.state.wake_up().expect("something is to come"));
            world.send(&Command::Wake).unwrap();
            world.send(&Command::BeginInvocation { request_id: request(round + 1) }).unwrap();
        } else {
            assert!(world.state.is_announced());
            let retention = world.state.start_facts().retention_days;
            assert!(world.state.is_expired(world.now.plus_seconds(u64::from(retention) * 86_400)));
            let longest = BEGINNING.plus_seconds(limits::DURATION_SECONDS_MAX);
            assert!(world.state.ended_at().is_some_and(|ended_at| ended_at <= longest));
            return;
        }
    }
    panic!("it never ends: {:#?}", world.history());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn laws_hold_whatever_happens(acts in prop::collection::vec(act(), 0..60)) {
        check(&acts);
    }
}
