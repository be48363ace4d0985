//! `everstep executions`: list them, draw one, read its history, stop, pause, resume and delete it.

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::{Client, escaped};
use crate::find::{self, Filter};
use crate::output::{self, Output};
use crate::{follow, moments, timeline};

const EXAMPLES: &str = "\
Examples:
  everstep executions list --status FAILED --started-after 2h
  everstep executions show order-1001
  everstep executions show 0f3a --follow
  everstep executions stop order-1001 --error-type Cancelled --error-message 'the customer left'

An execution is named by its ARN, by its name, or by the beginning of its id.";

/// Look at executions, stop, pause, resume and delete them.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Executions {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List executions, newest first
    List(List),
    /// Draw the timeline of an execution: operations, attempts, idle gaps, what it waits for
    Show {
        #[command(flatten)]
        of: Of,
        /// Watch it to its end
        #[arg(long)]
        follow: bool,
    },
    /// Print the history of an execution, event by event
    History(Of),
    /// End an execution with an error
    Stop {
        #[command(flatten)]
        of: Of,
        /// Why, for programs
        #[arg(long)]
        error_type: Option<String>,
        /// Why, for people
        #[arg(long)]
        error_message: Option<String>,
    },
    /// Let nothing of an execution run until it is resumed
    Pause {
        #[command(flatten)]
        of: Of,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let a paused execution go on
    Resume {
        #[command(flatten)]
        of: Of,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Forget an execution that is over, with its history
    Delete(Of),
}

#[derive(Args)]
struct List {
    /// Of this function only
    #[arg(long)]
    function: Option<String>,
    /// With this status only, such as RUNNING or FAILED
    #[arg(long)]
    status: Option<String>,
    /// With this name only
    #[arg(long)]
    name: Option<String>,
    /// Started after this time, such as 2026-11-25T13:00:00Z, or so long ago at most, such as 2h
    #[arg(long, value_name = "TIME")]
    started_after: Option<String>,
    /// Started before this time, or so long ago at least
    #[arg(long, value_name = "TIME")]
    started_before: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Of {
    /// Its ARN, its name, or the beginning of its id
    execution: String,
    #[command(flatten)]
    output: Output,
}

impl Executions {
    /// Does it. Returns whether an execution that was watched did well.
    pub async fn run(self) -> anyhow::Result<bool> {
        match self.command {
            Command::List(list) => list.run().await?,
            Command::Show { of, follow } => return of.show(follow).await,
            Command::History(of) => {
                let (client, arn) = of.find().await?;
                let (_, events) = read(&client, &arn).await?;
                let document = events.clone().into();
                of.output.print(&document, || timeline::list_events(&events));
            }
            Command::Stop { of, error_type, error_message } => {
                let error = without_nulls(json!({"ErrorType": error_type, "ErrorMessage": error_message}));
                of.send("POST", "/stop", &error, "stopped").await?;
            }
            Command::Pause { of, reason } => {
                of.send("POST", "/pause", &without_nulls(json!({"Reason": reason})), "paused").await?;
            }
            Command::Resume { of, reason } => {
                of.send("POST", "/resume", &without_nulls(json!({"Reason": reason})), "resumed").await?;
            }
            Command::Delete(of) => of.send("DELETE", "", &Value::Null, "deleted").await?,
        }
        Ok(true)
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let now = jiff::Timestamp::now();
        let point = |text: &Option<String>| {
            let point = text.as_deref().map(|text| moments::point(text, now)).transpose()?;
            anyhow::Ok(point.map(|at| at.to_string()))
        };
        let filter = Filter {
            started_after: point(&self.started_after)?,
            started_before: point(&self.started_before)?,
            function: self.function,
            status: self.status.map(|status| status.to_uppercase()),
            name: self.name,
        };
        let client = self.output.connection.client()?;
        let found = output::patiently("looking", find::list(&client, &filter, self.limit)).await?;
        let document = found.clone().into();
        self.output.print(&document, || if found.is_empty() { "no executions\n".into() } else { find::table(&found) });
        Ok(())
    }
}

impl Of {
    async fn find(&self) -> anyhow::Result<(Client, String)> {
        let client = self.output.connection.client()?;
        let arn = output::patiently("looking", find::execution(&client, &self.execution)).await?;
        Ok((client, arn))
    }

    async fn show(&self, watch: bool) -> anyhow::Result<bool> {
        let (client, arn) = self.find().await?;
        let (execution, events) =
            if watch { follow::follow(&client, &arn, self.output.json).await? } else { read(&client, &arn).await? };
        let document = json!({"Execution": execution, "Events": events});
        let shown_already = watch && !self.output.json && output::stdout_is_terminal();
        if !shown_already {
            self.output.print(&document, || {
                let now = timeline::now().max(timeline::last_event_at(&events));
                timeline::draw(&execution, &events, now, output::stdout_has_colours())
            });
        }
        Ok(!watch || execution["Status"] == "SUCCEEDED")
    }

    async fn send(&self, method: &str, verb: &str, body: &Value, done: &str) -> anyhow::Result<()> {
        let (client, arn) = self.find().await?;
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let path = format!("/2025-12-01/durable-executions/{}{verb}", escaped(&arn));
        let mut answer = client.send(method, &path, &[], body).await?;
        if answer.is_null() {
            answer = json!({});
        }
        answer["DurableExecutionArn"] = arn.as_str().into();
        self.output.print(&answer, || format!("{done} {arn}\n"));
        Ok(())
    }
}

/// Removes members that are null: AWS's way to leave something out is to leave it out.
pub fn without_nulls(mut document: Value) -> Value {
    if let Some(members) = document.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    document
}

/// Returns an execution and its whole history.
pub async fn read(client: &Client, arn: &str) -> anyhow::Result<(Value, Vec<Value>)> {
    let path = format!("/2025-12-01/durable-executions/{}", escaped(arn));
    let execution = client.get(&path).await?;
    let events = client.list(&format!("{path}/history?MaxItems=1000"), "Events", usize::MAX).await?;
    Ok((execution, events))
}

/// Returns the callback ids that an execution waits for, with the names of their operations.
pub fn open_callbacks(events: &[Value]) -> Vec<(String, String)> {
    let closed = |id: &Value| {
        events.iter().any(|event| {
            let event_type = event["EventType"].as_str().unwrap_or_default();
            event["Id"] == *id && event_type.starts_with("Callback") && event_type != "CallbackStarted"
        })
    };
    let started = events.iter().filter(|event| event["EventType"] == "CallbackStarted" && !closed(&event["Id"]));
    started
        .filter_map(|event| {
            let id = event["CallbackStartedDetails"]["CallbackId"].as_str()?;
            Some((event["Name"].as_str().unwrap_or("callback").to_string(), id.to_string()))
        })
        .collect()
}

/// Invokes a function without waiting for it, and returns the ARN of the execution.
pub async fn start(client: &Client, function: &str, name: &str, payload: &Value) -> anyhow::Result<String> {
    let path = format!("/2015-03-31/functions/{}/invocations?Qualifier=%24LATEST", escaped(function));
    let headers = [("x-amz-invocation-type", "Event"), ("x-amz-durable-execution-name", name)];
    let body = payload.to_string().into_bytes();
    let request = everstep_client::Request { method: "POST", path: &path, headers: &headers, body };
    let answer = client.exchange("lambda", request).await?;
    answer.json()?;
    let arn = answer.header("x-amz-durable-execution-arn").map(String::from);
    arn.context("the server did not say which execution it started")
}
