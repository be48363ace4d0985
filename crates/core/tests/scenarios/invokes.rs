//! Chained invokes: how the end of another function reaches the execution that waits for it.

use everstep_core::command::ChainedCompletion::{self, Failed, Stopped, Succeeded, TimedOut};
use everstep_core::event::{Parent, StartMode};
use everstep_core::id::ExecutionId;
use everstep_core::{Effect, limits};

use crate::world::{World, error, payload};

/// Lets a chained function end while its caller sleeps; compares the operation and the last line of history.
fn check(completion: ChainedCompletion, operation: &str, line: &str) {
    let mut world = World::begun();
    world.checkpoint(&["CHAINED_INVOKE START i target=durable payload=x"]);
    world.pending();
    world.child("i", completion.clone());
    assert_eq!(world.operation("i"), operation);
    assert_eq!(world.history().last().unwrap(), line);
    assert_eq!((world.invoked_in(), world.updated()), (Some(0), "i".into()));
    let before = world.clone();
    world.child("i", completion);
    assert_eq!(world.state, before.state, "it ends once");
}

#[test]
fn each_outcome_has_its_status() {
    check(Succeeded(Some(payload("r"))), "SUCCEEDED result=r", "4 ChainedInvokeSucceeded i result=r");
    check(Succeeded(None), "SUCCEEDED", "4 ChainedInvokeSucceeded i");
    check(Failed(error("E")), "FAILED error=E", "4 ChainedInvokeFailed i error=E");
    check(TimedOut(error("E")), "TIMED_OUT error=E", "4 ChainedInvokeTimedOut i error=E");
    check(Stopped(error("E")), "STOPPED error=E", "4 ChainedInvokeStopped i error=E");
}

#[test]
fn output_over_the_limit_fails_it() {
    let bytes_max = limits::CHAINED_INVOKE_PAYLOAD_BYTES_MAX;
    let line = format!("4 ChainedInvokeSucceeded i result=#{bytes_max}");
    let at_the_limit = format!("#{bytes_max}");
    check(Succeeded(Some(payload(&at_the_limit))), &format!("SUCCEEDED result={at_the_limit}"), &line);
    check(
        Succeeded(Some(payload(&format!("#{}", bytes_max + 1)))),
        "FAILED error=InvalidParameterValueException",
        "4 ChainedInvokeFailed i error=InvalidParameterValueException",
    );
}

#[test]
fn refused_target_fails_in_the_same_answer() {
    let mut world = World::begun();
    let answer = world.checkpoint(&["CHAINED_INVOKE START i target=ResourceNotFoundException"]);
    assert_eq!(answer, "i FAILED error=ResourceNotFoundException");
    world.expect_history(
        "1 ExecutionStarted
         2 ChainedInvokeStarted i ResourceNotFoundException
         3 ChainedInvokeFailed i error=ResourceNotFoundException",
    );
}

#[test]
fn cancelled_invoke_and_closed_execution_wait_for_nobody() {
    let mut world = World::begun();
    world.checkpoint(&["CHAINED_INVOKE START i target=durable", "CHAINED_INVOKE START j target=durable"]);
    world.checkpoint(&["CHAINED_INVOKE CANCEL i"]);
    world.child("i", Succeeded(None));
    assert_eq!(world.operation("i"), "CANCELLED");
    world.checkpoint(&["EXECUTION SUCCEED x"]);
    world.child("j", Succeeded(None));
    assert_eq!(world.operation("j"), "STARTED");
    world.child("nobody", Succeeded(None));
}

#[test]
fn failure_that_nobody_waits_for_is_told_to_whoever_wants_to_know() {
    let news = [Effect::TellDestination(ExecutionId::from_bytes([1; 16]))];
    type Story = fn(&mut World);
    let stories: [(Story, bool); 4] = [
        (|world| world.succeed("x"), false),
        (|world| world.fail("E"), true),
        (World::stop, true),
        (|world| world.wake_after(limits::DURATION_SECONDS_MAX), true),
    ];
    for (end, told) in stories {
        for mode in [StartMode::Async, StartMode::Sync] {
            let mut world = World::with(|start| start.mode = mode);
            world.begin();
            end(&mut world);
            let expected = if told && mode == StartMode::Async { &news[..] } else { &[] };
            assert_eq!(world.effects, expected);
        }
    }
}

#[test]
fn child_tells_its_parent_when_it_is_over_and_only_then() {
    let parent = Parent { execution: ExecutionId::from_bytes([3; 16]), operation: "i".parse().unwrap() };
    let news = [Effect::TellParent { child: ExecutionId::from_bytes([1; 16]), parent: parent.clone() }];
    let stories: [fn(&mut World); 4] = [
        |world| world.succeed("x"),
        |world| world.fail("E"),
        World::stop,
        |world| world.wake_after(limits::DURATION_SECONDS_MAX),
    ];
    for end in stories {
        let mut child = World::with(|start| start.parent = Some(parent.clone()));
        child.begin();
        child.checkpoint(&["STEP START a"]);
        assert_eq!(child.effects, []);
        end(&mut child);
        assert_eq!(child.effects, news);
    }

    let mut child = World::with(|start| start.parent = Some(parent.clone()));
    child.begin();
    child.checkpoint(&["EXECUTION SUCCEED x"]);
    assert_eq!(child.effects, [], "history does not say so yet");
    child.succeed("");
    assert_eq!(child.effects, news);
}
