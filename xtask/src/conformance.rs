//! `cargo xtask conformance`: AWS's conformance runner, unmodified, on handlers in each language.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::run::{run, say};
use crate::test;

/// Run AWS's conformance suite against the built server.
#[derive(Args)]
pub struct Conformance {
    /// Only this language; may be given several times
    #[arg(long)]
    language: Vec<Language>,
    /// Only this suite, for example `step`; may be given several times
    #[arg(long)]
    suite: Vec<String>,
    /// Run the templates of this directory instead of ours, for example AWS's own
    #[arg(long, value_name = "DIR", requires = "language")]
    handlers: Option<PathBuf>,
    /// Run the handlers in Rust by the SDK's test kit instead, without a server
    #[arg(long, conflicts_with_all = ["language", "suite", "handlers", "json"])]
    in_process: bool,
    /// Write all results to this file too, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Language {
    Python,
    Javascript,
    Java,
    Rust,
    /// Handlers written with AWS's preview of a Rust SDK; takes minutes to build
    RustAws,
}

impl Conformance {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<()> {
        if self.in_process {
            return in_process(&test::packages()?);
        }
        let python = test::set_up()?;
        test::sam_cli()?;
        say("AWS's conformance suite");
        let mut arguments = vec!["tests/conformance/conformance.py".to_owned()];
        for language in self.language {
            let language = language.to_possible_value().context("no language is hidden")?;
            arguments.extend(["--language".into(), language.get_name().into()]);
        }
        for suite in self.suite {
            arguments.extend(["--suite".into(), suite]);
        }
        if let Some(directory) = self.handlers {
            let directory = directory.canonicalize().with_context(|| format!("find `{}`", directory.display()))?;
            arguments.extend(["--handlers".into(), directory.display().to_string()]);
        }
        if let Some(file) = self.json {
            let file = std::path::absolute(&file).with_context(|| format!("find `{}`", file.display()))?;
            arguments.extend(["--json".into(), file.display().to_string()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&python, &arguments, &test::environment(&test::binary()))
    }
}

/// Runs the handlers in Rust in one process.
pub fn in_process(python: &str) -> anyhow::Result<()> {
    say("AWS's conformance suite, in process");
    run(python, &["tests/conformance/conformance.py", "--in-process"], &[])
}
