//! Every type of operation, every action, every state: what an update does, or why it is refused.

use crate::world::World;

/// What an update leads to: how the operation stands, or the refusal.
type Expected = Result<&'static str, &'static str>;

/// Sends `update` after `before`: updates, one checkpoint each, and what the world does in between.
fn check(before: &[&str], update: &str, expected: Expected) {
    let mut world = World::begun();
    for line in before {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("second", "") => world.pass(1),
            ("poll", "") => drop(world.checkpoint(&[])),
            ("heartbeats", id) => {
                world.callback(id, everstep_core::command::CallbackCompletion::Heartbeat).unwrap();
            }
            ("completes", id) => {
                world.callback(id, everstep_core::command::CallbackCompletion::Succeed(None)).unwrap();
            }
            ("returns", id) => world.child(id, everstep_core::command::ChainedCompletion::Succeeded(None)),
            _ => drop(world.checkpoint(&[line])),
        }
    }
    match expected {
        Ok(look) => assert_eq!(world.checkpoint(&[update]), look, "{update} after {before:?}"),
        Err(message) => assert_eq!(world.refused(&[update]), message, "{update} after {before:?}"),
    }
}

/// Sends each update in the state that `before` leads to.
fn check_each(before: &[&str], table: &[(&str, Expected)]) {
    for (update, expected) in table {
        check(before, update, *expected);
    }
}

const ACTION: Expected = Err("Invalid action for the given operation type.");
const STEP_START: Expected = Err("Invalid current STEP state to start.");
const STEP_CLOSE: Expected = Err("Invalid current STEP state to close.");
const STEP_RETRY: Expected = Err("Invalid current STEP state to re-attempt.");
const STEP_OPTIONS: Expected = Err("Invalid StepOptions for the given action.");
const ERROR: Expected = Err("Cannot provide an Error for SUCCEED action.");
const PAYLOAD: Expected = Err("Cannot provide a Payload for FAIL action.");

#[test]
fn step_from_none_and_started() {
    for before in [&[] as &[&str], &["STEP START a"]] {
        check_each(
            before,
            &[
                ("STEP SUCCEED a", Ok("a SUCCEEDED attempt=1")),
                ("STEP SUCCEED a payload=x", Ok("a SUCCEEDED attempt=1 result=x")),
                ("STEP SUCCEED a error=E", ERROR),
                ("STEP SUCCEED a delay=1", STEP_OPTIONS),
                ("STEP FAIL a", Ok("a FAILED attempt=1")),
                ("STEP FAIL a error=E", Ok("a FAILED attempt=1 error=E")),
                ("STEP FAIL a payload=x", PAYLOAD),
                ("STEP FAIL a delay=1", STEP_OPTIONS),
                ("STEP RETRY a delay=1", Ok("a PENDING attempt=1")),
                ("STEP RETRY a delay=1 payload=x", Ok("a PENDING attempt=1 result=x")),
                ("STEP RETRY a delay=1 error=E", Ok("a PENDING attempt=1 error=E")),
                (
                    "STEP RETRY a delay=1 payload=x error=E",
                    Err("Cannot provide both error and payload to RETRY a STEP."),
                ),
                ("STEP RETRY a", STEP_OPTIONS),
                ("STEP CANCEL a", ACTION),
            ],
        );
    }
    check(&[], "STEP START a", Ok("a STARTED attempt=0"));
    check(&["STEP START a"], "STEP START a", STEP_START);
}

#[test]
fn step_from_pending() {
    check_each(
        &["STEP RETRY a delay=1 payload=x"],
        &[
            ("STEP START a", STEP_START),
            ("STEP SUCCEED a", STEP_CLOSE),
            ("STEP FAIL a", STEP_CLOSE),
            ("STEP RETRY a delay=1", STEP_RETRY),
            ("STEP CANCEL a", ACTION),
        ],
    );
}

#[test]
fn step_from_ready_keeps_its_state_until_the_attempt_ends() {
    check_each(
        &["STEP RETRY a delay=1 payload=x", "second", "poll"],
        &[
            ("STEP START a", Ok("a STARTED attempt=1 result=x")),
            ("STEP SUCCEED a payload=y", Ok("a SUCCEEDED attempt=2 result=y")),
            ("STEP FAIL a error=E", Ok("a FAILED attempt=2 error=E")),
            ("STEP RETRY a delay=1 payload=y", Ok("a PENDING attempt=2 result=y")),
            ("STEP RETRY a delay=1 error=E", Ok("a PENDING attempt=2 error=E")),
            ("STEP CANCEL a", ACTION),
        ],
    );
    check_each(
        &["STEP RETRY a delay=1 error=E", "second", "poll", "STEP START a"],
        &[("STEP SUCCEED a payload=y", Ok("a SUCCEEDED attempt=2 result=y")), ("STEP START a", STEP_START)],
    );
}

#[test]
fn step_becomes_ready_no_second_too_early() {
    check(&["STEP RETRY a delay=2", "second", "poll"], "STEP START a", STEP_START);
    check(&["STEP RETRY a delay=2", "second", "second", "poll"], "STEP START a", Ok("a STARTED attempt=1"));
}

#[test]
fn step_that_is_over_stays_so() {
    for before in ["STEP SUCCEED a", "STEP FAIL a"] {
        check_each(
            &[before],
            &[
                ("STEP START a", STEP_START),
                ("STEP SUCCEED a", STEP_CLOSE),
                ("STEP FAIL a", STEP_CLOSE),
                ("STEP RETRY a delay=1", STEP_RETRY),
                ("STEP CANCEL a", ACTION),
            ],
        );
    }
}

#[test]
fn context_in_every_state() {
    let again = Err("Cannot start a CONTEXT that already exist.");
    let close = Err("Invalid current CONTEXT state to close.");
    for before in [&[] as &[&str], &["CONTEXT START p"]] {
        check_each(
            before,
            &[
                ("CONTEXT SUCCEED p", Ok("p SUCCEEDED")),
                ("CONTEXT SUCCEED p payload=x replay", Ok("p SUCCEEDED replay result=x")),
                ("CONTEXT SUCCEED p error=E", ERROR),
                ("CONTEXT FAIL p error=E", Ok("p FAILED error=E")),
                ("CONTEXT FAIL p", Ok("p FAILED")),
                ("CONTEXT FAIL p payload=x", PAYLOAD),
                ("CONTEXT RETRY p", ACTION),
                ("CONTEXT CANCEL p", ACTION),
            ],
        );
    }
    check(&[], "CONTEXT START p", Ok("p STARTED"));
    check(&["CONTEXT START p"], "CONTEXT START p", again);
    for before in ["CONTEXT SUCCEED p", "CONTEXT FAIL p"] {
        check_each(
            &[before],
            &[
                ("CONTEXT START p", again),
                ("CONTEXT SUCCEED p", close),
                ("CONTEXT FAIL p", close),
                ("CONTEXT RETRY p", ACTION),
                ("CONTEXT CANCEL p", ACTION),
            ],
        );
    }
}

#[test]
fn wait_in_every_state() {
    let again = Err("Cannot start a WAIT that already exist.");
    let cancel = Err("Cannot cancel a WAIT that does not exist or has already completed.");
    check(&[], "WAIT START w wait=1", Ok("w STARTED"));
    check(&[], "WAIT START w", Err("Update for WAIT operation requires WaitOptions."));
    check(&[], "WAIT CANCEL w", cancel);
    check(&["WAIT START w wait=1"], "WAIT START w wait=1", again);
    check(&["WAIT START w wait=1"], "WAIT CANCEL w", Ok("w CANCELLED"));
    for before in [&["WAIT START w wait=1", "second", "poll"] as &[&str], &["WAIT START w wait=9", "WAIT CANCEL w"]] {
        check_each(before, &[("WAIT START w wait=1", again), ("WAIT CANCEL w", cancel)]);
    }
    for before in [&[] as &[&str], &["WAIT START w wait=1"]] {
        check_each(before, &[("WAIT SUCCEED w", ACTION), ("WAIT FAIL w", ACTION), ("WAIT RETRY w", ACTION)]);
    }
}

#[test]
fn wait_that_is_due_is_over_only_after_the_updates_of_the_batch() {
    check(&["WAIT START w wait=1", "second"], "WAIT CANCEL w", Ok("w CANCELLED"));
}

#[test]
fn callback_in_every_state() {
    let again = Err("Cannot start a CALLBACK that already exist.");
    check(&[], "CALLBACK START c", Ok("c STARTED"));
    for before in [&["CALLBACK START c"] as &[&str], &["CALLBACK START c", "completes c"]] {
        check(before, "CALLBACK START c", again);
    }
    for before in [&[] as &[&str], &["CALLBACK START c"]] {
        check_each(
            before,
            &[
                ("CALLBACK SUCCEED c", ACTION),
                ("CALLBACK FAIL c", ACTION),
                ("CALLBACK RETRY c", ACTION),
                ("CALLBACK CANCEL c", ACTION),
            ],
        );
    }
}

#[test]
fn chained_invoke_in_every_state() {
    let again = Err("Cannot start a CHAINED_INVOKE that already exist.");
    let cancel = Err("Cannot cancel an INVOKE that does not exist or has already completed.");
    let start = "CHAINED_INVOKE START i target=durable";
    check(&[], start, Ok("i STARTED"));
    check(&[], "CHAINED_INVOKE START i", Err("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions."));
    check(&[], "CHAINED_INVOKE CANCEL i", cancel);
    check(&[start], start, again);
    check(&[start], "CHAINED_INVOKE CANCEL i", Ok("i CANCELLED"));
    for before in [&[start, "returns i"] as &[&str], &[start, "CHAINED_INVOKE CANCEL i"]] {
        check_each(before, &[(start, again), ("CHAINED_INVOKE CANCEL i", cancel)]);
    }
    for before in [&[] as &[&str], &[start]] {
        check_each(
            before,
            &[
                ("CHAINED_INVOKE SUCCEED i", ACTION),
                ("CHAINED_INVOKE FAIL i", ACTION),
                ("CHAINED_INVOKE RETRY i", ACTION),
            ],
        );
    }
}

#[test]
fn execution_takes_an_outcome_and_nothing_else() {
    check_each(
        &[],
        &[
            ("EXECUTION SUCCEED any payload=x", Ok("")),
            ("EXECUTION FAIL any error=E", Ok("")),
            ("EXECUTION SUCCEED any error=E", ERROR),
            ("EXECUTION FAIL any payload=x", PAYLOAD),
            ("EXECUTION START any", ACTION),
            ("EXECUTION RETRY any", ACTION),
            ("EXECUTION CANCEL any", ACTION),
        ],
    );
}

#[test]
fn operation_keeps_what_it_was_called_at_first() {
    check_each(
        &["CONTEXT START p", "CONTEXT START q", "STEP START a in=p name=n sub=Step"],
        &[
            ("WAIT START a wait=1", Err("Inconsistent operation type.")),
            ("STEP SUCCEED a sub=Other", Err("Inconsistent operation subtype.")),
            ("STEP SUCCEED a name=other", Err("Inconsistent operation name.")),
            ("STEP SUCCEED a in=q", Err("Inconsistent parent operation id.")),
            ("STEP SUCCEED a in=p name=n sub=Step", Ok("a SUCCEEDED attempt=1")),
            ("STEP SUCCEED a", Ok("a SUCCEEDED attempt=1")),
        ],
    );
    check_each(
        &["CONTEXT START p", "STEP START a"],
        &[
            ("STEP SUCCEED a sub=Step", Err("Inconsistent operation subtype.")),
            ("STEP SUCCEED a name=n", Err("Inconsistent operation name.")),
            ("STEP SUCCEED a in=p", Err("Inconsistent parent operation id.")),
        ],
    );
}

#[test]
fn parent_is_a_context_that_is_known() {
    let invalid = Err("Invalid parent operation id.");
    check_each(
        &["CONTEXT START p", "STEP START s", "WAIT START w wait=9", "CALLBACK START c"],
        &[
            ("STEP START a in=p", Ok("a STARTED attempt=0")),
            ("STEP START a in=nobody", invalid),
            ("STEP START a in=s", invalid),
            ("STEP START a in=w", invalid),
            ("STEP START a in=c", invalid),
            ("CONTEXT START a in=a", invalid),
            ("STEP START a in=01010101-0101-0101-0101-010101010101", invalid),
        ],
    );
}

#[test]
fn branch_goes_on_below_a_context_that_is_over() {
    for over in ["CONTEXT SUCCEED p", "CONTEXT FAIL p"] {
        check_each(
            &["CONTEXT START p", "STEP START a in=p", over],
            &[
                ("STEP SUCCEED a payload=x", Ok("a SUCCEEDED attempt=1 result=x")),
                ("WAIT START w in=p wait=1", Ok("w STARTED")),
            ],
        );
    }
}
