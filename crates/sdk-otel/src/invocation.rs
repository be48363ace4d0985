//! The plugin of one invocation: what it is told becomes spans.
//!
//! What the two views have in common is here; what they differ in is said by `match`es on [`View`].

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use everstep::plugin::{
    AttemptEnd, AttemptInfo, AttemptOutcome, InvocationEnd, InvocationInfo, InvocationStatus, OperationInfo, Plugin,
};
use everstep::{Clock, ErrorObject, OperationStatus, OperationType};
use opentelemetry::trace::{Event, SpanContext, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue, SpanId};
use opentelemetry_sdk::trace::{SpanData, SpanLinks};

use crate::limits::{DEADLINE_MARGIN, FLUSH_MAX, TICK};
use crate::otel::Otel;
use crate::spans::Spans;
use crate::ticks::Ticks;
use crate::to_tell::ToTell;
use crate::trace::Trace;
use crate::view::View;
use crate::{header, ids};

const EXECUTION_ARN: &str = "durable.execution.arn";
const EXECUTION_STATUS: &str = "durable.execution.status";
const SYNTHETIC_ROOT: &str = "durable.execution.synthetic_root";
const INVOCATION_FIRST: &str = "durable.invocation.first";
const INVOCATION_STATUS: &str = "durable.invocation.status";
const OPERATION_ID: &str = "durable.operation.id";
const OPERATION_TYPE: &str = "durable.operation.type";
const OPERATION_SUBTYPE: &str = "durable.operation.subtype";
const OPERATION_NAME: &str = "durable.operation.name";
const OPERATION_STATUS: &str = "durable.operation.status";
const ATTEMPT_NUMBER: &str = "durable.attempt.number";
const ATTEMPT_OUTCOME: &str = "durable.attempt.outcome";
const TRUNCATED: &str = "durable.span.truncated_at_invocation_boundary";

/// One invocation of an execution.
pub(crate) struct Invocation {
    view: View,
    arn: String,
    request_id: String,
    execution_started_at: SystemTime,
    is_first: bool,
    deadline: SystemTime,
    trace: Trace,
    clock: Clock,
    ticks: Arc<Ticks>,
    started_at: SystemTime,
    workflow: SpanId,
    invocation: SpanId,
    spans: Arc<Spans>,
    unfinished: Mutex<Unfinished>,
}

/// What began and did not end.
#[derive(Default)]
struct Unfinished {
    /// The operations, by id.
    open: HashMap<String, Open>,
    /// How many there were.
    begun: usize,
    /// What has no span yet, in the view of the execution.
    to_tell: ToTell,
}

/// What has begun and not ended of an operation, in this invocation.
struct Open {
    /// How many began before it.
    order: usize,
    operation: SpanData,
    attempt: Option<SpanData>,
}

impl Invocation {
    pub(crate) fn new(otel: &Otel, invocation: &InvocationInfo<'_>) -> Self {
        let (arn, request_id) = (invocation.execution_arn.to_owned(), invocation.request_id.to_owned());
        let to_tell = match otel.view {
            View::Execution => ToTell::of(invocation),
            View::Invocation => ToTell::default(),
        };
        let mut made = Self {
            view: otel.view,
            execution_started_at: invocation.execution_started_at,
            is_first: invocation.is_first,
            deadline: invocation.deadline,
            trace: Trace::of(invocation, otel.sampling),
            started_at: invocation.execution_started_at,
            workflow: ids::workflow(&arn),
            invocation: ids::invocation(&arn, &request_id),
            spans: Arc::clone(&otel.spans),
            unfinished: Mutex::new(Unfinished { to_tell, ..Unfinished::default() }),
            clock: invocation.clock.clone(),
            ticks: Arc::clone(&otel.ticks),
            arn,
            request_id,
        };
        made.started_at = made.now();
        made
    }

    /// Returns the time, which is after the start of the execution.
    fn now(&self) -> SystemTime {
        self.ticks.at(self.clock.now().max(self.execution_started_at + TICK))
    }

    /// Begins the span of an operation; or of its part in this invocation, if it goes on here.
    fn begin(&self, unfinished: &Unfinished, operation: &OperationInfo<'_>, goes_on: bool) -> SpanData {
        let whole = ids::operation(&self.arn, operation.id);
        let now = self.now();
        let (id, start, links) = match self.view {
            View::Execution => {
                let recorded = operation.started_at.filter(|_| goes_on);
                (whole, recorded.map_or(now, |recorded| recorded.min(now)), self.trace.links([self.invocation]))
            }
            View::Invocation if goes_on => {
                (ids::segment(&self.arn, operation.id, &self.request_id), now, self.trace.links([whole, self.workflow]))
            }
            View::Invocation => (whole, now, self.trace.links([self.workflow])),
        };
        let parent = self.place(unfinished, operation.parent_id);
        let mut span = self.trace.span(id, parent, label(operation).to_owned(), start);
        span.attributes = self.describe(operation);
        span.attributes.push(KeyValue::new(OPERATION_STATUS, operation.status.as_str()));
        span.links = links;
        span
    }

    /// Returns the span below which is what happens in a context; without one, in the handler.
    fn place(&self, unfinished: &Unfinished, context: Option<&str>) -> SpanId {
        match (self.view, context) {
            (View::Execution, None) => self.workflow,
            (View::Execution, Some(id)) => ids::operation(&self.arn, id),
            (View::Invocation, None) => self.invocation,
            (View::Invocation, Some(id)) => {
                unfinished.open.get(id).map_or(self.invocation, |open| open.operation.span_context.span_id())
            }
        }
    }

    /// Returns the span that is current while code is polled.
    fn current(&self, attempt: Option<&AttemptInfo<'_>>) -> SpanContext {
        let unfinished = self.unfinished();
        let of_attempt = attempt.and_then(|attempt| unfinished.open.get(attempt.operation.id)?.attempt.as_ref());
        match of_attempt {
            Some(span) => span.span_context.clone(),
            None => self.trace.context(self.place(&unfinished, attempt.map(|attempt| attempt.operation.id))),
        }
    }

    /// Returns when an operation ended that ends now for the handler.
    fn ended_at(&self, span: &SpanData, operation: &OperationInfo<'_>) -> SystemTime {
        let now = self.now();
        let by_the_service = match operation.operation_type {
            OperationType::Wait | OperationType::Callback | OperationType::ChainedInvoke => operation.ended_at,
            _ => None,
        };
        match self.view {
            View::Execution => by_the_service.map_or(now, |recorded| recorded.clamp(span.start_time, now)),
            View::Invocation => now,
        }
    }

    fn describe(&self, operation: &OperationInfo<'_>) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new(EXECUTION_ARN, self.arn.clone()),
            KeyValue::new(OPERATION_ID, operation.id.to_owned()),
            KeyValue::new(OPERATION_TYPE, operation.operation_type.as_str()),
        ];
        let texts = [(OPERATION_SUBTYPE, operation.sub_type), (OPERATION_NAME, operation.name)];
        attributes.extend(texts.into_iter().filter_map(|(key, text)| Some(KeyValue::new(key, text?.to_owned()))));
        attributes
    }

    fn links_of_attempt(&self) -> SpanLinks {
        match self.view {
            View::Execution => self.trace.links([self.invocation]),
            View::Invocation => self.trace.links([self.workflow]),
        }
    }

    /// Ends a span and holds it until it is sent.
    fn end(&self, mut span: SpanData, at: SystemTime) {
        if self.trace.is_sampled {
            span.end_time = at;
            self.spans.hold(span);
        }
    }

    /// Opens an operation; or its part in this invocation, if it goes on here.
    fn open(&self, unfinished: &mut Unfinished, operation: &OperationInfo<'_>, goes_on: bool) {
        unfinished.begun += 1;
        let order = unfinished.begun;
        let open = Open { order, operation: self.begin(unfinished, operation, goes_on), attempt: None };
        unfinished.open.insert(operation.id.to_owned(), open);
    }

    /// Ends an operation that has ended.
    fn close(&self, unfinished: &mut Unfinished, operation: &OperationInfo<'_>) {
        let begun = unfinished.open.remove(operation.id).map(|open| open.operation);
        let mut span = begun.unwrap_or_else(|| self.begin(unfinished, operation, true));
        span.attributes = self.describe(operation);
        span.attributes.push(KeyValue::new(OPERATION_STATUS, operation.status.as_str()));
        if let (OperationType::Step, Some(attempt)) = (operation.operation_type, operation.attempt) {
            span.attributes.push(KeyValue::new(ATTEMPT_NUMBER, i64::from(attempt)));
        }
        let at = self.ended_at(&span, operation);
        span.status = match operation.status {
            OperationStatus::Succeeded => Status::Ok,
            OperationStatus::Failed | OperationStatus::TimedOut | OperationStatus::Stopped => {
                span.events.events.push(exception(operation.error, at));
                error_status(operation.error)
            }
            _ => Status::Unset,
        };
        self.end(span, at);
    }

    /// Ends what the invocation leaves behind, and what is inside first. In the view of the execution operations go on,
    /// unless it is over, or what they are in.
    fn end_unfinished(&self, invocation: &InvocationInfo<'_>, is_over: bool) {
        let mut unfinished = self.unfinished();
        let going_on = match self.view {
            View::Execution => self.take_up(&mut unfinished, invocation, is_over),
            View::Invocation => HashSet::new(),
        };
        let mut left: Vec<(String, Open)> = std::mem::take(&mut unfinished.open).into_iter().collect();
        left.sort_by_key(|(_, open)| std::cmp::Reverse(open.order));
        for (id, Open { operation, attempt, .. }) in left {
            if let Some(mut attempt) = attempt {
                attempt.attributes.push(KeyValue::new(TRUNCATED, true));
                self.end(attempt, self.now());
            }
            if !going_on.contains(&id) {
                self.end(operation, self.now());
            }
        }
    }

    /// Takes up what the handler did not come back to and later invocations do not tell of. Returns those that go on.
    fn take_up(&self, unfinished: &mut Unfinished, invocation: &InvocationInfo<'_>, is_over: bool) -> HashSet<String> {
        for operation in unfinished.to_tell.ended(invocation) {
            self.close(unfinished, operation);
        }
        let mut going_on: HashSet<String> =
            if is_over { HashSet::new() } else { unfinished.open.keys().cloned().collect() };
        for operation in unfinished.to_tell.unended(invocation, is_over) {
            going_on.remove(operation.id);
            if !unfinished.open.contains_key(operation.id) {
                self.open(unfinished, operation, true);
            }
        }
        going_on
    }

    fn unfinished(&self) -> MutexGuard<'_, Unfinished> {
        self.unfinished.lock().expect("nothing panics here")
    }
}

impl Plugin for Invocation {
    fn invocation_start(&self, _invocation: &InvocationInfo<'_>) {
        // Every invocation sends it: they are the same to the byte, and one of them may be lost.
        if !self.trace.ancestor_is_remote {
            let at = self.execution_started_at;
            let mut root = self.trace.span(self.trace.ancestor, SpanId::INVALID, "DurableExecutionRoot", at);
            root.attributes = vec![KeyValue::new(EXECUTION_ARN, self.arn.clone()), KeyValue::new(SYNTHETIC_ROOT, true)];
            self.end(root, at);
        }
    }

    fn invocation_end(&self, invocation: &InvocationInfo<'_>, end: &InvocationEnd<'_>) {
        let (status, is_over) = match end.status {
            InvocationStatus::Succeeded => (Status::Ok, true),
            InvocationStatus::Failed => (error_status(end.error), true),
            InvocationStatus::Pending => (Status::Ok, false),
            // Whether the execution is over by now, nobody here knows.
            _ => (Status::Unset, false),
        };
        self.end_unfinished(invocation, is_over);
        let arn = || KeyValue::new(EXECUTION_ARN, self.arn.clone());
        let mut span = self.trace.span(self.invocation, self.trace.ancestor, "Invocation", self.started_at);
        span.attributes = vec![
            arn(),
            KeyValue::new(INVOCATION_FIRST, self.is_first),
            KeyValue::new(INVOCATION_STATUS, end.status.as_str()),
        ];
        span.status = status.clone();
        self.end(span, self.now());
        if is_over {
            let start = self.execution_started_at;
            let mut workflow = self.trace.span(self.workflow, self.trace.ancestor, "Workflow", start);
            workflow.attributes = vec![arn(), KeyValue::new(EXECUTION_STATUS, end.status.as_str())];
            workflow.status = status;
            self.end(workflow, self.now());
        }
    }

    fn operation_start(&self, operation: &OperationInfo<'_>) {
        let mut unfinished = self.unfinished();
        match self.view {
            // It was sent when what it is in ended.
            View::Execution if !unfinished.to_tell.is_about(operation) => return,
            View::Execution | View::Invocation => {}
        }
        unfinished.to_tell.begins(operation);
        self.open(&mut unfinished, operation, operation.is_replay);
    }

    fn operation_end(&self, operation: &OperationInfo<'_>) {
        let mut unfinished = self.unfinished();
        match self.view {
            // It was sent when it, or what it is in, ended for the first time.
            View::Execution if operation.is_replay || !unfinished.to_tell.is_about(operation) => {
                unfinished.open.remove(operation.id);
                return;
            }
            View::Execution | View::Invocation => {}
        }
        unfinished.to_tell.ends(operation);
        self.close(&mut unfinished, operation);
    }

    fn attempt_start(&self, attempt: &AttemptInfo<'_>) {
        let operation = &attempt.operation;
        // The body of a context is what its operation is.
        if operation.operation_type == OperationType::Context {
            return;
        }
        let mut unfinished = self.unfinished();
        let id = ids::attempt(&self.arn, operation.id, attempt.attempt, &self.request_id);
        let name = format!("{} attempt {}", label(operation), attempt.attempt);
        let parent = self.place(&unfinished, Some(operation.id));
        let mut span = self.trace.span(id, parent, name, self.now());
        span.attributes = self.describe(operation);
        span.attributes.push(KeyValue::new(ATTEMPT_NUMBER, i64::from(attempt.attempt)));
        span.links = self.links_of_attempt();
        if let Some(open) = unfinished.open.get_mut(operation.id) {
            open.attempt = Some(span);
        }
    }

    fn attempt_end(&self, attempt: &AttemptInfo<'_>, end: &AttemptEnd<'_>) {
        let begun = self.unfinished().open.get_mut(attempt.operation.id).and_then(|open| open.attempt.take());
        let Some(mut span) = begun else { return };
        let at = self.now();
        // A check that is not satisfied is made again, and did not fail.
        let failed = end.error.is_some() || end.outcome == AttemptOutcome::Failed;
        span.attributes.push(KeyValue::new(ATTEMPT_OUTCOME, if failed { "FAILED" } else { "SUCCEEDED" }));
        span.status = if failed { error_status(end.error) } else { Status::Ok };
        if failed {
            span.events.events.push(exception(end.error, at));
        }
        self.end(span, at);
    }

    fn enter(&self, attempt: Option<&AttemptInfo<'_>>) -> Option<Box<dyn Any>> {
        Some(Box::new(Context::current().with_remote_span_context(self.current(attempt)).attach()))
    }

    fn log_fields(&self, attempt: Option<&AttemptInfo<'_>>) -> Vec<(String, serde_json::Value)> {
        let current = self.current(attempt);
        vec![
            ("traceId".into(), current.trace_id().to_string().into()),
            ("spanId".into(), current.span_id().to_string().into()),
            ("otelTraceSampled".into(), current.is_sampled().into()),
        ]
    }

    fn trace_id(&self, operation: &OperationInfo<'_>) -> Option<String> {
        Some(header::write(&self.trace.context(ids::operation(&self.arn, operation.id))))
    }

    fn flush(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let left = self.deadline.duration_since(self.clock.now()).unwrap_or_default();
        Box::pin(self.spans.flush(left.saturating_sub(DEADLINE_MARGIN).min(FLUSH_MAX)))
    }
}

/// Returns what to call an operation.
fn label<'a>(operation: &OperationInfo<'a>) -> &'a str {
    operation.name.unwrap_or(operation.id)
}

fn error_status(error: Option<&ErrorObject>) -> Status {
    Status::error(error.and_then(|error| error.error_message.clone()).unwrap_or_default())
}

/// Describes an error as OpenTelemetry's conventions for exceptions say.
fn exception(error: Option<&ErrorObject>, at: SystemTime) -> Event {
    let known = error
        .into_iter()
        .flat_map(|error| [("exception.type", &error.error_type), ("exception.message", &error.error_message)]);
    let attributes = known.filter_map(|(key, text)| Some(KeyValue::new(key, text.clone()?))).collect();
    Event::new("exception", at, attributes, 0)
}
