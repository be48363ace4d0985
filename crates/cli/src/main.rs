//! The `everstep` binary: reads the command line and hands over to one module for each command.

mod callback;
mod client;
mod demo;
mod dev;
mod executions;
mod output;
mod serve;
mod timeline;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// AWS Lambda Durable Functions that anyone can host.
#[derive(Parser)]
#[command(name = "everstep", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a server
    Serve(serve::Serve),
    /// Run a server for development: loopback, data in .everstep, and what to type next
    Dev(dev::Dev),
    /// See a workflow survive a crash, sleep, wait for an approval and finish
    Demo(demo::Demo),
    /// Look at executions
    Executions(executions::Executions),
    /// Complete a callback
    Callback(callback::Callback),
    /// Check that every stored log replays to the stored state (the server must not run)
    Verify(verify::Verify),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_logging(&arguments.command);
    let done = match arguments.command {
        Command::Serve(serve) => serve.run().await,
        Command::Dev(dev) => dev.run().await,
        Command::Demo(demo) => demo.run().await,
        Command::Executions(executions) => executions.run().await,
        Command::Callback(callback) => callback.run().await,
        Command::Verify(verify) => verify.run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("everstep: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Servers log to standard error; `RUST_LOG` says how much. Other commands speak for themselves.
fn start_logging(command: &Command) {
    let default = match command {
        Command::Serve(_) => "info",
        Command::Dev(_) => "warn",
        Command::Demo(_) | Command::Executions(_) | Command::Callback(_) | Command::Verify(_) => "error",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(output::stderr_has_colours())
        .init();
}
