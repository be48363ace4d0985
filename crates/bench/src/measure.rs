//! The measures, one file each. Each starts servers of its own on fresh data, so that any of them can be left out.

mod checkpoints;
mod deploy;
mod history;
mod lateness;
mod memory;
mod retention;
mod rust;
mod startup;
mod workflows;

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;
use tempfile::TempDir;

use crate::figure::Figures;
use crate::restate::Programs;
use crate::server::Binary;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Checkpoints a second, their latency, and what each costs
    Checkpoints,
    /// Executions of ten steps, from the caller's side, and beside a stub
    Workflows,
    /// Resident memory: idle, under load, for each sleeping execution
    Memory,
    /// From the start of the process to its first answer
    Startup,
    /// From the time a wait ends to the user's code
    Lateness,
    /// What a checkpoint costs at the end of a long history
    History,
    /// Executions of ten steps by the Rust SDK, beside Restate
    Rust,
    /// Checkpoints while a hundred thousand executions are forgotten
    Retention,
    /// Eighty functions by CloudFormation, and what deploying again and again leaves
    Deploy,
}

/// What every measure works with.
pub struct Context {
    /// The server's program.
    pub binary: Binary,
    /// Where data lies; removed in the end.
    pub scratch: TempDir,
    /// Where the code packages are.
    pub packages: PathBuf,
    /// The programs of Restate, if they are there.
    pub restate: Option<Programs>,
    /// Whether to be quick.
    pub quick: bool,
}

impl Context {
    /// Returns a number that is smaller when it must be quick.
    pub fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Returns a data directory that nothing else uses.
    pub fn data(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

impl Measure {
    /// Returns the title of its figures.
    pub fn title(self) -> &'static str {
        match self {
            Self::Checkpoints => "Checkpoints",
            Self::Workflows => "Workflows of ten steps",
            Self::Memory => "Memory",
            Self::Startup => "Start to serving",
            Self::Lateness => "Lateness",
            Self::History => "Length of history",
            Self::Rust => "Ten steps by the Rust SDK, beside Restate",
            Self::Retention => "Retention",
            Self::Deploy => "Deploying",
        }
    }

    /// Measures.
    pub async fn run(self, run: &Context) -> anyhow::Result<Figures> {
        match self {
            Self::Checkpoints => checkpoints::run(run).await,
            Self::Workflows => workflows::run(run).await,
            Self::Memory => memory::run(run).await,
            Self::Startup => startup::run(run).await,
            Self::Lateness => lateness::run(run).await,
            Self::History => history::run(run).await,
            Self::Rust => rust::run(run).await,
            Self::Retention => retention::run(run).await,
            Self::Deploy => deploy::run(run).await,
        }
    }
}
