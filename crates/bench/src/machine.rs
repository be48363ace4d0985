//! What the figures were found on.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// Returns machine and versions, by what they are of.
pub fn facts() -> BTreeMap<&'static str, String> {
    let system = rustix::system::uname();
    let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    BTreeMap::from([
        ("date", jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()),
        ("processor", processor()),
        ("processors", std::thread::available_parallelism().map_or_else(|_| "?".into(), |count| count.to_string())),
        ("memory", memory.map_or_else(|| "?".into(), |kib| format!("{:.1} GiB", kib / 1024.0 / 1024.0))),
        ("system", format!("{} {} {}", text(system.sysname()), text(system.release()), text(system.machine()))),
        ("everstep", format!("{} ({})", env!("CARGO_PKG_VERSION"), said("git", &["describe", "--always", "--dirty"]))),
        ("rustc", said("rustc", &["--version"])),
        ("python", said("python3", &["--version"])),
    ])
}

fn processor() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "?".into(), |(_, name)| name.trim().into())
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    output.map_or_else(|| "?".into(), |output| String::from_utf8_lossy(&output.stdout).trim().into())
}
