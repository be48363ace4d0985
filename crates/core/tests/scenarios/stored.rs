//! How records are stored. What was written once must be read for ever: a change here needs a reason and a default.

use everstep_core::command::{CallbackCompletion, ChainedCompletion, InvocationResult};
use everstep_core::{Execution, Record};

use crate::world::{World, error, payload};

/// Every kind of event, in records as they were written when the format was fixed.
const WRITTEN: &str = include_str!("stored.jsonl");

/// Two executions in which everything happens that can be stored.
fn everything() -> Vec<World> {
    let mut first = World::begun();
    first.pause(Some("p")).unwrap();
    first.resume(Some("r")).unwrap();
    let token = first.token.unwrap();
    let batch = [
        "CONTEXT START p name=n sub=Map",
        "STEP SUCCEED s in=p payload=#5000",
        "CONTEXT SUCCEED p payload=x replay",
        "CONTEXT FAIL q error=E",
        "STEP START retried",
        "STEP RETRY retried delay=1 payload=1",
        "STEP RETRY failing delay=1 error=E",
        "STEP FAIL failed error=E",
        "WAIT START w wait=1",
        "WAIT START cancelled wait=9",
        "CALLBACK START c timeout=5 heartbeat=2",
        "CALLBACK START d",
        "CALLBACK START late timeout=1",
        "CHAINED_INVOKE START durable target=durable payload=x",
        "CHAINED_INVOKE START plain target=plain",
        "CHAINED_INVOKE START refused target=ResourceNotFoundException",
        "CHAINED_INVOKE START stopped target=plain",
        "CHAINED_INVOKE START slow target=plain",
    ];
    first.try_checkpoint(token, Some("t"), &batch).unwrap();
    first.checkpoint(&["WAIT CANCEL cancelled error=E", "CHAINED_INVOKE CANCEL plain"]);
    first.callback("c", CallbackCompletion::Heartbeat).unwrap();
    first.callback("c", CallbackCompletion::Succeed(Some(payload("r")))).unwrap();
    first.callback("d", CallbackCompletion::Fail(error("E"))).unwrap();
    first.child("durable", ChainedCompletion::Succeeded(Some(payload("r"))));
    first.child("stopped", ChainedCompletion::Stopped(error("E")));
    first.child("slow", ChainedCompletion::TimedOut(error("E")));
    first.answer(InvocationResult::Lost);
    first.pause(None).unwrap();
    first.wake_after(1);
    first.resume(None).unwrap();
    first.begin();
    first.break_down("Runtime.ExitError");
    first.begin();
    first.pause_with(false, None).unwrap();
    first.checkpoint(&[]);
    first.fail("E");
    first.delete().unwrap();

    let mut second = World::begun();
    second.checkpoint(&["EXECUTION SUCCEED x payload=x"]);
    second.succeed("");
    let mut third = World::begun();
    third.checkpoint(&["EXECUTION FAIL x"]);
    third.fail("E");
    let mut fourth = World::new();
    fourth.stop();
    let mut fifth = World::new();
    fifth.wake_after(everstep_core::limits::DURATION_SECONDS_MAX);
    vec![first, second, third, fourth, fifth]
}

#[test]
fn records_are_written_as_they_always_were() {
    let worlds = everything();
    let written: Vec<String> =
        worlds.iter().flat_map(|world| &world.records).map(|record| serde_json::to_string(record).unwrap()).collect();
    assert_eq!(written.join("\n"), WRITTEN.trim_end());
}

#[test]
fn records_of_old_still_load() {
    let records: Vec<Record> = WRITTEN.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let stories = records.chunk_by(|_, next| next.version > 1);
    let states: Vec<Execution> = stories.map(|story| Execution::replay(story).unwrap()).collect();
    let expected: Vec<Execution> = everything().into_iter().map(|world| world.state).collect();
    assert_eq!(states, expected);
}

#[test]
fn no_records_are_no_execution() {
    assert_eq!(Execution::replay(&[]), None);
}
