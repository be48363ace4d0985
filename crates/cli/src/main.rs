//! The `everstep` binary: reads the command line and hands over to one module for each command.

mod backup;
mod build;
mod callback;
mod client;
mod clock;
mod code;
mod demo;
mod deploy;
mod dev;
mod executions;
mod find;
mod follow;
mod functions;
mod invoke;
mod keys;
mod logs;
mod moments;
mod output;
mod runtimes;
mod serve;
mod timeline;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// AWS Lambda Durable Functions that anyone can host.
#[derive(Parser)]
#[command(
    name = "everstep",
    version,
    about,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 failed, 2 the command line makes no sense.\n\
                  Commands that ask a server find it by --endpoint, AWS_ENDPOINT_URL, or the data directory (--data)."
)]
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
    /// Build and deploy a SAM or CloudFormation template in one go
    Deploy(deploy::Deploy),
    /// Invoke a function
    Invoke(invoke::Invoke),
    /// Look at executions, stop, pause, resume and delete them
    Executions(executions::Executions),
    /// Complete a callback
    Callback(callback::Callback),
    /// List, show, create, update and delete functions
    Functions(functions::Functions),
    /// Show what functions print
    Logs(logs::Logs),
    /// See and install what functions run on
    Runtimes(runtimes::Runtimes),
    /// List, create and revoke access keys
    Keys(keys::Keys),
    /// Write a backup of a server that runs
    Backup(backup::Backup),
    /// Make a data directory of a backup
    Restore(backup::Restore),
    /// Check that every stored log replays to the stored state (the server must not run)
    Verify(verify::Verify),
    /// Print a script that completes commands in a shell
    #[command(
        after_help = "Example:\n  everstep completion bash > ~/.local/share/bash-completion/completions/everstep"
    )]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    // Servers start function processes by way of this very program.
    everstep_server::sandbox::enter_if_asked();
    let arguments = Arguments::parse();
    start_logging(&arguments.command);
    match run(arguments.command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("everstep: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does what is asked for. Returns whether what was invoked or watched did well.
#[tokio::main]
async fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Serve(serve) => serve.run().await?,
        Command::Dev(dev) => dev.run().await?,
        Command::Demo(demo) => demo.run().await?,
        Command::Deploy(deploy) => return deploy.run().await,
        Command::Invoke(invoke) => return invoke.run().await,
        Command::Executions(executions) => return executions.run().await,
        Command::Callback(callback) => callback.run().await?,
        Command::Functions(functions) => functions.run().await?,
        Command::Logs(logs) => logs.run().await?,
        Command::Runtimes(runtimes) => runtimes.run().await?,
        Command::Keys(keys) => keys.run().await?,
        Command::Backup(backup) => backup.run().await?,
        Command::Restore(restore) => restore.run().await?,
        Command::Verify(verify) => verify.run().await?,
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "everstep", &mut script);
            output::say(&String::from_utf8(script)?);
        }
    }
    Ok(true)
}

/// Servers log to standard error; `RUST_LOG` says how much. Other commands speak for themselves.
fn start_logging(command: &Command) {
    let default = match command {
        Command::Serve(_) => "info",
        Command::Dev(dev) if dev.is_server() => "warn",
        Command::Dev(_)
        | Command::Demo(_)
        | Command::Deploy(_)
        | Command::Invoke(_)
        | Command::Executions(_)
        | Command::Callback(_)
        | Command::Functions(_)
        | Command::Logs(_)
        | Command::Runtimes(_)
        | Command::Keys(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Verify(_)
        | Command::Completion { .. } => "error",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // It reports as errors what clients may well ask for, such as objects that are not there, and logs whole requests.
    let filter = filter.add_directive("s3s=off".parse().expect("it is a directive"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(output::stderr_has_colours())
        .init();
}
