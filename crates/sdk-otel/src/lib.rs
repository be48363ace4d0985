//! Traces of Everstep's durable functions for OpenTelemetry.
//!
//! An execution is one trace, however many invocations it has and however long it waits between them, and so is
//! everything that it invokes. Nothing is kept for that: ids of traces and spans are hashes of what names an execution
//! and its operations, so every invocation knows those of all the others.
//!
//! ```no_run
//! use everstep::{Context, Function, Result};
//! use everstep_otel::{Otel, View};
//!
//! async fn order(id: String, mut ctx: Context) -> Result<String> {
//!     Ok(ctx.step("charge", async |_| Ok(format!("charged {id}"))).await?)
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let otel = Otel::from_env(View::Execution)?;
//!     Ok(everstep::run(Function::new(order).plugin(otel)).await?)
//! }
//! ```
//!
//! # Spans
//!
//! | Span | What it is | Attributes, besides `durable.execution.arn` |
//! | --- | --- | --- |
//! | `Workflow` | the execution, sent when it is over | `durable.execution.status` |
//! | `Invocation` | an invocation, also one that ends by waiting | `durable.invocation.first`, `.status` |
//! | the operation's name | an operation | `durable.operation.id`, `.type`, `.subtype`, `.name`, `.status`; of steps `durable.attempt.number` |
//! | the name, `attempt` and a number | a run of a step's body | those of the operation without its status; `durable.attempt.number`, `.outcome` |
//!
//! A [`View`] says how they hang together. If nobody gave the execution a parent, `DurableExecutionRoot` is above it.
//! An error is the span's status and an event `exception`.
//!
//! # Where traces begin
//!
//! The trace header of an invocation (`X-Amzn-Trace-Id`) names the trace and the span above the execution. Functions
//! that are invoked are given one, so what they do is in the same trace. If there is none the trace's id is made of the
//! execution. `Sampled=0` in the header means that nothing is sent, which Lambda says to functions that are not traced
//! actively; [`Sampling::Always`] sends all the same.
//!
//! # Spans of other libraries
//!
//! While the body of a step is polled, its attempt is what is current for OpenTelemetry. With the tracers of
//! [`Otel::tracer_provider`], what libraries do in it is below it, and is sent with it:
//!
//! ```
//! # use everstep_otel::{Otel, View};
//! # fn set_up() -> Result<(), Box<dyn std::error::Error>> {
//! let otel = Otel::from_env(View::Execution)?;
//! opentelemetry::global::set_tracer_provider(otel.tracer_provider());
//! # Ok(())
//! # }
//! ```
//!
//! For spans of `tracing` there is the crate `tracing-opentelemetry`. Give its layer a filter that leaves out what the
//! SDK tells `tracing`, or else all of them are in another trace:
//! `.with_filter(filter_fn(|span| !span.target().starts_with("everstep")))`.
//!
//! # What it costs
//!
//! Spans are sent when an invocation ends, before it is answered, because afterwards Lambda may freeze the process. That
//! takes 10 seconds at most, and never longer than the invocation has; what could not be sent is lost, and logged.
//!
//! `cargo tree` counts 79 crates: 52 are the SDK and what it uses, 5 are OpenTelemetry's, 5 write protobuf.
#![forbid(unsafe_code)]

mod header;
mod ids;
mod invocation;
mod limits;
mod otel;
mod otlp;
mod spans;
mod ticks;
mod to_tell;
mod trace;
mod view;

pub use otel::Otel;
pub use otlp::ExporterError;
pub use trace::Sampling;
pub use view::View;

/// The book's code about this crate compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/tracing.md")]
struct Book;
