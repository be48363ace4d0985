//! `everstep dev clock`: a wait of three days passes at once, in the real server.

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Subcommand;
use everstep_client::Refused;
use serde_json::{Value, json};

use crate::client::Client;
use crate::output::{self, Output};
use crate::{moments, timeline};

/// How long to wait for what is at work, before the next wake-up can be known.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(100);

/// What can be done with the clock of a server for development.
#[derive(Subcommand)]
pub enum Clock {
    /// Tell what time it is for executions
    Show {
        #[command(flatten)]
        output: Output,
    },
    /// Move the clock forward: everything that becomes due happens
    Advance {
        /// How far, such as 90s, 1h30m or 3d
        by: String,
        #[command(flatten)]
        output: Output,
    },
    /// Move the clock to the next wake-up of an execution that sleeps
    Next {
        #[command(flatten)]
        output: Output,
    },
}

impl Clock {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Show { output } => {
                let now = output.connection.client()?.ask("GET", "/everstep/clock", &Value::Null).await?;
                output.print(&now, || tell(&now));
            }
            Self::Advance { by, output } => {
                let request = json!({"Seconds": moments::duration(&by)?.as_secs()});
                let now = output.connection.client()?.ask("POST", "/everstep/clock/advance", &request).await?;
                output.print(&now, || tell(&now));
            }
            Self::Next { output } => {
                let client = output.connection.client()?;
                let now = output::patiently("waiting until all executions sleep", next(&client)).await?;
                output.print(&now, || {
                    let woken = now["DurableExecutionArn"].as_str().map(|arn| format!("wakes {arn}\n"));
                    format!("{}{}", woken.unwrap_or_default(), tell(&now))
                });
            }
        }
        Ok(())
    }
}

/// Moves the clock to the next wake-up, once it is known.
async fn next(client: &Client) -> anyhow::Result<Value> {
    let begun = Instant::now();
    loop {
        match client.ask("POST", "/everstep/clock/next", &Value::Null).await {
            Err(error) if is_at_work(&error) && begun.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
            Err(error) if is_at_work(&error) => {
                return Err(error).context("something is still at work; `everstep dev clock advance` does not wait");
            }
            answer => return answer,
        }
    }
}

fn is_at_work(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.message.contains(" is at work"))
}

fn tell(now: &Value) -> String {
    let time = now["Now"].as_f64().and_then(timeline::clock_time).unwrap_or_default();
    match now["AheadSeconds"].as_f64() {
        // A jump leaves out what had passed already; to the minute it is what was waited for.
        Some(ahead) if ahead > 3_600.0 => {
            format!("it is {time}, {} ahead\n", timeline::duration((ahead / 60.0).round() * 60.0))
        }
        Some(ahead) if ahead > 0.0 => format!("it is {time}, {} ahead\n", timeline::duration(ahead)),
        Some(_) | None => format!("it is {time}\n"),
    }
}
