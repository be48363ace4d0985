//! The spans that ended and were not sent yet: those of the plugin, and those of libraries that a handler uses.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};

use crate::limits::{SPANS_HELD_MAX, SPANS_SENT_MAX};

/// Holds spans until an invocation ends, because nothing runs between invocations.
pub(crate) struct Spans {
    held: Mutex<Held>,
    /// An exporter sends one batch at a time.
    exporter: tokio::sync::Mutex<Box<dyn Export>>,
}

#[derive(Default)]
struct Held {
    spans: Vec<SpanData>,
    dropped: usize,
}

impl Spans {
    pub(crate) fn new(exporter: impl SpanExporter + 'static) -> Self {
        Self { held: Mutex::default(), exporter: tokio::sync::Mutex::new(Box::new(exporter)) }
    }

    /// Takes a span that ended.
    pub(crate) fn hold(&self, span: SpanData) {
        let mut held = self.held.lock().expect("nothing panics here");
        if held.spans.len() < SPANS_HELD_MAX {
            held.spans.push(span);
        } else {
            held.dropped += 1;
        }
    }

    /// Sends what is held. What cannot be sent, in time, is lost, and the log says so.
    pub(crate) async fn flush(&self, limit: Duration) {
        let Held { spans, dropped } = std::mem::take(&mut *self.held.lock().expect("nothing panics here"));
        if dropped > 0 {
            tracing::warn!(dropped, "there were more spans in one invocation than are held; the last ones are lost");
        }
        if spans.is_empty() {
            return;
        }
        let count = spans.len();
        match tokio::time::timeout(limit, self.send(spans)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, spans = count, "spans could not be sent; they are lost"),
            Err(_) => tracing::warn!(spans = count, ?limit, "spans were not sent in time; they are lost"),
        }
    }

    async fn send(&self, mut spans: Vec<SpanData>) -> OTelSdkResult {
        let exporter = self.exporter.lock().await;
        while !spans.is_empty() {
            let rest = spans.split_off(spans.len().min(SPANS_SENT_MAX));
            exporter.send(std::mem::replace(&mut spans, rest)).await?;
        }
        Ok(())
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Spans")
    }
}

/// Takes the spans of libraries.
#[derive(Debug)]
pub(crate) struct OfLibraries(pub(crate) Arc<Spans>);

impl SpanProcessor for OfLibraries {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.0.hold(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// An exporter of any type.
trait Export: Send + Sync {
    fn send(&self, spans: Vec<SpanData>) -> Pin<Box<dyn Future<Output = OTelSdkResult> + Send + '_>>;
}

impl<E: SpanExporter> Export for E {
    fn send(&self, spans: Vec<SpanData>) -> Pin<Box<dyn Future<Output = OTelSdkResult> + Send + '_>> {
        Box::pin(self.export(spans))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use opentelemetry::SpanId;

    use super::*;
    use crate::trace::Trace;

    /// Notes how many spans there are in each batch.
    #[derive(Clone, Debug, Default)]
    struct Counts(Arc<Mutex<Vec<usize>>>);

    impl SpanExporter for Counts {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().push(batch.len());
            Ok(())
        }
    }

    #[tokio::test]
    async fn spans_are_held_up_to_a_limit_and_sent_in_batches() {
        let check = async |held: usize, batches: &[usize]| {
            let counts = Counts::default();
            let spans = Spans::new(counts.clone());
            let trace = Trace::unsampled();
            let span = trace.span(SpanId::from(1), SpanId::INVALID, "span", SystemTime::UNIX_EPOCH);
            (0..held).for_each(|_| spans.hold(span.clone()));
            spans.flush(Duration::from_secs(1)).await;
            assert_eq!(*counts.0.lock().unwrap(), batches, "{held} held");
            spans.flush(Duration::from_secs(1)).await;
            assert_eq!(counts.0.lock().unwrap().len(), batches.len(), "they are sent once");
        };
        check(0, &[]).await;
        check(SPANS_SENT_MAX, &[SPANS_SENT_MAX]).await;
        check(SPANS_SENT_MAX + 1, &[SPANS_SENT_MAX, 1]).await;
        let full = [SPANS_SENT_MAX; SPANS_HELD_MAX / SPANS_SENT_MAX];
        check(SPANS_HELD_MAX, &full).await;
        check(SPANS_HELD_MAX + 1, &full).await;
    }
}
