//! Draws an execution in the terminal: a pure function of its history.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

/// Columns of the drawing.
const WIDTH: usize = 48;

/// Columns of the names.
const NAME_WIDTH: usize = 30;

/// One operation, as its events tell it.
struct Row {
    id: String,
    parent: Option<String>,
    name: String,
    kind: &'static str,
    /// When somebody was at it: from, to.
    busy: Vec<(f64, f64)>,
    /// When it waited: from, to.
    idle: Vec<(f64, f64)>,
    since: f64,
    attempts: u64,
    state: State,
}

#[derive(PartialEq)]
enum State {
    /// Under way since `since`.
    Running,
    /// Waits for what is said.
    Waiting(String),
    Over {
        well: bool,
        word: String,
    },
}

/// Draws an execution as it stands at `now`, in epoch seconds.
pub fn draw(execution: &Value, events: &[Value], now: f64, colours: bool) -> String {
    let start = seconds(&execution["StartTimestamp"]);
    let end = execution["EndTimestamp"].as_f64().unwrap_or(now).max(start + 0.001);
    let (rows, invocations) = read(events, end);
    let scale = Scale { start, end };
    let paint = Paint { colours };
    let status = execution["Status"].as_str().unwrap_or("?");
    let name = execution["DurableExecutionName"].as_str().unwrap_or("?");

    let mut text = String::new();
    let _ = writeln!(text, "{}  {}  {}", paint.bold(name), paint.status(status), duration(end - start));
    let _ = writeln!(text, "{}", paint.dim(execution["DurableExecutionArn"].as_str().unwrap_or_default()));
    let count = invocations.len();
    let _ = writeln!(
        text,
        "started {}, invoked {count} time{}",
        clock_time(start).unwrap_or_default(),
        if count == 1 { "" } else { "s" }
    );
    let right = duration(end - start);
    let _ = writeln!(text, "\n{:NAME_WIDTH$} 0{right:>width$}", "", width = WIDTH - 1);
    let compute: Vec<_> = invocations.iter().map(|(from, to, _)| (*from, *to)).collect();
    let failed = invocations.iter().filter(|(_, _, failed)| *failed).count();
    let note = if failed == 0 { String::new() } else { format!("{failed} failed") };
    let _ =
        writeln!(text, "{:NAME_WIDTH$} {} {}", "compute", paint.bar(&scale.bar(&compute, &[], '█')), paint.red(&note));
    for (row, depth) in nested(&rows) {
        let label: String = format!("{}{}", "  ".repeat(depth), row.name).chars().take(NAME_WIDTH).collect();
        let bar = paint.bar(&scale.bar(&row.busy, &row.idle, if row.kind == "context" { '─' } else { '█' }));
        let _ = writeln!(text, "{label:NAME_WIDTH$} {bar} {}", describe(row, &paint));
    }
    let outcome = painted_outcome(execution, &paint);
    if !outcome.is_empty() {
        let _ = write!(text, "\n{outcome}");
    }
    let waiting: Vec<&Row> = rows.iter().filter(|row| matches!(row.state, State::Waiting(_))).collect();
    if execution["EndTimestamp"].is_null() && !waiting.is_empty() {
        let _ = writeln!(text, "\nwaits for");
        for row in waiting {
            if let State::Waiting(what) = &row.state {
                let _ = writeln!(text, "  {} {}: {what}", row.kind, row.name);
            }
        }
    }
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Says what became of an execution.
pub fn outcome(execution: &Value) -> String {
    let paint = Paint { colours: false };
    let status = execution["Status"].as_str().unwrap_or("?");
    format!("status  {status}\n{}", painted_outcome(execution, &paint))
}

fn painted_outcome(execution: &Value, paint: &Paint) -> String {
    if let Some(result) = execution["Result"].as_str() {
        return format!("result  {}\n", shortened(result));
    }
    let Some(error) = execution["Error"].as_object() else { return String::new() };
    let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("error   {}: {}\n", paint.red(part("ErrorType")), shortened(part("ErrorMessage")))
}

/// Returns the time of the last event, in epoch seconds.
pub fn last_event_at(events: &[Value]) -> f64 {
    events.last().map_or(0.0, |event| seconds(&event["EventTimestamp"]))
}

/// Lists events, one a line.
pub fn list_events(events: &[Value]) -> String {
    let mut text = String::new();
    for event in events {
        let kind = event["EventType"].as_str().unwrap_or("?");
        let time = clock_time(seconds(&event["EventTimestamp"])).unwrap_or_default();
        let name = event["Name"].as_str().unwrap_or_default();
        let details = readable(&event[format!("{kind}Details")]);
        let detail =
            if details.as_object().is_none_or(serde_json::Map::is_empty) { String::new() } else { details.to_string() };
        let number = event["EventId"].as_u64().unwrap_or_default();
        let _ = writeln!(text, "{number:>4}  {time}  {kind:<24} {name:<24} {}", shortened(&detail));
    }
    text
}

/// Writes the times in a document as people read them.
fn readable(details: &Value) -> Value {
    let mut details = details.clone();
    for (name, value) in details.as_object_mut().into_iter().flatten() {
        if name.ends_with("Timestamp")
            && let Some(time) = value.as_f64().and_then(clock_time)
        {
            *value = time.into();
        }
    }
    details
}

/// Returns the time in epoch seconds.
pub fn now() -> f64 {
    jiff::Timestamp::now().as_millisecond() as f64 / 1000.0
}

/// Writes epoch seconds as a time of day with its date, UTC.
pub fn clock_time(seconds: f64) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()?;
    Some(at.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string())
}

/// Reads operations and invocations out of a history. An invocation is (from, to, failed).
fn read(events: &[Value], now: f64) -> (Vec<Row>, Vec<(f64, f64, bool)>) {
    let mut rows: Vec<Row> = Vec::new();
    let mut positions: BTreeMap<String, usize> = BTreeMap::new();
    let mut invocations = Vec::new();
    for event in events {
        let kind = event["EventType"].as_str().unwrap_or_default();
        let at = seconds(&event["EventTimestamp"]);
        let details = &event[format!("{kind}Details")];
        if kind == "InvocationCompleted" {
            let failed = !details["Error"].is_null();
            invocations.push((seconds(&details["StartTimestamp"]), seconds(&details["EndTimestamp"]), failed));
            continue;
        }
        let (Some(id), Some((operation, change))) = (event["Id"].as_str(), split(kind)) else { continue };
        let position = *positions.entry(id.into()).or_insert_with(|| {
            rows.push(new_row(id, operation, event, at));
            rows.len() - 1
        });
        rows[position].take(change, details, at);
    }
    for row in &mut rows {
        row.run_on(now);
    }
    (rows, invocations)
}

fn new_row(id: &str, operation: &'static str, event: &Value, at: f64) -> Row {
    let sub_type = event["SubType"].as_str().unwrap_or_default();
    let name = event["Name"].as_str().map_or_else(
        || if sub_type.is_empty() { operation.to_string() } else { format!("({sub_type})") },
        String::from,
    );
    Row {
        id: id.into(),
        parent: event["ParentId"].as_str().map(String::from),
        name,
        kind: operation,
        busy: Vec::new(),
        idle: Vec::new(),
        since: at,
        attempts: 0,
        state: State::Running,
    }
}

/// Splits the type of an event into the operation and what happened to it.
fn split(kind: &str) -> Option<(&'static str, &str)> {
    const OPERATIONS: [(&str, &str); 5] = [
        ("Step", "step"),
        ("Wait", "wait"),
        ("Callback", "callback"),
        ("Context", "context"),
        ("ChainedInvoke", "invoke"),
    ];
    OPERATIONS.iter().find_map(|(prefix, operation)| Some((*operation, kind.strip_prefix(prefix)?)))
}

impl Row {
    fn take(&mut self, change: &str, details: &Value, at: f64) {
        if change != "Started" {
            self.run_on(at);
        }
        let retry = details["RetryDetails"]["NextAttemptDelaySeconds"].as_u64();
        if let Some(attempt) = details["RetryDetails"]["CurrentAttempt"].as_u64() {
            self.attempts = attempt;
        }
        match (change, retry) {
            ("Started", _) => {
                if let State::Waiting(_) = self.state {
                    self.run_on(at);
                }
                self.since = at;
                self.state = self.waits_for(details).map_or(State::Running, State::Waiting);
            }
            (_, Some(delay)) => {
                self.since = at;
                self.state = State::Waiting(format!("attempt {} after {delay} s", self.attempts + 1));
            }
            (word, None) => {
                let words = [
                    ("Succeeded", "succeeded"),
                    ("Failed", "failed"),
                    ("TimedOut", "timed out"),
                    ("Stopped", "stopped"),
                    ("Cancelled", "cancelled"),
                ];
                let word = words.iter().find(|(known, _)| *known == word).map_or(word, |(_, shown)| shown);
                self.state = State::Over { well: word == "succeeded", word: word.into() };
            }
        }
    }

    /// Returns what an operation waits for from its start on.
    fn waits_for(&self, details: &Value) -> Option<String> {
        match self.kind {
            "wait" => {
                let until = clock_time(seconds(&details["ScheduledEndTimestamp"])).unwrap_or_default();
                Some(format!("{} s, until {until}", details["Duration"]))
            }
            "callback" => details["CallbackId"].as_str().map(String::from),
            "invoke" => details["FunctionName"].as_str().map(String::from),
            _ => None,
        }
    }

    /// Puts the time since the last event on the side where it belongs.
    fn run_on(&mut self, to: f64) {
        match self.state {
            State::Running => self.busy.push((self.since, to)),
            State::Waiting(_) => self.idle.push((self.since, to)),
            State::Over { .. } => {}
        }
        self.since = to;
    }
}

/// Returns rows in the order of the tree, each with its depth.
fn nested(rows: &[Row]) -> Vec<(&Row, usize)> {
    fn below<'a>(rows: &'a [Row], parent: Option<&str>, depth: usize, found: &mut Vec<(&'a Row, usize)>) {
        for row in rows.iter().filter(|row| row.parent.as_deref() == parent) {
            found.push((row, depth));
            below(rows, Some(&row.id), depth + 1, found);
        }
    }
    let mut found = Vec::with_capacity(rows.len());
    below(rows, None, 0, &mut found);
    found
}

fn describe(row: &Row, paint: &Paint) -> String {
    let total: f64 = row.busy.iter().chain(&row.idle).map(|(from, to)| to - from).sum();
    let attempts = if row.attempts > 1 { format!(", {} attempts", row.attempts) } else { String::new() };
    match &row.state {
        State::Over { well: true, .. } => paint.dim(&format!("{} {}{attempts}", row.kind, duration(total))),
        State::Over { well: false, word } => {
            paint.red(&format!("{} {word} after {}{attempts}", row.kind, duration(total)))
        }
        State::Running => format!("{} running{attempts}", row.kind),
        State::Waiting(_) => paint.yellow(&format!("{} waiting{attempts}", row.kind)),
    }
}

struct Scale {
    start: f64,
    end: f64,
}

impl Scale {
    /// Draws stretches of time: `sign` for busy, `░` for idle, at least one column each.
    fn bar(&self, busy: &[(f64, f64)], idle: &[(f64, f64)], sign: char) -> String {
        let mut columns = [' '; WIDTH];
        for (stretches, sign) in [(idle, '░'), (busy, sign)] {
            for (from, to) in stretches {
                let (first, last) = (self.column(*from), self.column(*to));
                columns[first..=last.max(first)].fill(sign);
            }
        }
        columns.iter().collect()
    }

    fn column(&self, at: f64) -> usize {
        let share = (at - self.start) / (self.end - self.start);
        ((share * WIDTH as f64) as usize).min(WIDTH - 1)
    }
}

struct Paint {
    colours: bool,
}

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        if self.colours && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }

    fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }

    fn red(&self, text: &str) -> String {
        self.with("31", text)
    }

    fn yellow(&self, text: &str) -> String {
        self.with("33", text)
    }

    fn bar(&self, text: &str) -> String {
        self.with("36", text)
    }

    fn status(&self, status: &str) -> String {
        match status {
            "SUCCEEDED" => self.with("1;32", status),
            "FAILED" | "TIMED_OUT" | "STOPPED" => self.with("1;31", status),
            other => self.with("1;33", other),
        }
    }
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

/// Writes a length of time as people say it.
pub fn duration(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0 => format!("{} ms", (seconds * 1000.0).round()),
        1..120 => format!("{seconds:.1} s"),
        120..7_200 => format!("{} min {} s", whole / 60, whole % 60),
        7_200..172_800 => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{} days {} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 160;
    if text.chars().count() <= SHOWN {
        return text.into();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(event_type: &str, at: f64, id: &str, parent: Option<&str>, name: &str, details: Value) -> Value {
        let mut event = json!({"EventType": event_type, "EventTimestamp": at, "Id": id, "Name": name});
        event[format!("{event_type}Details")] = details;
        if let Some(parent) = parent {
            event["ParentId"] = parent.into();
        }
        event
    }

    fn invocation(from: f64, to: f64) -> Value {
        let details = json!({"StartTimestamp": from, "EndTimestamp": to});
        json!({"EventType": "InvocationCompleted", "EventTimestamp": to, "InvocationCompletedDetails": details})
    }

    #[test]
    fn attempts_gaps_and_nesting_are_drawn() {
        let retried = json!({"Error": {}, "RetryDetails": {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 3}});
        let events = [
            event("StepStarted", 0.0, "a", None, "charge", json!({})),
            event("StepFailed", 1.0, "a", None, "charge", retried),
            invocation(0.0, 1.0),
            event("StepStarted", 4.0, "a", None, "charge", json!({})),
            event("StepSucceeded", 5.0, "a", None, "charge", json!({"RetryDetails": {"CurrentAttempt": 2}})),
            event("ContextStarted", 5.0, "b", None, "approval", json!({})),
            event("CallbackStarted", 5.0, "c", Some("b"), "ask", json!({"CallbackId": "ID"})),
            invocation(4.0, 6.0),
        ];
        let execution = json!({
            "DurableExecutionName": "order-1", "DurableExecutionArn": "arn:…", "Status": "RUNNING", "StartTimestamp": 0.0,
        });
        insta::assert_snapshot!(draw(&execution, &events, 12.0, false), @r#"
        order-1  RUNNING  12.0 s
        arn:…
        started 1970-01-01 00:00:00.000Z, invoked 2 times

                                       0                                         12.0 s
        compute                        █████           █████████
        charge                         █████░░░░░░░░░░░█████                            step 5.0 s, 2 attempts
        approval                                           ──────────────────────────── context running
          ask                                              ░░░░░░░░░░░░░░░░░░░░░░░░░░░░ callback waiting

        waits for
          callback ask: ID
        "#);
    }
}
