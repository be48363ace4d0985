//! Python: CPython 3.11 or later, with boto3 beside the function's code.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::debian;
use super::install::run;
use super::interpreter::{Interpreter, SearchPath};
use crate::Error;

/// The name of the program that runs functions.
pub(super) const BOOTSTRAP: &str = "bootstrap.py";

/// What AWS's Python runtimes contain. A change makes a new directory, so versions never mix.
pub(super) const PACKAGES: [&str; 1] = ["boto3==1.44.5"];

/// The oldest minor version the bootstrap runs on.
pub(super) const SERIES_MIN: u32 = 11;

/// The newest minor version that is looked for by name.
const SERIES_MAX: u32 = 14;

/// Prints version, program and the directories of its libraries: those of a virtual environment and of the
/// installation that it is made of.
pub(super) const QUESTION: [&str; 2] = [
    "-c",
    "\
import os, sys, sysconfig
print('%d.%d.%d' % sys.version_info[:3], sys.executable, sep='\\n')
print(sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, sep='\\n')
libraries, shared = map(sysconfig.get_config_var, ('LIBDIR', 'INSTSONAME'))
print(libraries if os.path.isfile(os.path.join(libraries or '', shared or '')) else '')
",
];

/// Returns the minor version, if it is a Python 3.
pub(super) fn series(version: &str) -> Option<u32> {
    version.strip_prefix("3.")?.split('.').next()?.parse().ok()
}

/// Returns names of programs that are probably of this series.
pub(super) fn names(series: u32) -> Vec<String> {
    vec![program(series), "python3".into(), "python".into()]
}

/// Returns names of programs that are of other series, the newest first.
pub(super) fn other_names() -> Vec<String> {
    (SERIES_MIN..=SERIES_MAX).rev().map(program).collect()
}

/// Returns the name of a program of this series.
pub(super) fn program(series: u32) -> String {
    format!("python3.{series}")
}

/// Says where an interpreter can be installed from, or why it cannot.
pub(super) fn origin(tools: &SearchPath, series: u32) -> Result<String, String> {
    let suite = debian::suite(series).ok_or_else(|| format!("no release of Debian has Python 3.{series}"))?;
    debian::can_fetch(tools).map(|()| format!("Debian's packages ({suite})"))
}

/// Makes an interpreter in an empty directory; returns the part of it that is to stay.
pub(super) async fn install(tools: &SearchPath, directory: &Path, series: u32) -> Result<PathBuf, Error> {
    let python = debian::python(tools, directory, series).await?;
    compile(&python.join("bin").join(program(series)), &python.join("lib")).await?;
    Ok(python)
}

/// Installs the packages for this interpreter into an empty directory.
pub(super) async fn install_packages(python: &Interpreter, directory: &Path) -> Result<(), Error> {
    let mut command = Command::new(&python.program);
    command
        .args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile"])
        .args(["--root-user-action", "ignore", "--target"])
        .arg(directory)
        .args(PACKAGES);
    if let Some(pip) = pip_wheel(python) {
        command.env("PYTHONPATH", pip);
    }
    run(command).await?;
    compile(&python.program, directory).await
}

/// Debian's Pythons have no pip but a wheel of it, which can be used as it is.
fn pip_wheel(python: &Interpreter) -> Option<OsString> {
    let wheels = python.program.parent()?.parent()?.join("share/python-wheels");
    let wheels = std::fs::read_dir(wheels).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_pip = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pip-"));
    wheels.into_iter().find(is_pip).map(Into::into)
}

/// Compiles what is in a directory. Nobody can write there later, so a process could not keep what it compiles; and
/// what never changes need not be compared with its source either.
async fn compile(python: &Path, directory: &Path) -> Result<(), Error> {
    let mut command = Command::new(python);
    command.args(["-m", "compileall", "-qq", "-j", "0", "--invalidation-mode", "unchecked-hash"]).arg(directory);
    run(command).await.map(drop)
}
