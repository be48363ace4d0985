//! Rust: the binary of a package, as `bootstrap`, for the machine that it is built on.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

use super::tool::run;

/// Builds into `target`.
pub fn build(source: &Path, target: &Path, binary: Option<&str>) -> anyhow::Result<()> {
    let metadata = run(cargo(source).args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_slice(&metadata).context("cargo's metadata is not JSON")?;
    let binary = match binary {
        Some(binary) => binary.to_string(),
        None => only_binary(&metadata)?,
    };
    run(cargo(source).args(["build", "--release", "--bin", &binary]))?;
    let built = PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target"));
    let built = built.join("release").join(&binary);
    std::fs::copy(&built, target.join("bootstrap")).with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(())
}

fn cargo(source: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(source);
    cargo
}

fn only_binary(metadata: &Value) -> anyhow::Result<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let is_binary = |target: &&Value| target["kind"].as_array().is_some_and(|kinds| kinds.contains(&"bin".into()));
    let names: Vec<&str> = targets.filter(is_binary).filter_map(|target| target["name"].as_str()).collect();
    match names[..] {
        [name] => Ok(name.into()),
        _ => bail!("name one of the binaries ({}) in `BuildProperties: {{Binary: NAME}}`", names.join(", ")),
    }
}
