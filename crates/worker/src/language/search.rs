//! Which interpreter serves a runtime.
//!
//! In this order: the one the operator names; one of exactly the wanted series on `PATH`; an installed one. Where
//! none of them is, the caller may install one, or make do with [`Toolchains::other`].

use super::interpreter::{self, Interpreter};
use super::{Managed, Toolchains};
use crate::Error;

/// What there is for a runtime.
#[derive(Debug)]
pub(crate) enum Found {
    /// The interpreter that the operator names.
    Configured(Interpreter),
    /// One of the wanted series on `PATH`.
    Machine(Interpreter),
    /// One that was installed.
    Installed(Interpreter),
    /// None of these.
    Missing,
}

impl Toolchains {
    /// Looks for an interpreter, and changes nothing.
    pub(crate) async fn find(&self, managed: Managed) -> Result<Found, Error> {
        let Managed { runtime, language, series } = managed;
        let broken = |reason| Error::NoInterpreter { runtime, reason };
        if let Some(configured) = self.interpreters.get(runtime.id()) {
            let interpreter = interpreter::ask(configured, language).await.map_err(broken)?;
            return Ok(Found::Configured(interpreter));
        }
        let exact = |interpreter: &Interpreter| interpreter.series == series;
        if let Some(interpreter) = self.on_path(managed, &language.names(series), exact).await {
            return Ok(Found::Machine(interpreter));
        }
        let installed = self.interpreter_dir(managed).join("bin").join(language.program(series));
        if installed.exists() {
            let interpreter = interpreter::ask(&installed, language).await.map_err(broken)?;
            return Ok(Found::Installed(interpreter));
        }
        Ok(Found::Missing)
    }

    /// Looks for an interpreter of another series that the bootstrap runs on.
    pub(crate) async fn other(&self, managed: Managed) -> Option<Interpreter> {
        let Managed { language, series, .. } = managed;
        let mut names = language.names(series);
        names.extend(language.other_names());
        self.on_path(managed, &names, |interpreter| interpreter.series >= language.series_min()).await
    }

    async fn on_path(
        &self,
        managed: Managed,
        names: &[String],
        fits: impl Fn(&Interpreter) -> bool,
    ) -> Option<Interpreter> {
        for file in names.iter().flat_map(|name| self.tools.all(name)) {
            match interpreter::ask(&file, managed.language).await {
                Ok(interpreter) if fits(&interpreter) => return Some(interpreter),
                Ok(_) => {}
                Err(reason) => tracing::debug!(reason, "not a usable interpreter"),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::super::interpreter::SearchPath;
    use super::*;
    use crate::{Config, Install, Runtime};

    /// A machine of scripts that claim to be interpreters.
    struct Machine(tempfile::TempDir);

    impl Machine {
        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn with(self, name: &str, version: &str) -> Self {
            let file = self.path(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, format!("#!/bin/sh\n[ {version} ] && echo {version} && echo \"$0\"\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            self
        }

        fn toolchains(&self, configured: Option<&str>) -> Toolchains {
            let mut config = Config::new(self.0.path(), "http://127.0.0.1:9");
            for runtime in ["python3.13", "nodejs22.x"] {
                config.interpreters.extend(configured.map(|name| (runtime.into(), self.path(name))));
            }
            let mut toolchains = Toolchains::new(&config);
            toolchains.tools = SearchPath::only(&self.path("bin"));
            toolchains
        }
    }

    fn machine() -> Machine {
        Machine(tempfile::tempdir().unwrap())
    }

    /// Java tells of itself in its own way.
    fn with_java(machine: Machine, version: &str) -> Machine {
        let machine = machine.with("bin/java", version);
        let home = machine.0.path().display();
        let script = format!("#!/bin/sh\necho \"  java.version = {version}\n  java.home = {home}\" >&2\n");
        fs::write(machine.path("bin/java"), script).unwrap();
        machine
    }

    #[track_caller]
    fn check(found: Option<Interpreter>, machine: &Machine, expected: Option<&str>) {
        assert_eq!(found.map(|found| found.program), expected.map(|name| machine.path(name)));
    }

    async fn found(machine: &Machine, configured: Option<&str>, runtime: Runtime) -> Option<Interpreter> {
        match machine.toolchains(configured).find(Managed::of(runtime).unwrap()).await.unwrap() {
            Found::Configured(found) | Found::Machine(found) | Found::Installed(found) => Some(found),
            Found::Missing => None,
        }
    }

    #[tokio::test]
    async fn the_operators_interpreter_comes_first_then_the_machines_then_an_installed_one() {
        let installed = "runtimes/python-3.13/bin/python3.13";
        let machine = machine().with(installed, "3.13.1");
        check(found(&machine, None, Runtime::Python313).await, &machine, Some(installed));
        let machine = machine.with("bin/python3", "3.13.2");
        check(found(&machine, None, Runtime::Python313).await, &machine, Some("bin/python3"));
        let machine = machine.with("bin/python3.13", "3.13.3");
        check(found(&machine, None, Runtime::Python313).await, &machine, Some("bin/python3.13"));
        let machine = machine.with("own", "3.11.9");
        check(found(&machine, Some("own"), Runtime::Python313).await, &machine, Some("own"));
    }

    #[tokio::test]
    async fn interpreter_that_is_just_being_written_is_waited_for() {
        let machine = machine().with("bin/python3", "3.13.2");
        let open = fs::OpenOptions::new().append(true).open(machine.path("bin/python3")).unwrap();
        let (found, ()) = tokio::join!(found(&machine, None, Runtime::Python313), async {
            tokio::task::yield_now().await;
            drop(open);
        });
        check(found, &machine, Some("bin/python3"));
    }

    #[tokio::test]
    async fn only_the_exact_series_is_found_whatever_the_program_is_called() {
        let machine = machine()
            .with("bin/python3.13", "''")
            .with("bin/python3", "3.12.1")
            .with("bin/python", "2.7.18")
            .with("bin/node", "24.1.0");
        check(found(&machine, None, Runtime::Python313).await, &machine, None);
        check(found(&machine, None, Runtime::Python312).await, &machine, Some("bin/python3"));
        check(found(&machine, None, Runtime::Nodejs22).await, &machine, None);
        check(found(&machine, None, Runtime::Nodejs24).await, &machine, Some("bin/node"));
    }

    #[tokio::test]
    async fn another_series_serves_if_the_bootstrap_runs_on_it() {
        let other =
            async |machine: &Machine, runtime| machine.toolchains(None).other(Managed::of(runtime).unwrap()).await;
        let machine = machine().with("bin/python3", "3.10.1").with("bin/node", "20.1.0");
        check(other(&machine, Runtime::Python313).await, &machine, None);
        check(other(&machine, Runtime::Nodejs22).await, &machine, None);
        let machine =
            machine.with("bin/python3.11", "3.11.1").with("bin/python3.14", "3.14.1").with("bin/node", "25.1.0");
        check(other(&machine, Runtime::Python313).await, &machine, Some("bin/python3.14"));
        check(other(&machine, Runtime::Nodejs22).await, &machine, Some("bin/node"));
    }

    #[tokio::test]
    async fn java_is_found_by_its_version_and_a_newer_or_older_one_serves_if_need_be() {
        let machine = with_java(machine(), "21.0.8");
        check(found(&machine, None, Runtime::Java21).await, &machine, Some("bin/java"));
        check(found(&machine, None, Runtime::Java17).await, &machine, None);
        for (version, serves) in [("25", true), ("17.0.15", true), ("11.0.2", false), ("1.8.0_392", false)] {
            let machine = with_java(super::tests::machine(), version);
            let other = machine.toolchains(None).other(Managed::of(Runtime::Java21).unwrap()).await;
            check(other, &machine, serves.then_some("bin/java"));
        }
    }

    /// A machine whose apt, npm and pip fail, as they do without a network.
    fn offline() -> Machine {
        let machine = machine();
        for tool in ["apt-get", "apt-config", "dpkg-deb", "npm", "pip3"] {
            let file = machine.path("bin").join(tool);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "#!/bin/sh\necho 'could not resolve host' >&2\nexit 100\n").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        machine
    }

    #[tokio::test]
    async fn another_series_serves_where_the_wanted_one_cannot_be_installed() {
        let machine = offline().with("bin/python3", "3.11.2").with("bin/node", "25.1.0");
        for (runtime, version) in [(Runtime::Python313, "3.11.2"), (Runtime::Nodejs22, "25.1.0")] {
            let interpreter = machine.toolchains(None).interpreter(Managed::of(runtime).unwrap()).await.unwrap();
            assert_eq!(interpreter.version, version);
        }
    }

    #[tokio::test]
    async fn where_nothing_serves_the_error_tells_what_failed_and_nothing_is_left() {
        let machine = offline().with("bin/python3", "3.10.1").with("bin/node", "20.1.0");
        for (runtime, failed) in [
            (Runtime::Python313, "apt-config dump"),
            (Runtime::Nodejs22, "npm install"),
            (Runtime::Java21, "pip3 install"),
        ] {
            let error = machine.toolchains(None).interpreter(Managed::of(runtime).unwrap()).await.unwrap_err();
            let error = error.to_string();
            for words in [failed, "could not resolve host", "runtimes install --from"] {
                assert!(error.contains(words), "{error}");
            }
        }
        let left = fs::read_dir(machine.path("runtimes")).unwrap();
        assert_eq!(left.count(), 0);
    }

    #[tokio::test]
    async fn a_machine_without_the_tools_is_told_what_to_do() {
        let machine = machine();
        for (runtime, lacks) in [
            (Runtime::Python313, "no `apt-get`"),
            (Runtime::Python312, "no release of Debian has Python 3.12"),
            (Runtime::Nodejs24, "no `npm`"),
            (Runtime::Java21, "no `pip3`"),
        ] {
            let error = machine.toolchains(None).interpreter(Managed::of(runtime).unwrap()).await.unwrap_err();
            let error = error.to_string();
            for words in [runtime.id(), lacks, "`interpreters`", "runtimes install --from"] {
                assert!(error.contains(words), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_installed_where_that_is_not_wanted() {
        let machine = offline();
        let mut toolchains = machine.toolchains(None);
        toolchains.may_install = Install::Nothing;
        let managed = Managed::of(Runtime::Nodejs22).unwrap();
        let error = toolchains.interpreter(managed).await.unwrap_err().to_string();
        assert!(error.contains("nothing is to be installed"), "{error}");
        let node = Interpreter { program: "node".into(), version: "22.1.0".into(), series: 22, roots: Vec::new() };
        assert_eq!(toolchains.packages(managed.language, &node).await.unwrap(), None);
        fs::create_dir_all(toolchains.packages_dir(managed.language, 22)).unwrap();
        assert!(toolchains.packages(managed.language, &node).await.unwrap().is_some(), "what is there is used");
    }

    #[tokio::test]
    async fn an_interpreter_that_was_chosen_or_installed_and_does_not_work_is_an_error() {
        let machine =
            machine().with("own", "''").with("runtimes/node-22/bin/node", "''").with("bin/python3.13", "3.13.1");
        for (configured, runtime, named) in
            [(Some("own"), Runtime::Python313, "own"), (None, Runtime::Nodejs22, "runtimes/node-22/bin/node")]
        {
            let found = machine.toolchains(configured).find(Managed::of(runtime).unwrap()).await;
            let error = found.unwrap_err().to_string();
            assert!(error.contains(&machine.path(named).display().to_string()), "{error}");
        }
    }
}
