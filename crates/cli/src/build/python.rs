//! Python: the code, and beside it what `requirements.txt` names, for the version of Python that will run it.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::tool::{once, run};
use super::{copy, copy_but};

/// What pip leaves that no function needs.
const NOT_NEEDED: [&str; 1] = ["__pycache__"];

/// Builds into `target`.
pub fn build(source: &Path, target: &Path, kept: &Path, version: &str) -> anyhow::Result<()> {
    let requirements = source.join("requirements.txt");
    let name = format!("python{version}");
    let packages = once(kept, &name, &[&fs::read(&requirements)?], |directory| {
        let mut pip = pip(version);
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-compile", "--target"]);
        // Paths in the file are relative to it.
        run(pip.arg(directory).arg("--requirement").arg("requirements.txt").current_dir(source)).map(drop)
    })?;
    copy_but(&packages, target, &NOT_NEEDED)?;
    copy(source, target)
}

/// Returns pip of that version, or one that is told of it and then takes only what is built already.
fn pip(version: &str) -> Command {
    let exact = format!("python{version}");
    let has_pip = Command::new(&exact).args(["-m", "pip", "--version"]).output();
    if has_pip.is_ok_and(|done| done.status.success()) {
        let mut pip = Command::new(exact);
        pip.args(["-m", "pip"]);
        return pip;
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip"]).env("PIP_PYTHON_VERSION", version).env("PIP_ONLY_BINARY", ":all:");
    pip
}
