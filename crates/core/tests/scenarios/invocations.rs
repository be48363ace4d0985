//! Invocations: what their answers lead to, how they are retried, and what the next one is told.

use everstep_core::ExecutionStatus::{Failed, Running};
use everstep_core::command::{CallbackCompletion, InvocationResult};
use everstep_core::event::StartMode;
use everstep_core::limits;

use crate::world::{World, payload};

const NOTHING_PENDING: &str = "InvalidParameterValueException";

/// Lets `story` lead to a running invocation that answers PENDING, and compares when the function is invoked next:
/// in how many milliseconds, or `None` if it sleeps.
fn check_pending(story: impl FnOnce(&mut World), invoked_in: Option<u64>) -> World {
    let mut world = World::begun();
    story(&mut world);
    world.pending();
    assert_eq!(world.status(), Running);
    let last = world.history().pop().unwrap();
    assert!(last.ends_with("InvocationCompleted"), "{last}");
    assert_eq!(world.invoked_in(), invoked_in);
    world
}

/// Lets invocations fail with these types of errors in a row, each as soon as it is due; compares the delays before
/// the next ones in milliseconds, and whether that was the end.
fn check_retries(error_types: &[&str], delays: &[u64], ends: bool) -> World {
    let mut world = World::new();
    let mut seen = Vec::new();
    for error_type in error_types {
        world.begin();
        world.break_down(error_type);
        if let Some(delay) = world.invoked_in() {
            seen.push(delay);
            world.pass_millis(delay);
        }
    }
    assert_eq!(seen, delays, "{error_types:?}");
    assert_eq!(world.status() == Failed, ends, "{error_types:?}");
    world
}

#[test]
fn one_kind_of_failure_does_not_count_as_the_other() {
    let (thrown, exit) = ("ValueError", "Runtime.ExitError");
    check_retries(&[thrown, thrown, thrown, thrown, exit], &[1_000, 2_000, 4_000, 8_000, 0], false);
    check_retries(&[exit, exit, exit, thrown], &[0, 0, 0, 1_000], false);
    check_retries(&[exit, thrown, exit, exit, exit], &[0, 1_000, 0, 0], true);
}

#[test]
fn pending_operation_lets_the_handler_sleep() {
    for start in [
        "WAIT START x wait=9",
        "STEP RETRY x delay=9",
        "CALLBACK START x",
        "CHAINED_INVOKE START x target=durable",
        "CHAINED_INVOKE START x target=plain",
    ] {
        check_pending(|world| drop(world.checkpoint(&[start])), None);
    }
}

#[test]
fn nothing_pending_fails_the_execution_at_the_fourth_time() {
    for before in [
        &[] as &[&str],
        &["STEP START a"],
        &["STEP SUCCEED a"],
        &["CONTEXT START p"],
        &["WAIT START w wait=9", "CALLBACK START c"],
    ] {
        let mut world = World::begun();
        world.checkpoint(before);
        if before.len() == 2 {
            world.checkpoint(&["WAIT CANCEL w"]);
            world.callback("c", CallbackCompletion::Succeed(None)).unwrap();
            world.checkpoint(&[]);
            world.checkpoint(&[]);
        }
        for _ in 0..3 {
            world.pending();
            assert_eq!((world.status(), world.invoked_in()), (Running, Some(0)), "{before:?}");
            world.begin();
        }
        world.pending();
        assert_eq!(world.status(), Failed);
        let history = world.history();
        assert!(history[history.len() - 2].ends_with(&format!("InvocationCompleted error={NOTHING_PENDING}")));
        assert!(history[history.len() - 1].ends_with(&format!("ExecutionFailed error={NOTHING_PENDING}")));
        let Some(everstep_core::event::Outcome::Failed(Some(error))) = world.state.outcome() else { panic!("failed") };
        let message = "Cannot return PENDING status with no pending operations.";
        let expected = everstep_core::ErrorObject::new(NOTHING_PENDING, message);
        assert_eq!(error, &everstep_core::ErrorDocument::from(&expected));
    }
}

#[test]
fn change_that_the_handler_has_not_seen_invokes_it_again_at_once() {
    let world = check_pending(
        |world| {
            world.checkpoint(&["CALLBACK START c"]);
            world.callback("c", CallbackCompletion::Succeed(None)).unwrap();
        },
        Some(0),
    );
    assert_eq!(world.updated(), "c");
    let world = check_pending(
        |world| {
            world.checkpoint(&["WAIT START w wait=1", "CALLBACK START c"]);
            world.wake_after(1);
        },
        Some(0),
    );
    assert_eq!(world.updated(), "w");
    check_pending(
        |world| {
            world.checkpoint(&["STEP RETRY s delay=1"]);
            world.wake_after(1);
        },
        Some(0),
    );
}

#[test]
fn change_that_only_the_last_answer_showed_invokes_it_again_at_once() {
    let world = check_pending(
        |world| {
            world.checkpoint(&["WAIT START w wait=1"]);
            world.pass(1);
            assert_eq!(world.checkpoint(&[]), "w SUCCEEDED");
        },
        Some(0),
    );
    assert_eq!(world.updated(), "", "an answer showed it already");
}

#[test]
fn refused_target_in_the_last_answer_invokes_it_again_at_once() {
    check_pending(|world| drop(world.checkpoint(&["CHAINED_INVOKE START i target=X", "CALLBACK START c"])), Some(0));
}

#[test]
fn change_that_an_earlier_answer_showed_does_not_count() {
    check_pending(
        |world| {
            world.checkpoint(&["WAIT START w wait=1", "CALLBACK START c"]);
            world.pass(1);
            world.checkpoint(&[]);
            world.checkpoint(&["STEP SUCCEED a"]);
        },
        None,
    );
}

#[test]
fn change_that_the_event_of_the_invocation_showed_does_not_count() {
    let mut world = check_pending(|world| drop(world.checkpoint(&["WAIT START w wait=1", "CALLBACK START c"])), None);
    world.wake_after(1);
    world.begin();
    world.checkpoint(&["STEP SUCCEED a"]);
    world.pending();
    assert_eq!(world.invoked_in(), None);
}

#[test]
fn step_that_became_ready_meanwhile_and_was_not_taken_up_invokes_it_again_at_once() {
    check_pending(
        |world| {
            world.checkpoint(&["STEP RETRY s delay=1", "CALLBACK START c"]);
            world.pass(1);
            world.checkpoint(&[]);
            world.checkpoint(&["STEP SUCCEED a"]);
            assert_eq!(world.operation("s"), "READY attempt=1");
        },
        Some(0),
    );
}

#[test]
fn step_that_became_ready_meanwhile_and_was_taken_up_does_not_count() {
    check_pending(
        |world| {
            world.checkpoint(&["STEP RETRY s delay=1", "CALLBACK START c"]);
            world.pass(1);
            assert_eq!(world.checkpoint(&[]), "s READY attempt=1");
            assert_eq!(world.checkpoint(&["STEP START s", "STEP RETRY s delay=9"]), "s PENDING attempt=2");
        },
        None,
    );
}

#[test]
fn step_that_no_replay_takes_up_does_not_keep_the_function_busy() {
    let mut world = check_pending(
        |world| {
            world.checkpoint(&[
                "CONTEXT START p",
                "STEP RETRY orphan in=p delay=1",
                "CONTEXT SUCCEED p",
                "WAIT START w wait=9",
            ]);
        },
        None,
    );
    world.wake_after(1);
    world.begin();
    world.pending();
    assert_eq!(world.invoked_in(), None);
}

#[test]
fn failures_of_the_runtime_are_retried_three_times_at_once() {
    for error_type in ["Runtime.ExitError", "Runtime.Unknown", "Sandbox.Failure", "Extension.Crash"] {
        check_retries(&[error_type; 3], &[0; 3], false);
        let world = check_retries(&[error_type; 4], &[0; 3], true);
        let history = world.history();
        assert_eq!(history.last().unwrap(), &format!("6 ExecutionFailed error={error_type}"));
    }
}

#[test]
fn failures_of_the_handler_are_retried_with_growing_delays() {
    let delays = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map(|seconds| seconds * 1000);
    for error_type in ["TypeError", "Sandbox.Timedout", "runtime.exit", "Runtimes"] {
        check_retries(&[error_type; 11], &delays, false);
    }
}

#[test]
fn failures_of_the_handler_end_the_execution_after_six_hours() {
    let mut world = World::new();
    let mut tries = 0;
    while world.status() == Running {
        world.begin();
        world.break_down("TypeError");
        tries += 1;
        if let Some(delay) = world.invoked_in() {
            world.pass_millis(delay);
        }
    }
    // 511 s of doubling delays, then one every 300 s as long as it is due within 21,600 s of the first failure.
    assert_eq!(tries, 1 + 9 + (21_600 - 511) / 300);
    let took = world.now.millis_since(crate::world::BEGINNING);
    assert!((21_300_000..=21_600_000).contains(&took), "{took}");
    assert!(world.history().last().unwrap().ends_with("ExecutionFailed error=TypeError"));
}

#[test]
fn clean_invocation_resets_the_count() {
    let mut world = World::new();
    for _ in 0..3 {
        world.begin();
        world.break_down("Runtime.ExitError");
    }
    world.begin();
    world.checkpoint(&["WAIT START w wait=1"]);
    world.pending();
    world.wake_after(1);
    for _ in 0..3 {
        world.begin();
        world.break_down("Runtime.ExitError");
        assert_eq!(world.invoked_in(), Some(0));
    }
    world.begin();
    world.break_down("Runtime.ExitError");
    assert_eq!(world.status(), Failed);
}

#[test]
fn clean_invocation_resets_the_delay_and_the_six_hours() {
    let mut world = check_retries(&["TypeError"; 3], &[1_000, 2_000, 4_000], false);
    world.begin();
    world.checkpoint(&["WAIT START w wait=21600"]);
    world.pending();
    world.wake_after(21_600);
    world.begin();
    world.break_down("TypeError");
    assert_eq!(world.invoked_in(), Some(1_000));
}

#[test]
fn lost_invocation_counts_against_nobody() {
    let mut world = World::new();
    for _ in 0..20 {
        world.begin();
        world.answer(InvocationResult::Lost);
        assert_eq!(world.invoked_in(), Some(0));
    }
    for _ in 0..3 {
        world.begin();
        world.break_down("Runtime.ExitError");
        world.begin();
        world.answer(InvocationResult::Lost);
    }
    world.begin();
    world.break_down("Runtime.ExitError");
    assert_eq!(world.status(), Failed);
}

#[test]
fn answer_without_sense_is_retried_like_a_failure_of_the_runtime() {
    let mut world = World::new();
    for try_number in 1..=4 {
        world.begin();
        world.answer(InvocationResult::Invalid { message: "Invalid Status in invocation output.".into() });
        assert_eq!(world.invoked_in(), (try_number < 4).then_some(0));
    }
    assert_eq!(world.history().last().unwrap(), &format!("6 ExecutionFailed error={NOTHING_PENDING}"));
}

#[test]
fn missing_function_fails_the_execution_at_once() {
    let mut world = World::begun();
    world.answer(InvocationResult::FunctionMissing);
    world.expect_history(
        "1 ExecutionStarted
         2 InvocationCompleted error=Function not found
         3 ExecutionFailed error=Function not found",
    );
}

#[test]
fn result_may_be_as_large_as_its_caller_takes_it() {
    for (mode, bytes_max) in
        [(StartMode::Sync, limits::SYNC_PAYLOAD_BYTES_MAX), (StartMode::Async, limits::ASYNC_PAYLOAD_BYTES_MAX)]
    {
        for (bytes, fits) in [(bytes_max, true), (bytes_max + 1, false)] {
            let mut world = World::with(|start| start.mode = mode);
            world.begin();
            world.succeed(&format!("#{bytes}"));
            assert_eq!(world.state.is_announced(), fits, "{bytes} bytes");
            assert_eq!(world.invoked_in(), (!fits).then_some(0));
        }
    }
    let mut world = World::begun();
    world.succeed("#1048577");
    let everstep_core::Event::InvocationCompleted(completed) = &world.records.last().unwrap().events[0] else {
        panic!("the invocation ended");
    };
    let message = "Execution output payload size must be less than or equal to 1048576 bytes.";
    let error = everstep_core::ErrorObject::new(NOTHING_PENDING, message);
    assert_eq!(completed.error, Some((&error).into()));
}

#[test]
fn wake_up_during_a_back_off_adds_no_invocation() {
    let mut world = World::begun();
    world.checkpoint(&["CALLBACK START c"]);
    world.break_down("TypeError");
    world.callback("c", CallbackCompletion::Succeed(None)).unwrap();
    world.begin();
    world.succeed("ok");
    world.expect_history(
        "1 ExecutionStarted
         2 CallbackStarted c
         3 InvocationCompleted error=TypeError
         4 CallbackSucceeded c
         5 InvocationCompleted
         6 ExecutionSucceeded result=ok",
    );
}

#[test]
fn two_changes_before_the_invocation_begins_are_one_reason() {
    let mut world = check_pending(|world| drop(world.checkpoint(&["CALLBACK START a", "CALLBACK START b"])), None);
    for id in ["b", "a"] {
        world.callback(id, CallbackCompletion::Succeed(Some(payload("x")))).unwrap();
    }
    assert_eq!(world.updated(), "b a");
    world.begin();
    world.succeed("ok");
    assert_eq!(world.history().iter().filter(|line| line.contains("InvocationCompleted")).count(), 2);
}

#[test]
fn one_invocation_runs_at_a_time() {
    let mut world = World::new();
    let first = world.begin();
    world.try_begin();
    assert_eq!(world.state.in_flight(), Some(first));
}

#[test]
fn invocation_does_not_begin_before_it_is_due() {
    let mut world = World::begun();
    world.break_down("TypeError");
    world.pass_millis(999);
    world.try_begin();
    assert_eq!(world.state.in_flight(), None);
    world.pass_millis(1);
    world.begin();
}

#[test]
fn what_is_due_happens_before_the_invocation_begins() {
    let mut world =
        check_pending(|world| drop(world.checkpoint(&["WAIT START a wait=1", "WAIT START b wait=2"])), None);
    world.wake_after(1);
    world.pass(1);
    world.begin();
    assert_eq!(world.updated(), "a b");
    assert_eq!(world.checkpoint(&[]), "");
}

#[test]
fn next_invocation_is_told_what_the_crashed_one_was_told() {
    let mut world = check_pending(|world| drop(world.checkpoint(&["WAIT START a wait=1", "CALLBACK START c"])), None);
    world.wake_after(1);
    world.begin();
    assert_eq!(world.updated(), "a");
    world.callback("c", CallbackCompletion::Succeed(None)).unwrap();
    world.break_down("Runtime.ExitError");
    assert_eq!(world.updated(), "a c");
    world.begin();
    world.answer(InvocationResult::Lost);
    assert_eq!(world.updated(), "a c");
    world.begin();
    world.checkpoint(&["WAIT START b wait=1"]);
    world.pending();
    assert_eq!(world.updated(), "");
}

#[test]
fn what_the_handler_itself_changed_is_no_news() {
    let world = check_pending(|world| drop(world.checkpoint(&["STEP SUCCEED a", "WAIT START w wait=1"])), None);
    assert_eq!(world.updated(), "");
}
