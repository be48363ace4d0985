//! `cargo xtask test`: everything, set up from nothing.

use std::fs;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::run::{cargo, root, run, say, target};
use crate::{conformance, tools};

/// Where the tests keep interpreters and SDKs, so that they are installed once.
pub const RUNTIMES: &str = "target/test-runtimes";

/// The release on PyPI that has AWS's requirements for tracing.
const OTEL_REQUIREMENTS: &str = "aws-durable-execution-conformance-tests-otel==0.2.0";

/// How examples in Rust are built: apart from the workspace, as their users build them, but with one another's
/// dependencies, and without taking pains. The client tests, which deploy them, build them alike.
const EXAMPLES: [(&str, &str); 3] =
    [("CARGO_TARGET_DIR", "target/examples"), ("CARGO_INCREMENTAL", "0"), ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")];

/// Set up and run the tests.
#[derive(Args)]
pub struct Test {
    /// Only this part
    #[arg(long)]
    only: Option<Part>,
    /// Only tests whose names contain this
    filter: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    /// The tests of the crates, with real processes
    Unit,
    /// The tests with AWS's own clients and SDKs
    Clients,
    /// The examples in Java: only if they are named, because not every Maven has AWS's SDK for Java
    Java,
}

/// Kill the server again and again while executions run.
#[derive(Args)]
pub struct Chaos {
    /// How often the server is killed
    #[arg(long, default_value_t = 50)]
    kills: u32,
    /// How many executions run
    #[arg(long, default_value_t = 200)]
    executions: u32,
    /// Repeat a run by the seed that it printed
    #[arg(long)]
    seed: Option<u64>,
}

/// Deploy the examples with AWS's tools.
#[derive(Args)]
pub struct AwsTools {
    /// Only this tool: sam, aws or cdk
    #[arg(long)]
    only: Option<String>,
}

impl Test {
    /// Runs them.
    pub fn run(self) -> anyhow::Result<()> {
        match self.only {
            None => {
                self.unit()?;
                self.clients()?;
            }
            Some(Part::Unit) => self.unit()?,
            Some(Part::Clients) => self.clients()?,
            Some(Part::Java) => self.java()?,
        }
        println!("\nall tests pass");
        Ok(())
    }

    fn unit(&self) -> anyhow::Result<()> {
        // The tests of `everstep-otel` read AWS's requirements from it; nothing of it is run, so any Python will do.
        tools::python_with("otel", OTEL_REQUIREMENTS, &["--no-deps", "--ignore-requires-python", OTEL_REQUIREMENTS])?;
        say("tests of the crates");
        let mut arguments = vec!["test", "--workspace", "--quiet"];
        arguments.extend(self.filter.as_deref());
        run(&cargo(), &arguments, &[])?;
        say("tests of the examples in Rust");
        for example in rust_examples()? {
            let mut arguments = vec!["test", "--release", "--quiet", "--manifest-path", &example];
            arguments.extend(self.filter.as_deref());
            run(&cargo(), &arguments, &EXAMPLES)?;
        }
        Ok(())
    }

    fn clients(&self) -> anyhow::Result<()> {
        let python = set_up()?;
        sam_cli()?;
        say("tests with AWS's clients and SDKs");
        self.pytest(&python, &["-n", "4"])?;
        println!("left out: the examples in Java; `cargo xtask test --only java` runs them");
        if self.filter.is_none() {
            conformance::in_process(&python)?;
            Chaos { kills: 3, executions: 20, seed: None }.with(&python)?;
        }
        Ok(())
    }

    fn java(&self) -> anyhow::Result<()> {
        let python = set_up()?;
        say("the examples in Java");
        // One after the other: Mavens that fetch the same at once would be in each other's way.
        self.pytest(&python, &["-m", "java"])
    }

    fn pytest(&self, python: &str, options: &[&str]) -> anyhow::Result<()> {
        let mut arguments = vec!["-m", "pytest", "--quiet", "-c", "tests/pyproject.toml", "tests/clients"];
        arguments.extend(options);
        if let Some(filter) = &self.filter {
            arguments.extend(["-k", filter]);
        }
        run(python, &arguments, &environment(&binary()))
    }
}

impl Chaos {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<()> {
        let python = set_up()?;
        self.with(&python)
    }

    fn with(&self, python: &str) -> anyhow::Result<()> {
        say(&format!("chaos: {} executions, {} kills", self.executions, self.kills));
        let (kills, executions) = (self.kills.to_string(), self.executions.to_string());
        let seed = self.seed.map(|seed| seed.to_string());
        let mut arguments = vec!["tests/chaos/chaos.py", "--kills", &kills, "--executions", &executions];
        if let Some(seed) = &seed {
            arguments.extend(["--seed", seed]);
        }
        run(python, &arguments, &environment(&binary()))
    }
}

impl AwsTools {
    /// Runs it.
    pub fn run(self) -> anyhow::Result<()> {
        let python = set_up()?;
        let [sam, aws] = [sam_cli()?, python.replace("/bin/python", "/bin/aws")];
        say("deploying the examples with AWS's tools");
        let mut arguments = vec!["tests/tools/aws_tools.py", "--sam", &sam, "--aws", &aws];
        if let Some(only) = &self.only {
            arguments.extend(["--only", only]);
        }
        run(&python, &arguments, &environment(&binary()))
    }
}

/// Returns the manifests of the examples in Rust, each with the versions beside it that the workspace has tried.
fn rust_examples() -> anyhow::Result<Vec<String>> {
    let mut manifests = Vec::new();
    for example in fs::read_dir(root().join("examples"))? {
        let project = example?.path().join("rust");
        if project.is_dir() {
            let lock = project.join("Cargo.lock");
            if !lock.exists() {
                fs::copy(root().join("Cargo.lock"), &lock)
                    .with_context(|| format!("cannot write {}", lock.display()))?;
            }
            manifests.push(project.join("Cargo.toml").display().to_string());
        }
    }
    manifests.sort();
    Ok(manifests)
}

/// Installs SAM CLI. Returns its program.
pub fn sam_cli() -> anyhow::Result<String> {
    let file = "tests/tools/requirements.txt";
    let requirements = fs::read_to_string(root().join(file)).with_context(|| format!("cannot read {file}"))?;
    let python = tools::python_with("tools/sam", &requirements, &["--requirement", file])?;
    Ok(python.replace("/bin/python", "/bin/sam"))
}

/// Records the command line at work.
pub fn record() -> anyhow::Result<()> {
    let python = set_up()?;
    say("recording the command line");
    run(&python, &["tests/recordings/record.py"], &environment(&binary()))
}

/// Returns the binary under test, wherever cargo was told to build.
pub fn binary() -> String {
    target().join("debug/everstep").display().to_string()
}

/// Returns what the tests' Python is told.
pub fn environment(binary: &str) -> [(&'static str, &str); 2] {
    [("PYTHONDONTWRITEBYTECODE", "1"), ("EVERSTEP_BINARY", binary)]
}

/// Gets everything ready that the client tests need. Returns the Python to run them with.
pub fn set_up() -> anyhow::Result<String> {
    say("building everstep");
    // In one go and of the whole workspace: another choice of packages has other features, and compiles every crate again.
    let binaries = ["--bin", "everstep", "--bin", "conformance-handlers"];
    let examples = ["--example", "transform", "--example", "composed"];
    run(&cargo(), &[&["build", "--quiet", "--workspace"], &binaries[..], &examples].concat(), &[])?;
    packages()
}

/// Builds the code packages of the functions. Returns the Python that has AWS's clients.
pub fn packages() -> anyhow::Result<String> {
    fs::create_dir_all(root().join(RUNTIMES)).with_context(|| format!("cannot create {RUNTIMES}"))?;
    let file = "tests/clients/requirements.txt";
    let requirements = fs::read_to_string(root().join(file)).with_context(|| format!("cannot read {file}"))?;
    let python = tools::python_with("clients/venv", &requirements, &["--requirement", file])?;
    run(&python, &["tests/clients/packages.py"], &[])?;
    Ok(python)
}
