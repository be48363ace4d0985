//! What a replay needs to see.

use everstep_core::view;

use crate::world::{World, shown};

/// Compares the ids that a replay is given after a batch.
fn check(batch: &[&str], expected: &str) {
    let mut world = World::begun();
    world.checkpoint(batch);
    let operations = view::replayed_operations(&world.state);
    let ids: Vec<&str> = operations.iter().map(|operation| operation.opening.id.as_str()).collect();
    assert_eq!(ids.join(" "), expected, "{}", shown(operations));
}

#[test]
fn operations_come_in_the_order_of_their_start() {
    check(&["STEP START b", "CONTEXT START p", "STEP START a in=p", "STEP SUCCEED b"], "b p a");
}

#[test]
fn children_of_a_context_that_succeeded_are_left_out() {
    check(&["CONTEXT START p", "STEP START a in=p", "WAIT START w wait=9", "CONTEXT SUCCEED p"], "p w");
}

#[test]
fn what_stands_further_below_is_left_out_too() {
    let tree = ["CONTEXT START p", "CONTEXT START q in=p", "CONTEXT START r in=q", "STEP START a in=r"];
    check(&tree, "p q r a");
    check(&[&tree[..], &["CONTEXT SUCCEED p"]].concat(), "p");
    check(&[&tree[..], &["CONTEXT SUCCEED q"]].concat(), "p q");
    check(&[&tree[..], &["CONTEXT SUCCEED q replay"]].concat(), "p q r a");
    check(&[&tree[..], &["CONTEXT SUCCEED r", "CONTEXT SUCCEED q replay"]].concat(), "p q r");
    check(&[&tree[..], &["CONTEXT SUCCEED r replay", "CONTEXT SUCCEED p"]].concat(), "p");
    check(&[&tree[..], &["CONTEXT SUCCEED p replay"]].concat(), "p q r a");
}

#[test]
fn children_of_a_context_that_failed_are_kept() {
    check(&["CONTEXT START p", "CALLBACK START c in=p", "CONTEXT FAIL p error=E"], "p c");
}

#[test]
fn events_show_their_payloads() {
    let mut world = World::begun();
    world.checkpoint(&["STEP SUCCEED a payload=r", "STEP FAIL b error=E", "WAIT START w wait=9"]);
    world.succeed("end");
    let texts: Vec<String> = world
        .records
        .iter()
        .flat_map(|record| &record.events)
        .filter_map(|event| view::event_payload(event))
        .map(|payload| format!("{payload:?}"))
        .collect();
    assert_eq!(
        texts.join("\n"),
        r#"Inline("input")
Inline("r")
Inline("{\"ErrorType\":\"E\"}")
Inline("end")"#
    );
}
