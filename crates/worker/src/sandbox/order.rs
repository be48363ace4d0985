//! What the server tells the launcher.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How a function's process is to be started. Travels as JSON over the launcher's standard input: in its arguments or
/// its environment, a function could read where things are on the host, and could have its own code loaded into the
/// launcher (`LD_PRELOAD`).
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    /// The process that gives the order; the function's does not outlive it.
    pub(super) server: i32,
    /// Program and arguments, as the process sees their paths.
    pub(super) words: Vec<OsString>,
    /// All of its environment.
    pub(super) variables: Vec<(OsString, OsString)>,
    /// Where the runtime starts, as it sees the path.
    pub(super) directory: PathBuf,
    /// File descriptors.
    pub(super) open_files: u64,
    /// The control group to enter first.
    pub(super) cgroup: Option<PathBuf>,
    /// The room to build; without one the process sees what the server sees.
    pub(super) room: Option<Room>,
}

/// A file system and namespaces of the function's own.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Room {
    /// An empty directory of the host's to build it at.
    pub(super) at: PathBuf,
    /// What is shown of the host's files, and where; read-only.
    pub(super) binds: Vec<(PathBuf, PathBuf)>,
    /// The user to become; without one, namespaces of the server's own user make do.
    pub(super) user: Option<u32>,
    /// Processes and threads.
    pub(super) processes_max: u64,
    /// Whether a control group counts all memory, also what is not mapped.
    pub(super) memory_is_counted: bool,
    /// Bytes in `/tmp`.
    pub(super) tmp_bytes_max: u64,
    /// Files in `/tmp`.
    pub(super) tmp_files_max: u64,
}
