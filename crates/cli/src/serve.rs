//! `everstep serve`: a server in the foreground.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use everstep_server::sandbox::Isolation;
use everstep_server::{Config, Server};
use tokio::signal::unix::{SignalKind, signal};

use crate::output;

/// What the line begins with that says that the server serves, and where.
pub const LISTENING: &str = "everstep is listening on ";

/// This program as the kernel knows it, also if its file was replaced meanwhile.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// What a server can be told on the command line; every flag has an environment variable.
#[derive(Args)]
pub struct Serve {
    /// Read settings from this TOML file; flags and environment win over it
    #[arg(long, env = "EVERSTEP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep everything in this directory [default: everstep-data]
    #[arg(long, env = "EVERSTEP_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Listen on this address; port 0 for any [default: 127.0.0.1:9000]
    #[arg(long, env = "EVERSTEP_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Call this Region in ARNs and signatures [default: us-east-1]
    #[arg(long, env = "EVERSTEP_REGION")]
    region: Option<String>,
    /// Install runtimes and SDKs here [default: below the data directory]
    #[arg(long, env = "EVERSTEP_RUNTIMES", value_name = "DIR")]
    runtimes: Option<PathBuf>,
    /// Install interpreters and SDKs that are missing at their first use [default: true]
    #[arg(long, env = "EVERSTEP_INSTALL", value_name = "WHETHER")]
    install: Option<bool>,
    /// End function processes that were idle for so long [default: 300]
    #[arg(long, env = "EVERSTEP_IDLE_SECONDS", value_name = "SECONDS")]
    idle_seconds: Option<u64>,
    /// Run at most so many function processes [default: 64]
    #[arg(long, env = "EVERSTEP_PROCESSES", value_name = "COUNT")]
    processes: Option<usize>,
    /// Let `everstep dev clock` move the clock of executions; for tests
    #[arg(long, env = "EVERSTEP_MOVABLE_CLOCK")]
    movable_clock: bool,
    /// Give function processes files, processes and users of their own: if-possible, required or off [default: if-possible]
    #[arg(long, env = "EVERSTEP_ISOLATION", value_name = "WHETHER")]
    isolation: Option<Isolation>,
    /// Keep so much of what functions print, in MB; who prints most loses old lines first [default: 2048]
    #[arg(long, env = "EVERSTEP_LOG_MEGABYTES", value_name = "MEGABYTES")]
    log_megabytes: Option<u64>,
}

impl Serve {
    /// Runs until Ctrl-C or SIGTERM.
    pub async fn run(self) -> anyhow::Result<()> {
        run(self.config()?, |server| {
            server.protection().iter().for_each(|line| println!("{line}"));
            println!("{LISTENING}http://{}", server.address());
        })
        .await
    }

    fn config(self) -> anyhow::Result<Config> {
        let mut config = Config::new("everstep-data");
        if let Some(file) = &self.config {
            config.read_file(file)?;
        }
        config.data = self.data.unwrap_or(config.data);
        config.listen = self.listen.unwrap_or(config.listen);
        config.region = self.region.unwrap_or(config.region);
        config.runtimes = self.runtimes.or(config.runtimes);
        config.install = self.install.unwrap_or(config.install);
        config.idle_limit = self.idle_seconds.map_or(config.idle_limit, Duration::from_secs);
        config.processes_max = self.processes.unwrap_or(config.processes_max);
        config.movable_clock |= self.movable_clock;
        config.isolation = self.isolation.unwrap_or(config.isolation);
        config.log_megabytes = self.log_megabytes.unwrap_or(config.log_megabytes);
        config.progress = output::installation_progress();
        Ok(config)
    }
}

/// Runs a server until Ctrl-C or SIGTERM; `ready` is called once it serves.
pub async fn run(mut config: Config, ready: impl FnOnce(&Server)) -> anyhow::Result<()> {
    config.launcher = Some(THIS_PROGRAM.into());
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = Server::start(config).await?;
    ready(&server);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    server.stop().await;
    Ok(())
}
