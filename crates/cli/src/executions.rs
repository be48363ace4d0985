//! `everstep executions`: list them, draw one, read its history.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::{Client, Connection, escaped};
use crate::{output, timeline};

/// How many executions of one function are looked through for a name or a short id.
const SEARCH_MAX: usize = 10_000;

/// Look at executions.
#[derive(Args)]
pub struct Executions {
    #[command(subcommand)]
    command: Look,
}

#[derive(Subcommand)]
enum Look {
    /// List executions, newest first
    List {
        /// Of this function only
        #[arg(long)]
        function: Option<String>,
        /// With this status only, such as RUNNING or FAILED
        #[arg(long)]
        status: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        output: Output,
    },
    /// Draw the timeline of an execution: operations, attempts, idle gaps, what it waits for
    Show {
        /// Its ARN, its name, or the beginning of its id
        execution: String,
        #[command(flatten)]
        output: Output,
    },
    /// Print the history of an execution, event by event
    History {
        /// Its ARN, its name, or the beginning of its id
        execution: String,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Args)]
struct Output {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Executions {
    /// Looks.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Look::List { function, status, limit, output } => {
                let client = output.connection.client()?;
                let found = list(&client, function.as_deref(), status.as_deref(), limit).await?;
                if output.json {
                    println!("{}", serde_json::to_string_pretty(&found)?);
                } else {
                    print!("{}", table(&found));
                }
            }
            Look::Show { execution, output } => {
                let client = output.connection.client()?;
                let arn = find(&client, &execution).await?;
                let (execution, events) = read(&client, &arn).await?;
                if output.json {
                    println!("{}", serde_json::to_string_pretty(&json!({"Execution": execution, "Events": events}))?);
                } else {
                    print!("{}", timeline::draw(&execution, &events, timeline::now(), output::stdout_has_colours()));
                }
            }
            Look::History { execution, output } => {
                let client = output.connection.client()?;
                let arn = find(&client, &execution).await?;
                let (_, events) = read(&client, &arn).await?;
                if output.json {
                    println!("{}", serde_json::to_string_pretty(&events)?);
                } else {
                    print!("{}", timeline::list_events(&events));
                }
            }
        }
        Ok(())
    }
}

/// Returns an execution and its whole history.
pub async fn read(client: &Client, arn: &str) -> anyhow::Result<(Value, Vec<Value>)> {
    let path = format!("/2025-12-01/durable-executions/{}", escaped(arn));
    let execution = client.get(&path).await?;
    let events = client.list(&format!("{path}/history?MaxItems=1000"), "Events", usize::MAX).await?;
    Ok((execution, events))
}

async fn list(
    client: &Client,
    function: Option<&str>,
    status: Option<&str>,
    limit: usize,
) -> anyhow::Result<Vec<Value>> {
    let functions = match function {
        Some(function) => vec![function.to_string()],
        None => {
            let functions = client.list("/2015-03-31/functions", "Functions", usize::MAX).await?;
            let durable = functions.iter().filter(|function| !function["DurableConfig"].is_null());
            durable.filter_map(|function| function["FunctionName"].as_str().map(String::from)).collect()
        }
    };
    let mut found = Vec::new();
    for function in functions {
        let status = status.map(|status| format!("&Statuses={}", escaped(status))).unwrap_or_default();
        let path = format!("/2025-12-01/functions/{}/durable-executions?MaxItems=1000{status}", escaped(&function));
        found.extend(client.list(&path, "DurableExecutions", limit).await?);
    }
    found.sort_by(|left, right| started_at(right).total_cmp(&started_at(left)));
    found.truncate(limit);
    Ok(found)
}

fn started_at(execution: &Value) -> f64 {
    execution["StartTimestamp"].as_f64().unwrap_or_default()
}

/// Finds the ARN of an execution by ARN, name, or the beginning of its id.
async fn find(client: &Client, text: &str) -> anyhow::Result<String> {
    if text.starts_with("arn:") {
        return Ok(text.into());
    }
    let executions = list(client, None, None, SEARCH_MAX).await?;
    let arn = |execution: &Value| execution["DurableExecutionArn"].as_str().map(String::from);
    let named: Vec<String> = executions
        .iter()
        .filter(|execution| execution["DurableExecutionName"] == text || short_id(execution).starts_with(text))
        .filter_map(arn)
        .collect();
    match &named[..] {
        [] => bail!("no execution `{text}`; list them with `everstep executions list`"),
        [arn] => Ok(arn.clone()),
        [first, ..] => bail!("{} executions match `{text}`; say which by its ARN, such as {first}", named.len()),
    }
}

fn short_id(execution: &Value) -> &str {
    execution["DurableExecutionArn"].as_str().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default()
}

fn table(executions: &[Value]) -> String {
    if executions.is_empty() {
        return "no executions\n".into();
    }
    let row = |cells: [&str; 5]| {
        let [id, function, name, status, started] = cells;
        format!("{id:<10} {function:<24} {name:<38} {status:<10} {started}\n")
    };
    let mut text = row(["ID", "FUNCTION", "NAME", "STATUS", "STARTED"]);
    for execution in executions {
        let function = execution["FunctionArn"].as_str().and_then(|arn| arn.split(":function:").nth(1)).unwrap_or("?");
        let started = timeline::clock_time(started_at(execution)).unwrap_or_default();
        let name = execution["DurableExecutionName"].as_str().unwrap_or("?");
        let status = execution["Status"].as_str().unwrap_or("?");
        text += &row([short_id(execution).get(..8).unwrap_or("?"), function, name, status, &started]);
    }
    text
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
    client.send("POST", &path, &headers, payload.to_string().into_bytes()).await?;
    let path = format!("/2025-12-01/functions/{}/durable-executions?DurableExecutionName={name}", escaped(function));
    let listed = client.list(&path, "DurableExecutions", 1).await?;
    let arn = listed.first().and_then(|execution| execution["DurableExecutionArn"].as_str());
    arn.map(String::from).context("the execution that was just started is not listed")
}
