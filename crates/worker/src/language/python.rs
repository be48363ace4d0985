//! Python: CPython 3.11 or later, with boto3 beside the function's code.

use std::ffi::OsString;
use std::path::PathBuf;

use tokio::process::Command;

use super::interpreter::{self, Interpreter};
use super::{Toolchain, Toolchains, fingerprint, fresh_itself, outermost};
use crate::{Error, Runtime};

/// What AWS's Python runtimes contain. A change makes a new directory, so versions never mix.
const PACKAGES: [&str; 1] = ["boto3==1.44.5"];

/// The oldest minor version the bootstrap runs on.
const MINOR_MIN: u32 = 11;

/// Prints version, program and the directories of its libraries: those of a virtual environment and of the
/// installation that it is made of.
const QUESTION: &str = "\
import sys, sysconfig
print('%d.%d' % sys.version_info[:2], sys.executable, sep='\\n')
print(sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, sep='\\n')
print(sysconfig.get_config_var('LIBDIR') if sysconfig.get_config_var('Py_ENABLE_SHARED') else '')
";

/// Makes the toolchain of `python3.<minor>`.
pub(super) async fn toolchain(toolchains: &Toolchains, runtime: Runtime, minor: u32) -> Result<Toolchain, Error> {
    let python = find(toolchains, runtime, minor).await?;
    let runtime_dir = toolchains.bootstraps()?;
    let mut environment = vec![
        // Code directories are shared and stay as uploaded; what is compiled is kept elsewhere, for the next process.
        ("PYTHONPYCACHEPREFIX", toolchains.runtimes_dir.join("pycache").into_os_string()),
    ];
    let mut roots = python.roots.clone();
    roots.push(runtime_dir.clone());
    if toolchains.install_sdks {
        let packages = packages(toolchains, &python).await?;
        roots.push(packages.clone());
        environment.push(("PYTHONPATH", packages.into_os_string()));
    }
    Ok(Toolchain {
        program: vec![python.program.clone().into(), runtime_dir.join("bootstrap.py").into()],
        version: format!("{runtime} (Python {}.{})", python.major, python.minor),
        runtime_dir,
        execution_env: Some(format!("AWS_Lambda_{runtime}")),
        path: python.directory().into_iter().collect(),
        roots: outermost(roots),
        environment,
    })
}

/// The operator's choice, else the exact version, else any that is new enough.
async fn find(toolchains: &Toolchains, runtime: Runtime, minor: u32) -> Result<Interpreter, Error> {
    let ask = ["-c", QUESTION];
    let missing = |reason| Error::NoInterpreter { runtime, reason };
    if let Some(configured) = toolchains.configured(runtime) {
        return interpreter::ask(configured, &ask).await.map_err(missing);
    }
    let exact = format!("python3.{minor}");
    let names = [&exact, "python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"];
    let mut found = None;
    for file in names.into_iter().flat_map(interpreter::on_path) {
        match interpreter::ask(&file, &ask).await {
            Ok(python) if python.major == 3 && python.minor == minor => return Ok(python),
            Ok(python) if python.major == 3 && python.minor >= MINOR_MIN => {
                found = Some(python);
                break;
            }
            Ok(_) => {}
            Err(reason) => tracing::debug!(reason, "not a usable python"),
        }
    }
    let python =
        found.ok_or_else(|| missing(format!("no `{exact}` and no other Python 3.{MINOR_MIN} or later on PATH")))?;
    tracing::warn!(
        "{exact} is not here: using python{}.{} for {runtime}; packages built for 3.{minor} may not load",
        python.major,
        python.minor
    );
    Ok(python)
}

/// Installs the packages for this interpreter's version and returns their directory.
async fn packages(toolchains: &Toolchains, python: &Interpreter) -> Result<PathBuf, Error> {
    let version = format!("python{}.{}", python.major, python.minor);
    let target = toolchains.runtimes_dir.join(format!("{version}-{}", fingerprint(PACKAGES)));
    let what = format!("{} for {version}", PACKAGES.join(" "));
    let command = |directory: &std::path::Path| {
        let mut command = Command::new(&python.program);
        command
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--disable-pip-version-check",
                "--no-compile",
                "--target",
            ])
            .arg(OsString::from(directory))
            .args(PACKAGES);
        command
    };
    toolchains.installer.install(&target, &what, command, fresh_itself).await?;
    Ok(target)
}
