//! `everstep logs`: what a function printed, or what was printed on behalf of one execution.
//!
//! Which lines belong to an execution is told by request ids: a process runs one invocation at a time and its stream
//! says where each begins and ends, and the history names the requests of the execution. So the lines of an
//! invocation are known once it is over, whatever format they have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use everstep_client::Refused;
use serde_json::{Value, json};

use crate::client::{Client, escaped};
use crate::invoke::split;
use crate::output::{self, Output};
use crate::{executions, find, moments, timeline};

const EXAMPLES: &str = "\
Examples:
  everstep logs orders --since 1h
  everstep logs orders --follow
  everstep logs order-1001
  everstep logs orders --filter '?ERROR ?WARN'
  everstep logs orders --filter '{ $.level = ERROR }'

Lines of an execution are shown invocation by invocation, each when it is over.";

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(500);

/// How often to look for the last lines of an execution that is over.
const LAST_LOOKS: u32 = 5;

/// How much later than an event a line of its invocation may be, in milliseconds: the last one is the report.
const SLACK_MILLIS: i64 = 2_000;

/// Show what functions print.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Logs {
    /// A function, or an execution by its ARN, its name or the beginning of its id
    #[arg(value_name = "FUNCTION|EXECUTION")]
    of: String,
    /// Go on as more is printed
    #[arg(long)]
    follow: bool,
    /// Only since this time, such as 2026-11-25T13:00:00Z, or for so long, such as 15m
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only lines that match a filter pattern of CloudWatch Logs
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    filter: Option<String>,
    #[command(flatten)]
    output: Output,
}

impl Logs {
    /// Shows them.
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.output.connection.client()?;
        let since = self.since.as_deref().map(|text| moments::point(text, jiff::Timestamp::now())).transpose()?;
        let since = since.map(jiff::Timestamp::as_millisecond);
        if !self.of.contains("/durable-execution/")
            && let Some(group) = log_group(&client, &self.of).await?
        {
            return self.of_function(&client, &group, since).await;
        }
        let arn = find::execution(&client, &self.of).await.map_err(|error| {
            if self.of.starts_with("arn:") { error } else { error.context(format!("no function `{}` either", self.of)) }
        })?;
        self.of_execution(&client, &arn, since).await
    }

    async fn of_function(&self, client: &Client, group: &str, since: Option<i64>) -> anyhow::Result<()> {
        let mut reader = Reader { filter: self.filter.clone(), ..Reader::new(group, since) };
        loop {
            let events = reader.read(client, None).await?;
            self.show(&events);
            if !self.follow {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn of_execution(&self, client: &Client, arn: &str, since: Option<i64>) -> anyhow::Result<()> {
        let function = arn.split("/durable-execution/").next().unwrap_or_default();
        let Some(group) = log_group(client, function).await? else {
            bail!("the function of {arn} is gone, and with it the name of its log");
        };
        let (mut shown, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut last_looks = LAST_LOOKS;
        loop {
            let (execution, history) = executions::read(client, arn).await?;
            let invocations = Invocations::of(&history);
            if invocations.requests.iter().any(|request| !shown.contains(request)) {
                let from = since.map_or(invocations.from, |since| since.max(invocations.from));
                let events = Reader::new(&group, Some(from)).read(client, Some(invocations.until)).await?;
                let (mut lines, whole) = belonging(&events, &invocations.requests, &shown);
                if let Some(filter) = &self.filter {
                    // Where invocations begin and end is told by lines that the filter need not match.
                    let mut reader = Reader { filter: Some(filter.clone()), ..Reader::new(&group, Some(from)) };
                    let wanted = reader.read(client, Some(invocations.until)).await?;
                    lines.retain(|line| wanted.iter().any(|event| event["eventId"] == line["eventId"]));
                }
                lines.retain(|line| seen.insert(line["eventId"].as_str().unwrap_or_default().to_owned()));
                self.show(&lines);
                shown.extend(whole);
            }
            let over = !execution["EndTimestamp"].is_null();
            // An invocation that was lost has no last line: it is not waited for without end.
            last_looks -= u32::from(over);
            if !self.follow || (over && (invocations.requests.is_subset(&shown) || last_looks == 0)) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Shows events: a line each, as JSON too, so that following works.
    fn show(&self, events: &[Value]) {
        let line = |event: &Value| {
            if self.output.json {
                return format!("{event}\n");
            }
            let at = event["timestamp"].as_i64().unwrap_or_default() as f64 / 1000.0;
            let time = timeline::clock_time(at).unwrap_or_default();
            format!("{time}  {}\n", event["message"].as_str().unwrap_or_default().trim_end())
        };
        output::say(&events.iter().map(line).collect::<String>());
    }
}

/// Reads a log group from its beginning to its end.
pub async fn of_group(client: &Client, group: &str) -> anyhow::Result<Vec<Value>> {
    Reader::new(group, None).read(client, None).await
}

/// Returns the log group of a function, `None` if there is no such function.
async fn log_group(client: &Client, function: &str) -> anyhow::Result<Option<String>> {
    let (name, qualifier) = split(function);
    let path = format!("/2015-03-31/functions/{}/configuration?Qualifier={}", escaped(name), escaped(qualifier));
    match client.get(&path).await {
        Ok(configuration) => {
            let name = configuration["FunctionName"].as_str().unwrap_or(name);
            let group = configuration["LoggingConfig"]["LogGroup"].as_str();
            Ok(Some(group.map_or_else(|| format!("/aws/lambda/{name}"), String::from)))
        }
        // A name that no function can have may be the beginning of an id.
        Err(error) => match error.downcast_ref::<Refused>().map(|refused| refused.code.as_str()) {
            Some("ResourceNotFoundException" | "ValidationException" | "InvalidParameterValueException") => Ok(None),
            Some(_) | None => Err(error),
        },
    }
}

/// Reads on in a log group. Like AWS's own `logs tail`, it asks from the time of the last event and drops what it has
/// seen, so that it needs nothing but the public API.
struct Reader {
    group: String,
    from: Option<i64>,
    filter: Option<String>,
    seen: BTreeSet<String>,
}

impl Reader {
    fn new(group: &str, from: Option<i64>) -> Self {
        Self { group: group.into(), from, filter: None, seen: BTreeSet::new() }
    }

    /// Reads what has come since the last time.
    async fn read(&mut self, client: &Client, until: Option<i64>) -> anyhow::Result<Vec<Value>> {
        let mut new = Vec::new();
        let mut token = Value::Null;
        loop {
            let mut request = json!({"logGroupName": self.group});
            for (name, value) in [
                ("startTime", json!(self.from)),
                ("endTime", json!(until)),
                ("filterPattern", json!(self.filter)),
                ("nextToken", token),
            ] {
                if !value.is_null() {
                    request[name] = value;
                }
            }
            let page = client.call("logs", "Logs_20140328.FilterLogEvents", &request).await?;
            for event in page["events"].as_array().into_iter().flatten() {
                if self.seen.insert(event["eventId"].as_str().unwrap_or_default().into()) {
                    new.push(event.clone());
                }
            }
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        // Streams have clocks of their own: go back a little.
        if let Some(last) = new.iter().filter_map(|event| event["timestamp"].as_i64()).max() {
            self.from = Some(self.from.unwrap_or(i64::MIN).max(last - SLACK_MILLIS));
        }
        Ok(new)
    }
}

/// The invocations of an execution that are over.
struct Invocations {
    requests: BTreeSet<String>,
    from: i64,
    until: i64,
}

impl Invocations {
    fn of(history: &[Value]) -> Self {
        let mut found = Self { requests: BTreeSet::new(), from: i64::MAX, until: i64::MIN };
        for event in history {
            let details = &event["InvocationCompletedDetails"];
            let Some(request) = details["RequestId"].as_str() else { continue };
            let millis = |member: &str| (details[member].as_f64().unwrap_or_default() * 1000.0) as i64;
            found.requests.insert(request.into());
            found.from = found.from.min(millis("StartTimestamp") - SLACK_MILLIS);
            found.until = found.until.max(millis("EndTimestamp") + SLACK_MILLIS);
        }
        found
    }
}

/// Returns the events that belong to these requests and were not shown, and the requests that are in there to their end.
fn belonging(
    events: &[Value],
    requests: &BTreeSet<String>,
    shown: &BTreeSet<String>,
) -> (Vec<Value>, BTreeSet<String>) {
    let mut at_work: BTreeMap<&str, String> = BTreeMap::new();
    let (mut found, mut whole) = (Vec::new(), BTreeSet::new());
    for event in events {
        let stream = event["logStreamName"].as_str().unwrap_or_default();
        let message = event["message"].as_str().unwrap_or_default();
        let (mark, request) = platform_line(message);
        if mark == Mark::Start
            && let Some(request) = &request
        {
            at_work.insert(stream, request.clone());
        }
        let owner = request.clone().or_else(|| at_work.get(stream).cloned());
        if owner.is_some_and(|owner| requests.contains(&owner) && !shown.contains(&owner)) {
            found.push(event.clone());
        }
        if mark == Mark::Report
            && let Some(request) = request
        {
            at_work.remove(stream);
            whole.insert(request);
        }
    }
    whole.retain(|request| requests.contains(request));
    (found, whole)
}

#[derive(Debug, PartialEq)]
enum Mark {
    /// An invocation begins.
    Start,
    /// Its last line.
    Report,
    /// Any other line.
    Other,
}

/// Tells what a line says of an invocation, in the text and in the JSON format of AWS's platform lines.
fn platform_line(message: &str) -> (Mark, Option<String>) {
    let words: Vec<&str> = message.split_whitespace().take(3).collect();
    match words[..] {
        ["START", "RequestId:", request] => return (Mark::Start, Some(request.into())),
        ["END", "RequestId:", request] => return (Mark::Other, Some(request.into())),
        ["REPORT", "RequestId:", request] => return (Mark::Report, Some(request.into())),
        _ => {}
    }
    if !message.contains("\"platform.") {
        return (Mark::Other, None);
    }
    let document: Value = serde_json::from_str(message).unwrap_or_default();
    let mark = match document["type"].as_str() {
        Some("platform.start") => Mark::Start,
        Some("platform.report") => Mark::Report,
        Some(_) | None => Mark::Other,
    };
    (mark, document["record"]["requestId"].as_str().map(String::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_belong_to_the_invocation_that_their_process_was_at() {
        let lines = [
            ("a", "INIT_START Runtime Version: python3.13"),
            ("a", "START RequestId: one Version: $LATEST"),
            ("b", r#"{"type":"platform.start","record":{"requestId":"two"}}"#),
            ("a", "of one"),
            ("b", "of two"),
            ("c", "START RequestId: other Version: $LATEST"),
            ("c", "of the other"),
            ("a", "END RequestId: one"),
            ("a", "REPORT RequestId: one\tDuration: 1 ms"),
            ("a", "after one"),
            ("a", "START RequestId: three Version: $LATEST"),
            ("a", "of three"),
            ("b", r#"{"type":"platform.report","record":{"requestId":"two"}}"#),
        ];
        let events: Vec<Value> =
            lines.iter().map(|(stream, message)| json!({"logStreamName": stream, "message": message})).collect();
        let set = |requests: &[&str]| requests.iter().map(|request| (*request).to_string()).collect::<BTreeSet<_>>();
        let requests = set(&["one", "two", "three"]);
        let (found, whole) = belonging(&events, &requests, &set(&[]));
        let messages: Vec<&str> = found.iter().map(|event| event["message"].as_str().unwrap()).collect();
        let expected: Vec<&str> = [1, 2, 3, 4, 7, 8, 10, 11, 12].iter().map(|line| lines[*line].1).collect();
        assert_eq!(messages, expected);
        assert_eq!(whole, set(&["one", "two"]));
        let (found, _) = belonging(&events, &requests, &whole);
        let messages: Vec<&str> = found.iter().map(|event| event["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["START RequestId: three Version: $LATEST", "of three"]);
    }
}
