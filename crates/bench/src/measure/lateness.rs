//! How late the user's code runs after a wait that ended, while many others sleep.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use everstep_core::event::{Event, Outcome};
use everstep_core::operation::wait;
use everstep_core::{Execution, Payload, Record};
use everstep_store::Executions;

use crate::deployment::create_native;
use crate::figure::{Distribution, Figures};
use crate::seed::{DUE_EVERY_MILLIS, Seeder};
use crate::worker::now;

use super::Context;

/// How many executions sleep all the while.
const SLEEPERS: usize = 10_000;

/// Time for the executions that fall due to be written, and for the server to start, in milliseconds.
const RUN_UP_MILLIS: i64 = 25_000;

/// Time for the last ones to end.
const RUN_OUT: Duration = Duration::from_secs(3);

pub(super) async fn run(run: &Context) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = run.data("lateness");
    let server = run.binary.start(&data).await?;
    create_native(&server.client).await?;
    server.stop().await?;

    let due = run.pick(5_000, 1_250);
    let seeder = Seeder::open(&data)?;
    seeder.sleepers(SLEEPERS).await?;
    let first = now() + RUN_UP_MILLIS;
    let ids = seeder.due(due, first).await?;
    drop(seeder);
    let server = run.binary.start(&data).await?;
    ensure!(now() < first, "this disk is too slow to prepare {due} executions in {RUN_UP_MILLIS} ms");
    let last = first + due as i64 * DUE_EVERY_MILLIS;
    tokio::time::sleep(Duration::from_millis(u64::try_from(last - now()).unwrap_or_default()) + RUN_OUT).await;
    server.stop().await?;

    let seeder = Seeder::open(&data)?;
    let (mut succeeded, mut user_code) = (Vec::new(), Vec::new());
    for id in ids {
        let records = seeder.store().load(id, u64::MAX).await?.context("an execution is lost")?;
        succeeded.push(wake(&records).context("an execution did not wake in time")?);
        user_code.push(answer(&records).context("an execution did not end in time")?);
    }
    drop(seeder);
    figures.add_latency("lateness/succeeded", "due → WaitSucceeded", &Distribution::of(succeeded));
    figures.add_latency("lateness/user-code", "due → the user's code runs", &Distribution::of(user_code));
    std::fs::remove_dir_all(&data)?;
    figures.note(format!(
        "{SLEEPERS} executions sleep on while {due} wake, 250 a second. WaitSucceeded goes by the time of the record, \
         which is committed before the function is invoked: the second figure holds the first one's commit as well.",
    ));
    Ok(figures)
}

/// How long after its end the wait was recorded as over.
fn wake(records: &[Record]) -> Option<Duration> {
    let events = || records.iter().flat_map(|record| record.events.iter().map(move |event| (record.at, event)));
    let ends_at = events().find_map(|(_, event)| match event {
        Event::Wait { event: wait::Event::Started { ends_at, .. }, .. } => Some(*ends_at),
        _ => None,
    })?;
    let woken = events().find(|(_, event)| matches!(event, Event::Wait { event: wait::Event::Succeeded, .. }))?;
    Some(Duration::from_millis(woken.0.millis_since(ends_at)))
}

/// What the function said of its lateness.
fn answer(records: &[Record]) -> Option<Duration> {
    let execution = Execution::replay(records)?;
    let Some(Outcome::Succeeded(Some(Payload::Inline(result)))) = execution.outcome() else { return None };
    Some(Duration::from_millis(result.parse().ok()?))
}
