//! Callbacks: completed from outside or by time, whichever comes first.

use everstep_core::RejectionKind;
use everstep_core::command::CallbackCompletion::{self, Fail, Heartbeat, Succeed};
use everstep_core::limits::CALLBACK_PAYLOAD_BYTES_MAX;

use crate::world::{World, error, payload};

/// Starts a callback, lets time and its holder act, and compares how it stands: `(seconds, completion)` in turn.
fn check(options: &str, story: &[(u64, CallbackCompletion)], expected: &str) {
    let mut world = World::begun();
    world.checkpoint(&[&format!("CALLBACK START c{options}")]);
    world.pending();
    for (seconds, completion) in story {
        world.pass(*seconds);
        // A refusal is part of the story: what counts is how the callback stands afterwards.
        let _ = world.callback("c", completion.clone());
    }
    world.wake_after(0);
    assert_eq!(world.operation("c"), expected, "{options} {story:?}");
    let over = !expected.starts_with("STARTED");
    assert_eq!(world.invoked_in().is_some(), over);
    assert_eq!(world.updated(), if over { "c" } else { "" });
}

/// Completes a callback in a state that does not allow for it.
fn check_closed(world: &mut World, id: &str) {
    for completion in [Succeed(None), Fail(error("E")), Heartbeat] {
        let refusal = world.callback(id, completion).unwrap_err();
        assert_eq!(refusal.kind, RejectionKind::CallbackClosed);
        assert_eq!(refusal.message, "The callback is either timed out or already completed");
    }
}

#[test]
fn holder_completes_it_once() {
    check("", &[(1, Succeed(Some(payload("r"))))], "SUCCEEDED result=r");
    check("", &[(1, Succeed(None))], "SUCCEEDED");
    check("", &[(1, Fail(error("E")))], "FAILED error=E");
    check("", &[(1, Succeed(None)), (0, Fail(error("E")))], "SUCCEEDED");
    check("", &[(1, Fail(error("E"))), (0, Succeed(None))], "FAILED error=E");
}

#[test]
fn it_times_out_to_the_second() {
    check(" timeout=5", &[(4, Heartbeat)], "STARTED");
    check(" timeout=5", &[(4, Succeed(None))], "SUCCEEDED");
    check(" timeout=5", &[(4, Heartbeat), (1, Heartbeat)], "TIMED_OUT error=Callback.Timeout");
    check(" timeout=5", &[(5, Succeed(None))], "TIMED_OUT error=Callback.Timeout");
    check(" timeout=0 heartbeat=0", &[(99_999_999, Heartbeat)], "STARTED");
}

#[test]
fn silence_times_it_out() {
    check(" heartbeat=3", &[(2, Heartbeat), (2, Heartbeat)], "STARTED");
    check(" heartbeat=3", &[(2, Heartbeat), (3, Heartbeat)], "TIMED_OUT error=Callback.Heartbeat");
    check(" heartbeat=3", &[(3, Succeed(None))], "TIMED_OUT error=Callback.Heartbeat");
}

#[test]
fn of_two_deadlines_the_earlier_wins() {
    check(" timeout=5 heartbeat=3", &[(3, Heartbeat)], "TIMED_OUT error=Callback.Heartbeat");
    check(" timeout=3 heartbeat=5", &[(3, Heartbeat)], "TIMED_OUT error=Callback.Timeout");
    check(" timeout=5 heartbeat=3", &[(9, Heartbeat)], "TIMED_OUT error=Callback.Heartbeat");
    check(" timeout=3 heartbeat=5", &[(9, Heartbeat)], "TIMED_OUT error=Callback.Timeout");
    check(" timeout=4 heartbeat=4", &[(9, Heartbeat)], "TIMED_OUT error=Callback.Timeout");
    check(" timeout=6 heartbeat=3", &[(2, Heartbeat), (9, Heartbeat)], "TIMED_OUT error=Callback.Heartbeat");
    check(
        " timeout=5 heartbeat=3",
        &[(2, Heartbeat), (2, Heartbeat), (9, Heartbeat)],
        "TIMED_OUT error=Callback.Timeout",
    );
}

#[test]
fn heartbeat_leaves_no_trace_for_the_handler() {
    let mut world = World::begun();
    world.checkpoint(&["CALLBACK START c heartbeat=3"]);
    let history = world.history();
    world.callback("c", Heartbeat).unwrap();
    assert_eq!(world.history(), history);
    assert_eq!(world.checkpoint(&[]), "");
}

#[test]
fn late_completion_is_refused_before_the_timer_fires() {
    let mut world = World::begun();
    world.checkpoint(&["CALLBACK START c timeout=5"]);
    world.pass(5);
    check_closed(&mut world, "c");
    assert_eq!(world.operation("c"), "STARTED");
}

#[test]
fn completion_after_the_execution_timeout_is_refused_before_the_timer_fires() {
    let mut world = World::with(|start| start.execution_timeout_seconds = 5);
    world.begin();
    world.checkpoint(&["CALLBACK START c"]);
    world.pass(5);
    check_closed(&mut world, "c");
}

#[test]
fn what_is_no_open_callback_cannot_be_completed() {
    let mut world = World::begun();
    world.checkpoint(&["STEP START s", "WAIT START w wait=9", "CALLBACK START c"]);
    for id in ["s", "w", "nobody"] {
        check_closed(&mut world, id);
    }
    world.callback("c", Succeed(None)).unwrap();
    check_closed(&mut world, "c");
}

#[test]
fn closed_execution_closes_its_callbacks() {
    let stories: [fn(&mut World); 3] =
        [World::stop, |world| world.succeed("x"), |world| drop(world.checkpoint(&["EXECUTION SUCCEED x"]))];
    for end in stories {
        let mut world = World::begun();
        world.checkpoint(&["CALLBACK START c"]);
        end(&mut world);
        check_closed(&mut world, "c");
    }
}

#[test]
fn payload_holds_its_limit() {
    for (bytes, fits) in [(CALLBACK_PAYLOAD_BYTES_MAX, true), (CALLBACK_PAYLOAD_BYTES_MAX + 1, false)] {
        let text = format!("#{bytes}");
        for (member, completion) in [("result", Succeed(Some(payload(&text)))), ("error", Fail(error(&text)))] {
            let mut world = World::begun();
            world.checkpoint(&["CALLBACK START c"]);
            match world.callback("c", completion) {
                Ok(()) => assert!(fits),
                Err(refusal) => {
                    assert!(!fits);
                    assert_eq!(refusal.kind, RejectionKind::Validation);
                    let words = format!(
                        "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must have length less than or equal to 1048576"
                    );
                    assert_eq!(refusal.message, words);
                }
            }
        }
    }
}
