//! How much memory a process and everything it has started holds, by asking its control group, or `/proc` where it has
//! none: the watchdog's eyes.
//!
//! What counts is memory that nothing else backs: anonymous and shared pages, not pages of files, which the kernel
//! takes back when it needs them. Memory that is not mapped (files in memory, System V segments) is not
//! seen; rooms cannot have any, unless a control group has the kernel count it.

use std::fs::{self, File};
use std::io::{self, Read as _};
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
    /// A look under way that takes its time: whether it is too much, and when it began.
    look: Option<(JoinHandle<bool>, Instant)>,
}

/// Who holds it.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// A runtime and everything it has started.
    ByTree(Tree),
    /// A control group, of which this file (`memory.stat`) tells.
    ByGroup(PathBuf),
}

/// What a glance tells, which takes some microseconds for each process and thread.
enum Glance {
    Within,
    Over,
    /// Over it, unless these processes share pages.
    Unclear(Vec<Process>),
}

/// A runtime and everything it has started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree {
    root: i32,
    /// Whether the root is one of them.
    counts_root: bool,
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
                let began = Instant::now();
                let (bytes_max, held) = (self.bytes_max, &self.held);
                let look = if took > limits::MEMORY_GLANCE_MAX {
                    let held = held.clone();
                    tokio::task::spawn_blocking(move || held.glance(bytes_max).look_closer(bytes_max))
                } else {
                    match held.glance(bytes_max) {
                        Glance::Within => {
                            self.last = (Instant::now(), began.elapsed());
                            continue;
                        }
                        Glance::Over => return,
                        unclear @ Glance::Unclear(_) => {
                            tokio::task::spawn_blocking(move || unclear.look_closer(bytes_max))
                        }
                    }
                };
                self.look = Some((look, began));
            }
            let (look, began) = self.look.as_mut().expect("it was just made");
            // A look that panicked has seen nothing.
            let is_over = look.await.unwrap_or(false);
            self.last = (Instant::now(), began.elapsed());
            self.look = None;
            if is_over {
                return;
            }
        }
    }
}

impl Glance {
    /// Tells whether it is over; where that is unclear, by a look that takes milliseconds.
    fn look_closer(self, bytes_max: u64) -> bool {
        match self {
            Self::Within => false,
            Self::Over => true,
            Self::Unclear(processes) => exact_bytes(&processes) > bytes_max,
        }
    }
}

impl Held {
    fn glance(&self, bytes_max: u64) -> Glance {
        let processes = match self {
            Self::ByTree(tree) => tree.processes(),
            Self::ByGroup(stat) if anonymous_bytes(stat) > bytes_max => return Glance::Over,
            Self::ByGroup(_) => return Glance::Within,
        };
        if processes.iter().map(|process| process.held_bytes).sum::<u64>() <= bytes_max {
            Glance::Within
        } else if processes.len() == 1 || processes.len() > limits::MEMORY_SHARES_PROCESSES_MAX {
            Glance::Over
        } else {
            Glance::Unclear(processes)
        }
    }
}

impl Tree {
    /// Returns a process and its descendants.
    pub(super) fn of(process: Pid) -> Self {
        Self { root: process.as_raw_nonzero().get(), counts_root: true }
    }

    /// Returns what runs in a room: all descendants of its first process, which is the only child of its launcher and
    /// the parent of whoever is orphaned there.
    pub(super) fn in_room(launcher: Pid) -> Self {
        let launcher = launcher.as_raw_nonzero().get();
        Self { root: children(launcher, 1).first().copied().unwrap_or(launcher), counts_root: false }
    }

    /// Returns the most bytes that its processes have held, each at its own worst moment, pages of files included.
    pub(super) fn peak_bytes(self) -> u64 {
        self.processes().iter().map(|process| process.peak_bytes).sum()
    }

    /// Looks at every process. Launchers have one thread.
    fn processes(self) -> Vec<Process> {
        let mut left = if self.counts_root { vec![self.root] } else { children(self.root, 1) };
        let mut found = Vec::with_capacity(left.len());
        while let Some(id) = left.pop() {
            let process = Process::read(id);
            left.extend(children(id, process.threads));
            found.push(process);
        }
        found
    }
}

/// What the kernel says of a process. One that is gone holds nothing.
#[derive(Debug, Default)]
struct Process {
    id: i32,
    threads: u64,
    has_memory: bool,
    /// What it holds now; pages that it shares with others count for each of them.
    held_bytes: u64,
    /// The most it has held, pages of files included.
    peak_bytes: u64,
}

impl Process {
    fn read(id: i32) -> Self {
        let process = Self::of(id, &format!("/proc/{id}/status"));
        if process.has_memory || process.threads < 2 {
            return process;
        }
        // Its main thread has ended; the others share its memory.
        let threads = threads(id).map(|thread| Self::of(id, &format!("{thread}/status")));
        threads.into_iter().find(|process| process.has_memory).unwrap_or(process)
    }

    fn of(id: i32, status: &str) -> Self {
        let mut process = Self { id, ..Self::default() };
        for line in read(status).unwrap_or_default().lines() {
            match line.split_once(':') {
                Some(("RssAnon", value)) => {
                    process.has_memory = true;
                    process.held_bytes += bytes(value);
                }
                Some(("RssShmem" | "VmSwap", value)) => process.held_bytes += bytes(value),
                Some(("VmHWM", value)) => process.peak_bytes = bytes(value),
                Some(("Threads", value)) => process.threads = value.trim().parse().unwrap_or(0),
                Some(_) | None => {}
            }
        }
        process
    }
}

/// Returns what the threads of a process have started and not outlived.
fn children(process: i32, thread_count: u64) -> Vec<i32> {
    let of = |path: &str| read(path).unwrap_or_default();
    let lists = if thread_count == 1 {
        of(&format!("/proc/{process}/task/{process}/children"))
    } else {
        threads(process).map(|thread| of(&format!("{thread}/children"))).collect()
    };
    lists.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Returns the directories of the threads of a process.
fn threads(process: i32) -> impl Iterator<Item = String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    threads.map(|thread| thread.path().display().to_string())
}

/// Returns the bytes of a control group that no file backs, be it one in memory.
fn anonymous_bytes(stat: &Path) -> u64 {
    let text = fs::read_to_string(stat).unwrap_or_default();
    let bytes = text.lines().find_map(|line| line.strip_prefix("anon "));
    bytes.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0)
}

/// Returns the bytes that processes hold; pages that they share count once. Of one that does not let itself be asked
/// all count.
fn exact_bytes(processes: &[Process]) -> u64 {
    let of = |process: &Process| -> u64 {
        let Ok(text) = read(&format!("/proc/{}/smaps_rollup", process.id)) else { return process.held_bytes };
        let parts = text.lines().filter_map(|line| line.split_once(':'));
        parts.filter(|(name, _)| ["Pss_Anon", "Pss_Shmem"].contains(name)).map(|(_, value)| bytes(value)).sum()
    };
    processes.iter().map(of).sum()
}

/// Reads a size such as `  12 kB`.
fn bytes(value: &str) -> u64 {
    value.trim().strip_suffix(" kB").and_then(|value| value.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Reads a file of the kernel's, whose length nobody knows before: in one go, if it is as short as they are. The name of
/// a process, which is in some of them, need not be text.
fn read(path: &str) -> io::Result<String> {
    let mut bytes = Vec::with_capacity(4096);
    File::open(path)?.take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
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
        let (tree, room) = (Tree::of(pid), Tree { counts_root: false, ..Tree::of(pid) });
        let processes = tree.processes();
        let (quick, exact) = (processes.iter().map(|process| process.held_bytes).sum(), exact_bytes(&processes));
        assert!((224..300).contains(&megabytes(quick)), "{quick}");
        assert!((96..140).contains(&megabytes(exact)), "{exact}");
        assert!(tree.peak_bytes() > room.peak_bytes(), "the parent counts");
        let leaf = Tree { root: processes[1].id, counts_root: true };
        let cases = [
            (tree, 2 * quick, "within"),
            (tree, quick / 2, "unclear"),
            (room, quick / 2, "unclear"),
            (leaf, 1, "over"),
        ];
        for (tree, bytes_max, expected) in cases {
            let found = match Held::ByTree(tree).glance(bytes_max) {
                Glance::Within => "within",
                Glance::Over => "over",
                Glance::Unclear(_) => "unclear",
            };
            assert_eq!(found, expected, "{bytes_max}");
        }
        let _ = parent.stdin.take().unwrap().write(b"");
        parent.kill().unwrap();
        parent.wait().unwrap();
    }

    /// Runs a program that holds 64 MB and hides it, and checks that they are seen all the same.
    #[track_caller]
    fn check_hidden(hide: &str) {
        let code = format!(
            "import ctypes, sys, threading\nheld = b'x' * (64 << 20)\nlibc = ctypes.CDLL(None)\ndef stay():\n    print('ready', flush=True)\n    sys.stdin.read()\n{hide}"
        );
        let mut program = Command::new("python3")
            .args(["-c", &code])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python is there");
        BufReader::new(program.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let tree = Tree::of(Pid::from_child(&program));
        let is_main_gone = || Process::of(0, &format!("/proc/{}/status", program.id())).held_bytes == 0;
        let hides_there = hide.contains("pthread_exit");
        while hides_there && !is_main_gone() {
            std::thread::yield_now();
        }
        let processes = tree.processes();
        let held: u64 = processes.iter().map(|process| process.held_bytes).sum();
        assert!(held >= 64 << 20 && exact_bytes(&processes) >= 64 << 20, "{hide}: {held}");
        assert!(tree.peak_bytes() >= 64 << 20, "{hide}");
        program.kill().unwrap();
        program.wait().unwrap();
    }

    #[test]
    fn memory_cannot_be_hidden() {
        check_hidden("libc.prctl(15, b'\\xff\\xfe')\nstay()");
        check_hidden("libc.prctl(4, 0)\nstay()");
        check_hidden("threading.Thread(target=stay).start()\nlibc.pthread_exit(None)");
    }
}
