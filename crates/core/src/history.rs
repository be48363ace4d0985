//! AWS's history of an execution: a projection of its events with dense ids.

use std::sync::Arc;

use crate::event::{Event, Record};
use crate::execution::Execution;
use crate::operation::Operation;
use crate::time::Timestamp;

/// One event as AWS's history shows it.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// `EventId`, counted from 1.
    pub event_id: u64,
    /// `EventTimestamp`.
    pub at: Timestamp,
    /// What happened.
    pub event: &'a Event,
    /// The operation it happened to, which has the names.
    pub operation: Option<&'a Arc<Operation>>,
}

/// Returns what AWS's history shows of a record of `execution`.
pub fn entries<'a>(record: &'a Record, execution: &'a Execution) -> impl Iterator<Item = Entry<'a>> {
    let shown = record.events.iter().filter(|event| event.in_history());
    shown.zip(record.first_event_id..).map(move |(event, event_id)| Entry {
        event_id,
        at: record.at,
        event,
        operation: event.operation_id().and_then(|id| execution.operation(id)),
    })
}
