//! What Linux knows of a process, read below `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// What a process has used so far.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Processor time, in user space and in the kernel.
    pub cpu: Duration,
    /// Bytes that it caused to be written to disks.
    pub written_bytes: u64,
}

/// Reads what a process has used.
pub fn usage(pid: u32) -> anyhow::Result<Usage> {
    let stat = read(pid, "stat")?;
    // The name of the program may hold anything, also blanks and brackets; the fields after it are numbers.
    let fields: Vec<&str> = stat.rsplit_once(')').context("no fields")?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok()).context("no such field");
    let cpu = (ticks(11)? + ticks(12)?) as f64 / rustix::param::clock_ticks_per_second() as f64;
    Ok(Usage { cpu: Duration::from_secs_f64(cpu), written_bytes: number(&read(pid, "io")?, "write_bytes:")? })
}

/// Returns the bytes of memory that a process has resident.
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    Ok(number(&read(pid, "smaps_rollup")?, "Rss:")? * 1024)
}

fn read(pid: u32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}: has the server died?"))
}

fn number(text: &str, label: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label)).with_context(|| format!("no {label}"))?;
    line.split_whitespace().next().and_then(|value| value.parse().ok()).with_context(|| format!("{label} is no number"))
}
