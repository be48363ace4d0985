//! Pythons out of Debian's packages, unpacked into a directory: nothing of the machine's own packages is touched.
//!
//! apt fetches and verifies them, with a state of its own: the release that has the wanted version, on the mirror
//! that the machine's own sources name. All that a Python needs comes along, down to the C library, so it runs on
//! any distribution of the same processor and can be carried to other machines.
//!
//! A program runs on a C library that is not the machine's only if that library's own loader starts it. So
//! `bin/python3.13` is a script that calls the loader and says under which name; Python then finds its libraries
//! beside that name, `sys.executable` is the script, and whatever Python starts by it works.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::spawn_blocking;

use super::install::run;
use super::interpreter::SearchPath;
use crate::Error;

/// The release of Debian that has a Python 3 of this minor version. No release had 3.12.
const SUITES: [(u32, &str); 3] = [(11, "bookworm"), (13, "trixie"), (14, "forky")];

/// What is wanted beside Python: pip for the AWS SDK, and the C++ library that many packages are linked with.
const COMPANIONS: [&str; 2] = ["python3-pip-whl", "libstdc++6"];

/// Where the package `debian-archive-keyring` has the archive's keys, the newer name first.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];

/// The programs that fetch and unpack.
const TOOLS: [&str; 3] = ["apt-get", "apt-config", "dpkg-deb"];

/// `bin/python3.13`. It may be called through a link, as virtual environments do.
const LAUNCHER: &str = r#"#!/bin/sh
# Starts Python with the loader and the libraries that came with it.
file=$0
if [ -L "$file" ]; then file=$(readlink -f "$file"); fi
home=${file%/*}/..
libraries=$home/lib/TRIPLET
exec "$libraries/LOADER" --argv0 "$0" --library-path "$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \
    "$home/libexec/PROGRAM" "$@"
"#;

/// What Debian calls a kind of machine.
struct Machine {
    architecture: &'static str,
    triplet: &'static str,
    loader: &'static str,
}

/// Returns the release that has Python 3 of this minor version.
pub(super) fn suite(minor: u32) -> Option<&'static str> {
    SUITES.into_iter().find(|(has, _)| *has == minor).map(|(_, suite)| suite)
}

/// Tells whether this machine can fetch Debian's packages, or why it cannot.
pub(super) fn can_fetch(tools: &SearchPath) -> Result<(), String> {
    machine()?;
    TOOLS.into_iter().try_for_each(|name| tool(tools, name).map(drop))?;
    keyring().map(drop)
}

/// Makes a Python in an empty directory; returns the part of it that is to stay.
pub(super) async fn python(tools: &SearchPath, directory: &Path, minor: u32) -> Result<PathBuf, Error> {
    let machine = machine().map_err(Error::NotInstallable)?;
    let suite =
        suite(minor).ok_or_else(|| Error::NotInstallable(format!("no release of Debian has Python 3.{minor}")))?;
    let program = format!("python3.{minor}");
    let packages = fetch(tools, &machine, suite, &program).await?;
    let unpacked = directory.join("unpacked");
    for package in packages.files()? {
        let mut command = Command::new(tool(tools, "dpkg-deb").map_err(Error::NotInstallable)?);
        command.arg("--extract").arg(package).arg(&unpacked);
        run(command).await?;
    }
    let python = directory.join("python");
    let assembling = {
        let python = python.clone();
        spawn_blocking(move || assemble(&unpacked, &python, &program, &machine))
    };
    let assembled = assembling.await.expect("assembling does not panic");
    assembled.map_err(Error::io(format!("assemble Python from packages in {}", directory.display())))?;
    Ok(python)
}

fn machine() -> Result<Machine, String> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => {
            Ok(Machine { architecture: "amd64", triplet: "x86_64-linux-gnu", loader: "ld-linux-x86-64.so.2" })
        }
        ("linux", "aarch64") => {
            Ok(Machine { architecture: "arm64", triplet: "aarch64-linux-gnu", loader: "ld-linux-aarch64.so.1" })
        }
        (system, processor) => Err(format!("there are no packages of Debian for {system} on {processor}")),
    }
}

fn tool(tools: &SearchPath, name: &str) -> Result<PathBuf, String> {
    let missing = || format!("this machine has no `{name}` to fetch Debian's packages with");
    tools.first(name).ok_or_else(missing)
}

/// Returns the keys that packages are verified by. Distributions that only use Debian's tools do not have them.
fn keyring() -> Result<&'static str, String> {
    let missing = "this machine has no keys of Debian's archive to verify packages with (debian-archive-keyring)";
    KEYRINGS.into_iter().find(|keyring| Path::new(keyring).is_file()).ok_or_else(|| missing.into())
}

/// A private apt: its settings, state and downloads.
struct Apt {
    home: TempDir,
    apt_get: PathBuf,
}

/// Downloads a package with all that it depends on.
async fn fetch(tools: &SearchPath, machine: &Machine, suite: &str, package: &str) -> Result<Apt, Error> {
    let apt = Apt::new(tools).await?;
    let mut problem = Error::NotInstallable("apt's sources on this machine name no mirror of Debian".into());
    for mirror in apt.mirrors().await? {
        match apt.download(&mirror, machine, suite, package).await {
            Ok(()) => return Ok(apt),
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

impl Apt {
    async fn new(tools: &SearchPath) -> Result<Self, Error> {
        let tool = |name| tool(tools, name).map_err(Error::NotInstallable);
        let apt_get = tool("apt-get")?;
        let mut dump = Command::new(tool("apt-config")?);
        dump.arg("dump");
        let dump = run(dump).await?;
        let home = tempfile::Builder::new().prefix("everstep-apt-").tempdir();
        let home = home.map_err(Error::io("make a directory for apt"))?;
        let made = Self::lay_out(home.path(), &dump);
        made.map_err(Error::io(format!("write apt's settings in {}", home.path().display())))?;
        Ok(Self { home, apt_get })
    }

    fn lay_out(home: &Path, dump: &str) -> io::Result<()> {
        // apt downloads as a user of its own when it is run by root, and that user must get there.
        fs::set_permissions(home, Permissions::from_mode(0o755))?;
        for directory in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(home.join(directory))?;
        }
        // Nothing is installed in here, so that everything is fetched.
        fs::write(home.join("status"), "")?;
        fs::write(home.join("apt.conf"), settings(home, dump))
    }

    /// Returns the mirrors that the machine's own sources name, as its apt understands them.
    async fn mirrors(&self) -> Result<Vec<String>, Error> {
        let mut command = Command::new(&self.apt_get);
        command.args(["update", "--print-uris"]);
        Ok(mirrors(&run(command).await?))
    }

    async fn download(&self, mirror: &str, machine: &Machine, suite: &str, package: &str) -> Result<(), Error> {
        let architecture = machine.architecture;
        let keyring = keyring().map_err(Error::NotInstallable)?;
        let source = format!("deb [arch={architecture} signed-by={keyring}] {mirror} {suite} main\n");
        let sources = self.home.path().join("sources.list");
        fs::write(&sources, source).map_err(Error::io(format!("write {}", sources.display())))?;
        self.run(&["update"]).await?;
        let mut arguments = vec!["install", "--download-only", "--no-install-recommends", package];
        arguments.extend(COMPANIONS);
        self.run(&arguments).await
    }

    async fn run(&self, arguments: &[&str]) -> Result<(), Error> {
        let mut command = Command::new(&self.apt_get);
        command.args(["--quiet", "--yes"]).args(arguments).env("APT_CONFIG", self.home.path().join("apt.conf"));
        run(command).await.map(drop)
    }

    /// Returns the files that were downloaded.
    fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let archives = self.home.path().join("cache/archives");
        let entries = fs::read_dir(&archives).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<PathBuf>>>()
        });
        let mut files = entries.map_err(Error::io(format!("read {}", archives.display())))?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "deb"));
        files.sort();
        Ok(files)
    }
}

/// Returns apt's settings: how the machine fetches (proxies, certificates), without what it does before and after, and
/// verified in any case.
fn settings(home: &Path, dump: &str) -> String {
    let fetches = |line: &&str| line.starts_with("Acquire::") && !line.starts_with("Acquire::IndexTargets");
    let mut settings: String = dump.lines().filter(fetches).flat_map(|line| [line, "\n"]).collect();
    let home = home.display();
    settings.push_str(&format!(
        "\
Acquire::AllowInsecureRepositories \"false\";
APT::Update::Error-Mode \"any\";
Dir::Etc::main \"/dev/null\";
Dir::Etc::parts \"/dev/null\";
Dir::Etc::sourcelist \"{home}/sources.list\";
Dir::Etc::sourceparts \"/dev/null\";
Dir::State \"{home}/state\";
Dir::State::status \"{home}/status\";
Dir::Cache \"{home}/cache\";
"
    ));
    settings
}

/// Finds the mirrors in what `apt-get update --print-uris` prints. Archives beside the main one, such as those of
/// security updates, have a hyphen in their release's name.
fn mirrors(printed: &str) -> Vec<String> {
    let mut mirrors = Vec::new();
    for line in printed.lines() {
        let uri = line.strip_prefix('\'').and_then(|line| line.split_once('\'')).map(|(uri, _)| uri);
        let release = uri.and_then(|uri| uri.strip_suffix("/InRelease")?.split_once("/dists/"));
        if let Some((mirror, suite)) = release
            && !suite.contains(['-', '/'])
            && !mirrors.iter().any(|known| known == mirror)
        {
            mirrors.push(mirror.to_owned());
        }
    }
    mirrors
}

/// Takes what Python needs out of unpacked packages: program, libraries, pip and licences.
fn assemble(unpacked: &Path, python: &Path, program: &str, machine: &Machine) -> io::Result<()> {
    let (bin, libexec, libraries) = (python.join("bin"), python.join("libexec"), python.join("lib"));
    for directory in [&bin, &libexec, &libraries.join(machine.triplet), &python.join("share/doc")] {
        fs::create_dir_all(directory)?;
    }
    // Older releases have the libraries of the C library's own packages outside of /usr.
    for from in ["lib", "usr/lib"] {
        let from = unpacked.join(from).join(machine.triplet);
        for entry in if from.is_dir() { entries(&from)? } else { Vec::new() } {
            if !entry.is_dir() {
                fs::rename(&entry, libraries.join(machine.triplet).join(name(&entry)))?;
            }
        }
    }
    fs::rename(unpacked.join("usr/lib").join(program), libraries.join(program))?;
    for entry in entries(&libraries.join(program))? {
        // It would lead to the machine's own Python of that version.
        if fs::read_link(&entry).is_ok_and(|target| target.is_absolute()) {
            fs::remove_file(&entry)?;
        }
    }
    fs::rename(unpacked.join("usr/share/python-wheels"), python.join("share/python-wheels"))?;
    for package in entries(&unpacked.join("usr/share/doc"))? {
        let licence = package.join("copyright");
        if licence.is_file() && !package.is_symlink() {
            fs::copy(&licence, python.join("share/doc").join(name(&package)))?;
        }
    }
    fs::rename(unpacked.join("usr/bin").join(program), libexec.join(program))?;
    let launcher =
        LAUNCHER.replace("TRIPLET", machine.triplet).replace("LOADER", machine.loader).replace("PROGRAM", program);
    fs::write(bin.join(program), launcher)?;
    fs::set_permissions(bin.join(program), Permissions::from_mode(0o755))?;
    for alias in ["python3", "python"] {
        symlink(program, bin.join(alias))?;
    }
    fs::remove_dir_all(unpacked)
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

fn name(path: &Path) -> &std::ffi::OsStr {
    path.file_name().expect("an entry of a directory has a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_those_of_the_main_archive() {
        let printed = "\
'http://one.example/debian/dists/bookworm/InRelease' one.example_debian_dists_bookworm_InRelease 0 
'http://one.example/debian/dists/bookworm-updates/InRelease' one.example_debian_InRelease 0 
'http://one.example/debian-security/dists/bookworm-security/InRelease' one.example_debian-security 0 
'http://one.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' one.example_debian_Packages 0 
'https://two.example/dists/stable/InRelease' two.example_dists_stable_InRelease 0 
'http://one.example/debian/dists/trixie/InRelease' one.example_debian_dists_trixie_InRelease 0 
Reading package lists...
";
        assert_eq!(mirrors(printed), ["http://one.example/debian", "https://two.example"]);
        assert!(mirrors("").is_empty());
    }

    #[test]
    fn settings_keep_how_the_machine_fetches_and_nothing_else() {
        let dump = "\
APT \"\";
APT::Update::Post-Invoke:: \"rm -rf /\";
Acquire::http::Proxy \"http://proxy.example:3128\";
Acquire::AllowInsecureRepositories \"true\";
Acquire::IndexTargets::deb::DEP-11::MetaKey \"x\";
Dir::State \"var/lib/apt\";
";
        let settings = settings(Path::new("/tmp/apt"), dump);
        assert!(settings.starts_with("Acquire::http::Proxy \"http://proxy.example:3128\";\n"));
        let insecure = settings.lines().rfind(|line| line.starts_with("Acquire::AllowInsecureRepositories"));
        assert_eq!(insecure, Some("Acquire::AllowInsecureRepositories \"false\";"), "the last one counts");
        for absent in ["Post-Invoke", "DEP-11", "var/lib"] {
            assert!(!settings.contains(absent), "{settings}");
        }
    }
}
