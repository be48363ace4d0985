//! X-Ray's trace header, `X-Amzn-Trace-Id`: how a trace goes from one function to another.

use opentelemetry::trace::SpanContext;
use opentelemetry::{SpanId, TraceId};

/// What a header says. What is not well formed it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TraceHeader {
    pub(crate) root: Option<TraceId>,
    pub(crate) parent: Option<SpanId>,
    pub(crate) sampled: Option<bool>,
}

impl TraceHeader {
    /// Reads `Root=1-SECONDS-REST;Parent=SPAN;Sampled=0`, in any order; other members say nothing here.
    pub(crate) fn read(header: &str) -> Self {
        let mut read = Self::default();
        for (key, value) in header.split(';').filter_map(|member| member.trim().split_once('=')) {
            match key {
                "Root" => read.root = root(value),
                "Parent" => read.parent = hex(value, 16).and_then(|value| SpanId::from_hex(value).ok()),
                "Sampled" => read.sampled = sampled(value),
                _ => {}
            }
        }
        read.parent = read.parent.filter(|parent| *parent != SpanId::INVALID);
        read
    }
}

/// Writes the header that makes a span the parent of what another function does.
pub(crate) fn write(span: &SpanContext) -> String {
    let trace = span.trace_id().to_string();
    let (seconds, rest) = trace.split_at(8);
    format!("Root=1-{seconds}-{rest};Parent={};Sampled={}", span.span_id(), u8::from(span.is_sampled()))
}

fn root(value: &str) -> Option<TraceId> {
    let (seconds, rest) = value.strip_prefix("1-")?.split_once('-')?;
    let id = format!("{}{}", hex(seconds, 8)?, hex(rest, 24)?);
    TraceId::from_hex(&id).ok().filter(|id| *id != TraceId::INVALID)
}

fn hex(text: &str, digits: usize) -> Option<&str> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

fn sampled(value: &str) -> Option<bool> {
    match value {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{TraceFlags, TraceState};

    use super::*;

    const ROOT: TraceId = TraceId::from_bytes(0x6955b900_0123456789abcdef01234567_u128.to_be_bytes());
    const PARENT: SpanId = SpanId::from_bytes(0x00ab00cd00ef0001_u64.to_be_bytes());

    #[test]
    fn headers_are_read_as_far_as_they_are_well_formed() {
        let check = |header: &str, root: bool, parent: bool, sampled: Option<bool>| {
            let expected = TraceHeader { root: root.then_some(ROOT), parent: parent.then_some(PARENT), sampled };
            assert_eq!(TraceHeader::read(header), expected, "{header}");
        };
        let root = "Root=1-6955b900-0123456789abcdef01234567";
        check(&format!("{root};Parent=00ab00cd00ef0001;Sampled=1"), true, true, Some(true));
        check(
            &format!("Sampled=0; Self=1-1-1; Parent=00ab00cd00ef0001; {root};Lineage=1:a:0"),
            true,
            true,
            Some(false),
        );
        check(root, true, false, None);
        check(&format!("{root};Sampled=?"), true, false, None);
        check("Root=2-6955b900-0123456789abcdef01234567", false, false, None);
        check("Root=1-6955b90-00123456789abcdef01234567", false, false, None);
        check("Root=1-6955b900-0123456789abcdef0123456", false, false, None);
        check("Root=1-00000000-000000000000000000000000;Parent=0000000000000000", false, false, None);
        check("Parent=ab00cd00ef0001", false, false, None);
        check("Parent=+0ab00cd00ef0001", false, false, None);
        check("", false, false, None);
    }

    #[test]
    fn a_header_that_was_written_is_read_as_it_was() {
        for sampled in [true, false] {
            let flags = TraceFlags::default().with_sampled(sampled);
            let span = SpanContext::new(ROOT, PARENT, flags, false, TraceState::NONE);
            let expected = TraceHeader { root: Some(ROOT), parent: Some(PARENT), sampled: Some(sampled) };
            assert_eq!(TraceHeader::read(&write(&span)), expected);
        }
    }
}
