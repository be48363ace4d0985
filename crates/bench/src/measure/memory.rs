//! Resident memory, and how it grows with executions that sleep.

use std::time::Duration;

use crate::figure::{Figures, Unit};
use crate::process;
use crate::seed::Seeder;

use super::Context;

/// How long a server is left alone before its memory is read: it has looked through what is due by then.
const SETTLE: Duration = Duration::from_secs(6);

pub(super) async fn run(run: &Context) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = run.data("memory");
    run.binary.start(&data).await?.stop().await?;
    let idle = settled(run, &data).await?;
    figures.add("memory/idle", "idle, on an empty store", idle / 1024.0 / 1024.0, Unit::Mebibytes);
    let mut sleepers = 0;
    for total in run.pick([10_000, 100_000], [1_000, 10_000]) {
        Seeder::open(&data)?.sleepers(total - sleepers).await?;
        sleepers = total;
        let resident = settled(run, &data).await?;
        let title = format!("{total} sleeping executions, after a restart");
        figures.add(format!("memory/{total}"), title, resident / 1024.0 / 1024.0, Unit::Mebibytes);
        let growth = (resident - idle).max(0.0) / total as f64;
        figures.add(
            format!("memory/sleeper/{total}"),
            format!("growth for each of {total} sleepers"),
            growth,
            Unit::Bytes,
        );
    }
    std::fs::remove_dir_all(&data)?;
    figures.note("Sleepers are made by the engine's own commands and commits, without a process around them.");
    Ok(figures)
}

async fn settled(run: &Context, data: &std::path::Path) -> anyhow::Result<f64> {
    let server = run.binary.start(data).await?;
    tokio::time::sleep(SETTLE).await;
    let resident = process::resident_bytes(server.pid)?;
    server.stop().await?;
    Ok(resident as f64)
}
