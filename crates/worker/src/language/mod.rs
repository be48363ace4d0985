//! What differs between languages: which interpreter runs the code, with which bootstrap, beside which packages.
//!
//! To add a language: a variant of [`Runtime`], a file here that makes its [`Toolchain`], one arm in
//! [`Toolchains::get`].

mod install;
mod interpreter;
mod node;
mod python;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::{Config, Error, Function, Progress, Runtime};

use install::Installer;

/// The bootstraps; both speak the Runtime API and need nothing but their language's standard library.
const BOOTSTRAPS: [(&str, &str); 2] =
    [("bootstrap.py", include_str!("bootstrap.py")), ("bootstrap.mjs", include_str!("bootstrap.mjs"))];

/// What runs the functions of one runtime.
#[derive(Debug)]
pub(crate) struct Toolchain {
    /// Interpreter and bootstrap; empty if the code is its own program.
    program: Vec<OsString>,
    /// For people: `python3.13 (Python 3.13.2)`.
    pub(crate) version: String,
    /// `LAMBDA_RUNTIME_DIR`.
    pub(crate) runtime_dir: PathBuf,
    /// `AWS_EXECUTION_ENV`, which only managed runtimes have.
    pub(crate) execution_env: Option<String>,
    /// Directories for `PATH`, before the system's.
    pub(crate) path: Vec<PathBuf>,
    /// The directories that a process reads besides the system's and its own code: interpreter, bootstrap, packages.
    /// None lies within another, and nothing in them is ever written by a process.
    pub(crate) roots: Vec<PathBuf>,
    /// Default variables; the function's value goes before ours in those that end in `PATH`.
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

impl Toolchain {
    /// Returns the command line of a function's process.
    pub(crate) fn command(&self, function: &Function) -> Vec<OsString> {
        if self.program.is_empty() {
            return vec![function.code_dir.join("bootstrap").into()];
        }
        self.program.clone()
    }

    /// Tells whether a failed start is the code's fault: it, or its wrapper, is the program.
    pub(crate) fn runs_code_itself(&self, function: &Function) -> bool {
        self.program.is_empty()
            || function.environment.get("AWS_LAMBDA_EXEC_WRAPPER").is_some_and(|name| !name.is_empty())
    }
}

/// The toolchains of all runtimes, each made at its first use and kept.
pub(crate) struct Toolchains {
    interpreters: BTreeMap<String, PathBuf>,
    runtimes_dir: PathBuf,
    install_sdks: bool,
    installer: Installer,
    ready: BTreeMap<Runtime, OnceCell<Arc<Toolchain>>>,
}

impl Toolchains {
    pub(crate) fn new(config: &Config) -> Self {
        // The paths get into processes whose working directory is another.
        let runtimes_dir = std::path::absolute(&config.runtimes_dir).unwrap_or(config.runtimes_dir.clone());
        Self {
            interpreters: config.interpreters.clone(),
            install_sdks: config.install_sdks,
            installer: Installer::new(Progress::clone(&config.progress)),
            ready: Runtime::ALL.into_iter().map(|runtime| (runtime, OnceCell::new())).collect(),
            runtimes_dir,
        }
    }

    /// Returns a runtime's toolchain, and makes it if need be; concurrent callers wait for one of them. A failure is
    /// not kept: the next caller tries again.
    pub(crate) async fn get(&self, runtime: Runtime) -> Result<Arc<Toolchain>, Error> {
        let made = self.ready[&runtime].get_or_try_init(|| async {
            let toolchain = match runtime {
                Runtime::Python311 => python::toolchain(self, runtime, 11).await?,
                Runtime::Python312 => python::toolchain(self, runtime, 12).await?,
                Runtime::Python313 => python::toolchain(self, runtime, 13).await?,
                Runtime::Python314 => python::toolchain(self, runtime, 14).await?,
                Runtime::Nodejs22 => node::toolchain(self, runtime, 22).await?,
                Runtime::Nodejs24 => node::toolchain(self, runtime, 24).await?,
                Runtime::ProvidedAl2023 | Runtime::ProvidedAl2 => provided(runtime, &self.bootstraps()?),
            };
            tracing::info!(%runtime, version = %toolchain.version, roots = ?toolchain.roots, "a runtime is ready");
            Ok(Arc::new(toolchain))
        });
        made.await.cloned()
    }

    /// Writes the bootstraps and returns their directory, named by their content: servers of several versions may
    /// share a data directory.
    fn bootstraps(&self) -> Result<PathBuf, Error> {
        let digest = fingerprint(BOOTSTRAPS.iter().map(|(_, text)| *text));
        let directory = self.runtimes_dir.join(format!("bootstrap-{digest}"));
        if directory.is_dir() {
            return Ok(directory);
        }
        let fresh = install::fresh_dir(&self.runtimes_dir)?;
        for (name, text) in BOOTSTRAPS {
            let path = fresh.path().join(name);
            std::fs::write(&path, text).map_err(Error::io(format!("write {}", path.display())))?;
        }
        install::publish(fresh, fresh_itself, &directory)?;
        Ok(directory)
    }

    /// Returns the interpreter the operator chose for a runtime.
    fn configured(&self, runtime: Runtime) -> Option<&Path> {
        self.interpreters.get(runtime.id()).map(PathBuf::as_path)
    }
}

/// A runtime without an interpreter: the code brings an executable `bootstrap`.
fn provided(runtime: Runtime, runtime_dir: &Path) -> Toolchain {
    Toolchain {
        program: Vec::new(),
        version: runtime.to_string(),
        runtime_dir: runtime_dir.to_owned(),
        execution_env: None,
        path: Vec::new(),
        roots: vec![runtime_dir.to_owned()],
        environment: Vec::new(),
    }
}

/// Returns each directory that lies within no other of them, once.
fn outermost(directories: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let all: BTreeSet<PathBuf> = directories.into_iter().collect();
    all.iter().filter(|&one| !all.iter().any(|other| other != one && one.starts_with(other))).cloned().collect()
}

/// The whole of a fresh directory is what gets published.
fn fresh_itself(directory: &Path) -> PathBuf {
    directory.to_owned()
}

/// Returns eight hex digits that change with any of the texts.
fn fingerprint<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text);
        hash.update([0]);
    }
    hash.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &[&str], expected: &[&str]) {
        let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
        assert_eq!(outermost(given.iter().map(PathBuf::from)), expected);
    }

    #[test]
    fn directories_within_others_are_left_out() {
        check(&[], &[]);
        check(&["/b", "/a", "/b"], &["/a", "/b"]);
        check(&["/usr/bin", "/usr", "/usr/lib/python3"], &["/usr"]);
        check(&["/opt/python/bin", "/opt/python", "/opt/python3"], &["/opt/python", "/opt/python3"]);
    }
}
