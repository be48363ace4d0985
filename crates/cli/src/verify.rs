//! `everstep verify`: does every stored log replay to the stored state?

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use everstep_core::Execution;
use everstep_store::sqlite::Sqlite;
use everstep_store::{Executions as _, ListOrder, ListPosition, ListQuery, Listed};
use serde_json::json;

/// How many executions are read at a time.
const PAGE: usize = 500;

/// Check a data directory.
#[derive(Args)]
pub struct Verify {
    /// The data directory
    #[arg(long, env = "EVERSTEP_DATA", value_name = "DIR", default_value = ".everstep")]
    data: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    /// Checks every execution, and says what it found.
    pub async fn run(self) -> anyhow::Result<()> {
        ensure!(self.data.is_dir(), "{} is not a directory", self.data.display());
        let Found { executions, records, events, faults } = check(&self.data).await?;
        if self.json {
            let summary = json!({"executions": executions, "records": records, "events": events, "faults": faults});
            println!("{}", serde_json::to_string_pretty(&summary)?);
        } else {
            println!("{executions} executions, {records} records, {events} events of history");
            faults.iter().for_each(|fault| println!("{fault}"));
        }
        ensure!(faults.is_empty(), "{} executions are not as their logs say", faults.len());
        Ok(())
    }
}

/// What is in a data directory.
pub struct Found {
    /// How many executions.
    pub executions: u64,
    records: u64,
    events: u64,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// Checks that every stored log replays to the stored state.
pub async fn check(data: &Path) -> anyhow::Result<Found> {
    let store = Sqlite::open(data)?;
    let (mut executions, mut records, mut events) = (0_u64, 0_u64, 0_u64);
    let mut faults = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(&query(after)).await?;
        let Some(last) = page.last() else { break };
        after = Some(ListPosition { started_at: last.new.started_at, execution: last.execution });
        for listed in &page {
            let log = store.load(listed.execution, u64::MAX).await?.unwrap_or_default();
            executions += 1;
            records += log.len() as u64;
            events += log.iter().map(|record| record.event_ids).sum::<u64>();
            faults.extend(fault(listed, &log).map(|fault| format!("{}: {fault}", listed.execution)));
        }
    }
    Ok(Found { executions, records, events, faults })
}

fn query(after: Option<ListPosition>) -> ListQuery {
    ListQuery {
        function: None,
        version: None,
        name: None,
        status: None,
        started_after: None,
        started_before: None,
        order: ListOrder::Ascending,
        after,
        limit: PAGE,
    }
}

/// Returns what is wrong with an execution: versions and event ids are dense, and the head says what the log says.
fn fault(listed: &Listed, log: &[everstep_core::Record]) -> Option<String> {
    let (mut version, mut event_id) = (1, 1);
    for record in log {
        if (record.version, record.first_event_id) != (version, event_id) {
            return Some(format!("record {} does not follow record {}", record.version, version - 1));
        }
        version += 1;
        event_id += record.event_ids;
    }
    let Some(execution) = Execution::replay(log) else { return Some("there is no log".into()) };
    let (status, ended_at) = (execution.status(), execution.ended_at());
    if (status, ended_at) != (listed.status, listed.ended_at) {
        return Some(format!("the log says {status}, the head says {}", listed.status));
    }
    None
}
