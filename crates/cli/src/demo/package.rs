//! The demo's function as a zip: the bundled workflow, and AWS's SDK from PyPI beside it.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The SDK's release on PyPI.
const SDK: &str = "aws-durable-execution-sdk-python==3.0.0";

const WORKFLOW: &str = include_str!("order_workflow.py");

/// Returns the zip in base64.
pub fn order_workflow(runtimes: &Path) -> anyhow::Result<String> {
    let sdk = install_sdk(runtimes)?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.start_file("order_workflow.py", options)?;
    zip.write_all(WORKFLOW.as_bytes())?;
    let mut directories = vec![sdk.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_none_or(|extension| extension != "pyc") {
                let name = path.strip_prefix(&sdk)?.to_str().context("a file of the SDK has an odd name")?;
                zip.start_file(name, options)?;
                zip.write_all(&fs::read(&path)?)?;
            }
        }
    }
    Ok(STANDARD.encode(zip.finish()?.into_inner()))
}

/// Installs the SDK once: into a directory beside, then renamed, so that nothing half-done is kept.
fn install_sdk(runtimes: &Path) -> anyhow::Result<PathBuf> {
    let target = runtimes.join(format!("demo-{}", SDK.replace("==", "-")));
    if target.is_dir() {
        return Ok(target);
    }
    fs::create_dir_all(runtimes).with_context(|| format!("cannot create {}", runtimes.display()))?;
    let fresh = tempfile::Builder::new().prefix("demo-").tempdir_in(runtimes)?;
    // The server brings boto3 along, as AWS does.
    let pip = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-compile",
            "--disable-pip-version-check",
            "--target",
        ])
        .arg(fresh.path())
        .arg(SDK)
        .output()
        .context("cannot run python3: install Python 3.11 or newer with pip")?;
    let reason = String::from_utf8_lossy(&pip.stderr);
    ensure!(pip.status.success(), "pip could not install {SDK} from PyPI:\n{}", reason.trim());
    let fresh = fresh.keep();
    if fs::rename(&fresh, &target).is_err() {
        // Another demo was faster.
        fs::remove_dir_all(&fresh)?;
    }
    Ok(target)
}
