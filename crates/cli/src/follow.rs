//! Watching an execution: the timeline again and again on a terminal, a line for each new event elsewhere.

use std::time::Duration;

use serde_json::Value;

use crate::client::{Client, escaped};
use crate::{output, timeline};

/// How long to wait before asking again while things happen, and while nothing does.
const PAUSES: (Duration, Duration) = (Duration::from_millis(150), Duration::from_secs(1));

/// Events that are asked for at a time.
const PAGE: usize = 200;

/// Watches an execution to its end. Returns what became of it, and its history.
///
/// With `quietly` nothing is shown: the caller says what became of it.
pub async fn follow(client: &Client, arn: &str, quietly: bool) -> anyhow::Result<(Value, Vec<Value>)> {
    let mut events: Vec<Value> = Vec::new();
    let mut screen = Screen::new(quietly);
    let mut pause = PAUSES.0;
    loop {
        // The state first: what it says is in the history that is read after it.
        let execution = client.get(&format!("/2025-12-01/durable-executions/{}", escaped(arn))).await?;
        let new = new_events(client, arn, &events).await?;
        screen.show(&execution, &events, &new);
        pause = if new.is_empty() { (pause * 2).min(PAUSES.1) } else { PAUSES.0 };
        events.extend(new);
        if !execution["EndTimestamp"].is_null() {
            return Ok((execution, events));
        }
        tokio::time::sleep(pause).await;
    }
}

/// Reads what has happened since the last of `known`: backwards, until something known comes.
async fn new_events(client: &Client, arn: &str, known: &[Value]) -> anyhow::Result<Vec<Value>> {
    let last = known.last().and_then(|event| event["EventId"].as_u64()).unwrap_or_default();
    let path = format!("/2025-12-01/durable-executions/{}/history?ReverseOrder=true&MaxItems={PAGE}", escaped(arn));
    let mut new = Vec::new();
    let mut marker = String::new();
    loop {
        let page = client.get(&format!("{path}{marker}")).await?;
        let events = page["Events"].as_array().cloned().unwrap_or_default();
        let is_new = |event: &Value| event["EventId"].as_u64().is_some_and(|id| id > last);
        let all_new = events.iter().all(is_new);
        new.extend(events.into_iter().filter(is_new));
        match page["NextMarker"].as_str() {
            Some(next) if all_new => marker = format!("&Marker={}", escaped(next)),
            Some(_) | None => break,
        }
    }
    new.reverse();
    Ok(new)
}

/// Where the execution is shown.
enum Screen {
    /// A terminal, with as many lines drawn.
    Terminal { lines: usize },
    /// Anything else.
    Lines,
    /// Nowhere.
    Nowhere,
}

impl Screen {
    fn new(quietly: bool) -> Self {
        if quietly {
            Self::Nowhere
        } else if output::stdout_is_terminal() {
            Self::Terminal { lines: 0 }
        } else {
            Self::Lines
        }
    }

    fn show(&mut self, execution: &Value, known: &[Value], new: &[Value]) {
        match self {
            Self::Nowhere => {}
            Self::Lines => output::say(&timeline::list_events(new)),
            Self::Terminal { lines } => {
                let events: Vec<Value> = known.iter().chain(new).cloned().collect();
                let now = timeline::now().max(timeline::last_event_at(&events));
                let drawing = timeline::draw(execution, &events, now, output::stdout_has_colours());
                // What does not fit would scroll away and could not be drawn over: its end is what counts.
                let height = output::terminal_height().saturating_sub(1).max(1);
                let skipped = drawing.lines().count().saturating_sub(height);
                let shown: Vec<&str> = drawing.lines().skip(skipped).collect();
                let up = if *lines == 0 { String::new() } else { format!("\x1b[{lines}A") };
                // Long lines are cut rather than wrapped, so that a line is a line.
                output::say(&format!("{up}\x1b[J\x1b[?7l{}\n\x1b[?7h", shown.join("\n")));
                *lines = shown.len();
            }
        }
    }
}
