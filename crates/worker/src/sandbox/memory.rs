//! How much memory a process and everything it has started holds, by asking its control group, or `/proc` where it has
//! none: the watchdog's eyes.
//!
//! What counts is memory that nothing else backs: anonymous and shared pages, not pages of files, which the kernel
//! takes back when it needs them. Memory that is not mapped (files in memory, System V segments) is not
//! seen; rooms cannot have any, unless a control group has the kernel count it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use tokio::task::JoinHandle;

use crate::limits;

/// Looks at a process's memory from time to time. A look never takes more than a small part of the time, however
/// many processes there are to look at.
#[derive(Debug)]
pub(crate) struct Watch {
    held: Held,
    bytes_max: u64,
    /// When the last look ended, and how long it took.
    last: (Instant, Duration),
    /// A look under way: what is held, and when it began.
    look: Option<(JoinHandle<u64>, Instant)>,
}

/// Who holds it.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// A process and its descendants.
    ByTree(Pid),
    /// A control group, of which this file (`memory.stat`) tells.
    ByGroup(PathBuf),
}

impl Watch {
    pub(super) fn new(held: Held, bytes_max: u64) -> Self {
        Self { held, bytes_max, last: (Instant::now(), Duration::ZERO), look: None }
    }

    /// Waits until the process holds more memory than it may; looks less often at one that is `idle`. Cancel-safe: a
    /// look that is under way is not lost.
    pub(crate) async fn overrun(&mut self, idle: bool) {
        let interval = if idle { limits::MEMORY_WATCH_IDLE_INTERVAL } else { limits::MEMORY_WATCH_INTERVAL };
        loop {
            if self.look.is_none() {
                let (ended, took) = self.last;
                let next = ended + interval.max(took * limits::MEMORY_WATCH_PAUSE);
                tokio::time::sleep_until(next.into()).await;
                let (held, bytes_max) = (self.held.clone(), self.bytes_max);
                let look = tokio::task::spawn_blocking(move || match held {
                    Held::ByTree(root) => held_bytes(root, bytes_max),
                    Held::ByGroup(stat) => anonymous_bytes(&stat),
                });
                self.look = Some((look, Instant::now()));
            }
            let (look, began) = self.look.as_mut().expect("it was just made");
            // A look that panicked has seen nothing.
            let held = look.await.unwrap_or(0);
            self.last = (Instant::now(), began.elapsed());
            self.look = None;
            if held > self.bytes_max {
                return;
            }
        }
    }
}

/// Returns the bytes of a control group that no file backs, be it one in memory.
fn anonymous_bytes(stat: &Path) -> u64 {
    let text = fs::read_to_string(stat).unwrap_or_default();
    let bytes = text.lines().find_map(|line| line.strip_prefix("anon "));
    bytes.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0)
}

/// Returns the bytes that the tree below `root` holds. Pages that several processes share are counted once if it
/// matters, that is if the quick sum is over `limit`, and if there are few enough processes to ask each for that.
fn held_bytes(root: Pid, limit: u64) -> u64 {
    let tree = tree(root);
    let quick: u64 =
        tree.iter().map(|pid| sum(&format!("/proc/{pid}/status"), &["RssAnon:", "RssShmem:", "VmSwap:"])).sum();
    if quick <= limit || tree.len() == 1 || tree.len() > limits::MEMORY_SHARES_PROCESSES_MAX {
        return quick;
    }
    tree.iter().map(|pid| sum(&format!("/proc/{pid}/smaps_rollup"), &["Pss_Anon:", "Pss_Shmem:"])).sum()
}

/// Returns the most bytes that the tree's processes have held, each at its own worst moment, pages of files included.
/// The first `skipped` generations do not count.
pub(super) fn peak_bytes(root: Pid, skipped: usize) -> u64 {
    let mut generation = vec![root.as_raw_nonzero().get()];
    for _ in 0..skipped {
        generation = generation.into_iter().flat_map(children).collect();
    }
    let tree = generation.into_iter().filter_map(Pid::from_raw).flat_map(tree);
    tree.map(|pid| sum(&format!("/proc/{pid}/status"), &["VmHWM:"])).sum()
}

/// Returns a process and all of its descendants.
fn tree(root: Pid) -> Vec<i32> {
    let mut found = vec![root.as_raw_nonzero().get()];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        let born = children(*pid);
        found.extend(born);
        next += 1;
    }
    found
}

/// Returns what the threads of a process have started and not outlived.
fn children(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Adds up lines such as `RssAnon:  12 kB` of a file, in bytes; a process that is gone holds nothing.
fn sum(path: &str, names: &[&str]) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let kilobytes = text.lines().filter_map(|line| {
        let rest = names.iter().find_map(|name| line.strip_prefix(name))?;
        rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    kilobytes.sum::<u64>() * 1024
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn group_holds_what_no_file_backs() {
        let stat = tempfile::NamedTempFile::new().unwrap();
        fs::write(stat.path(), "anon 4096\nfile 81920\nshmem 77824\nanon_thp 0\n").unwrap();
        assert_eq!(anonymous_bytes(stat.path()), 4096);
        assert_eq!(anonymous_bytes(Path::new("/nonexistent")), 0, "a group that is gone holds nothing");
    }

    #[test]
    fn tree_holds_what_its_children_hold_and_shared_pages_count_once() {
        // Two children share 64 MB with their parent, and one has 32 MB of its own.
        let code = "import os, sys, time\nheld = b'x' * (64 << 20)\nfor own in (32, 0):\n    if not os.fork():\n        mine = b'y' * (own << 20)\n        print('ready', flush=True)\n        sys.stdin.read()\n        os._exit(0)\nos.waitpid(-1, 0)\n";
        let mut parent = Command::new("python3")
            .args(["-c", code])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python is there");
        let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
        assert_eq!(lines.take(2).filter(|line| line.as_deref().is_ok_and(|line| line == "ready")).count(), 2);
        let pid = Pid::from_child(&parent);
        let megabytes = |bytes: u64| bytes >> 20;
        let (quick, exact) = (held_bytes(pid, u64::MAX), held_bytes(pid, 1));
        assert!((224..300).contains(&megabytes(quick)), "{quick}");
        assert!((96..140).contains(&megabytes(exact)), "{exact}");
        assert!(peak_bytes(pid, 0) > peak_bytes(pid, 1), "the parent is not skipped");
        let _ = parent.stdin.take().unwrap().write(b"");
        parent.kill().unwrap();
        parent.wait().unwrap();
    }
}
