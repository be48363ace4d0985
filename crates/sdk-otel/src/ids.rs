//! The ids of traces and spans. Pure: they are hashes of what names a thing, so that every invocation of an execution
//! gives the same ids, and can end or link to a span that another one began.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::{SpanId, TraceId};
use ring::digest::{SHA256, digest};

/// Returns the id of an execution's trace: its start in seconds, as X-Ray wants it, then a hash of its ARN.
pub(crate) fn trace(arn: &str, started_at: SystemTime) -> TraceId {
    let seconds = started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut id = [0; 16];
    // Until 2106 nothing is cut off.
    id[..4].copy_from_slice(&seconds.to_be_bytes()[4..]);
    id[4..].copy_from_slice(&digest(&SHA256, arn.as_bytes()).as_ref()[..12]);
    TraceId::from_bytes(id)
}

/// Returns the id of the span above the `Workflow`, if nobody gave one.
pub(crate) fn root(arn: &str) -> SpanId {
    span(&format!("execution-root:{arn}"))
}

/// Returns the id of the span of a whole execution.
pub(crate) fn workflow(arn: &str) -> SpanId {
    span(&format!("workflow:{arn}"))
}

/// Returns the id of the span of an invocation.
pub(crate) fn invocation(arn: &str, request_id: &str) -> SpanId {
    span(&format!("invocation:{arn}:{request_id}"))
}

/// Returns the id of the span of an operation: of all of it, or of the part of it in the invocation that called it.
pub(crate) fn operation(arn: &str, id: &str) -> SpanId {
    span(&format!("{arn}:{id}"))
}

/// Returns the id of the span of the part of an operation that is in a later invocation.
pub(crate) fn segment(arn: &str, id: &str, request_id: &str) -> SpanId {
    span(&format!("{arn}:{id}:segment:{request_id}"))
}

/// Returns the id of the span of an attempt. After a crash an attempt may be made again, in another invocation.
pub(crate) fn attempt(arn: &str, id: &str, number: u32, request_id: &str) -> SpanId {
    span(&format!("{arn}:{id}:attempt:{number}:{request_id}"))
}

fn span(name: &str) -> SpanId {
    let digest = digest(&SHA256, name.as_bytes());
    let id = u64::from_be_bytes(digest.as_ref()[..8].try_into().expect("SHA-256 gives 32 bytes"));
    // Zero would be no span.
    SpanId::from(id.max(1))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:order:1/durable-execution/o-1/i-1";

    #[test]
    fn a_trace_begins_with_the_second_in_which_its_execution_did() {
        let check = |millis: u64, seconds: &str| {
            let id = trace(ARN, UNIX_EPOCH + Duration::from_millis(millis)).to_string();
            assert_eq!((&id[..8], id.len()), (seconds, 32));
        };
        check(1_767_225_600_999, "6955b900");
        check(0, "00000000");
        let now = UNIX_EPOCH + Duration::from_secs(1);
        assert_eq!(trace(ARN, now), trace(ARN, now));
        assert_ne!(trace(ARN, now), trace("another", now));
    }

    #[test]
    fn spans_of_different_things_have_different_ids() {
        let ids = [
            root(ARN),
            workflow(ARN),
            invocation(ARN, "r-1"),
            invocation(ARN, "r-2"),
            operation(ARN, "a"),
            operation(ARN, "b"),
            operation("another", "a"),
            segment(ARN, "a", "r-1"),
            segment(ARN, "a", "r-2"),
            attempt(ARN, "a", 1, "r-1"),
            attempt(ARN, "a", 2, "r-1"),
            attempt(ARN, "a", 1, "r-2"),
        ];
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(!ids.contains(&SpanId::INVALID));
    }
}
