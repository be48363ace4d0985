//! Measures a server from outside, as its users meet it: the real binary as a child process, ordinary functions,
//! signed requests. Nothing here is a test; what a figure should be stands in [`aims`].
//!
//! The program is its own load: started as the `bootstrap` of a function it is the native [`worker`].
//! `cargo xtask bench` builds everything and runs it; start reading at [`measure`].

mod aims;
mod connection;
mod deployment;
mod disk;
mod figure;
mod machine;
mod measure;
mod process;
mod report;
mod restate;
mod seed;
mod server;
mod stub;
mod ten_steps;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use measure::Measure;

/// Measure a server.
#[derive(Parser)]
#[command(name = "everstep-bench", max_term_width = 100)]
struct Arguments {
    /// The release binary to measure
    #[arg(long, value_name = "FILE")]
    everstep: PathBuf,
    /// Keep data here; the disk below it is what is measured
    #[arg(long, value_name = "DIR")]
    scratch: PathBuf,
    /// Interpreters and SDKs that are installed already
    #[arg(long, value_name = "DIR")]
    runtimes: PathBuf,
    /// The code packages `python.zip` and `javascript.zip`
    #[arg(long, value_name = "DIR")]
    packages: PathBuf,
    /// Restate's server, for `rust`
    #[arg(long, value_name = "FILE", requires = "restate_service")]
    restate_server: Option<PathBuf>,
    /// The service of Restate that takes ten steps
    #[arg(long, value_name = "FILE")]
    restate_service: Option<PathBuf>,
    /// Measure only this; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<Measure>,
    /// Measure for a shorter time, with fewer executions
    #[arg(long)]
    quick: bool,
    /// Write the figures here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the page here
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match std::env::var("AWS_LAMBDA_RUNTIME_API") {
        Ok(_) if std::env::var("_HANDLER").as_deref() == Ok(ten_steps::HANDLER) => {
            one_thread().block_on(ten_steps::run()).map_err(anyhow::Error::from)
        }
        Ok(runtime_api) => one_thread().block_on(worker::run(&runtime_api)),
        Err(_) => many_threads().block_on(report::run(Arguments::parse())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn one_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts")
}

fn many_threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts")
}
