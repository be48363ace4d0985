//! `everstep callback`: complete what a workflow waits for.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::client::{Connection, escaped};

/// Complete a callback.
#[derive(Args)]
pub struct Callback {
    #[command(subcommand)]
    command: Completion,
}

#[derive(Subcommand)]
enum Completion {
    /// Complete a callback with a result
    Succeed {
        /// The callback id, as `everstep executions show` prints it
        callback_id: String,
        /// The result, verbatim; JSON as a rule
        #[arg(long, conflicts_with = "result_file")]
        result: Option<String>,
        /// Take the result from this file
        #[arg(long, value_name = "FILE")]
        result_file: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// Complete a callback with an error
    Fail {
        /// The callback id, as `everstep executions show` prints it
        callback_id: String,
        /// What went wrong, for programs
        #[arg(long, default_value = "CallbackFailed")]
        error_type: String,
        /// What went wrong, for people
        #[arg(long, default_value = "")]
        error_message: String,
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

impl Callback {
    /// Completes it.
    pub async fn run(self) -> anyhow::Result<()> {
        let (callback_id, verb, body, output) = match self.command {
            Completion::Succeed { callback_id, result, result_file, output } => {
                let body = match (result, result_file) {
                    (Some(result), _) => result.into_bytes(),
                    (None, Some(file)) => std::fs::read(&file)
                        .map_err(|error| anyhow::anyhow!("cannot read {}: {error}", file.display()))?,
                    (None, None) => Vec::new(),
                };
                (callback_id, "succeed", body, output)
            }
            Completion::Fail { callback_id, error_type, error_message, output } => {
                let error = json!({"ErrorType": error_type, "ErrorMessage": error_message});
                (callback_id, "fail", error.to_string().into_bytes(), output)
            }
        };
        let path = format!("/2025-12-01/durable-execution-callbacks/{}/{verb}", escaped(&callback_id));
        let answer = output.connection.client()?.send("POST", &path, &[], body).await?;
        if output.json {
            println!("{answer}")
        } else {
            println!("done: the callback was told to {verb}")
        }
        Ok(())
    }
}
