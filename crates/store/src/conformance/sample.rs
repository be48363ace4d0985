//! Small executions to fill a store with. What their events mean together does not matter to a store.

use std::sync::Arc;

use everstep_core::event::{Event, Parent, PlainInvocation};
use everstep_core::id::{ExecutionId, RequestId, Version};
use everstep_core::{Effect, Record, Timestamp};

use crate::executions::{Commit, NewExecution};

/// Makes the id with this number.
pub fn id(number: u64) -> ExecutionId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    ExecutionId::from_bytes(bytes)
}

/// Makes a point in time.
pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Makes a new execution of `function`, started at `started_at` milliseconds.
pub fn new(function: &str, name: &str, started_at: i64) -> NewExecution {
    NewExecution {
        function: function.parse().expect("checks use good names"),
        version: Version::Latest,
        name: name.parse().expect("checks use good names"),
        started_at: at(started_at),
    }
}

/// Makes a record without events that the history shows.
pub fn record(version: u64) -> Record {
    let request_id = RequestId::from_bytes(id(version).as_bytes().to_owned());
    Record {
        version,
        at: at(1_000 + version as i64),
        first_event_id: 1,
        event_ids: 0,
        events: vec![Event::InvocationStarted { request_id }],
    }
}

/// Makes a commit of a record and nothing else.
pub fn commit(execution: ExecutionId, version: u64) -> Commit {
    Commit { execution, record: record(version), head: None, payloads: Vec::new(), effects: Vec::new() }
}

/// Makes an effect of the execution `child`, told from others by `operation`.
pub fn effect(child: ExecutionId, operation: &str) -> Effect {
    let operation = operation.parse().expect("checks use good ids");
    Effect::TellParent { child, parent: Parent { execution: id(u64::MAX), operation } }
}

/// Makes an effect of no execution.
pub fn plain_invocation(payload: &str) -> Effect {
    Effect::InvokePlain(PlainInvocation {
        function: "plain".parse().expect("a good name"),
        version: Version::Number(7),
        request_id: RequestId::from_bytes([7; 16]),
        payload: Arc::from(payload),
        tenant_id: None,
        trace_id: None,
        tries: 0,
        qualifier: None,
        accepted_at: None,
        deferrals: 0,
        hops: 0,
    })
}
