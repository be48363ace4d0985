//! `cargo xtask bench`: builds what is measured and what measures, and lets `everstep-bench` do the rest.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::run::{cargo, root, run, say, target};
use crate::test::{RUNTIMES, packages};

/// The release of Restate's server that is measured beside.
const RESTATE: &str = "@restatedev/restate-server@1.7.12";

/// Measure the release build.
#[derive(Args)]
pub struct Bench {
    /// Measure only this; may be repeated: checkpoints, workflows, memory, startup, lateness, history, rust,
    /// retention, deploy
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
        if self.only.is_empty() || self.only.iter().any(|name| name == "rust") {
            let (server, service) = restate()?;
            arguments.extend(["--restate-server".into(), path(server), "--restate-service".into(), path(service)]);
        }
        if self.only.is_empty() && !self.quick {
            arguments.extend(["--page".into(), path(root().join("docs/benchmarks.md"))]);
        }
        arguments.extend(self.only.into_iter().flat_map(|name| ["--only".into(), name]));
        arguments.extend(self.quick.then(|| "--quick".to_string()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&path(target().join("release/everstep-bench")), &arguments, &[])
    }
}

/// Installs Restate's server, and builds the service that takes ten steps on it.
fn restate() -> anyhow::Result<(PathBuf, PathBuf)> {
    say("installing Restate's server and building a service of its Rust SDK");
    let tools = root().join("target/tools/restate");
    std::fs::create_dir_all(&tools)?;
    run(
        "npm",
        &["install", "--silent", "--no-fund", "--no-audit", "--prefix", &tools.display().to_string(), RESTATE],
        &[],
    )?;
    let built = target().join("restate");
    let manifest = "crates/bench/restate/Cargo.toml";
    let target_directory = built.display().to_string();
    run(
        &cargo(),
        &["build", "--quiet", "--release", "--manifest-path", manifest, "--target-dir", &target_directory],
        &[],
    )?;
    Ok((restate_server(&tools.join("node_modules/@restatedev"))?, built.join("release/restate-ten-steps")))
}

/// Finds the program itself: what npm puts into `.bin` only starts it, and would be measured in its place.
fn restate_server(packages: &Path) -> anyhow::Result<PathBuf> {
    let entries = std::fs::read_dir(packages).with_context(|| format!("cannot read {}", packages.display()))?;
    let mut programs = entries.filter_map(|entry| Some(entry.ok()?.path().join("bin/restate-server")));
    programs.find(|program| program.is_file()).context("npm has no server of Restate for this kind of machine")
}
