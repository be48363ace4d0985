//! Pauses: asked for, taking hold, taken back, and what waits for their end.

use everstep_core::ExecutionStatus::{self, Paused, Pausing, Running, Stopped, Succeeded, TimedOut};
use everstep_core::RejectionKind;
use everstep_core::command::CallbackCompletion;
use everstep_core::limits::DURATION_SECONDS_MAX;

use crate::world::{BEGINNING, World};

/// Compares where an execution stands: its status, and in how many milliseconds it is invoked.
fn check(world: &World, status: ExecutionStatus, invoked_in: Option<u64>) {
    assert_eq!((world.status(), world.invoked_in()), (status, invoked_in));
    assert_eq!(world.state.pause_request().is_some(), matches!(status, Pausing | Paused));
}

/// An execution that sleeps until a callback or a wait of 9 seconds.
fn asleep() -> World {
    let mut world = World::with(|start| start.execution_timeout_seconds = 100);
    world.begin();
    world.checkpoint(&["CALLBACK START c", "WAIT START w wait=9"]);
    world.pending();
    world
}

#[test]
fn pause_of_a_sleeping_execution_holds_at_once() {
    let mut world = asleep();
    world.pause(None).unwrap();
    check(&world, Paused, None);
    world.resume(None).unwrap();
    check(&world, Running, None);
    world.expect_history(
        "1 ExecutionStarted
         2 CallbackStarted c
         3 WaitStarted w 9s
         4 InvocationCompleted
         5 ExecutionPaused
         6 ExecutionResumed",
    );
}

#[test]
fn pause_defers_an_invocation_that_was_due() {
    let mut world = World::new();
    world.pause(None).unwrap();
    check(&world, Paused, None);
    world.try_begin();
    check(&world, Paused, None);
    world.resume(None).unwrap();
    check(&world, Running, Some(0));
    world.begin();
}

#[test]
fn pause_defers_what_time_and_callers_ask_for() {
    let stories: [fn(&mut World); 2] =
        [|world| world.wake_after(9), |world| world.callback("c", CallbackCompletion::Succeed(None)).unwrap()];
    for happens in stories {
        let mut world = asleep();
        world.pause(None).unwrap();
        happens(&mut world);
        check(&world, Paused, None);
        world.resume(None).unwrap();
        check(&world, Running, Some(0));
        world.begin();
        world.pending();
        check(&world, Running, None);
    }
}

#[test]
fn pause_takes_hold_at_the_next_checkpoint_whose_updates_still_count() {
    let mut world = World::begun();
    world.pause(None).unwrap();
    check(&world, Pausing, None);
    assert_eq!(world.checkpoint(&["STEP SUCCEED a"]), "");
    assert_eq!(world.token, None);
    check(&world, Paused, None);
    world.pending();
    check(&world, Paused, None);
    world.resume(None).unwrap();
    check(&world, Running, Some(0));
    world.begin();
    world.succeed("x");
    world.expect_history(
        "1 ExecutionStarted
         2 StepSucceeded a attempt=1
         3 ExecutionPaused
         4 InvocationCompleted
         5 ExecutionResumed
         6 InvocationCompleted
         7 ExecutionSucceeded result=x",
    );
}

#[test]
fn pause_takes_hold_when_the_invocation_ends() {
    let mut world = World::begun();
    world.checkpoint(&["CALLBACK START c"]);
    world.pause(None).unwrap();
    world.pending();
    check(&world, Paused, None);
    world.resume(None).unwrap();
    check(&world, Running, None);
    world.expect_history(
        "1 ExecutionStarted
         2 CallbackStarted c
         3 InvocationCompleted
         4 ExecutionPaused
         5 ExecutionResumed",
    );
}

#[test]
fn pause_defers_the_retry_of_an_invocation_that_failed() {
    let mut world = World::begun();
    world.pause(None).unwrap();
    world.break_down("TypeError");
    check(&world, Paused, None);
    world.resume(None).unwrap();
    check(&world, Running, Some(0));
}

#[test]
fn pending_is_fine_with_nothing_pending_if_a_token_was_withheld() {
    let mut world = World::begun();
    world.pause(None).unwrap();
    world.checkpoint(&[]);
    world.pending();
    assert_eq!(world.history().last().unwrap(), "3 InvocationCompleted");
    check(&world, Paused, None);
    world.resume(None).unwrap();
    check(&world, Running, Some(0));
}

#[test]
fn handler_cut_off_by_a_pause_is_invoked_again_if_it_was_resumed_meanwhile() {
    for pending in [&["STEP START a"] as &[&str], &["STEP START a", "CALLBACK START c"]] {
        for last in [&[] as &[&str], &["STEP SUCCEED a"]] {
            let mut world = World::begun();
            world.checkpoint(pending);
            world.pause(None).unwrap();
            world.checkpoint(last);
            world.resume(None).unwrap();
            assert_eq!(world.state.checkpoint_token(), None, "the token stays withheld");
            check(&world, Running, None);
            world.pending();
            check(&world, Running, Some(0));
        }
    }
}

#[test]
fn what_one_pause_deferred_is_not_made_up_for_after_the_next() {
    let mut world = World::begun();
    world.checkpoint(&["CALLBACK START c", "CALLBACK START d"]);
    world.pause(None).unwrap();
    world.checkpoint(&[]);
    world.callback("c", CallbackCompletion::Succeed(None)).unwrap();
    world.resume(None).unwrap();
    world.pending();
    world.begin();
    world.pending();
    world.pause(None).unwrap();
    world.resume(None).unwrap();
    check(&world, Running, None);
}

#[test]
fn resume_takes_back_a_pause_that_has_not_taken_hold() {
    let mut world = World::begun();
    world.pause(None).unwrap();
    world.resume(None).unwrap();
    check(&world, Running, None);
    world.checkpoint(&["WAIT START w wait=1"]);
    assert!(world.token.is_some());
    world.pending();
    check(&world, Running, None);
    world.expect_history(
        "1 ExecutionStarted
         2 WaitStarted w 1s
         3 InvocationCompleted",
    );
}

#[test]
fn paused_execution_may_end() {
    let mut world = World::begun();
    world.pause(None).unwrap();
    world.checkpoint(&[]);
    world.succeed("x");
    check(&world, Succeeded, None);

    let mut world = World::begun();
    world.pause(None).unwrap();
    world.succeed("x");
    check(&world, Succeeded, None);

    let mut world = asleep();
    world.pause(None).unwrap();
    world.stop();
    check(&world, Stopped, None);
}

#[test]
fn outcome_beats_a_pause_in_the_same_checkpoint() {
    let mut world = World::begun();
    world.pause(None).unwrap();
    world.checkpoint(&["EXECUTION SUCCEED x payload=x"]);
    check(&world, Succeeded, None);
    world.succeed("");
    world.expect_history(
        "1 ExecutionStarted
         2 InvocationCompleted
         3 ExecutionSucceeded result=x",
    );
}

#[test]
fn second_pause_and_second_resume_change_nothing() {
    for mut world in [asleep(), World::begun()] {
        let running = world.state.clone();
        world.resume(None).unwrap();
        assert_eq!(world.state, running);
        world.pause(None).unwrap();
        let paused = world.state.clone();
        world.pass(1);
        world.pause_with(false, Some("other")).unwrap();
        assert_eq!(world.state, paused);
    }
}

#[test]
fn timeout_stands_still_during_a_pause_that_asked_for_it() {
    let mut world = asleep();
    world.pass(10);
    world.pause(None).unwrap();
    assert_eq!(world.state.expected_timeout_at(), Some(BEGINNING.plus_seconds(DURATION_SECONDS_MAX)));
    world.wake_after(1_000);
    check(&world, Paused, None);
    world.resume(None).unwrap();
    assert_eq!(world.state.expected_timeout_at(), Some(BEGINNING.plus_seconds(1_100)));
    world.wake_after(89);
    assert_eq!(world.status(), Running);
    world.wake_after(1);
    assert_eq!(world.status(), TimedOut);
    assert_eq!(world.state.expected_timeout_at(), None);
}

#[test]
fn timeout_goes_on_during_a_pause_that_did_not_ask() {
    let mut world = asleep();
    world.pause_with(false, None).unwrap();
    assert_eq!(world.state.expected_timeout_at(), Some(BEGINNING.plus_seconds(100)));
    world.pass(50);
    world.resume(None).unwrap();
    assert_eq!(world.state.expected_timeout_at(), Some(BEGINNING.plus_seconds(100)));
    world.pause_with(false, None).unwrap();
    world.wake_after(50);
    check(&world, TimedOut, None);
}

#[test]
fn timeout_goes_on_until_the_pause_takes_hold() {
    let mut world = World::with(|start| start.execution_timeout_seconds = 100);
    world.begin();
    world.pause(None).unwrap();
    assert_eq!(world.state.expected_timeout_at(), Some(BEGINNING.plus_seconds(100)));
    world.pass(10);
    world.checkpoint(&[]);
    world.pass(10);
    world.resume(None).unwrap();
    assert_eq!(world.state.expected_timeout_at(), Some(BEGINNING.plus_seconds(110)));
}

#[test]
fn no_pause_lets_an_execution_outlive_366_days() {
    let mut world = asleep();
    world.pause(None).unwrap();
    world.wake_after(DURATION_SECONDS_MAX - 1);
    check(&world, Paused, None);
    let mut resumed = world.clone();
    resumed.resume(None).unwrap();
    assert_eq!(resumed.state.expected_timeout_at(), Some(BEGINNING.plus_seconds(DURATION_SECONDS_MAX)));
    world.wake_after(1);
    check(&world, TimedOut, None);
}

#[test]
fn execution_that_is_over_is_not_paused_nor_resumed() {
    let mut world = World::begun();
    world.succeed("x");
    for refusal in [world.pause(Some("a")).unwrap_err(), world.resume(Some("a")).unwrap_err()] {
        assert_eq!(refusal.kind, RejectionKind::Conflict);
    }
}

#[test]
fn repetition_succeeds_for_fifteen_minutes_even_if_the_execution_is_over() {
    let mut world = asleep();
    world.pause(Some("p")).unwrap();
    world.resume(Some("r")).unwrap();
    world.stop();
    world.pass(900);
    world.pause(Some("p")).unwrap();
    world.resume(Some("r")).unwrap();
    assert!(world.pause(Some("r")).is_err());
    assert!(world.resume(Some("p")).is_err());
    assert!(world.pause(None).is_err());
    world.pass_millis(1);
    assert!(world.pause(Some("p")).is_err());
    assert!(world.resume(Some("r")).is_err());
}

#[test]
fn late_repetition_of_a_pause_does_not_pause_what_was_resumed() {
    let mut world = asleep();
    world.pause(Some("p")).unwrap();
    world.resume(Some("r")).unwrap();
    world.pause(Some("p")).unwrap();
    check(&world, Running, None);
    world.pause(Some("q")).unwrap();
    world.resume(Some("r")).unwrap();
    check(&world, Paused, None);
}
