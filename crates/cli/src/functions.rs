//! `everstep functions`: list, show, create, update and delete functions.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::client::{Client, escaped};
use crate::executions::without_nulls;
use crate::invoke::split;
use crate::output::{self, Output};
use crate::{code, moments};

const FUNCTIONS: &str = "/2015-03-31/functions";

const EXAMPLES: &str = "\
Examples:
  everstep functions create orders --runtime python3.13 --handler app.handler --code ./package --durable
  everstep functions update orders --code function.zip --timeout 60
  everstep functions show orders
  everstep functions delete orders";

/// List, show, create, update and delete functions.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Functions {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List functions
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Show how a function is set up
    Show(Of),
    /// Create a function
    Create {
        #[command(flatten)]
        of: Of,
        /// What runs it, such as python3.13, nodejs22.x or provided.al2023
        #[arg(long)]
        runtime: String,
        /// Its code: a directory, or a zip file
        #[arg(long, value_name = "DIR|ZIP")]
        code: PathBuf,
        /// The role in its configuration
        #[arg(long, default_value = "arn:aws:iam::123456789012:role/everstep")]
        role: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Change the code of a function, its settings, or both
    Update {
        #[command(flatten)]
        of: Of,
        /// What runs it
        #[arg(long)]
        runtime: Option<String>,
        /// Its code: a directory, or a zip file
        #[arg(long, value_name = "DIR|ZIP")]
        code: Option<PathBuf>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Delete a function with all its versions
    Delete(Of),
}

#[derive(Args)]
struct Of {
    /// Its name, NAME:VERSION, NAME:ALIAS or its ARN
    function: String,
    #[command(flatten)]
    output: Output,
}

/// What is said of a function beside its code.
#[derive(Args)]
struct Settings {
    /// What is called in it, such as app.handler
    #[arg(long)]
    handler: Option<String>,
    /// How long one invocation may take, in seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Its memory, in MB
    #[arg(long, value_name = "MB")]
    memory: Option<u32>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// A variable of its environment; may be given several times, and replaces all that were there
    #[arg(long = "env", value_name = "NAME=VALUE")]
    environment: Vec<String>,
    /// Its invocations are durable executions
    #[arg(long)]
    durable: bool,
    /// How long an execution may take, such as 15m or 30d; makes it durable
    #[arg(long, value_name = "TIME")]
    execution_timeout: Option<String>,
    /// How long executions are remembered after their end, in days; makes it durable
    #[arg(long, value_name = "DAYS")]
    retention_days: Option<u32>,
}

/// How long an execution may take if only `--durable` is said, in seconds: as long as one may be waited for.
const EXECUTION_TIMEOUT_SECONDS_DEFAULT: u64 = 900;

impl Settings {
    fn document(&self) -> anyhow::Result<Value> {
        let mut variables = Map::new();
        for variable in &self.environment {
            let (name, value) =
                variable.split_once('=').with_context(|| format!("`{variable}` is not NAME=VALUE, in --env"))?;
            variables.insert(name.into(), value.into());
        }
        let timeout = self.execution_timeout.as_deref().map(moments::duration).transpose()?;
        let durable = self.durable || timeout.is_some() || self.retention_days.is_some();
        let durable_config = durable.then(|| {
            without_nulls(json!({
                "ExecutionTimeout": timeout.map_or(EXECUTION_TIMEOUT_SECONDS_DEFAULT, |timeout| timeout.as_secs()),
                "RetentionPeriodInDays": self.retention_days,
            }))
        });
        Ok(without_nulls(json!({
            "Handler": self.handler,
            "Timeout": self.timeout,
            "MemorySize": self.memory,
            "Description": self.description,
            "Environment": (!variables.is_empty()).then(|| json!({"Variables": variables})),
            "DurableConfig": durable_config,
        })))
    }
}

impl Functions {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::List { output } => {
                let client = output.connection.client()?;
                let found = client.list(FUNCTIONS, "Functions", usize::MAX).await?;
                let document = found.clone().into();
                output.print(&document, || if found.is_empty() { "no functions\n".into() } else { table(&found) });
            }
            Command::Show(of) => {
                let (name, qualifier) = split(&of.function);
                let path = format!("{FUNCTIONS}/{}?Qualifier={}", escaped(name), escaped(qualifier));
                let found = of.output.connection.client()?.get(&path).await?;
                of.output.print(&found, || details(&found["Configuration"]));
            }
            Command::Create { of, runtime, code, role, settings } => {
                let mut request = settings.document()?;
                request["FunctionName"] = of.function.as_str().into();
                request["Runtime"] = runtime.into();
                request["Role"] = role.into();
                request["Code"] = json!({"ZipFile": code::read(&code)?});
                let client = of.output.connection.client()?;
                let created = send(&client, "POST", FUNCTIONS, &request).await?;
                of.output.print(&created, || format!("created {}\n", text(&created["FunctionArn"])));
            }
            Command::Update { of, runtime, code, settings } => {
                let mut request = settings.document()?;
                if let Some(runtime) = runtime {
                    request["Runtime"] = runtime.into();
                }
                let changes_settings = request.as_object().is_some_and(|members| !members.is_empty());
                ensure!(changes_settings || code.is_some(), "nothing to change: give --code or a setting; see --help");
                // Read before anything is changed: a file that is not there leaves the function as it is.
                let code = code.as_deref().map(code::read).transpose()?;
                let client = of.output.connection.client()?;
                let path = format!("{FUNCTIONS}/{}", escaped(&of.function));
                let mut updated = Value::Null;
                if changes_settings {
                    updated = send(&client, "PUT", &format!("{path}/configuration"), &request).await?;
                }
                if let Some(code) = code {
                    updated = send(&client, "PUT", &format!("{path}/code"), &json!({"ZipFile": code})).await?;
                }
                of.output.print(&updated, || format!("updated {}\n", text(&updated["FunctionArn"])));
            }
            Command::Delete(of) => {
                let path = format!("{FUNCTIONS}/{}", escaped(&of.function));
                of.output.connection.client()?.send("DELETE", &path, &[], Vec::new()).await?;
                of.output.print(&json!({}), || format!("deleted {}\n", of.function));
            }
        }
        Ok(())
    }
}

async fn send(client: &Client, method: &str, path: &str, request: &Value) -> anyhow::Result<Value> {
    let sending = client.send(method, path, &[], request.to_string().into_bytes());
    output::patiently("uploading", sending).await
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn durable(configuration: &Value) -> String {
    match configuration["DurableConfig"].as_object() {
        None => "no".into(),
        Some(config) => config.get("ExecutionTimeout").map_or("yes".into(), |seconds| format!("up to {seconds} s")),
    }
}

fn table(functions: &[Value]) -> String {
    let rows: Vec<[String; 5]> = functions
        .iter()
        .map(|function| {
            [
                text(&function["FunctionName"]),
                text(&function["Runtime"]),
                text(&function["Handler"]),
                durable(function),
                text(&function["LastModified"]),
            ]
        })
        .collect();
    output::table(["NAME", "RUNTIME", "HANDLER", "DURABLE", "CHANGED"], &rows)
}

fn details(configuration: &Value) -> String {
    let mut rows: Vec<(&str, String)> =
        ["FunctionName", "FunctionArn", "Version", "State", "Runtime", "Handler", "Description"]
            .iter()
            .filter(|name| configuration[**name].as_str().is_some_and(|text| !text.is_empty()))
            .map(|name| (*name, text(&configuration[*name])))
            .collect();
    rows.push(("Timeout", format!("{} s", configuration["Timeout"])));
    rows.push(("MemorySize", format!("{} MB", configuration["MemorySize"])));
    rows.push(("Durable", durable(configuration)));
    if let Some(days) = configuration["DurableConfig"]["RetentionPeriodInDays"].as_u64() {
        rows.push(("Retention", format!("{days} days")));
    }
    // Values may be secrets, so only the names are shown.
    if let Some(variables) = configuration["Environment"]["Variables"].as_object() {
        rows.push(("Environment", variables.keys().cloned().collect::<Vec<_>>().join(", ")));
    }
    rows.push(("CodeSize", format!("{} bytes", configuration["CodeSize"])));
    rows.push(("LastModified", text(&configuration["LastModified"])));
    rows.iter().map(|(name, value)| format!("{name:<14}{value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_say_only_what_was_said() {
        let settings = |arguments: &[&str]| {
            #[derive(clap::Parser)]
            struct Line {
                #[command(flatten)]
                settings: Settings,
            }
            let line = <Line as clap::Parser>::try_parse_from([&["test"], arguments].concat()).unwrap();
            line.settings.document()
        };
        assert_eq!(settings(&[]).unwrap(), json!({}));
        assert_eq!(settings(&["--durable"]).unwrap(), json!({"DurableConfig": {"ExecutionTimeout": 900}}));
        let timed = json!({"DurableConfig": {"ExecutionTimeout": 2_592_000, "RetentionPeriodInDays": 7}});
        assert_eq!(settings(&["--execution-timeout", "30d", "--retention-days", "7"]).unwrap(), timed);
        let environment = json!({"Environment": {"Variables": {"A": "b=c", "D": ""}}, "Timeout": 5});
        assert_eq!(settings(&["--env", "A=b=c", "--env", "D=", "--timeout", "5"]).unwrap(), environment);
        assert!(settings(&["--env", "A"]).unwrap_err().to_string().contains("`A` is not NAME=VALUE"));
    }
}
