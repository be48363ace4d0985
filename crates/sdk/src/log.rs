//! Logs as Lambda keeps them: JSON, a line each, with the execution and the operation at top level, and silent while a
//! handler is replayed.

use std::fmt;
use std::io::Write;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::scoped::Current;

/// Sends the events of `tracing` to the log of the function, unless something else was set up before.
///
/// # Errors
/// If something else was.
pub fn init() -> Result<(), tracing::subscriber::SetGlobalDefaultError> {
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer()))
}

/// Returns the layer that [`init`] sets up, to go with others.
pub fn layer() -> LambdaLayer {
    LambdaLayer { write: Box::new(print) }
}

/// Writes events to standard output, for Lambda to keep.
///
/// Each is a line with `timestamp`, `level`, `message`, `requestId`, `executionArn`, and, in the code of an operation,
/// `operationId`, `operationName` and `attempt`; then the event's own fields. Code that is replayed is silent, unless
/// [`Function::replay_logs`](crate::Function::replay_logs) says otherwise.
pub struct LambdaLayer {
    write: Box<dyn Fn(&str) + Send + Sync>,
}

impl LambdaLayer {
    /// Gives the lines, without their ends, to a function instead: for tests of what is logged.
    #[must_use]
    pub fn writing_to(self, write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { write: Box::new(write) }
    }
}

impl fmt::Debug for LambdaLayer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LambdaLayer")
    }
}

impl<S: Subscriber> Layer<S> for LambdaLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let line = Current::with(|current| {
            let invocation = &current.scope.journal.invocation;
            if current.is_replaying() && !invocation.logs_replay {
                return None;
            }
            let mut line = head(event);
            line.insert("requestId".into(), invocation.request_id.clone().into());
            line.insert("executionArn".into(), invocation.execution_arn.clone().into());
            if let Some(tenant_id) = &invocation.tenant_id {
                line.insert("tenantId".into(), tenant_id.clone().into());
            }
            if let Some(attempt) = &current.attempt {
                line.insert("operationId".into(), attempt.record.id.as_str().into());
                if let Some(name) = &attempt.record.name {
                    line.insert("operationName".into(), name.clone().into());
                }
                line.insert("attempt".into(), attempt.number.into());
            }
            let info = current.attempt.as_ref().map(|attempt| attempt.info());
            let added = current.scope.journal.plugins.ask(|plugin| Some(plugin.log_fields(info.as_ref())));
            line.extend(added.into_iter().flatten());
            Some(line)
        });
        let Some(mut line) = line.unwrap_or_else(|| Some(head(event))) else { return };
        event.record(&mut Fields(&mut line));
        (self.write)(&Value::Object(line).to_string());
    }
}

fn print(line: &str) {
    // There is nowhere to say that the log cannot be written.
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

fn head(event: &Event<'_>) -> Map<String, Value> {
    let metadata = event.metadata();
    let now = jiff::Timestamp::now();
    let mut line = Map::new();
    line.insert("timestamp".into(), format!("{now:.3}").into());
    line.insert("level".into(), metadata.level().as_str().into());
    line.insert("target".into(), metadata.target().into());
    line
}

/// Puts the fields of an event into a line.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

impl Fields<'_> {
    /// What Lambda's fields are called is taken.
    fn put(&mut self, field: &Field, value: Value) {
        self.0.entry(field.name()).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn lines_go_where_they_are_wanted() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let layer = layer().writing_to(move |line| kept.lock().unwrap().push(line.to_owned()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(count = 2, "outside of every function");
        });
        let line: Value = serde_json::from_str(&lines.lock().unwrap()[0]).unwrap();
        assert_eq!([&line["message"], &line["level"]], ["outside of every function", "INFO"]);
        assert_eq!(line["count"], 2);
    }
}
