//! Node.js: the code, and beside it what `package.json` names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tool::{once, run};
use super::{copy, copy_but};

/// What npm leaves that no function needs.
const NOT_NEEDED: [&str; 2] = [".bin", ".package-lock.json"];

/// Which dependencies are installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependencies {
    /// Those that the code needs when it runs.
    ToRun,
    /// Those that it is built with as well.
    ToBuild,
}

/// Builds into `target`.
pub fn build(source: &Path, target: &Path, kept: &Path) -> anyhow::Result<()> {
    let modules = modules(source, kept, Dependencies::ToRun)?;
    copy(source, target)?;
    if modules.is_dir() {
        copy_but(&modules, &target.join("node_modules"), &NOT_NEEDED)?;
    }
    Ok(())
}

/// Returns a directory `node_modules` with what `package.json` names: what its lock file says, if there is one.
pub fn modules(source: &Path, kept: &Path, dependencies: Dependencies) -> anyhow::Result<PathBuf> {
    let files = ["package.json", "package-lock.json", ".npmrc"].map(|name| (name, fs::read(source.join(name)).ok()));
    let texts: Vec<&[u8]> = files.iter().map(|(_, text)| text.as_deref().unwrap_or_default()).collect();
    let name = match dependencies {
        Dependencies::ToRun => "npm",
        Dependencies::ToBuild => "npm-dev",
    };
    let directory = once(kept, name, &texts, |directory| {
        for (name, text) in &files {
            if let Some(text) = text {
                fs::write(directory.join(name), text)?;
            }
        }
        let mut npm = Command::new("npm");
        npm.arg(if files[1].1.is_some() { "ci" } else { "install" });
        npm.args(["--no-audit", "--no-fund", "--loglevel=error"]).current_dir(directory);
        if dependencies == Dependencies::ToRun {
            npm.arg("--omit=dev");
        }
        run(&mut npm).map(drop)
    })?;
    Ok(directory.join("node_modules"))
}
