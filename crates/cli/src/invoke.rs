//! `everstep invoke`: invoke a function, and see what becomes of it.

use std::io::Read;

use anyhow::{Context, ensure};
use clap::Args;
use everstep_client::Request;
use serde_json::{Value, json};

use crate::client::{Client, escaped};
use crate::output::{self, Output};
use crate::{follow, timeline};

const EXAMPLES: &str = "\
Examples:
  everstep invoke orders --payload '{\"id\": \"1001\"}'
  everstep invoke orders --name order-1001 --payload @order.json --follow
  generate | everstep invoke orders:live --payload - --async

Exits with 1 if the function fails, and prints its error.";

/// Invoke a function.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Invoke {
    /// The function: its name, NAME:VERSION, NAME:ALIAS or its ARN; $LATEST unless it says otherwise
    function: String,
    /// Give the execution this name: a second invoke with the same name and payload starts no second one
    #[arg(long)]
    name: Option<String>,
    /// The payload, verbatim; `@FILE` takes it from a file, `-` from standard input
    #[arg(long, value_name = "JSON|@FILE|-")]
    payload: Option<String>,
    /// Do not wait for the end
    #[arg(long, conflicts_with = "follow")]
    r#async: bool,
    /// Watch the execution: its timeline on a terminal, a line for each event elsewhere
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    output: Output,
}

impl Invoke {
    /// Invokes it. Returns whether the function did well.
    pub async fn run(self) -> anyhow::Result<bool> {
        let payload = payload(self.payload.as_deref())?;
        let client = self.output.connection.client()?;
        let (function, qualifier) = split(&self.function);
        if self.follow {
            ensure_durable(&client, function, qualifier).await?;
        }
        let path = format!("/2015-03-31/functions/{}/invocations?Qualifier={}", escaped(function), escaped(qualifier));
        let wait = !self.r#async && !self.follow;
        let mut headers = vec![("x-amz-invocation-type", if wait { "RequestResponse" } else { "Event" })];
        headers.extend(self.name.as_deref().map(|name| ("x-amz-durable-execution-name", name)));
        let request = Request { method: "POST", path: &path, headers: &headers, body: payload };
        let answer = output::patiently("the function is at work", client.exchange("lambda", request)).await?;
        let body = answer.json().map_err(|refused| match refused.message.contains("15 minutes") {
            true => anyhow::Error::from(refused).context("it may take too long to wait for: use --follow or --async"),
            false => refused.into(),
        })?;
        let arn = answer.header("x-amz-durable-execution-arn");
        if self.follow {
            let arn = arn.context("the server did not say which execution it started")?;
            return self.watch(&client, arn).await;
        }
        let failed = answer.header("x-amz-function-error");
        if self.output.json {
            let document = json!({
                "StatusCode": answer.status,
                "FunctionError": failed,
                "ExecutedVersion": answer.header("x-amz-executed-version"),
                "DurableExecutionArn": arn,
                "Payload": if wait { body } else { Value::Null },
            });
            output::say(&format!("{document:#}\n"));
        } else if wait {
            let text = String::from_utf8_lossy(&answer.body);
            if failed.is_some() {
                eprintln!("everstep: the function failed: {text}");
            } else {
                output::say(&format!("{}\n", text.trim_end()));
            }
        } else {
            output::say(&match arn {
                Some(arn) => format!("{arn}\n"),
                None => "accepted: it is invoked in the background\n".into(),
            });
        }
        Ok(failed.is_none())
    }

    async fn watch(&self, client: &Client, arn: &str) -> anyhow::Result<bool> {
        let (execution, events) = follow::follow(client, arn, self.output.json).await?;
        if self.output.json {
            output::say(&format!("{:#}\n", json!({"Execution": execution, "Events": events})));
        } else if !output::stdout_is_terminal() {
            output::say(&timeline::outcome(&execution));
        }
        Ok(execution["Status"] == "SUCCEEDED")
    }
}

/// Reads the payload from where it is said to be; none is none.
fn payload(text: Option<&str>) -> anyhow::Result<Vec<u8>> {
    match text {
        None => Ok(Vec::new()),
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
            Ok(bytes)
        }
        Some(text) => match text.strip_prefix('@') {
            Some(file) => std::fs::read(file).with_context(|| format!("cannot read {file}")),
            None => Ok(text.as_bytes().to_vec()),
        },
    }
}

/// Splits a reference to a function into the function and the qualifier.
pub fn split(reference: &str) -> (&str, &str) {
    let name_at = match reference.find(":function:") {
        Some(at) => at + ":function:".len(),
        None => 0,
    };
    match reference[name_at..].split_once(':') {
        Some((name, qualifier)) => (&reference[..name_at + name.len()], qualifier),
        None => (reference, "$LATEST"),
    }
}

/// Fails before anything is invoked if there would be nothing to watch.
async fn ensure_durable(client: &Client, function: &str, qualifier: &str) -> anyhow::Result<()> {
    let path = format!("/2015-03-31/functions/{}/configuration?Qualifier={}", escaped(function), escaped(qualifier));
    let configuration = client.get(&path).await?;
    ensure!(
        !configuration["DurableConfig"].is_null(),
        "function `{function}` is not durable, so there is no execution to follow: leave out --follow"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_split_into_function_and_qualifier() {
        for (reference, expected) in [
            ("orders", ("orders", "$LATEST")),
            ("orders:live", ("orders", "live")),
            ("orders:$LATEST", ("orders", "$LATEST")),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:orders",
                ("arn:aws:lambda:us-east-1:123456789012:function:orders", "$LATEST"),
            ),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:orders:7",
                ("arn:aws:lambda:us-east-1:123456789012:function:orders", "7"),
            ),
        ] {
            assert_eq!(split(reference), expected, "{reference}");
        }
    }
}
