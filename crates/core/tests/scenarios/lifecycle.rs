//! The end of an execution, by its handler, from outside or by time, and what remains of it.

use everstep_core::ExecutionStatus::{self, Deleting, Failed, Running, Stopped, Succeeded, TimedOut};
use everstep_core::command::InvocationResult;
use everstep_core::{RejectionKind, Timestamp};

use crate::world::{BEGINNING, World};

/// Lets an execution of 100 seconds whose first invocation runs come to an end.
fn check(story: impl FnOnce(&mut World), status: ExecutionStatus, history: &str) -> World {
    let mut world = World::with(|start| start.execution_timeout_seconds = 100);
    world.begin();
    story(&mut world);
    world.expect_history(history);
    assert_eq!(world.status(), status);
    world
}

#[test]
fn handler_fixes_the_outcome_and_history_tells_when_the_invocation_ends() {
    for (update, status, terminal) in [
        ("EXECUTION SUCCEED execution-result-1 payload=big", Succeeded, "4 ExecutionSucceeded result=big"),
        ("EXECUTION FAIL execution-result-1 error=Big", Failed, "4 ExecutionFailed error=Big"),
    ] {
        for answer in [
            InvocationResult::Succeeded { result: Some("".into()) },
            InvocationResult::Succeeded { result: Some("other".into()) },
            InvocationResult::Succeeded { result: Some(crate::world::payload("#99999999")) },
            InvocationResult::Pending,
            InvocationResult::Failed { error: None },
        ] {
            check(
                |world| {
                    assert_eq!(world.checkpoint(&["STEP START a", update]), "a STARTED attempt=0");
                    assert_eq!(world.token, None);
                    assert_eq!((world.status(), world.state.is_announced()), (status, false));
                    world.pass(1);
                    world.answer(answer);
                    assert_eq!(world.state.ended_at(), Some(BEGINNING));
                },
                status,
                &format!(
                    "1 ExecutionStarted
                     2 StepStarted a
                     3 InvocationCompleted
                     {terminal}"
                ),
            );
        }
    }
}

#[test]
fn crash_after_the_outcome_was_fixed_does_not_change_it() {
    check(
        |world| {
            world.checkpoint(&["EXECUTION SUCCEED x payload=big"]);
            world.break_down("Runtime.ExitError");
        },
        Succeeded,
        "1 ExecutionStarted
         2 InvocationCompleted error=Runtime.ExitError
         3 ExecutionSucceeded result=big",
    );
}

#[test]
fn fixed_outcome_is_not_stopped_nor_timed_out() {
    check(
        |world| {
            world.checkpoint(&["EXECUTION SUCCEED x payload=big"]);
            world.stop();
            world.wake_after(99);
            world.succeed("");
        },
        Succeeded,
        "1 ExecutionStarted
         2 InvocationCompleted
         3 ExecutionSucceeded result=big",
    );
}

#[test]
fn fixed_outcome_is_announced_at_the_deadline_at_the_latest() {
    check(
        |world| {
            world.checkpoint(&["WAIT START w wait=9", "EXECUTION SUCCEED x payload=big"]);
            assert_eq!(world.state.wake_up(), Some(BEGINNING.plus_seconds(100)));
            world.wake_after(99);
            assert!(!world.state.is_announced());
            world.wake_after(1);
            assert!(world.state.is_announced());
            world.pass(1);
            world.succeed("");
        },
        Succeeded,
        "1 ExecutionStarted
         2 WaitStarted w 9s
         3 ExecutionSucceeded result=big
         4 InvocationCompleted",
    );
}

#[test]
fn stop_while_an_invocation_runs_comes_before_its_end() {
    check(
        |world| {
            world.checkpoint(&["STEP START a", "WAIT START w wait=1"]);
            world.stop();
            world.wake_after(1);
            world.succeed("late");
            assert_eq!((world.operation("a"), world.operation("w")), ("STARTED attempt=0".into(), "STARTED".into()));
        },
        Stopped,
        "1 ExecutionStarted
         2 StepStarted a
         3 WaitStarted w 1s
         4 ExecutionStopped error=Stop
         5 InvocationCompleted",
    );
}

#[test]
fn stop_of_a_sleeping_execution_is_the_end() {
    let world = check(
        |world| {
            world.checkpoint(&["WAIT START w wait=1"]);
            world.pending();
            world.pass(1);
            world.stop();
            world.pass(1);
            world.stop();
            world.try_begin();
        },
        Stopped,
        "1 ExecutionStarted
         2 WaitStarted w 1s
         3 InvocationCompleted
         4 ExecutionStopped error=Stop",
    );
    assert_eq!(world.state.ended_at(), Some(BEGINNING.plus_seconds(1)));
}

#[test]
fn stop_drops_an_invocation_that_was_due() {
    let mut world = World::new();
    world.stop();
    assert_eq!((world.invoked_in(), world.status()), (None, Stopped));
    world.try_begin();
    assert_eq!(world.state.in_flight(), None);
}

#[test]
fn timeout_while_an_invocation_runs_comes_before_its_end() {
    let history = "1 ExecutionStarted
         2 ExecutionTimedOut error=Execution timed out after 100 seconds.
         3 InvocationCompleted error=E";
    let timed_out = |world: &mut World| {
        world.wake_after(99);
        assert_eq!(world.status(), Running);
        world.wake_after(1);
        world.fail("E");
    };
    check(timed_out, TimedOut, history);
}

#[test]
fn timeout_ends_the_sleep_after_what_was_due_before() {
    check(
        |world| {
            world.checkpoint(&["WAIT START a wait=100", "WAIT START b wait=101"]);
            world.pending();
            world.wake_after(200);
            assert_eq!((world.operation("a"), world.operation("b")), ("SUCCEEDED".into(), "STARTED".into()));
        },
        TimedOut,
        "1 ExecutionStarted
         2 WaitStarted a 100s
         3 WaitStarted b 101s
         4 InvocationCompleted
         5 WaitSucceeded a 100s
         6 ExecutionTimedOut error=Execution timed out after 100 seconds.",
    );
}

#[test]
fn execution_past_its_deadline_is_not_invoked() {
    let mut world = World::with(|start| start.execution_timeout_seconds = 1);
    world.pass(1);
    world.try_begin();
    assert_eq!((world.state.in_flight(), world.status()), (None, TimedOut));
}

#[test]
fn deletion_is_for_what_is_over() {
    let mut world = World::begun();
    let refusal = world.delete().unwrap_err();
    assert_eq!(refusal.kind, RejectionKind::Conflict);
    world.checkpoint(&["EXECUTION SUCCEED x"]);
    assert_eq!(world.delete().unwrap_err().kind, RejectionKind::Conflict, "history does not say so yet");
    world.succeed("");
    assert!(!world.state.is_expired(world.now));
    world.delete().unwrap();
    assert_eq!(world.status(), Deleting);
    assert!(world.state.is_expired(world.now));
    let before = world.state.clone();
    world.pass(1);
    world.delete().unwrap();
    assert_eq!(world.state, before);
}

#[test]
fn execution_is_remembered_for_its_retention_and_no_longer() {
    const DAY_MILLIS: i64 = 86_400_000;
    for days in [1, 14, 90] {
        let mut world = World::with(|start| start.retention_days = days);
        world.begin();
        world.pass(7);
        world.succeed("x");
        let expiry = world.now.plus_millis(u64::from(days) * DAY_MILLIS as u64);
        assert_eq!(world.state.wake_up(), Some(expiry));
        assert!(!world.state.is_expired(Timestamp::from_millis(expiry.as_millis() - 1)));
        assert!(world.state.is_expired(expiry));
    }
}

#[test]
fn running_execution_is_never_forgotten() {
    let world = World::begun();
    assert!(!world.state.is_expired(Timestamp::from_millis(i64::MAX)));
}
