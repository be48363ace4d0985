//! What holds a function's process: the room it lives in and the limits it has there.
//!
//! [`Sandbox::open`] finds out what this machine allows, [`Sandbox::report`] says it in words, and `start` starts one
//! process accordingly. There are three ways, from the strictest:
//!
//! - **in a room**: a file system of its own (see `room`), namespaces for processes, mounts and System V objects, an
//!   unprivileged user, limits, a filter of system calls; by `launcher`, which is this program once more;
//! - **plainly, by the launcher**: the limits that need no room, and an end with the server;
//! - **directly**, without a launcher: for tests, and for whoever embeds the supervisor.
//!
//! Absent on purpose: a network of its own. Functions talk to loopback and the world.

mod cgroup;
mod filter;
mod launcher;
mod memory;
mod order;
mod peer;
mod report;
mod room;
mod system;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::PipeWriter;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Pid;
use serde::Deserialize;
use tokio::process::{Child, Command};

use crate::{Error, limits};

use cgroup::{Cgroup, Cgroups};
pub use launcher::enter_if_asked;
pub(crate) use memory::Watch;
use memory::{Held, Tree};
use order::{Order, Room};
pub(crate) use peer::is_of as is_connection_of;
use report::Said;
pub(crate) use room::Furniture;

/// Whether functions get rooms of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// If the machine allows it; otherwise the server says why not, and runs them plainly.
    #[default]
    IfPossible,
    /// Yes, or the server does not start.
    Required,
    /// No.
    Off,
}

impl FromStr for Isolation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "if-possible" => Ok(Self::IfPossible),
            "required" => Ok(Self::Required),
            "off" => Ok(Self::Off),
            other => Err(format!("no isolation `{other}`; there are `if-possible`, `required` and `off`")),
        }
    }
}

/// What this machine allows.
#[derive(Debug)]
pub struct Sandbox {
    launcher: Option<PathBuf>,
    /// Why there are no rooms.
    no_rooms: Option<String>,
    /// Or why there are none.
    cgroups: Result<Cgroups, String>,
    /// The first of the user ids for rooms; `None` if the server may not change users.
    first_user: Option<u32>,
}

/// A program to start for a function.
pub(crate) struct Program<'a> {
    /// Differs from the numbers of all others that run.
    pub(crate) number: u64,
    /// Program and arguments, as the process sees their paths.
    pub(crate) words: Vec<OsString>,
    /// All of its environment.
    pub(crate) variables: BTreeMap<OsString, OsString>,
    /// What it brings along.
    pub(crate) furniture: Furniture<'a>,
    /// An empty directory: the temporary one, or where the room is built.
    pub(crate) place: &'a Path,
    /// Its standard output and error.
    pub(crate) output: PipeWriter,
    /// `MemorySize`, in MB.
    pub(crate) memory_mb: u32,
    /// `EphemeralStorage`, in MB.
    pub(crate) tmp_mb: u32,
}

/// Where a process finds its own things.
pub(crate) struct Paths {
    pub(crate) code: PathBuf,
    /// Where its layers are, if it has any.
    pub(crate) layers: PathBuf,
    pub(crate) runtime: PathBuf,
    pub(crate) temp: PathBuf,
    /// Whether it can write nowhere else.
    pub(crate) read_only: bool,
}

/// Why a program does not run.
pub(crate) enum Failed {
    /// It cannot be executed.
    Program(String),
    /// Its surroundings could not be made.
    Surroundings(String),
}

/// A process that runs.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// Its process group; in a room, that of the launcher and of everybody who has not left it.
    pub(crate) group: Pid,
    /// Looks at its memory, unless the kernel does exactly that.
    pub(crate) watch: Option<Watch>,
    cgroup: Option<Cgroup>,
    tree: Tree,
}

impl Sandbox {
    /// Returns a sandbox that holds nothing: processes are started directly.
    pub fn none() -> Self {
        let absent = || "there is no launcher".to_owned();
        Self { launcher: None, no_rooms: Some(absent()), cgroups: Err(absent()), first_user: None }
    }

    /// Finds out what can be had here, by trying. `launcher` is a program that calls [`enter_if_asked`] first.
    ///
    /// # Errors
    /// [`Error::NoIsolation`] if isolation is required and cannot be had.
    pub async fn open(launcher: PathBuf, isolation: Isolation) -> Result<Self, Error> {
        let first_user = rustix::process::geteuid().is_root().then(first_user);
        let mut sandbox = Self { launcher: Some(launcher), no_rooms: None, cgroups: Cgroups::open(), first_user };
        sandbox.no_rooms = match isolation {
            Isolation::Off => Some("isolation is turned off".to_owned()),
            Isolation::IfPossible | Isolation::Required => sandbox.try_room().await.err(),
        };
        match (&sandbox.no_rooms, isolation) {
            (Some(reason), Isolation::Required) => Err(Error::NoIsolation { reason: reason.clone() }),
            _ => Ok(sandbox),
        }
    }

    /// Says which limits are in force, and why one is not; a line each.
    pub fn report(&self) -> Vec<String> {
        let mut lines = Vec::new();
        match (&self.no_rooms, self.first_user) {
            (None, Some(_)) => lines.push("isolation: own files, processes and user for each function process".to_owned()),
            (None, None) => {
                lines.push("isolation: own files and processes for each function process, in user namespaces".to_owned());
            }
            (Some(reason), _) => lines.push(format!(
                "isolation: NONE, functions can read and do what this server can, because {reason}; run only functions you trust"
            )),
        }
        lines.push(match &self.cgroups {
            Ok(_) if self.no_rooms.is_none() => format!(
                "memory: MemorySize, watched every {} ms, and never more than it and /tmp together, by control groups",
                limits::MEMORY_WATCH_INTERVAL.as_millis()
            ),
            Ok(_) => "memory: MemorySize, by control groups".to_owned(),
            Err(reason) if self.launcher.is_some() => format!(
                "memory: MemorySize, watched every {} ms, because {reason}",
                limits::MEMORY_WATCH_INTERVAL.as_millis()
            ),
            Err(reason) => format!("memory: MemorySize, watched, because {reason}"),
        });
        let processes_max = limits::FUNCTION_PROCESSES_MAX;
        lines.push(match (&self.cgroups, &self.no_rooms) {
            (Ok(_), _) | (_, None) => format!("processes and threads: {processes_max} for each function process"),
            (Err(_), Some(_)) => "processes and threads: NOT LIMITED without isolation or control groups".to_owned(),
        });
        lines.push(match &self.launcher {
            Some(_) => format!("open files: {} for each process", limits::OPEN_FILES_MAX),
            None => "open files: as this server".to_owned(),
        });
        lines.push(match &self.no_rooms {
            None => "/tmp: EphemeralStorage, in memory".to_owned(),
            Some(_) => "/tmp: NOT LIMITED without isolation".to_owned(),
        });
        lines
    }

    /// Returns where a program will find its things.
    pub(crate) fn paths(&self, furniture: &Furniture<'_>, place: &Path) -> Paths {
        match self.no_rooms {
            None => Paths {
                code: room::TASK.into(),
                layers: room::LAYERS.into(),
                runtime: room::RUNTIME.into(),
                temp: room::TMP.into(),
                read_only: true,
            },
            Some(_) => Paths {
                code: furniture.code.to_owned(),
                layers: furniture.layers.unwrap_or(Path::new(room::LAYERS)).to_owned(),
                runtime: furniture.runtime.to_owned(),
                temp: place.to_owned(),
                read_only: false,
            },
        }
    }

    /// Starts a program.
    ///
    /// # Errors
    /// [`Failed`]. Nothing of it is left.
    pub(crate) async fn start(&self, program: Program<'_>) -> Result<Running, Failed> {
        let code = program.furniture.code;
        if !code.is_dir() {
            return Err(Failed::Surroundings(format!("there is no code at {}", code.display())));
        }
        let memory_bytes_max = u64::from(program.memory_mb) << 20;
        let cgroup = match &self.cgroups {
            Ok(groups) if self.launcher.is_some() => {
                let bytes_max = self.group_bytes_max(program.memory_mb, program.tmp_mb);
                let made = groups.make(program.number, bytes_max, limits::FUNCTION_PROCESSES_MAX);
                Some(made.map_err(|error| Failed::Surroundings(format!("cannot make a control group: {error}")))?)
            }
            Ok(_) | Err(_) => None,
        };
        let paths = self.paths(&program.furniture, program.place);
        let mut command = match &self.launcher {
            None => {
                let (first, rest) = program.words.split_first().expect("a command has a program");
                let mut command = Command::new(first);
                command.args(rest).current_dir(&paths.code).process_group(0);
                command.env_clear().envs(&program.variables);
                command
            }
            Some(launcher) => {
                let mut command = Command::new(launcher);
                // Nothing of the function's: it would be in the launcher's hands before there is a room.
                command.arg(launcher::WORD).env_clear();
                command
            }
        };
        let order = self.launcher.as_ref().map(|_| {
            let order = self.order(&program, &paths, cgroup.as_ref());
            serde_json::to_vec(&order).expect("an order is plain data")
        });
        let surroundings = |error: std::io::Error| Failed::Surroundings(error.to_string());
        let (report, theirs) = report::pair().map_err(surroundings)?;
        match &self.launcher {
            Some(_) => command.stdin(theirs),
            None => command.stdin(Stdio::null()),
        };
        command.stdout(program.output.try_clone().map_err(surroundings)?).stderr(program.output).kill_on_drop(true);
        // The launcher dies with the thread that starts it. This runs on a thread of the Tokio runtime, which lives
        // as long as the server.
        let child = command.spawn().map_err(|error| Failed::Program(error.to_string()))?;
        // It holds the other ends of the report and of the output.
        drop(command);
        if let Some(order) = order {
            match report::give(report, &order).await {
                Said::Runs => {}
                Said::NoProgram(reason) => return Err(Failed::Program(reason)),
                Said::NoRoom(reason) => return Err(Failed::Surroundings(reason)),
            }
        }
        let id = child.id().ok_or_else(|| Failed::Surroundings("the launcher ended at once".to_owned()))?;
        let group = Pid::from_raw(id.cast_signed()).expect("a process id is positive");
        let tree = if self.no_rooms.is_none() { Tree::in_room(group) } else { Tree::of(group) };
        let held = match (&cgroup, &self.no_rooms) {
            (None, _) => Some(Held::ByTree(tree)),
            (Some(cgroup), None) => Some(Held::ByGroup(cgroup.memory_stat())),
            (Some(_), Some(_)) => None,
        };
        let watch = held.map(|held| Watch::new(held, memory_bytes_max));
        Ok(Running { child, group, watch, cgroup, tree })
    }

    /// Returns how much memory a control group may hold. To the kernel, a room's `/tmp` is memory as well, which on
    /// Lambda takes nothing of `MemorySize`: so the kernel's limit is for both, and the watch is for `MemorySize`.
    fn group_bytes_max(&self, memory_mb: u32, tmp_mb: u32) -> u64 {
        let tmp_mb = if self.no_rooms.is_none() { tmp_mb } else { 0 };
        (u64::from(memory_mb) + u64::from(tmp_mb)) << 20
    }

    /// Returns the user that only the process of this number runs as.
    pub(crate) fn user(&self, number: u64) -> Option<u32> {
        let first = self.first_user.filter(|_| self.no_rooms.is_none())?;
        let offset = number % u64::from(limits::USERS_PER_SERVER);
        Some(first + u32::try_from(offset).expect("smaller than a number of 32 bits"))
    }

    fn order(&self, program: &Program<'_>, paths: &Paths, cgroup: Option<&Cgroup>) -> Order {
        let room = self.no_rooms.is_none().then(|| Room {
            at: program.place.to_owned(),
            binds: room::binds(&program.furniture),
            user: self.user(program.number),
            processes_max: limits::FUNCTION_PROCESSES_MAX,
            memory_is_counted: cgroup.is_some(),
            tmp_bytes_max: u64::from(program.tmp_mb) << 20,
            tmp_files_max: limits::TMP_FILES_MAX,
        });
        Order {
            server: std::process::id().cast_signed(),
            words: program.words.clone(),
            variables: program.variables.clone().into_iter().collect(),
            directory: paths.code.clone(),
            open_files: limits::OPEN_FILES_MAX,
            cgroup: cgroup.map(|cgroup| cgroup.path().to_owned()),
            room,
        }
    }

    /// Runs something harmless in a room.
    async fn try_room(&self) -> Result<(), String> {
        let directory = tempfile::tempdir().map_err(|error| format!("no temporary directory can be made: {error}"))?;
        let (code, place) = (directory.path().join("code"), directory.path().join("place"));
        let made = std::fs::create_dir(&code).and_then(|()| std::fs::create_dir(&place));
        let (mut output, writer) = made.and_then(|()| std::io::pipe()).map_err(|error| error.to_string())?;
        let program = Program {
            number: 0,
            words: vec!["/bin/true".into()],
            variables: BTreeMap::new(),
            furniture: Furniture { code: &code, layers: None, runtime: &code, roots: &[] },
            place: &place,
            output: writer,
            memory_mb: limits::TRY_MEMORY_MB,
            tmp_mb: 1,
        };
        let status = match self.start(program).await {
            Ok(mut running) => running.child.wait().await.map_err(|error| error.to_string())?,
            Err(Failed::Program(reason) | Failed::Surroundings(reason)) => return Err(reason),
        };
        if status.success() {
            return Ok(());
        }
        let mut said = String::new();
        let _ = std::io::Read::read_to_string(&mut output, &mut said);
        Err(format!("a program in it failed ({status}) {}", said.trim()))
    }
}

/// Returns the first user id of a range of one's own: the limits of one server do not count for another.
fn first_user() -> u32 {
    static OPENED: AtomicU32 = AtomicU32::new(0);
    let range = std::process::id().wrapping_add(OPENED.fetch_add(1, Ordering::Relaxed) * 1_009);
    limits::USER_FIRST + range % limits::USER_RANGES * limits::USERS_PER_SERVER
}

impl Running {
    /// Tells whether the kernel killed it, or some of it, for holding more memory than it may.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.cgroup.as_ref().is_some_and(Cgroup::ran_out_of_memory)
    }

    /// Returns the most memory it has held, in MB; `None` if it is gone.
    pub(crate) fn memory_used_mb(&self) -> Option<u64> {
        Some(self.tree.peak_bytes().div_ceil(1 << 20)).filter(|megabytes| *megabytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_has_room_for_a_tmp_in_memory() {
        let (plain, mut rooms) = (Sandbox::none(), Sandbox::none());
        rooms.no_rooms = None;
        for (sandbox, expected) in [(plain, 128 << 20), (rooms, 640 << 20)] {
            assert_eq!(sandbox.group_bytes_max(128, 512), expected, "{:?}", sandbox.no_rooms);
        }
    }
}
