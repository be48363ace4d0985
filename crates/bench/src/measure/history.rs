//! What a checkpoint costs when a few operations are recorded, and when nearly all that there may be.

use std::time::Duration;

use crate::deployment::{create_native, take_steps};
use crate::figure::{Figures, Unit};
use crate::worker::{Job, now};

use super::Context;
use super::checkpoints::latencies;

/// How many operations there are before the clock runs.
const LENGTHS: [usize; 2] = [10, 2_850];

/// How many steps are timed, up to the quota of operations.
const STEPS: usize = 100;

/// Time to record what is there before, in milliseconds.
const RUN_UP_MILLIS: i64 = 600;

pub(super) async fn run(run: &Context) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = run.data("history");
    let server = run.binary.start(&data).await?;
    create_native(&server.client).await?;
    let mut cpu = [Duration::ZERO; LENGTHS.len()];
    let mut taken = [Vec::new(), Vec::new()];
    // By turns, so that whatever else the machine does falls on both.
    for _ in 0..run.pick(20, 5) {
        for (position, prefill) in LENGTHS.into_iter().enumerate() {
            let start_at = now() + RUN_UP_MILLIS;
            let job = Job::Steps { prefill, start_at, end_at: i64::MAX, steps_max: STEPS };
            let client = server.client.clone();
            let execution = tokio::spawn(async move { take_steps(&client, &job).await });
            tokio::time::sleep(Duration::from_millis((start_at - now()).unsigned_abs())).await;
            let before = server.usage()?.cpu;
            taken[position].push(execution.await??);
            cpu[position] += server.usage()?.cpu - before;
        }
    }
    server.stop().await?;
    std::fs::remove_dir_all(&data)?;
    let median = taken.each_ref().map(|taken| latencies(taken).percentile(50).as_secs_f64() * 1e6);
    let count = taken.each_ref().map(|taken| latencies(taken).count() as f64);
    let mut micros = [0.0; LENGTHS.len()];
    for (position, length) in LENGTHS.into_iter().enumerate() {
        micros[position] = cpu[position].as_secs_f64() * 1e6 / count[position];
        figures.add(
            format!("history/{length}/cpu"),
            format!("server CPU of a checkpoint after {length} operations"),
            micros[position],
            Unit::Micros,
        );
        figures.add(
            format!("history/{length}/p50"),
            format!("latency after {length} operations, p50"),
            median[position],
            Unit::Micros,
        );
    }
    figures.add("history/ratio/cpu", "ratio of server CPU", micros[1] / micros[0], Unit::Plain);
    figures.add("history/ratio/p50", "ratio of latency", median[1] / median[0], Unit::Plain);
    figures.note(format!(
        "{STEPS} steps each time, so the longer histories go from {} to {} operations.",
        LENGTHS[1],
        LENGTHS[1] + STEPS
    ));
    Ok(figures)
}
