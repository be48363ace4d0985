//! What Linux knows of a process, read below `/proc`.

use std::collections::HashMap;
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

/// Returns the processor time of all processes that a process started, and those started, and have not ended.
pub fn descendants_cpu(pid: u32) -> anyhow::Result<Duration> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may have ended since.
        let Ok(stat) = read(process, "stat") else { continue };
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        children.entry(parent.context("no parent")?).or_default().push(process);
    }
    let mut cpu = Duration::ZERO;
    let mut waiting = vec![pid];
    while let Some(parent) = waiting.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            cpu += usage(child).map(|usage| usage.cpu).unwrap_or_default();
            waiting.push(child);
        }
    }
    Ok(cpu)
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
