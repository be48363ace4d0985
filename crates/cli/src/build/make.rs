//! A makefile: its target `build-<name of the resource>` puts what is to be packed into `$(ARTIFACTS_DIR)`.

use std::path::Path;
use std::process::Command;

use super::tool::run;

/// Builds into `target`.
pub fn build(directory: &Path, target: &Path, logical_id: &str) -> anyhow::Result<()> {
    let mut make = Command::new("make");
    make.arg("--no-print-directory").arg(format!("build-{logical_id}"));
    run(make.current_dir(directory).env("ARTIFACTS_DIR", target)).map(drop)
}
