//! Every limit that the core enforces, at the limit and one past it.

use everstep_core::ExecutionStatus::Failed;
use everstep_core::event::StartMode;
use everstep_core::{RejectionKind, limits};

use crate::world::World;

/// Sends an update with a payload or error of the largest size, then of one byte more.
fn check(update: &str, bytes_max: u64, message: &str) {
    let mut world = World::begun();
    assert_eq!(world.refused(&[&format!("{update}=#{}", bytes_max + 1)]), message);
    world.checkpoint(&[&format!("{update}=#{bytes_max}")]);
}

/// Sends batches of which the last exceeds a quota: it is answered without a token, and the execution fails.
fn check_quota(world: &mut World, last: &[&str]) {
    let (history, operations) = (world.history(), world.state.operations().clone());
    world.checkpoint(last);
    assert_eq!((world.token, world.status()), (None, Failed));
    assert_eq!((world.history(), world.state.operations()), (history, &operations), "nothing of the batch is taken");
    assert_eq!(world.effects, []);
    world.pending();
    assert!(world.history().last().unwrap().ends_with("ExecutionFailed error=ServiceQuotaExceededException"));
}

fn texts(updates: &[String]) -> Vec<&str> {
    updates.iter().map(String::as_str).collect()
}

#[test]
fn payloads_of_updates() {
    let step = "STEP output payload size must be less than or equal to 262144 bytes.";
    check("STEP SUCCEED a payload", limits::STEP_PAYLOAD_BYTES_MAX, step);
    check("STEP RETRY a delay=1 payload", limits::STEP_PAYLOAD_BYTES_MAX, step);
    let context = "CONTEXT output payload size must be less than or equal to 262144 bytes.";
    check("CONTEXT SUCCEED p payload", limits::CONTEXT_PAYLOAD_BYTES_MAX, context);
    let invoke = "CHAINED_INVOKE input payload size must be less than or equal to 1048576 bytes.";
    check("CHAINED_INVOKE START i target=plain payload", limits::CHAINED_INVOKE_PAYLOAD_BYTES_MAX, invoke);
    let execution = "EXECUTION output payload size must be less than or equal to 1048576 bytes.";
    check("EXECUTION SUCCEED x payload", limits::ASYNC_PAYLOAD_BYTES_MAX, execution);
}

#[test]
fn errors_of_updates() {
    let message = "Error object size must be less than or equal to 262144 bytes.";
    for update in ["STEP FAIL a error", "STEP RETRY a delay=1 error", "CONTEXT FAIL p error", "EXECUTION FAIL x error"]
    {
        check(update, limits::ERROR_BYTES_MAX, message);
    }
}

#[test]
fn outcome_of_a_synchronous_execution() {
    for (bytes, fits) in [(limits::SYNC_PAYLOAD_BYTES_MAX, true), (limits::SYNC_PAYLOAD_BYTES_MAX + 1, false)] {
        let mut world = World::with(|start| start.mode = StartMode::Sync);
        world.begin();
        let update = format!("EXECUTION SUCCEED x payload=#{bytes}");
        match world.try_checkpoint(world.token.unwrap(), None, &[&update]) {
            Ok(_) => assert!(fits),
            Err(refusal) => assert!(!fits && refusal.kind == RejectionKind::InvalidParameter),
        }
    }
}

#[test]
fn operations_of_an_execution() {
    // The execution itself is the first.
    let steps: Vec<String> = (1..limits::OPERATIONS_MAX).map(|number| format!("STEP START s{number}")).collect();
    let mut world = World::begun();
    world.checkpoint(&texts(&steps));
    world.checkpoint(&["STEP SUCCEED s1"]);
    let mut retried = world.clone();
    check_quota(&mut world, &["STEP SUCCEED s2", "CHAINED_INVOKE START i target=plain"]);
    check_quota(&mut retried, &["STEP RETRY s2 delay=1"]);
}

#[test]
fn retries_of_invocations_cost_operations() {
    let steps: Vec<String> = (2..limits::OPERATIONS_MAX).map(|number| format!("STEP START s{number}")).collect();
    for error_type in ["Runtime.ExitError", "TypeError"] {
        let mut world = World::begun();
        world.checkpoint(&texts(&steps));
        world.break_down(error_type);
        world.pass(1);
        world.begin();
        world.break_down(error_type);
        assert_eq!(world.status(), Failed, "there is no operation left for a retry");
    }
}

#[test]
fn lost_invocation_costs_no_operation() {
    let steps: Vec<String> = (1..limits::OPERATIONS_MAX).map(|number| format!("STEP START s{number}")).collect();
    let mut world = World::begun();
    world.checkpoint(&texts(&steps));
    world.answer(everstep_core::command::InvocationResult::Lost);
    world.begin();
    world.checkpoint(&["STEP SUCCEED s1"]);
    assert!(world.token.is_some());
}

#[test]
fn stored_bytes_of_an_execution() {
    // The input is 5 bytes; 400 results of 262,144 bytes make up the quota.
    let steps: Vec<String> = (0..399).map(|number| format!("STEP SUCCEED s{number} payload=#262144")).collect();
    let mut world = World::begun();
    world.checkpoint(&texts(&steps));
    world.checkpoint(&["STEP SUCCEED last payload=#262139"]);
    world.checkpoint(&[]);
    check_quota(&mut world, &["STEP SUCCEED more payload=x"]);
}

#[test]
fn every_kind_of_payload_counts_towards_the_stored_bytes() {
    for last in [
        "STEP SUCCEED x payload=#7",
        "STEP RETRY x delay=1 payload=#7",
        "STEP RETRY x delay=1 error=#7",
        "STEP FAIL x error=#7",
        "CONTEXT SUCCEED x payload=#7",
        "CONTEXT FAIL x error=#7",
        "CHAINED_INVOKE START x target=plain payload=#7",
    ] {
        let steps: Vec<String> = (0..399).map(|number| format!("STEP SUCCEED s{number} payload=#262144")).collect();
        let mut world = World::begun();
        world.checkpoint(&texts(&steps));
        world.checkpoint(&["STEP SUCCEED last payload=#262132"]);
        let mut more = world.clone();
        world.checkpoint(&[last]);
        assert!(world.token.is_some(), "{last}");
        more.checkpoint(&["STEP SUCCEED one payload=x"]);
        check_quota(&mut more, &[last]);
    }
}

#[test]
fn what_comes_from_outside_counts_towards_the_stored_bytes() {
    let steps: Vec<String> = (0..399).map(|number| format!("STEP SUCCEED s{number} payload=#262144")).collect();
    let mut world = World::begun();
    world.checkpoint(&texts(&steps));
    world.checkpoint(&["CALLBACK START c", "CHAINED_INVOKE START i target=plain"]);
    let mut invoked = world.clone();
    let large = crate::world::payload("#1048576");
    world.callback("c", everstep_core::command::CallbackCompletion::Succeed(Some(large.clone()))).unwrap();
    check_quota(&mut world, &["STEP SUCCEED x"]);
    invoked.child("i", everstep_core::command::ChainedCompletion::Succeeded(Some(large)));
    check_quota(&mut invoked, &["STEP SUCCEED x"]);
}
