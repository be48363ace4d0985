//! From the start of the process to the answer to its first signed request.

use std::path::Path;

use crate::figure::{Distribution, Figures, Unit};
use crate::seed::Seeder;

use super::Context;

/// How often a server is started on each store.
const STARTS: usize = 5;

pub(super) async fn run(run: &Context) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = run.data("startup");
    let first = run.binary.start(&data).await?;
    let new = first.ready_after;
    first.stop().await?;
    figures.add("startup/new", "on a new data directory", new.as_secs_f64() * 1e3, Unit::Millis);
    figures.add_latency("startup/empty", "on an empty store", &starts(run, &data).await?);
    let sleepers = run.pick(100_000, 10_000);
    Seeder::open(&data)?.sleepers(sleepers).await?;
    let title = format!("with {sleepers} sleeping executions");
    figures.add_latency(&format!("startup/{sleepers}"), &title, &starts(run, &data).await?);
    std::fs::remove_dir_all(&data)?;
    Ok(figures)
}

async fn starts(run: &Context, data: &Path) -> anyhow::Result<Distribution> {
    let mut taken = Vec::new();
    for _ in 0..STARTS {
        let server = run.binary.start(data).await?;
        taken.push(server.ready_after);
        server.stop().await?;
    }
    Ok(Distribution::of(taken))
}
