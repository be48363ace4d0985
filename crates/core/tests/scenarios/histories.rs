//! Whole executions, from their start to their end, by the history that AWS shows of them.

use everstep_core::ExecutionStatus::{self, Failed, Succeeded};
use everstep_core::command::{CallbackCompletion, ChainedCompletion, InvocationResult};

use crate::world::{World, error, payload};

/// Tells a story and compares how it ended, and its history.
fn check(story: impl FnOnce(&mut World), status: ExecutionStatus, history: &str) {
    let mut world = World::begun();
    story(&mut world);
    world.expect_history(history);
    assert_eq!(world.status(), status);
    assert!(world.state.is_announced());
    assert_eq!(world.state.in_flight(), None);
}

#[test]
fn empty_handler_leaves_three_events() {
    check(
        |world| world.answer(InvocationResult::Succeeded { result: None }),
        Succeeded,
        "1 ExecutionStarted
         2 InvocationCompleted
         3 ExecutionSucceeded",
    );
}

#[test]
fn failed_answer_is_the_error_of_its_invocation_too() {
    check(
        |world| world.fail("Boom"),
        Failed,
        "1 ExecutionStarted
         2 InvocationCompleted error=Boom
         3 ExecutionFailed error=Boom",
    );
}

#[test]
fn single_step_succeeds() {
    check(
        |world| {
            assert_eq!(world.updated(), "");
            let answer = world.checkpoint(&["STEP START a sub=Step", "STEP SUCCEED a payload=hello"]);
            assert_eq!(answer, "a SUCCEEDED attempt=1 result=hello");
            world.succeed("hello");
        },
        Succeeded,
        "1 ExecutionStarted
         2 StepStarted a
         3 StepSucceeded a attempt=1 result=hello
         4 InvocationCompleted
         5 ExecutionSucceeded result=hello",
    );
}

#[test]
fn step_succeeds_on_its_second_attempt() {
    check(
        |world| {
            assert_eq!(world.checkpoint(&["STEP START a"]), "a STARTED attempt=0");
            assert_eq!(world.checkpoint(&["STEP RETRY a delay=1 error=E"]), "a PENDING attempt=1 error=E");
            world.pending();
            assert_eq!(world.invoked_in(), None);
            world.wake_after(1);
            assert_eq!((world.updated(), world.operation("a")), ("a".into(), "READY attempt=1 error=E".into()));
            world.begin();
            assert_eq!(world.checkpoint(&["STEP START a"]), "a STARTED attempt=1 error=E");
            assert_eq!(world.checkpoint(&["STEP SUCCEED a payload=ok"]), "a SUCCEEDED attempt=2 result=ok");
            world.succeed("ok");
        },
        Succeeded,
        "1 ExecutionStarted
         2 StepStarted a
         3 StepFailed a attempt=1 retry=1s error=E
         4 InvocationCompleted
         5 StepStarted a
         6 StepSucceeded a attempt=2 result=ok
         7 InvocationCompleted
         8 ExecutionSucceeded result=ok",
    );
}

#[test]
fn wait_lets_the_handler_sleep() {
    check(
        |world| {
            assert_eq!(world.checkpoint(&["WAIT START w wait=2"]), "w STARTED");
            world.pending();
            world.wake_after(2);
            assert_eq!(world.updated(), "w");
            world.begin();
            world.succeed("ok");
        },
        Succeeded,
        "1 ExecutionStarted
         2 WaitStarted w 2s
         3 InvocationCompleted
         4 WaitSucceeded w 2s
         5 InvocationCompleted
         6 ExecutionSucceeded result=ok",
    );
}

#[test]
fn callback_timeout_that_nobody_catches_fails_the_execution() {
    check(
        |world| {
            assert_eq!(world.checkpoint(&["CALLBACK START c timeout=5"]), "c STARTED");
            world.pending();
            world.wake_after(5);
            world.begin();
            assert_eq!(world.operation("c"), "TIMED_OUT error=Callback.Timeout");
            world.fail("CallbackError");
        },
        Failed,
        "1 ExecutionStarted
         2 CallbackStarted c timeout=5s
         3 InvocationCompleted
         4 CallbackTimedOut c error=Callback.Timeout
         5 InvocationCompleted error=CallbackError
         6 ExecutionFailed error=CallbackError",
    );
}

#[test]
fn second_branch_of_a_parallel_waits() {
    check(
        |world| {
            world.checkpoint(&[
                "CONTEXT START p sub=Parallel",
                "CONTEXT START b1 in=p",
                "STEP START s1 in=b1",
                "STEP SUCCEED s1 payload=b0",
                "CONTEXT SUCCEED b1 payload=b0",
                "CONTEXT START b2 in=p",
                "WAIT START w in=b2 wait=2",
            ]);
            world.pending();
            world.wake_after(2);
            assert_eq!(world.updated(), "w");
            world.begin();
            world.checkpoint(&["CONTEXT SUCCEED b2 payload=b1", "CONTEXT SUCCEED p payload=both"]);
            world.succeed("both");
        },
        Succeeded,
        "1 ExecutionStarted
         2 ContextStarted p
         3 ContextStarted b1 in p
         4 StepStarted s1 in b1
         5 StepSucceeded s1 in b1 attempt=1 result=b0
         6 ContextSucceeded b1 in p result=b0
         7 ContextStarted b2 in p
         8 WaitStarted w in b2 2s
         9 InvocationCompleted
         10 WaitSucceeded w in b2 2s
         11 ContextSucceeded b2 in p result=b1
         12 ContextSucceeded p result=both
         13 InvocationCompleted
         14 ExecutionSucceeded result=both",
    );
}

#[test]
fn chained_invoke_fails_and_nobody_catches_it() {
    check(
        |world| {
            assert_eq!(world.checkpoint(&["CHAINED_INVOKE START i target=durable payload=x"]), "i STARTED");
            world.pending();
            world.pass(1);
            world.child("i", ChainedCompletion::Failed(error("ChildError")));
            assert_eq!(world.updated(), "i");
            world.begin();
            world.fail("ChildError");
        },
        Failed,
        "1 ExecutionStarted
         2 ChainedInvokeStarted i durable
         3 InvocationCompleted
         4 ChainedInvokeFailed i error=ChildError
         5 InvocationCompleted error=ChildError
         6 ExecutionFailed error=ChildError",
    );
}

#[test]
fn crash_leaves_a_step_started_and_it_may_be_tried_again() {
    check(
        |world| {
            world.checkpoint(&["STEP START a"]);
            world.break_down("Runtime.ExitError");
            assert_eq!(world.invoked_in(), Some(0));
            world.begin();
            assert_eq!(world.operation("a"), "STARTED attempt=0");
            world.checkpoint(&["STEP RETRY a delay=3 error=StepInterrupted"]);
            world.pending();
            world.wake_after(3);
            world.begin();
            world.checkpoint(&["STEP START a"]);
            world.checkpoint(&["STEP SUCCEED a payload=second"]);
            world.succeed("second");
        },
        Succeeded,
        "1 ExecutionStarted
         2 StepStarted a
         3 InvocationCompleted error=Runtime.ExitError
         4 StepFailed a attempt=1 retry=3s error=StepInterrupted
         5 InvocationCompleted
         6 StepStarted a
         7 StepSucceeded a attempt=2 result=second
         8 InvocationCompleted
         9 ExecutionSucceeded result=second",
    );
}

#[test]
fn crash_of_a_step_that_may_not_be_tried_again_fails_it() {
    check(
        |world| {
            world.checkpoint(&["STEP START a"]);
            world.break_down("Runtime.ExitError");
            world.begin();
            world.checkpoint(&["STEP FAIL a error=StepInterrupted"]);
            world.fail("StepInterrupted");
        },
        Failed,
        "1 ExecutionStarted
         2 StepStarted a
         3 InvocationCompleted error=Runtime.ExitError
         4 StepFailed a attempt=1 error=StepInterrupted
         5 InvocationCompleted error=StepInterrupted
         6 ExecutionFailed error=StepInterrupted",
    );
}

#[test]
fn callback_of_a_failed_submitter_stays_open_until_the_end() {
    check(
        |world| {
            world.checkpoint(&[
                "CONTEXT START x sub=WaitForCallback name=n",
                "CALLBACK START c in=x",
                "STEP START s in=x",
                "STEP RETRY s delay=1 error=E",
            ]);
            world.pending();
            world.wake_after(1);
            world.begin();
            world.checkpoint(&["STEP START s", "STEP FAIL s error=E", "CONTEXT FAIL x error=E"]);
            world.fail("E");
            let late = world.callback("c", CallbackCompletion::Succeed(None)).unwrap_err();
            assert_eq!(late.message, "The callback is either timed out or already completed");
            assert_eq!(world.operation("c"), "STARTED");
        },
        Failed,
        "1 ExecutionStarted
         2 ContextStarted x
         3 CallbackStarted c in x
         4 StepStarted s in x
         5 StepFailed s in x attempt=1 retry=1s error=E
         6 InvocationCompleted
         7 StepStarted s in x
         8 StepFailed s in x attempt=2 error=E
         9 ContextFailed x error=E
         10 InvocationCompleted error=E
         11 ExecutionFailed error=E",
    );
}

/// Whether a poll's START and RETRY travel together or apart must not show.
fn poll_until_three(world: &mut World, batches: [&[&[&str]]; 3]) {
    for (round, batches) in batches.into_iter().enumerate() {
        if round > 0 {
            world.wake_after(2);
            assert_eq!(world.operation("q"), format!("READY attempt={round} result={round}"));
            world.begin();
        }
        for batch in batches {
            world.checkpoint(batch);
        }
        if round < 2 {
            world.pending();
            assert_eq!(world.invoked_in(), None, "nothing happened that the handler has not seen");
        }
    }
    world.succeed("3");
}

const POLLED_THREE_TIMES: &str = "1 ExecutionStarted
    2 StepStarted q
    3 StepSucceeded q attempt=1 retry=2s result=1
    4 InvocationCompleted
    5 StepStarted q
    6 StepSucceeded q attempt=2 retry=2s result=2
    7 InvocationCompleted
    8 StepStarted q
    9 StepSucceeded q attempt=3 result=3
    10 InvocationCompleted
    11 ExecutionSucceeded result=3";

#[test]
fn condition_is_polled_in_one_batch_a_time() {
    check(
        |world| {
            poll_until_three(
                world,
                [
                    &[&["STEP START q sub=WaitForCondition", "STEP RETRY q delay=2 payload=1"]],
                    &[&["STEP START q", "STEP RETRY q delay=2 payload=2"]],
                    &[&["STEP START q", "STEP SUCCEED q payload=3"]],
                ],
            );
        },
        Succeeded,
        POLLED_THREE_TIMES,
    );
}

#[test]
fn condition_is_polled_in_two_batches_a_time() {
    check(
        |world| {
            poll_until_three(
                world,
                [
                    &[&["STEP START q sub=WaitForCondition"], &["STEP RETRY q delay=2 payload=1"]],
                    &[&["STEP START q"], &["STEP RETRY q delay=2 payload=2"]],
                    &[&["STEP START q"], &["STEP SUCCEED q payload=3"]],
                ],
            );
        },
        Succeeded,
        POLLED_THREE_TIMES,
    );
}

#[test]
fn callback_times_out_while_a_wait_goes_on() {
    check(
        |world| {
            world.checkpoint(&["CALLBACK START c timeout=3", "WAIT START w wait=6"]);
            world.pending();
            world.wake_after(3);
            world.begin();
            world.pending();
            assert_eq!(world.invoked_in(), None);
            world.wake_after(3);
            world.begin();
            world.fail("CallbackError");
        },
        Failed,
        "1 ExecutionStarted
         2 CallbackStarted c timeout=3s
         3 WaitStarted w 6s
         4 InvocationCompleted
         5 CallbackTimedOut c error=Callback.Timeout
         6 InvocationCompleted
         7 WaitSucceeded w 6s
         8 InvocationCompleted error=CallbackError
         9 ExecutionFailed error=CallbackError",
    );
}

#[test]
fn two_callbacks_cause_two_invocations() {
    check(
        |world| {
            world.checkpoint(&["CALLBACK START a", "CALLBACK START b"]);
            world.pending();
            for id in ["b", "a"] {
                world.pass(1);
                world.callback(id, CallbackCompletion::Succeed(Some(payload(id)))).unwrap();
                world.begin();
                if id == "b" {
                    world.pending();
                }
            }
            world.succeed("ab");
        },
        Succeeded,
        "1 ExecutionStarted
         2 CallbackStarted a
         3 CallbackStarted b
         4 InvocationCompleted
         5 CallbackSucceeded b result=b
         6 InvocationCompleted
         7 CallbackSucceeded a result=a
         8 InvocationCompleted
         9 ExecutionSucceeded result=ab",
    );
}

#[test]
fn two_waits_cause_two_invocations() {
    check(
        |world| {
            world.checkpoint(&["WAIT START a wait=2", "WAIT START b wait=8"]);
            world.pending();
            world.wake_after(2);
            world.begin();
            world.pending();
            world.wake_after(6);
            world.begin();
            world.succeed("ok");
        },
        Succeeded,
        "1 ExecutionStarted
         2 WaitStarted a 2s
         3 WaitStarted b 8s
         4 InvocationCompleted
         5 WaitSucceeded a 2s
         6 InvocationCompleted
         7 WaitSucceeded b 8s
         8 InvocationCompleted
         9 ExecutionSucceeded result=ok",
    );
}

#[test]
fn fast_child_finishes_before_its_caller_sleeps() {
    check(
        |world| {
            world.checkpoint(&["CHAINED_INVOKE START i target=plain"]);
            world.child("i", ChainedCompletion::Succeeded(Some(payload("r"))));
            world.pending();
            assert_eq!((world.invoked_in(), world.updated()), (Some(0), "i".into()));
            world.begin();
            world.succeed("r");
        },
        Succeeded,
        "1 ExecutionStarted
         2 ChainedInvokeStarted i plain
         3 ChainedInvokeSucceeded i result=r
         4 InvocationCompleted
         5 InvocationCompleted
         6 ExecutionSucceeded result=r",
    );
}

#[test]
fn wait_of_a_year_ends_to_the_second() {
    check(
        |world| {
            world.checkpoint(&["WAIT START w wait=31536000"]);
            world.pending();
            world.wake_after(31_535_999);
            assert_eq!(world.operation("w"), "STARTED");
            world.wake_after(1);
            world.begin();
            world.succeed("ok");
        },
        Succeeded,
        "1 ExecutionStarted
         2 WaitStarted w 31536000s
         3 InvocationCompleted
         4 WaitSucceeded w 31536000s
         5 InvocationCompleted
         6 ExecutionSucceeded result=ok",
    );
}
