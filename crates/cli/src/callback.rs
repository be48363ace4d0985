//! `everstep callback`: complete what a workflow waits for, or say that it is still being worked on.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::escaped;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  everstep callback succeed CALLBACK_ID --result '{\"approved\": true}'
  everstep callback fail CALLBACK_ID --error-type Refused --error-message 'too expensive'
  everstep callback heartbeat CALLBACK_ID

`everstep executions show` prints the ids of the callbacks that an execution waits for.";

/// Complete a callback.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Callback {
    #[command(subcommand)]
    command: Completion,
}

#[derive(Subcommand)]
enum Completion {
    /// Complete a callback with a result
    Succeed {
        #[command(flatten)]
        of: Of,
        /// The result, verbatim; JSON as a rule
        #[arg(long, conflicts_with = "result_file")]
        result: Option<String>,
        /// Take the result from this file
        #[arg(long, value_name = "FILE")]
        result_file: Option<PathBuf>,
    },
    /// Complete a callback with an error
    Fail {
        #[command(flatten)]
        of: Of,
        /// What went wrong, for programs
        #[arg(long, default_value = "CallbackFailed")]
        error_type: String,
        /// What went wrong, for people
        #[arg(long, default_value = "")]
        error_message: String,
    },
    /// Say that somebody is still at it: the heartbeat timeout starts anew
    Heartbeat(Of),
}

#[derive(Args)]
struct Of {
    /// The callback id, as `everstep executions show` prints it
    callback_id: String,
    #[command(flatten)]
    output: Output,
}

impl Callback {
    /// Completes it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Completion::Succeed { of, result, result_file } => {
                let body = match (result, result_file) {
                    (Some(result), _) => result.into_bytes(),
                    (None, Some(file)) => {
                        std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?
                    }
                    (None, None) => Vec::new(),
                };
                of.send("succeed", body, "done: the callback succeeded\n").await
            }
            Completion::Fail { of, error_type, error_message } => {
                let error = json!({"ErrorType": error_type, "ErrorMessage": error_message});
                of.send("fail", error.to_string().into_bytes(), "done: the callback failed\n").await
            }
            Completion::Heartbeat(of) => of.send("heartbeat", Vec::new(), "done: the heartbeat was noted\n").await,
        }
    }
}

impl Of {
    async fn send(self, verb: &str, body: Vec<u8>, done: &str) -> anyhow::Result<()> {
        let path = format!("/2025-12-01/durable-execution-callbacks/{}/{verb}", escaped(&self.callback_id));
        let mut answer = self.output.connection.client()?.send("POST", &path, &[], body).await?;
        if answer.is_null() {
            answer = Value::Object(serde_json::Map::new());
        }
        self.output.print(&answer, || done.into());
        Ok(())
    }
}
