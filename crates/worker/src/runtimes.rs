//! The runtimes of a machine, for people: what serves which, and how what is missing gets there.
//!
//! A [`Runtimes`] sees the directory that servers see, and needs none of them to run.

mod bundle;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::language::{self, Found, Interpreter, Managed, Toolchains};
use crate::{Config, Error, Runtime};

/// The runtimes as a server with the same settings would use them.
pub struct Runtimes {
    toolchains: Toolchains,
}

/// What there is for one runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The runtime.
    pub runtime: Runtime,
    /// What would serve it.
    pub interpreter: Availability,
    /// The AWS SDK that comes with it.
    pub sdk: Sdk,
}

/// What would serve a runtime, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// The interpreter that the operator names.
    Configured(Program),
    /// An interpreter on the machine's `PATH`.
    Machine(Program),
    /// An interpreter below the runtimes directory.
    Installed(Program),
    /// None yet: it is installed at the first use, from here.
    Installable(String),
    /// The wanted interpreter cannot be had; one of another version serves, with a warning.
    Other {
        /// The one that serves.
        program: Program,
        /// Why it is not the wanted one.
        reason: String,
    },
    /// The function's code brings its own program.
    Code,
    /// Nothing: its functions cannot run.
    Nothing {
        /// What was looked for.
        reason: String,
    },
}

/// An interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Its whole version, such as `3.13.2`.
    pub version: String,
}

/// Whether a runtime has the AWS SDK that its functions may expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    /// It is installed.
    Installed,
    /// It is installed at the first use.
    Missing,
    /// The runtime comes without.
    None,
}

impl Runtimes {
    /// Looks at the runtimes directory of these settings. It need not exist yet.
    pub fn new(config: &Config) -> Self {
        Self { toolchains: Toolchains::new(config) }
    }

    /// Returns the directory that everything is installed in.
    pub fn directory(&self) -> &Path {
        self.toolchains.directory()
    }

    /// Tells what would serve a runtime, and changes nothing.
    pub async fn status(&self, runtime: Runtime) -> Status {
        let Some(managed) = Managed::of(runtime) else {
            return Status { runtime, interpreter: Availability::Code, sdk: Sdk::None };
        };
        let (interpreter, series) = match self.toolchains.find(managed).await {
            Ok(Found::Configured(interpreter)) => (Availability::Configured(program(&interpreter)), interpreter.series),
            Ok(Found::Machine(interpreter)) => (Availability::Machine(program(&interpreter)), interpreter.series),
            Ok(Found::Installed(interpreter)) => (Availability::Installed(program(&interpreter)), interpreter.series),
            Ok(Found::Missing) => match self.toolchains.origin(managed) {
                Ok(origin) => (Availability::Installable(origin), managed.series),
                Err(reason) => match self.toolchains.other(managed).await {
                    Some(other) => (Availability::Other { program: program(&other), reason }, other.series),
                    None => (Availability::Nothing { reason }, managed.series),
                },
            },
            Err(error) => (Availability::Nothing { reason: error.to_string() }, managed.series),
        };
        let sdk = match self.toolchains.packages_dir(managed.language, series).is_dir() {
            true => Sdk::Installed,
            false => Sdk::Missing,
        };
        Status { runtime, interpreter, sdk }
    }

    /// Installs what a runtime lacks: an interpreter of exactly its version, unless the operator or the machine has
    /// one, and the AWS SDK.
    ///
    /// # Errors
    /// [`Error`] says what is missing and what to do. Nothing half-done is kept.
    pub async fn install(&self, runtime: Runtime) -> Result<Status, Error> {
        if let Some(managed) = Managed::of(runtime) {
            let interpreter = match self.toolchains.find(managed).await? {
                Found::Configured(interpreter) | Found::Machine(interpreter) | Found::Installed(interpreter) => {
                    interpreter
                }
                Found::Missing => self.toolchains.install(managed).await?,
            };
            if let Some(packages) = self.toolchains.packages(managed.language, &interpreter).await? {
                self.toolchains.tune(managed.language, &interpreter, &packages).await;
            }
        }
        Ok(self.status(runtime).await)
    }

    /// Writes all that these runtimes need to one file, and installs what is missing before. Interpreters of the
    /// machine or the operator do not go into it, as they cannot be carried; an installed one does.
    ///
    /// # Errors
    /// [`Error`] says what is missing and what to do. Nothing half-done is kept.
    pub async fn bundle(&self, runtimes: &[Runtime], file: &Path) -> Result<(), Error> {
        let mut directories = BTreeSet::new();
        for runtime in runtimes {
            if let Some(managed) = Managed::of(*runtime) {
                let interpreter = self.toolchains.install(managed).await?;
                self.toolchains.packages(managed.language, &interpreter).await?;
                directories.extend(directories_of(managed));
            }
        }
        let (home, file) = (self.directory().to_owned(), file.to_owned());
        let runtimes: Vec<String> = runtimes.iter().map(Runtime::to_string).collect();
        let writing = spawn_blocking(move || {
            bundle::write(&home, &directories, &runtimes, &file).map_err(|problem| Error::Bundle {
                action: "write",
                file,
                reason: problem.to_string(),
            })
        });
        writing.await.expect("writing a bundle does not panic")
    }

    /// Installs all that a bundle holds, or nothing; what is there already stays. Returns its runtimes.
    ///
    /// # Errors
    /// [`Error::Bundle`] if it is damaged, for another kind of machine, or made by another version of Everstep that
    /// looks for other directories.
    pub async fn install_bundle(&self, file: &Path) -> Result<Vec<Runtime>, Error> {
        let (home, file) = (self.directory().to_owned(), file.to_owned());
        let installing = spawn_blocking(move || {
            let fresh = language::fresh_dir(&home)?;
            let known =
                |id: &str| id.parse().ok().map(|runtime| Managed::of(runtime).map(directories_of).unwrap_or_default());
            let manifest = bundle::read(&file, known, fresh.path()).map_err(|problem| Error::Bundle {
                action: "install",
                file,
                reason: problem.to_string(),
            })?;
            for name in bundle::directories(&manifest) {
                language::publish(&fresh, &fresh.path().join(name), &home.join(name))?;
            }
            Ok(manifest.runtimes.iter().filter_map(|id| id.parse().ok()).collect())
        });
        installing.await.expect("installing a bundle does not panic")
    }
}

/// Returns the names of the directories that a runtime consists of.
fn directories_of(managed: Managed) -> BTreeSet<String> {
    [managed.directory(), managed.language.packages_directory(managed.series)].into()
}

fn program(interpreter: &Interpreter) -> Program {
    Program { path: interpreter.program.clone(), version: interpreter.version.clone() }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A runtimes directory with a script that claims to be Python 3.13, and an SDK.
    fn filled() -> (tempfile::TempDir, Runtimes) {
        let (home, runtimes) = empty();
        let managed = Managed::of(Runtime::Python313).unwrap();
        let python = runtimes.directory().join(managed.directory()).join("bin/python3.13");
        fs::create_dir_all(python.parent().unwrap()).unwrap();
        fs::write(&python, "#!/bin/sh\necho 3.13.1\necho \"$0\"\n").unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        let sdk = runtimes.directory().join(managed.language.packages_directory(managed.series));
        fs::create_dir_all(&sdk).unwrap();
        fs::write(sdk.join("boto3.py"), "x = 1\n".repeat(10_000)).unwrap();
        (home, runtimes)
    }

    fn empty() -> (tempfile::TempDir, Runtimes) {
        let home = tempfile::tempdir().unwrap();
        let runtimes = Runtimes::new(&Config::new(home.path(), "http://127.0.0.1:9"));
        (home, runtimes)
    }

    #[tokio::test]
    async fn a_bundle_makes_its_runtimes_whole_elsewhere() {
        let (home, here) = filled();
        let (_elsewhere, there) = empty();
        let file = home.path().join("bundle");
        here.bundle(&[Runtime::Python313, Runtime::ProvidedAl2023], &file).await.unwrap();
        let installed = there.install_bundle(&file).await.unwrap();
        assert_eq!(installed, [Runtime::Python313, Runtime::ProvidedAl2023]);
        for managed in installed.into_iter().filter_map(Managed::of) {
            for name in directories_of(managed) {
                assert_eq!(fs::metadata(there.directory().join(name)).unwrap().permissions().mode() & 0o777, 0o755);
            }
        }
        let again = there.install_bundle(&file).await.unwrap();
        assert_eq!(again.len(), 2, "what is there stays");
    }

    #[tokio::test]
    async fn a_damaged_bundle_leaves_nothing() {
        let (home, here) = filled();
        let (_elsewhere, there) = empty();
        let file = home.path().join("bundle");
        here.bundle(&[Runtime::Python313], &file).await.unwrap();
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() - 40]).unwrap();
        let error = there.install_bundle(&file).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot install `{}`: ", file.display())), "{error}");
        assert_eq!(fs::read_dir(there.directory()).unwrap().count(), 0);
    }
}
