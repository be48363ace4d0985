//! Batches: taken whole or not at all, and answered with what has changed.

use everstep_core::Effect;
use everstep_core::command::{CallbackCompletion, ChainedCompletion};

use crate::world::World;

/// Sends a batch to a world that `before` has led somewhere: the answer, or the refusal after `!`.
fn check(before: &[&[&str]], batch: &[&str], expected: &str) {
    let mut world = World::begun();
    for batch in before {
        world.checkpoint(batch);
    }
    match expected.strip_prefix('!') {
        Some(message) => {
            let history = world.history();
            assert_eq!(world.refused(batch), message, "{batch:?}");
            assert_eq!(world.history(), history, "a refused batch leaves nothing behind");
            world.checkpoint(&["STEP START fine"]);
        }
        None => assert_eq!(world.checkpoint(batch), expected, "{batch:?}"),
    }
}

#[test]
fn batch_has_one_execution_update_and_it_is_the_last() {
    let two = ["EXECUTION SUCCEED x", "EXECUTION SUCCEED y"];
    check(&[], &two, "!Cannot checkpoint multiple EXECUTION updates.");
    let first = ["EXECUTION SUCCEED x", "STEP START a"];
    check(&[], &first, "!EXECUTION checkpoint must be the last update.");
    check(&[], &["STEP START a", "EXECUTION SUCCEED x"], "a STARTED attempt=0");
}

#[test]
fn batch_names_each_operation_once_unless_it_starts_and_closes_it() {
    let twice = "!Cannot checkpoint multiple operations with the same ID.";
    for batch in [
        &["STEP START a", "STEP START a"] as &[&str],
        &["STEP SUCCEED a", "STEP START a"],
        &["STEP RETRY a delay=1", "STEP SUCCEED a"],
        &["STEP START a", "STEP RETRY a delay=1", "STEP SUCCEED a"],
        &["CONTEXT START a", "CONTEXT START a"],
        &["CONTEXT FAIL a", "CONTEXT SUCCEED a"],
        &["WAIT START a wait=1", "WAIT CANCEL a"],
        &["CALLBACK START a", "CALLBACK START a"],
        &["CHAINED_INVOKE START a target=plain", "CHAINED_INVOKE CANCEL a"],
        &["STEP START a", "EXECUTION SUCCEED a"],
    ] {
        check(&[], batch, twice);
    }
    for (batch, answer) in [
        (["STEP START a", "STEP SUCCEED a"], "a SUCCEEDED attempt=1"),
        (["STEP START a", "STEP FAIL a"], "a FAILED attempt=1"),
        (["STEP START a", "STEP RETRY a delay=1"], "a PENDING attempt=1"),
        (["CONTEXT START a", "CONTEXT SUCCEED a"], "a SUCCEEDED"),
        (["CONTEXT START a", "CONTEXT FAIL a"], "a FAILED"),
    ] {
        check(&[], &batch, answer);
    }
}

#[test]
fn batch_may_close_what_it_started_with_others_in_between() {
    check(
        &[],
        &["CONTEXT START p", "STEP START a in=p", "STEP SUCCEED a", "CONTEXT SUCCEED p"],
        "a SUCCEEDED attempt=1, p SUCCEEDED",
    );
}

#[test]
fn parent_may_start_earlier_in_the_batch_but_not_later() {
    check(&[], &["CONTEXT START p", "STEP START a in=p"], "p STARTED, a STARTED attempt=0");
    check(&[], &["STEP START a in=p", "CONTEXT START p"], "!Invalid parent operation id.");
}

#[test]
fn one_bad_update_spoils_the_batch() {
    check(
        &[],
        &["STEP START a", "CALLBACK START c", "WAIT START w"],
        "!Update for WAIT operation requires WaitOptions.",
    );
    check(&[], &["EXECUTION SUCCEED x error=E"], "!Cannot provide an Error for SUCCEED action.");
}

#[test]
fn answer_shows_each_change_once_in_its_latest_state_and_order() {
    check(&[], &["STEP START b", "STEP START a", "STEP SUCCEED b"], "a STARTED attempt=0, b SUCCEEDED attempt=1");
    check(&[&["STEP START b", "STEP START a"]], &["STEP SUCCEED b"], "b SUCCEEDED attempt=1");
    check(&[&["STEP START a"]], &[], "");
}

#[test]
fn answer_shows_what_happened_elsewhere_since_the_last_one() {
    let mut world = World::begun();
    world.checkpoint(&[
        "WAIT START w wait=1",
        "STEP RETRY s delay=1 error=E",
        "CALLBACK START c",
        "CALLBACK START late timeout=1",
        "CHAINED_INVOKE START i target=durable",
    ]);
    world.callback("c", CallbackCompletion::Succeed(Some("r".into()))).unwrap();
    world.child("i", ChainedCompletion::Succeeded(None));
    world.pass(1);
    let due = "w SUCCEEDED, s READY attempt=1 error=E, late TIMED_OUT error=Callback.Timeout";
    let answer = world.checkpoint(&["STEP START a"]);
    assert_eq!(answer, format!("c SUCCEEDED result=r, i SUCCEEDED, a STARTED attempt=0, {due}"));
    assert_eq!(world.checkpoint(&[]), "");
}

#[test]
fn new_invocation_has_seen_everything_that_was_there_when_it_began() {
    let mut world = World::begun();
    world.checkpoint(&["WAIT START w wait=1", "STEP START a"]);
    world.pending();
    world.wake_after(1);
    world.begin();
    assert_eq!(world.checkpoint(&[]), "");
}

#[test]
fn callback_id_is_in_the_answer_and_names_its_operation() {
    let mut world = World::begun();
    world.checkpoint(&["CALLBACK START c"]);
    let (operations, _) = world.state.last_answer();
    let everstep_core::operation::Detail::Callback(callback) = &operations[0].detail else { panic!("a callback") };
    let id = crate::world::keys().open_callback(&callback.callback_id).unwrap();
    assert_eq!((id.execution, id.operation.as_str()), (world.state.start_facts().id, "c"));
}

#[test]
fn only_targets_that_can_be_invoked_are_started() {
    let mut world = World::begun();
    world.checkpoint(&[
        "CHAINED_INVOKE START a target=durable",
        "CHAINED_INVOKE START b target=ResourceNotFoundException",
        "CHAINED_INVOKE START c target=plain",
    ]);
    let started: Vec<&str> = world
        .effects
        .iter()
        .map(|effect| match effect {
            Effect::StartChainedInvoke(parent) => parent.operation.as_str(),
            other => panic!("{other:?} is not owed"),
        })
        .collect();
    assert_eq!(started, ["a", "c"]);
}

#[test]
fn time_never_runs_backwards_even_if_the_clock_does() {
    let mut world = World::begun();
    world.pass(10);
    world.checkpoint(&["STEP START a"]);
    world.now = crate::world::BEGINNING;
    world.checkpoint(&["WAIT START w wait=1"]);
    let everstep_core::operation::Detail::Wait(wait) = &world.state.operations()[1].detail else { panic!("a wait") };
    assert_eq!(wait.ends_at, crate::world::BEGINNING.plus_seconds(11));
}
