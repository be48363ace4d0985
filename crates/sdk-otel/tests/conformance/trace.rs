//! Spans as a backend shows them, whichever way they came.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::{Map, Value, json};

/// Names a span among all of all traces.
pub type SpanKey = (String, String);

/// A span.
#[derive(Clone, Debug)]
pub struct Span {
    pub trace_id: String,
    pub span_id: String,
    pub parent_span_id: Option<String>,
    pub name: String,
    /// In nanoseconds since the epoch.
    pub start: u64,
    pub end: u64,
    pub attributes: BTreeMap<String, Value>,
    pub links: Vec<SpanKey>,
    /// What expectations are compared with.
    pub properties: Value,
}

impl Span {
    pub fn key(&self) -> SpanKey {
        (self.trace_id.clone(), self.span_id.clone())
    }

    /// Orders spans as they are counted: by time, then by id.
    pub fn order(&self) -> (u64, u64, SpanKey) {
        (self.start, self.end, self.key())
    }

    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key)?.as_str()
    }

    /// What messages call it.
    pub fn label(&self) -> String {
        format!("`{}` ({})", self.name, self.span_id)
    }
}

/// Reads what a collector is sent.
pub fn spans(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource_spans in request.resource_spans {
        let of_resource = attributes(&resource_spans.resource.unwrap_or_default().attributes);
        let sent = resource_spans.scope_spans.into_iter().flat_map(|scope_spans| scope_spans.spans);
        for span in sent {
            let mut all = of_resource.clone();
            all.extend(attributes(&span.attributes));
            let status = span.status.clone().unwrap_or_default().code();
            let properties = json!({
                "name": span.name,
                "kind": kind(span.kind()),
                "status": match status {
                    StatusCode::Unset => "UNSET",
                    StatusCode::Ok => "OK",
                    StatusCode::Error => "ERROR",
                },
                "service_name": of_resource.get("service.name"),
                "attributes": all.clone().into_iter().collect::<Map<_, _>>(),
            });
            spans.push(Span {
                trace_id: hex(&span.trace_id),
                span_id: hex(&span.span_id),
                parent_span_id: Some(hex(&span.parent_span_id)).filter(|id| !id.is_empty()),
                name: span.name,
                start: span.start_time_unix_nano,
                end: span.end_time_unix_nano,
                attributes: all,
                links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
                properties,
            });
        }
    }
    spans
}

fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "UNSPECIFIED",
        SpanKind::Internal => "INTERNAL",
        SpanKind::Server => "SERVER",
        SpanKind::Client => "CLIENT",
        SpanKind::Producer => "PRODUCER",
        SpanKind::Consumer => "CONSUMER",
    }
}

fn attributes(attributes: &[KeyValue]) -> BTreeMap<String, Value> {
    attributes.iter().map(|attribute| (attribute.key.clone(), value(attribute.value.as_ref()))).collect()
}

fn value(any: Option<&AnyValue>) -> Value {
    match any.and_then(|any| any.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => json!(text),
        Some(any_value::Value::BoolValue(bool)) => json!(bool),
        Some(any_value::Value::IntValue(number)) => json!(number),
        Some(other) => json!(format!("{other:?}")),
        None => Value::Null,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
