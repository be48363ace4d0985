//! The trace that an execution is in, as one of its invocations knows it, and spans in it.

use std::borrow::Cow;
use std::time::SystemTime;

use everstep::plugin::InvocationInfo;
use opentelemetry::trace::{Link, SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, SpanId, TraceId};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::header::TraceHeader;
use crate::ids;

/// Whether the spans of an execution are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// As the trace header of the invocation says, `Sampled=1` or `Sampled=0`. If it says nothing they are.
    #[default]
    AsTold,
    /// Always. An invoked function is told so too.
    Always,
}

/// The trace of an execution: the same one in each invocation.
#[derive(Debug)]
pub(crate) struct Trace {
    id: TraceId,
    pub(crate) is_sampled: bool,
    /// The span above the execution, and whether it is somebody else's.
    pub(crate) ancestor: SpanId,
    pub(crate) ancestor_is_remote: bool,
}

impl Trace {
    /// Goes by the trace header. What that does not say is made of the execution.
    pub(crate) fn of(invocation: &InvocationInfo<'_>, sampling: Sampling) -> Self {
        let header = invocation.trace_id.map(TraceHeader::read).unwrap_or_default();
        let arn = invocation.execution_arn;
        let id = header.root.unwrap_or_else(|| ids::trace(arn, invocation.execution_started_at));
        let is_sampled = match sampling {
            Sampling::AsTold => header.sampled.unwrap_or(true),
            Sampling::Always => true,
        };
        // A parent without its trace says nothing.
        let parent = header.root.and(header.parent);
        let ancestor = parent.unwrap_or_else(|| ids::root(arn));
        Self { id, is_sampled, ancestor, ancestor_is_remote: parent.is_some() }
    }

    #[cfg(test)]
    pub(crate) fn unsampled() -> Self {
        Self { id: TraceId::INVALID, is_sampled: false, ancestor: SpanId::INVALID, ancestor_is_remote: false }
    }

    /// Returns what says of a span that it is in this trace.
    pub(crate) fn context(&self, span: SpanId) -> SpanContext {
        let flags = TraceFlags::default().with_sampled(self.is_sampled);
        SpanContext::new(self.id, span, flags, false, TraceState::NONE)
    }

    /// Begins a span below another one.
    pub(crate) fn span(
        &self,
        id: SpanId,
        parent: SpanId,
        name: impl Into<Cow<'static, str>>,
        start_time: SystemTime,
    ) -> SpanData {
        SpanData {
            span_context: self.context(id),
            parent_span_id: parent,
            parent_span_is_remote: self.ancestor_is_remote && parent == self.ancestor,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time,
            end_time: start_time,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: scope(),
        }
    }

    /// Returns links to spans of this trace.
    pub(crate) fn links(&self, spans: impl IntoIterator<Item = SpanId>) -> SpanLinks {
        let mut links = SpanLinks::default();
        links.links.extend(spans.into_iter().map(|span| Link::with_context(self.context(span))));
        links
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("everstep").with_version(env!("CARGO_PKG_VERSION")).build()
}
