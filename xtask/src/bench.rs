//! `cargo xtask bench`: builds what is measured and what measures, and lets `everstep-bench` do the rest.

use std::path::PathBuf;

use clap::Args;

use crate::run::{cargo, root, run, say, target};
use crate::test::{RUNTIMES, packages};

/// Measure the release build.
#[derive(Args)]
pub struct Bench {
    /// Measure only this; may be repeated: checkpoints, workflows, memory, startup, lateness, history, retention
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Measure for a shorter time, with fewer executions
    #[arg(long)]
    quick: bool,
    /// Keep data in this directory, whose disk is measured [default: target/bench]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

impl Bench {
    /// Measures. Only a whole run writes docs/benchmarks.md.
    pub fn run(self) -> anyhow::Result<()> {
        say("building everstep and what measures it");
        run(
            &cargo(),
            &["build", "--quiet", "--release", "--package", "everstep-cli", "--package", "everstep-bench"],
            &[],
        )?;
        packages()?;
        say("measuring");
        let path = |path: PathBuf| path.display().to_string();
        let mut arguments = vec![
            "--everstep".to_string(),
            path(target().join("release/everstep")),
            "--scratch".into(),
            path(self.scratch.unwrap_or_else(|| target().join("bench"))),
            "--runtimes".into(),
            path(root().join(RUNTIMES)),
            "--packages".into(),
            path(root().join("target/clients")),
            "--json".into(),
            path(target().join("bench.json")),
        ];
        if self.only.is_empty() && !self.quick {
            arguments.extend(["--page".into(), path(root().join("docs/benchmarks.md"))]);
        }
        arguments.extend(self.only.into_iter().flat_map(|name| ["--only".into(), name]));
        arguments.extend(self.quick.then(|| "--quick".to_string()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&path(target().join("release/everstep-bench")), &arguments, &[])
    }
}
