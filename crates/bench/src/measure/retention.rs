//! Checkpoints while the server forgets executions whose retention is over.

use std::time::Instant;

use everstep_store::{Executions, ListOrder, ListQuery};

use crate::deployment::{create_native, take_steps_together};
use crate::figure::{Figures, Unit};
use crate::seed::Seeder;
use crate::worker::{Job, now};

use super::Context;
use super::checkpoints::latencies;

/// How many executions take steps meanwhile.
const CONCURRENCY: usize = 16;

/// The most steps of one execution.
const STEPS_MAX: usize = 2_900;

pub(super) async fn run(run: &Context) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = run.data("retention");
    let millis = run.pick(10_000, 4_000);
    let server = run.binary.start(&data).await?;
    create_native(&server.client).await?;
    let job = || Job::Steps { prefill: 0, start_at: now() + 500, end_at: now() + 500 + millis, steps_max: STEPS_MAX };
    take_steps_together(
        &server.client,
        &Job::Steps { prefill: 0, start_at: 0, end_at: i64::MAX, steps_max: 1 },
        CONCURRENCY,
    )
    .await?;
    let alone = latencies(&take_steps_together(&server.client, &job(), CONCURRENCY).await?);
    server.stop().await?;

    let expired = run.pick(100_000, 10_000);
    Seeder::open(&data)?.expired(expired).await?;
    let begin = Instant::now();
    let server = run.binary.start(&data).await?;
    let beside = latencies(&take_steps_together(&server.client, &job(), CONCURRENCY).await?);
    server.stop().await?;
    let seconds = begin.elapsed().as_secs_f64();
    let left = remaining(&data, expired).await?;

    let forgotten = expired.saturating_sub(left) as f64;
    figures.add_latency("retention/alone", &format!("checkpoints alone, {CONCURRENCY} at a time: latency"), &alone);
    figures.add_latency("retention/beside", "checkpoints beside the forgetting: latency", &beside);
    let rate = |count: usize| count as f64 / (millis as f64 / 1e3);
    figures.add("retention/alone/rate", "checkpoints alone", rate(alone.count()), Unit::PerSecond);
    figures.add("retention/beside/rate", "checkpoints beside the forgetting", rate(beside.count()), Unit::PerSecond);
    figures.add("retention/rate", format!("executions forgotten, of {expired}"), forgotten / seconds, Unit::PerSecond);
    figures.add("retention/left", "executions that were left at the end", left as f64, Unit::Plain);
    std::fs::remove_dir_all(&data)?;
    figures.note(
        "The server starts on a store in which all of them are overdue: that is the worst case, not a daily one.",
    );
    Ok(figures)
}

/// Counts the executions of the store that are older than a day.
async fn remaining(data: &std::path::Path, at_most: usize) -> anyhow::Result<usize> {
    let seeder = Seeder::open(data)?;
    let yesterday = everstep_core::Timestamp::from_millis(now() - 86_400_000);
    let query = ListQuery {
        function: None,
        version: None,
        name: None,
        status: None,
        started_after: None,
        started_before: Some(yesterday),
        order: ListOrder::Ascending,
        after: None,
        limit: at_most,
    };
    Ok(seeder.store().list(&query).await?.len())
}
