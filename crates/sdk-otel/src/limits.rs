//! How much is held and how long is waited.

use std::time::Duration;

/// Finished spans that are held until an invocation ends. Those beyond are dropped, and how many they were is logged.
pub(crate) const SPANS_HELD_MAX: usize = 16_384;

/// Spans that are sent with one request: OpenTelemetry's default for batches.
pub(crate) const SPANS_SENT_MAX: usize = 512;

/// How long an invocation waits until its spans are sent: OpenTelemetry's default for OTLP.
pub(crate) const FLUSH_MAX: Duration = Duration::from_secs(10);

/// How long before Lambda ends an invocation it waits no more: the answer has to go out.
pub(crate) const DEADLINE_MARGIN: Duration = Duration::from_millis(500);

/// By how much one time is later than the one before, if the clock shows no difference.
pub(crate) const TICK: Duration = Duration::from_micros(1);

/// The answer of a collector that is read: as much as OpenTelemetry's own clients do.
pub(crate) const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
