//! Control groups (version 2), where one is delegated to the server: the kernel's own limits of memory and processes.
//!
//! A service manager delegates a group (systemd: `Delegate=yes`). The server moves itself into a child of it, hands the
//! controllers down, and makes one more child for each function process.
//!
//! A group cannot be removed before the last process in it is gone, and the kernel lets a killed process go when it
//! comes to that. So what cannot be removed yet is remembered, and removed when the next group is made.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Where control groups are described, for this process.
const MEMBERSHIP: &str = "/proc/self/cgroup";

/// Where their file system is mounted, if it is.
const MOUNTS: &str = "/proc/self/mounts";

/// What is needed of the group.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];

/// The group of the server itself.
const SERVER: &str = "everstep";

/// How the names of functions' groups begin.
const PREFIX: &str = "function-";

/// The group that was delegated.
#[derive(Debug)]
pub(crate) struct Cgroups {
    home: PathBuf,
    /// The server's process id. It is part of the groups' names, so that none has the name of one that another server
    /// left behind.
    server: u32,
    remains: Remains,
}

/// Groups that are to be removed as soon as nobody is in them.
type Remains = Arc<Mutex<Vec<PathBuf>>>;

impl Cgroups {
    /// Takes possession of the group that this process is in.
    ///
    /// # Errors
    /// Why that is not possible, for people.
    pub(crate) fn open() -> Result<Self, String> {
        let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"));
        let home = home(&read(MOUNTS)?, &read(MEMBERSHIP)?)?;
        Self::at(home, std::process::id())
    }

    fn at(home: PathBuf, server: u32) -> Result<Self, String> {
        let file = |name: &str| home.join(name);
        let shown = home.display();
        let available = fs::read_to_string(file("cgroup.controllers")).unwrap_or_default();
        let missing: Vec<&str> =
            CONTROLLERS.into_iter().filter(|name| !available.split_whitespace().any(|word| word == *name)).collect();
        if !missing.is_empty() {
            return Err(format!("the control group {shown} has no controller for {}", missing.join(" and ")));
        }
        let members = fs::read_to_string(file("cgroup.procs")).unwrap_or_default();
        if members.lines().any(|member| member != server.to_string()) {
            return Err(format!("other processes share the control group {shown}: run the server as a service"));
        }
        let refused = |error: std::io::Error| format!("the control group {shown} is not delegated: {error}");
        let own = file(SERVER);
        fs::create_dir_all(&own).map_err(refused)?;
        let wanted = CONTROLLERS.map(|name| format!("+{name}")).join(" ");
        let taken = fs::write(own.join("cgroup.procs"), server.to_string())
            .and_then(|()| fs::write(file("cgroup.subtree_control"), wanted));
        if let Err(error) = taken {
            // Back to where the service manager has put this process.
            let _ = fs::write(file("cgroup.procs"), server.to_string());
            let _ = fs::remove_dir(&own);
            return Err(refused(error));
        }
        // What a server that was killed left behind; where it had no rooms, somebody may still be in there.
        let entries = fs::read_dir(&home).into_iter().flatten().flatten();
        let old = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
        let remains: Vec<_> = old.map(|entry| entry.path()).collect();
        remains.iter().for_each(|path| kill(path));
        let groups = Self { home, server, remains: Arc::new(Mutex::new(remains)) };
        groups.tidy();
        Ok(groups)
    }

    /// Makes a group for one process, with its limits.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn make(&self, number: u64, memory_bytes: u64, processes_max: u64) -> std::io::Result<Cgroup> {
        self.tidy();
        let path = self.home.join(format!("{PREFIX}{}-{number}", self.server));
        fs::create_dir(&path)?;
        let group = Cgroup { path, remains: self.remains.clone() };
        fs::write(group.path.join("memory.max"), memory_bytes.to_string())?;
        fs::write(group.path.join("memory.oom.group"), "1")?;
        fs::write(group.path.join("pids.max"), processes_max.to_string())?;
        // Not every kernel can swap.
        let _ = fs::write(group.path.join("memory.swap.max"), "0");
        Ok(group)
    }

    /// Removes what was left for later, as far as that is possible by now.
    fn tidy(&self) {
        let mut remains = self.remains.lock().unwrap_or_else(PoisonError::into_inner);
        remains.retain(|path| !remove(path));
    }
}

/// The group of one process; removed, with whatever still runs in it, on drop.
#[derive(Debug)]
pub(crate) struct Cgroup {
    path: PathBuf,
    remains: Remains,
}

impl Cgroup {
    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns where the kernel says what its memory is used for.
    pub(crate) fn memory_stat(&self) -> PathBuf {
        self.path.join("memory.stat")
    }

    /// Tells whether the kernel has killed for want of memory.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        let killed = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        killed.is_some_and(|count| count.trim() != "0")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        kill(&self.path);
        if !remove(&self.path) {
            self.remains.lock().unwrap_or_else(PoisonError::into_inner).push(self.path.clone());
        }
    }
}

/// Kills everybody in a group; Linux before 5.14 cannot.
fn kill(group: &Path) {
    let _ = fs::write(group.join("cgroup.kill"), "1");
}

/// Removes a group; tells whether it is gone.
fn remove(group: &Path) -> bool {
    fs::remove_dir(group).is_ok() || !group.exists()
}

/// Finds the directory of this process's group.
fn home(mounts: &str, membership: &str) -> Result<PathBuf, String> {
    let mut fields = mounts.lines().map(|line| line.split(' ').skip(1));
    let mount = fields.find_map(|mut fields| {
        let (path, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then_some(path)
    });
    let mount = mount.ok_or("control groups of version 2 are not mounted")?;
    let group = membership.lines().find_map(|line| line.strip_prefix("0::"));
    let group = group.ok_or("this process is in no control group of version 2")?;
    Ok(Path::new(mount).join(group.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_home(mounts: &str, membership: &str, expected: Result<&str, &str>) {
        let found = home(mounts, membership);
        assert_eq!(found, expected.map(PathBuf::from).map_err(str::to_owned), "{mounts} {membership}");
    }

    #[test]
    fn group_is_found_below_its_mount() {
        let mounts = "tmpfs /tmp tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";
        check_home(mounts, "0::/system.slice/everstep.service\n", Ok("/sys/fs/cgroup/system.slice/everstep.service"));
        check_home(mounts, "4:memory:/x\n0::/\n", Ok("/sys/fs/cgroup/"));
        check_home("cgroup /c cgroup rw 0 0\n", "0::/\n", Err("control groups of version 2 are not mounted"));
        check_home(mounts, "4:memory:/x\n", Err("this process is in no control group of version 2"));
    }

    /// A directory that looks like a delegated group, with these controllers and members.
    fn group(controllers: &str, members: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("cgroup.controllers"), controllers).unwrap();
        fs::write(directory.path().join("cgroup.procs"), members).unwrap();
        directory
    }

    #[test]
    fn group_is_taken_only_if_it_is_whole_and_ours() {
        let open = |controllers: &str, members: &str| {
            let directory = group(controllers, members);
            Cgroups::at(directory.path().to_owned(), 7).map(|_| ())
        };
        assert_eq!(open("cpu memory pids\n", "7\n"), Ok(()));
        assert!(open("cpu memory\n", "7\n").unwrap_err().ends_with("has no controller for pids"));
        assert!(open("", "7\n").unwrap_err().ends_with("has no controller for memory and pids"));
        assert!(open("memory pids\n", "7\n8\n").unwrap_err().starts_with("other processes share"));
    }

    #[test]
    fn server_goes_back_if_it_cannot_hand_the_controllers_down() {
        let directory = group("memory pids\n", "7\n");
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("cgroup.subtree_control")).unwrap();
        fs::remove_file(at("cgroup.procs")).unwrap();
        assert!(Cgroups::at(directory.path().to_owned(), 7).unwrap_err().contains("is not delegated"));
        assert_eq!(fs::read_to_string(at("cgroup.procs")).unwrap(), "7");
    }

    #[test]
    fn limits_are_written_and_kills_are_read() {
        let directory = group("memory pids\n", "7\n");
        let groups = Cgroups::at(directory.path().to_owned(), 7).unwrap();
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(
            (read("everstep/cgroup.procs"), read("cgroup.subtree_control")),
            ("7".into(), "+memory +pids".into())
        );
        let made = groups.make(1, 1024, 5).unwrap();
        assert_eq!((read("function-7-1/memory.max"), read("function-7-1/pids.max")), ("1024".into(), "5".into()));
        assert!(!made.ran_out_of_memory());
        for (events, expected) in [("oom 1\noom_kill 0\n", false), ("oom 1\noom_kill 2\n", true)] {
            fs::write(made.path().join("memory.events"), events).unwrap();
            assert_eq!(made.ran_out_of_memory(), expected, "{events}");
        }
        drop(made);
        assert_eq!(read("function-7-1/cgroup.kill"), "1");
    }

    /// Makes the directory of a group empty, as a group is that nobody is in.
    fn vacate(group: &Path) {
        fs::remove_dir_all(group).and_then(|()| fs::create_dir(group)).unwrap();
    }

    #[test]
    fn group_that_is_not_empty_yet_is_removed_later() {
        let directory = group("memory pids\n", "7\n");
        let groups = Cgroups::at(directory.path().to_owned(), 7).unwrap();
        let first = directory.path().join("function-7-1");
        drop(groups.make(1, 1024, 5).unwrap());
        let _second = groups.make(2, 1024, 5).unwrap();
        assert!(first.exists(), "as long as something is in it");
        vacate(&first);
        let _third = groups.make(3, 1024, 5).unwrap();
        assert!(!first.exists());
        assert!(directory.path().join("function-7-2").exists(), "this one is in use");
    }

    #[test]
    fn groups_of_a_killed_server_are_killed_and_removed_and_are_in_nobodys_way() {
        let directory = group("memory pids\n", "8\n");
        let old = directory.path().join("function-7-1");
        fs::create_dir(&old).unwrap();
        let groups = Cgroups::at(directory.path().to_owned(), 8).unwrap();
        assert_eq!(fs::read_to_string(old.join("cgroup.kill")).unwrap(), "1");
        let _new = groups.make(1, 1024, 5).expect("the old one is still there");
        vacate(&old);
        let _next = groups.make(2, 1024, 5).unwrap();
        assert!(!old.exists());
    }
}
