//! Chores of the repository: one module for each.

mod api;
mod bench;
mod check;
mod conformance;
mod direction;
mod generate;
mod run;
mod sdk;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Checks, tests and chores of the Everstep repository.
#[derive(Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check formatting, lints, docs, dependency direction, generated files, licences and bans
    Check,
    /// Ask the advisory database about the dependencies; says so if it cannot be reached
    Advisories,
    /// Build the Rust SDK with the oldest Rust that it is for, which rustup installs
    OldestRust,
    /// Lint and test the Rust SDK with every feature, those of AWS's crates too
    SdkFeatures,
    /// Set up and run the tests: all, or only some
    Test(test::Test),
    /// Kill the server again and again while executions run, and check that nothing is lost
    Chaos(test::Chaos),
    /// Run AWS's conformance suite with handlers in Python, JavaScript and Java: prints a table
    Conformance(conformance::Conformance),
    /// Record the command line at work: writes docs/recordings.md
    Record,
    /// Measure the release build: prints a table, writes target/bench.json and docs/benchmarks.md
    Bench(bench::Bench),
    /// Deploy the examples with SAM CLI, AWS CLI and CDK as they are, and print what passed
    AwsTools(test::AwsTools),
    /// Write what is generated: docs/limits.md, crates/sdk/api.txt
    Generate,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Check => check::check(),
        Chore::Advisories => check::advisories(),
        Chore::OldestRust => sdk::oldest(),
        Chore::SdkFeatures => sdk::features(),
        Chore::Test(test) => test.run(),
        Chore::Chaos(chaos) => chaos.run(),
        Chore::Conformance(conformance) => conformance.run(),
        Chore::Record => test::record(),
        Chore::Bench(bench) => bench.run(),
        Chore::AwsTools(tools) => tools.run(),
        Chore::Generate => generate::generate().and_then(|()| api::generate()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
