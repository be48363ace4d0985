//! Java 17 or later, with AWS's runtime interface client beside the function's code.
//!
//! A function's process is a Java virtual machine that runs the client, which loads the function's classes. [`Program`]
//! is its command line. `jre` installs a machine, `client` the client, and `archive` makes their start short. What AWS
//! decides about a machine's options is in [`Program::command`]; who names options of the same kind in one of Java's own
//! variables has the last word.

pub(super) mod archive;
pub(super) mod client;
pub(super) mod jre;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::interpreter::Said;
use crate::sandbox::Paths;
use crate::{Function, limits};

/// The oldest version that AWS has a runtime for.
pub(super) const SERIES_MIN: u32 = 17;

/// Prints all properties, to standard error.
pub(super) const QUESTION: [&str; 2] = ["-XshowSettings:properties", "-version"];

/// Files of a Java home that are links out of it on some systems. They are read at each start.
const SETTINGS: [&str; 2] = ["lib/jvm.cfg", "conf/security/java.security"];

/// Variables in which the machine looks for options.
const VARIABLES: [&str; 3] = ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"];

/// Reads the answer to the question.
pub(super) fn said(errors: &str) -> Option<Said> {
    let property = |name: &str| {
        let value = |line: &str| Some(line.trim().strip_prefix(name)?.strip_prefix(" = ")?.to_owned());
        errors.lines().find_map(value)
    };
    let home = PathBuf::from(property("java.home")?);
    let settings = SETTINGS.iter().filter_map(|file| home.join(file).canonicalize().ok()?.parent().map(Path::to_owned));
    Some(Said {
        version: property("java.version")?,
        program: home.join("bin/java"),
        directories: settings.chain([home.clone()]).collect(),
    })
}

/// Returns the first number of a version.
pub(super) fn series(version: &str) -> Option<u32> {
    version.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// What the processes of a runtime are started with.
#[derive(Debug)]
pub(super) struct Program {
    /// The virtual machine.
    pub(super) java: PathBuf,
    /// The directory of the runtime interface client.
    pub(super) client: PathBuf,
    /// Classes that are loaded already, if they could be archived.
    pub(super) archive: Option<PathBuf>,
}

impl Program {
    /// Returns the command line of a function's process.
    pub(super) fn command(&self, paths: &Paths, function: &Function) -> Vec<OsString> {
        let theirs: Vec<&str> = VARIABLES
            .iter()
            .filter_map(|name| function.environment.get(*name))
            .flat_map(|options| options.split_whitespace())
            .collect();
        // Each beside the words by which its like is known in theirs.
        let heap = format!("-XX:MaxHeapSize={}k", heap_kb(function.memory_mb)).into();
        let archive = self.archive.as_ref().map(|archive| option("-XX:SharedArchiveFile=", archive));
        let ours = [
            (&["-Xmx", "MaxHeapSize", "MaxRAM"][..], Some(heap)),
            (&["GC"], Some("-XX:+UseSerialGC".into())),
            (&["Tiered", "-Xint", "-Xcomp"], Some("-XX:TieredStopAtLevel=1".into())),
            (&["-Xshare", "SharedArchive"], archive),
            (&["UsePerfData"], Some("-XX:-UsePerfData".into())),
            (&["java.io.tmpdir"], Some(option("-Djava.io.tmpdir=", &paths.temp))),
            (&["user.language", "user.country"], Some("-Duser.country=US".into())),
        ];
        let free = |words: &[&str]| !theirs.iter().any(|their| words.iter().any(|word| their.contains(word)));
        let mut command = vec![self.java.clone().into()];
        command.extend(ours.into_iter().filter(|(words, _)| free(words)).filter_map(|(_, option)| option));
        command.extend(client::start(&self.client, &self.packages(paths)));
        command.push(function.handler.clone().into());
        command
    }

    /// Returns what is on the class path behind the client, which itself finds the code in its working directory, and
    /// layers where Lambda has them. Where they are elsewhere the machine has to find them, after the code.
    fn packages(&self, paths: &Paths) -> Vec<PathBuf> {
        let layers = jars(&paths.layers.join("java/lib"));
        if paths.read_only || layers.is_empty() {
            return Vec::new();
        }
        [paths.code.clone()].into_iter().chain(jars(&paths.code.join("lib"))).chain(layers).collect()
    }
}

/// Returns how much memory objects may take, in KB: what AWS gives them, but in small functions no more than leaves the
/// machine its own part, because here the limit is for all of the process.
fn heap_kb(memory_mb: u32) -> u32 {
    let all = memory_mb * 1024;
    let as_on_aws = all - (all / 10).min(160 * 1024) - (all / 20).min(80 * 1024);
    as_on_aws.min(all.saturating_sub(limits::JAVA_OWN_MEMORY_KB))
}

/// Returns the jars of a directory by their names, as the client orders them.
fn jars(directory: &Path) -> Vec<PathBuf> {
    let entries = directory.read_dir().into_iter().flatten().flatten();
    let mut jars: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    jars.retain(|path| path.extension().is_some_and(|extension| extension == "jar"));
    jars.sort();
    jars
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(path);
    option
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_kinds_are_read() {
        for (version, expected) in [
            ("17.0.15", Some(17)),
            ("25", Some(25)),
            ("21-ea", Some(21)),
            ("1.8.0_392", Some(1)),
            ("", None),
            ("openjdk", None),
        ] {
            assert_eq!(series(version), expected, "{version}");
        }
    }

    #[test]
    fn answer_is_found_between_other_lines() {
        let errors = "\
Picked up JAVA_TOOL_OPTIONS: -Dx=1
Property settings:
    java.home = /srv/java 17
    java.version = 17.0.15
    java.version.date = 2025-04-15
";
        let said = said(errors).unwrap();
        assert_eq!((said.version.as_str(), said.program), ("17.0.15", PathBuf::from("/srv/java 17/bin/java")));
        assert_eq!(said.directories, [PathBuf::from("/srv/java 17")]);
        assert!(super::said("java: not found").is_none());
    }

    #[test]
    fn heap_is_awss_share_less_what_the_machine_itself_needs() {
        for (memory_mb, expected_kb) in
            [(128, 65_536), (256, 196_608), (512, 445_646), (1536, 1_336_935), (3008, 2_834_432), (10_240, 10_240_000)]
        {
            assert_eq!(heap_kb(memory_mb), expected_kb, "{memory_mb} MB");
        }
    }
}
