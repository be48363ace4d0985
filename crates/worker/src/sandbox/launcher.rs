//! The launcher: what becomes a function's process, from its first instruction to the runtime's.
//!
//! The server starts its own binary once more; [`enter_if_asked`] finds the [`Order`] among the arguments and never
//! returns. In a room of its own the function's process has two ancestors, which only wait:
//!
//! ```text
//! server ── launcher (outside: passes SIGTERM on by ignoring it, ends as the function ended)
//!               └── init (process 1 of the room: builds it, reaps what is orphaned)
//!                      └── the runtime, unprivileged
//! ```
//!
//! When the launcher dies, however, init dies with it, and with init everything in the room: there is no way out by
//! forking. The same binary, so that there is nothing to install; a process of its own, so that this code may
//! allocate, open files and fail as ordinary code does, which it could not between a fork and an exec of the server.

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions};
use rustix::thread::UnshareFlags;

use super::filter;
use super::order::{Order, Room};
use super::room::{DEVICE_LINKS, DEVICES, USER_GROUP_INSIDE, USER_INSIDE};
use super::system;

/// The argument that asks for the launcher.
pub(super) const WORD: &str = "__launch-function";

/// How the launcher ends if it could not start the function; it has said why on its report.
const COULD_NOT_START: i32 = 125;

/// How long to leave a program alone that somebody has open for writing.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// Becomes the launcher if this process was started as one; otherwise returns at once. Call it first in `main`,
/// before there is a second thread.
pub fn enter_if_asked() {
    if std::env::args_os().nth(1).as_deref() != Some(OsStr::new(WORD)) {
        return;
    }
    let Ok(report) = Report::open() else { std::process::exit(COULD_NOT_START) };
    match report.order() {
        Some(order) => launch(order, report),
        None => report.fail(super::report::SETUP, "the launcher is for the server to start, not for people"),
    }
}

fn launch(order: Order, report: Report) -> ! {
    if let Err(reason) = prepare(&order) {
        report.fail(super::report::SETUP, &reason);
    }
    let Some((program, arguments)) = order.words.split_first() else {
        report.fail(super::report::SETUP, "there is nothing to start")
    };
    let mut command = Command::new(program);
    // The launcher itself has no environment: what a function chooses is for the function.
    command
        .args(arguments)
        .env_clear()
        .envs(order.variables.iter().map(|(name, value)| (name, value)))
        .current_dir(&order.directory)
        .stdin(Stdio::null());
    match &order.room {
        None => {
            let Err(error) = start(|| Err::<Infallible, _>(command.exec()));
            report.fail(super::report::PROGRAM, &error.to_string());
        }
        Some(room) => match step_outside(room) {
            Ok(Side::Outside { init, status }) => {
                drop((report, command));
                wait_outside(init, &status)
            }
            Ok(Side::Inside { status }) => run_room(room, report, command, &status),
            Err(reason) => report.fail(super::report::SETUP, &reason),
        },
    }
}

/// Starts a program. Code that was just written may be open still in a process that the server is starting beside this
/// one; that lasts for milliseconds, and the server ends a launcher that takes too long.
fn start<T>(mut start: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match start() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::sleep(BUSY_PAUSE),
            started => return started,
        }
    }
}

/// What holds in every mode: the process follows its server into death, has a session of its own (which also is its
/// share of the processor, where the kernel groups tasks by session), and cannot gain privileges.
fn prepare(order: &Order) -> Result<(), String> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(doing("follow the server"))?;
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    if parent != order.server {
        return Err("the server is gone".to_owned());
    }
    rustix::process::setsid().map_err(doing("begin a session"))?;
    rustix::thread::set_no_new_privs(true).map_err(doing("give up new privileges"))?;
    if let Some(cgroup) = &order.cgroup {
        fs::write(cgroup.join("cgroup.procs"), "0")
            .map_err(|error| format!("cannot enter the control group: {error}"))?;
    }
    // If the machine runs out of memory, a function goes before the server. Not every system allows to say so.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    limit(Resource::Nofile, order.open_files)?;
    limit(Resource::Core, 0)
}

fn limit(resource: Resource, value: u64) -> Result<(), String> {
    let maximum = rustix::process::getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
    let limit = Rlimit { current: Some(maximum), maximum: Some(maximum) };
    rustix::process::setrlimit(resource, limit).map_err(doing("set a limit"))
}

/// On which side of the room's wall this process is.
enum Side {
    Outside { init: Pid, status: OwnedFd },
    Inside { status: OwnedFd },
}

/// Makes the namespaces and their first process.
fn step_outside(room: &Room) -> Result<Side, String> {
    let mut spaces = UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWIPC;
    if room.user.is_none() {
        spaces |= UnshareFlags::NEWUSER;
    }
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    system::let_termination_pass();
    system::unshare(spaces).map_err(doing("make namespaces"))?;
    if room.user.is_none() {
        let write = |name: &str, text: String| {
            fs::write(format!("/proc/self/{name}"), text).map_err(|error| format!("cannot write {name}: {error}"))
        };
        write("setgroups", "deny".to_owned())?;
        write("uid_map", format!("{USER_INSIDE} {user} 1"))?;
        write("gid_map", format!("{USER_GROUP_INSIDE} {group} 1"))?;
    }
    let (status_reader, status_writer) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(doing("make a pipe"))?;
    match system::fork().map_err(|error| format!("cannot fork: {error}"))? {
        None => Ok(Side::Inside { status: status_writer }),
        Some(init) => Ok(Side::Outside { init, status: status_reader }),
    }
}

/// Waits for the room to be empty, and ends as the runtime ended.
fn wait_outside(init: Pid, status: &OwnedFd) -> ! {
    while let Err(Errno::INTR) | Ok(None) = rustix::process::waitpid(Some(init), WaitOptions::empty()) {}
    let mut raw = [0; 4];
    match rustix::io::read(status, &mut raw) {
        Ok(4) => end_as(ExitStatus::from_raw(i32::from_ne_bytes(raw))),
        // Init was killed before it could say anything, and everything with it.
        Ok(_) | Err(_) => end_as(ExitStatus::from_raw(Signal::KILL.as_raw())),
    }
}

fn end_as(status: ExitStatus) -> ! {
    if let Some(number) = status.signal() {
        system::end_by(number);
        std::process::exit(128 + number);
    }
    std::process::exit(status.code().unwrap_or(COULD_NOT_START));
}

/// Process 1 of the room: builds it, starts the runtime in it, reaps until the runtime ends.
fn run_room(room: &Room, report: Report, mut command: Command, status: &OwnedFd) -> ! {
    let built = rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(doing("follow the launcher"))
        .and_then(|()| is_read(status))
        .and_then(|()| build(room))
        .and_then(|()| limit(Resource::Nproc, room.processes_max))
        .and_then(|()| {
            system::filter(&filter::program(room.memory_is_counted))
                .map_err(|error| format!("cannot filter system calls: {error}"))
        });
    if let Err(reason) = built {
        report.fail(super::report::SETUP, &reason);
    }
    if let Some(user) = room.user {
        // Supplementary groups go as well: the standard library sees to it when root changes its user.
        command.uid(user).gid(user);
    }
    let runtime = match start(|| command.spawn()) {
        Ok(child) => Pid::from_child(&child),
        Err(error) => report.fail(super::report::PROGRAM, &error.to_string()),
    };
    drop((report, command));
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, ended))) if pid == runtime => {
                let _ = rustix::io::write(status, &ended.as_raw().to_ne_bytes());
                // What is left in the room ends with its init.
                std::process::exit(0);
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => std::process::exit(COULD_NOT_START),
        }
    }
}

/// Fails if nobody is at the other end of a pipe: the launcher may have died before it could be followed.
fn is_read(pipe: &OwnedFd) -> Result<(), String> {
    let mut ends = [PollFd::new(pipe, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut ends, Some(&now)).map_err(doing("look for the launcher"))?;
    if ends[0].revents().contains(PollFlags::ERR) { Err("the launcher is gone".to_owned()) } else { Ok(()) }
}

/// Furnishes an empty file system and makes it the root, with nothing of the host's behind it.
fn build(room: &Room) -> Result<(), String> {
    let root = room.at.as_path();
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(doing("keep mounts private"))?;
    mount_tmpfs(root, MountFlags::NOSUID | MountFlags::NODEV, "mode=0755,size=1m,nr_inodes=4k")?;
    let user = room.user.unwrap_or(USER_INSIDE);
    let group = room.user.unwrap_or(USER_GROUP_INSIDE);
    // First, because what is shown may lie below the host's `/tmp`.
    let size = format!("mode=0700,uid={user},gid={group},size={},nr_inodes={}", room.tmp_bytes_max, room.tmp_files_max);
    make_directory(&root.join("tmp"))?;
    mount_tmpfs(&root.join("tmp"), MountFlags::NOSUID | MountFlags::NODEV, &size)?;
    for (from, to) in &room.binds {
        show(from, &inside(root, to))?;
    }
    for directory in ["proc", "dev", "etc"] {
        make_directory(&root.join(directory))?;
    }
    for device in DEVICES {
        let (host, here) = (Path::new("/dev").join(device), root.join("dev").join(device));
        make_file(&here, "")?;
        rustix::mount::mount_bind(&host, &here).map_err(doing("bring a device in"))?;
    }
    for (name, target) in DEVICE_LINKS {
        symlink(target, root.join("dev").join(name)).map_err(|error| format!("cannot make /dev/{name}: {error}"))?;
    }
    make_file(&root.join("etc/passwd"), &format!("sbx_user:x:{user}:{group}::/tmp:/sbin/nologin\n"))?;
    make_file(&root.join("etc/group"), &format!("sbx_user:x:{group}:\n"))?;
    system::make_read_only(root, false).map_err(|error| format!("cannot make the room read-only: {error}"))?;
    rustix::mount::mount(
        "proc",
        root.join("proc"),
        "proc",
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        None,
    )
    .map_err(doing("mount /proc"))?;
    rustix::process::chdir(root).map_err(doing("enter the room"))?;
    rustix::process::pivot_root(".", ".").map_err(doing("change the root"))?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).map_err(doing("leave the host's files"))?;
    rustix::process::chdir("/").map_err(doing("enter the room"))
}

fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Shows a file or directory of the host at another place, read-only, and a link as the link that it is.
fn show(from: &Path, to: &Path) -> Result<(), String> {
    let describe = |error: std::io::Error| format!("cannot show {} in the room: {error}", from.display());
    let kind = fs::symlink_metadata(from).map_err(describe)?.file_type();
    if let Some(parent) = to.parent() {
        make_directory(parent)?;
    }
    if kind.is_symlink() {
        return symlink(fs::read_link(from).map_err(describe)?, to).map_err(describe);
    }
    if kind.is_dir() {
        make_directory(to)?;
    } else {
        make_file(to, "")?;
    }
    rustix::mount::mount_bind_recursive(from, to).map_err(|error| describe(error.into()))?;
    system::make_read_only(to, true).map_err(describe)
}

fn make_directory(path: &Path) -> Result<(), String> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.map_err(|error| format!("cannot make {}: {error}", path.display()))
}

fn make_file(path: &Path, text: &str) -> Result<(), String> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| format!("cannot make {}: {error}", path.display()))
}

fn mount_tmpfs(at: &Path, flags: MountFlags, options: &str) -> Result<(), String> {
    let options = CString::new(options).expect("options are written here");
    rustix::mount::mount("tmpfs", at, "tmpfs", flags, options.as_c_str()).map_err(doing("mount a tmpfs"))
}

fn doing(what: &'static str) -> impl FnOnce(Errno) -> String {
    move |error| format!("cannot {what}: {}", std::io::Error::from(error))
}

/// Where the launcher says what went wrong: the socket that it was given as standard input. It closes when the
/// runtime runs, so that silence is success.
struct Report(OwnedFd);

impl Report {
    fn open() -> Result<Self, Errno> {
        let stdin = std::io::stdin();
        let socket = rustix::io::fcntl_dupfd_cloexec(stdin.as_fd(), 3)?;
        let nothing = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty())?;
        rustix::stdio::dup2_stdin(nothing)?;
        Ok(Self(socket))
    }

    /// Reads what to do: everything until the server has said all.
    fn order(&self) -> Option<Order> {
        let mut text = Vec::new();
        let mut socket = File::from(self.0.try_clone().ok()?);
        socket.read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn fail(&self, kind: u8, reason: &str) -> ! {
        let _ = rustix::io::write(&self.0, &[&[kind], reason.as_bytes()].concat());
        std::process::exit(COULD_NOT_START);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_that_is_just_being_written_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("bootstrap");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut open = Some(fs::OpenOptions::new().append(true).open(&program).unwrap());
        let mut outcomes = Vec::new();
        let child = start(|| {
            let child = Command::new(&program).spawn();
            outcomes.push(child.as_ref().err().map(std::io::Error::kind));
            open = None;
            child
        });
        assert!(child.unwrap().wait().unwrap().success());
        assert_eq!(outcomes.first(), Some(&Some(ErrorKind::ExecutableFileBusy)));
        assert_eq!(outcomes.last(), Some(&None));
    }
}
