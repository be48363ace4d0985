//! Ten steps by the Rust SDK on the server, beside Restate's server and Rust SDK in the same run.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;

use super::Context;
use crate::deployment::{all, create_ten_steps, invoke_until};
use crate::figure::{Distribution, Figures, Unit};
use crate::process;
use crate::restate::Restate;
use crate::ten_steps::HANDLER;

/// How many executions run at the same time.
const CONCURRENCIES: [usize; 3] = [1, 16, 64];

/// How many steps an execution takes.
const STEPS: f64 = 10.0;

pub(super) async fn run(run: &Context) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let ours = everstep(run).await?;
    let default = restate(run, "restate", None).await?;
    let best = restate(run, "restate-2", Some(2)).await?;
    for taken in [&ours, &default, &best] {
        add(&mut figures, taken);
    }
    let (last, first) = (CONCURRENCIES.len() - 1, 0);
    let rates = |other: &System| ours.runs[last].steps_per_second / other.runs[last].steps_per_second;
    let title = "64 at a time: our steps for each of Restate's";
    figures.add("rust/ratio/default", format!("{title}, default"), rates(&default), Unit::Plain);
    figures.add("rust/ratio/2", format!("{title}, 2 partitions"), rates(&best), Unit::Plain);
    let p50 = |system: &System| system.runs[first].taken.percentile(50).as_secs_f64();
    let ratio = p50(&ours) / p50(&default).min(p50(&best));
    figures.add("rust/ratio/p50", "1 at a time: our median for Restate's better one", ratio, Unit::Plain);
    figures.note(
        "Restate's server is npm's `@restatedev/restate-server`, its service `crates/bench/restate` by the crate \
         `restate-sdk`. Both servers keep every step on disk before it is acknowledged, and share the machine with callers \
         and functions. CPU of functions is that of all their processes.",
    );
    Ok(figures)
}

/// A system that was measured.
struct System {
    id: &'static str,
    title: &'static str,
    runs: Vec<Run>,
}

/// What was measured at one concurrency.
struct Run {
    concurrency: usize,
    taken: Distribution,
    steps_per_second: f64,
    server_cpu_us: f64,
    function_cpu_us: f64,
}

async fn everstep(run: &Context) -> anyhow::Result<System> {
    let data = run.data("rust");
    let server = run.binary.start(&data).await?;
    create_ten_steps(&server.client).await?;
    let mut runs = Vec::new();
    for concurrency in CONCURRENCIES {
        let input = json!(0);
        let warm = Instant::now() + Duration::from_secs(2);
        invoke_until(&server.client, HANDLER, &input, concurrency, warm).await?;
        let cpu = || anyhow::Ok((server.usage()?.cpu, process::descendants_cpu(server.pid)?));
        let before = cpu()?;
        let begin = Instant::now();
        let end = begin + Duration::from_secs(run.pick(6, 3));
        let taken = invoke_until(&server.client, HANDLER, &input, concurrency, end).await?;
        runs.push(Run::of(concurrency, taken, begin.elapsed(), before, cpu()?));
    }
    server.stop().await?;
    std::fs::remove_dir_all(&data)?;
    Ok(System { id: "rust", title: "Everstep", runs })
}

async fn restate(run: &Context, id: &'static str, partitions: Option<u32>) -> anyhow::Result<System> {
    let data = run.data(id);
    let programs = run.restate.as_ref().context("tell where Restate is by --restate-server and --restate-service")?;
    let restate = Restate::start(programs, &data, partitions).await?;
    let mut runs = Vec::new();
    for concurrency in CONCURRENCIES {
        call_until(&restate, concurrency, Instant::now() + Duration::from_secs(2)).await?;
        let before = restate.cpu()?;
        let begin = Instant::now();
        let end = begin + Duration::from_secs(run.pick(6, 3));
        let taken = call_until(&restate, concurrency, end).await?;
        runs.push(Run::of(concurrency, taken, begin.elapsed(), before, restate.cpu()?));
    }
    restate.stop().await?;
    std::fs::remove_dir_all(&data)?;
    let title = if partitions.is_some() { "Restate, 2 partitions" } else { "Restate, default" };
    Ok(System { id, title, runs })
}

/// Invokes the service again and again, `concurrency` at a time, until `end`. Returns how long each took.
async fn call_until(restate: &Restate, concurrency: usize, end: Instant) -> anyhow::Result<Distribution> {
    let callers: Vec<_> = (0..concurrency).map(|_| restate.caller()).collect();
    let calls = callers.into_iter().map(|mut caller| async move {
        let mut taken = Vec::new();
        while Instant::now() < end {
            let before = Instant::now();
            caller.invoke().await?;
            taken.push(before.elapsed());
        }
        anyhow::Ok(taken)
    });
    Ok(Distribution::of(all(calls).await?.concat()))
}

impl Run {
    /// Puts together what was measured; processor times are those of server and functions.
    fn of(
        concurrency: usize,
        taken: Distribution,
        elapsed: Duration,
        before: (Duration, Duration),
        after: (Duration, Duration),
    ) -> Self {
        let steps = taken.count() as f64 * STEPS;
        let for_each = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() * 1e6 / steps;
        let steps_per_second = steps / elapsed.as_secs_f64();
        let (server_cpu_us, function_cpu_us) = (for_each(before.0, after.0), for_each(before.1, after.1));
        Self { concurrency, taken, steps_per_second, server_cpu_us, function_cpu_us }
    }
}

fn add(figures: &mut Figures, system: &System) {
    for run in &system.runs {
        let (id, title) =
            (format!("{}/{}", system.id, run.concurrency), format!("{}, {} at a time", system.title, run.concurrency));
        let mut add = |what: &str, name: &str, value, unit| {
            figures.add(format!("{id}/{what}"), format!("{title}: {name}"), value, unit)
        };
        add("executions", "executions", run.steps_per_second / STEPS, Unit::PerSecond);
        add("rate", "steps", run.steps_per_second, Unit::PerSecond);
        add("cpu", "server CPU of a step", run.server_cpu_us, Unit::Micros);
        add("function-cpu", "CPU of the functions for it", run.function_cpu_us, Unit::Micros);
        figures.add_latency(&id, &format!("{title}: latency"), &run.taken);
    }
}
