//! Checkpoints: how many, how fast, and what each costs in processor time, flushes and bytes.

use std::time::Duration;

use crate::deployment::{create_native, take_steps_together};
use crate::disk::bare_flush;
use crate::figure::{Distribution, Figures, Unit};
use crate::process;
use crate::worker::{Job, Steps, now};

use super::Context;

/// How many executions take steps at the same time.
const CONCURRENCIES: [usize; 3] = [1, 16, 64];

/// The most steps of one execution, with room for the quota of operations.
const STEPS_MAX: usize = 2_900;

/// Time for processes to start, and for all executions to stand at the line, in milliseconds.
const RUN_UP_MILLIS: i64 = 2_000;

pub(super) async fn run(run: &Context) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    for concurrency in CONCURRENCIES {
        measure(run, concurrency, &mut figures).await?;
    }
    figures.note(
        "A step is one signed request that starts and succeeds it; at concurrency n, n executions run in n processes.",
    );
    figures.note(
        "Flushes count every wait of the store for the disk while the server ran, also those of starting and ending \
         executions and of moving the write-ahead log into the file.",
    );
    Ok(figures)
}

async fn measure(run: &Context, concurrency: usize, figures: &mut Figures) -> anyhow::Result<()> {
    let data = run.data(&format!("checkpoints-{concurrency}"));
    let server = run.binary.start(&data).await?;
    create_native(&server.client).await?;
    let job = |start_at: i64, millis: i64, steps_max| Job::Steps {
        prefill: 0,
        start_at,
        end_at: start_at + millis,
        steps_max,
    };
    // Every process is up, and has done what it does once.
    take_steps_together(&server.client, &job(now() + RUN_UP_MILLIS, 60_000, 3), concurrency).await?;

    let bare = bare_flush(run.scratch.path())?;
    let start_at = now() + RUN_UP_MILLIS / 4;
    let job = job(start_at, run.pick(8_000, 3_000), STEPS_MAX);
    let before = server.usage()?;
    let taken = take_steps_together(&server.client, &job, concurrency).await?;
    let after = server.usage()?;
    let resident = process::resident_bytes(server.pid)?;
    let statistics = server.stop().await?;

    let ended_at = taken.iter().map(|steps| steps.ended_at).max().unwrap_or(start_at + 1);
    let seconds = (ended_at - start_at) as f64 / 1e3;
    let latencies = latencies(&taken);
    let count = latencies.count() as f64;
    let requests = count + 3.0 * concurrency as f64;
    let at = |what: &str| (format!("checkpoints/{concurrency}/{what}"), format!("{concurrency} at a time: "));
    let mut add = |what, title: &str, value, unit| {
        let (id, prefix) = at(what);
        figures.add(id, prefix + title, value, unit);
    };
    add("rate", "checkpoints", count / seconds, Unit::PerSecond);
    add("p50", "latency, p50", latencies.percentile(50).as_secs_f64() * 1e3, Unit::Millis);
    add("p99", "latency, p99", latencies.percentile(99).as_secs_f64() * 1e3, Unit::Millis);
    add("bare-flush", "bare append + fdatasync, p50", bare.percentile(50).as_secs_f64() * 1e3, Unit::Millis);
    add("cpu", "server CPU of a checkpoint", (after.cpu - before.cpu).as_secs_f64() * 1e6 / count, Unit::Micros);
    let load_us: u64 = taken.iter().map(|steps| steps.cpu_us).sum();
    add("load-cpu", "CPU of the worker for it, beside", load_us as f64 / count, Unit::Micros);
    add("commits", "commits of a checkpoint", statistics.transactions as f64 / requests, Unit::Plain);
    add("flushes", "flushes of a checkpoint", statistics.flushes as f64 / requests, Unit::Plain);
    let written = (after.written_bytes - before.written_bytes) as f64;
    add("written", "written for a checkpoint", written / count, Unit::Bytes);
    add("resident", "resident memory at the end", resident as f64 / 1024.0 / 1024.0, Unit::Mebibytes);
    std::fs::remove_dir_all(&data)?;
    Ok(())
}

/// Returns how long the steps of all executions took.
pub(super) fn latencies(taken: &[Steps]) -> Distribution {
    let micros = taken.iter().flat_map(|steps| &steps.latencies_us);
    Distribution::of(micros.map(|micros| Duration::from_micros((*micros).into())).collect())
}
