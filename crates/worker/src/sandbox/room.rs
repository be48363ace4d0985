//! The room: what a function sees of the machine, and where.
//!
//! Pure but for looking at which directories there are. Nothing of the host's is writable in it, and what is not
//! listed here is not there: no home directories, no data directory, no `/sys`, no other processes.

use std::path::{Path, PathBuf};

/// Where the code is, as on Lambda.
pub(crate) const TASK: &str = "/var/task";

/// Where layers are, as on Lambda.
pub(crate) const LAYERS: &str = "/opt";

/// Where the runtime's own files are, as on Lambda.
pub(crate) const RUNTIME: &str = "/var/runtime";

/// The only place that can be written, as on Lambda.
pub(crate) const TMP: &str = "/tmp";

/// The user id inside, where the room has one user only. It means nothing outside.
pub(super) const USER_INSIDE: u32 = 993;

/// The group id inside.
pub(super) const USER_GROUP_INSIDE: u32 = 990;

/// Directories of programs and libraries; on most systems all but the first are links into it.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs expect of `/etc`: how to resolve names, whom to trust, where libraries are, which time zone. Not
/// who has which password, nor how this machine's services are configured.
const SETTINGS: [&str; 19] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
];

/// Devices that hold nothing.
pub(super) const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// Links that programs expect beside them.
pub(super) const DEVICE_LINKS: [(&str, &str); 4] =
    [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];

/// What a function brings into its room.
pub(crate) struct Furniture<'a> {
    /// Its code.
    pub(crate) code: &'a Path,
    /// Its layers, merged.
    pub(crate) layers: Option<&'a Path>,
    /// The bootstraps.
    pub(crate) runtime: &'a Path,
    /// Directories of its interpreter and of the packages beside it.
    pub(crate) roots: &'a [PathBuf],
}

/// Returns what is shown, and where, in the order in which it is to be mounted.
pub(super) fn binds(furniture: &Furniture<'_>) -> Vec<(PathBuf, PathBuf)> {
    let mut shown: Vec<PathBuf> =
        SYSTEM.iter().map(PathBuf::from).filter(|path| path.symlink_metadata().is_ok()).collect();
    let mut roots: Vec<&PathBuf> = furniture.roots.iter().collect();
    // What contains others comes first, and shows them.
    roots.sort();
    for root in roots {
        if !shown.iter().any(|shown| root.starts_with(shown)) {
            shown.push(root.clone());
        }
    }
    let mut binds: Vec<_> = shown.into_iter().map(|path| (path.clone(), path)).collect();
    // What a link there leads to may lie where nothing is shown, such as the name servers below `/run`.
    binds.extend(SETTINGS.iter().filter_map(|path| Some((Path::new(path).canonicalize().ok()?, PathBuf::from(path)))));
    binds.push((furniture.code.to_owned(), TASK.into()));
    binds.push((furniture.runtime.to_owned(), RUNTIME.into()));
    // Each part by itself, because an interpreter of the host's may live beside them.
    let layers = furniture.layers.and_then(|layers| layers.read_dir().ok()).into_iter().flatten().flatten();
    let mut layers: Vec<_> = layers.map(|part| (part.path(), Path::new(LAYERS).join(part.file_name()))).collect();
    layers.sort();
    binds.extend(layers);
    binds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(roots: &[&str], expected: &[&str]) {
        let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
        let furniture = Furniture { code: Path::new("/c"), layers: None, runtime: Path::new("/r"), roots: &roots };
        let shown: Vec<String> = binds(&furniture)
            .into_iter()
            .map(
                |(from, to)| {
                    if from == to { from } else { Path::new(&format!("{}>{}", from.display(), to.display())).into() }
                },
            )
            .map(|path| path.display().to_string())
            .filter(|path| !SYSTEM.contains(&path.as_str()) && !SETTINGS.iter().any(|known| path.ends_with(known)))
            .collect();
        assert_eq!(shown, [expected, &["/c>/var/task", "/r>/var/runtime"]].concat());
    }

    #[test]
    fn parts_of_layers_are_shown_beside_an_interpreter_that_lives_there() {
        let layers = tempfile::tempdir().unwrap();
        for part in ["python", "bin"] {
            std::fs::create_dir(layers.path().join(part)).unwrap();
        }
        let roots = [PathBuf::from("/opt/python3.13")];
        let furniture =
            Furniture { code: Path::new("/c"), layers: Some(layers.path()), runtime: Path::new("/r"), roots: &roots };
        let shown: Vec<PathBuf> =
            binds(&furniture).into_iter().map(|(_, to)| to).filter(|to| to.starts_with("/opt")).collect();
        assert_eq!(shown, ["/opt/python3.13", "/opt/bin", "/opt/python"].map(PathBuf::from));
    }

    #[test]
    fn roots_are_shown_once_and_nothing_else_of_the_host() {
        check(&[], &[]);
        check(&["/srv/python/3.13"], &["/srv/python/3.13"]);
        check(&["/srv/python/3.13/lib", "/srv/python"], &["/srv/python"]);
        check(&["/usr/lib/python3"], &[]);
    }
}
