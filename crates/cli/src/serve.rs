//! `everstep serve`: a server in the foreground.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use everstep_server::listen::TlsFiles;
use everstep_server::sandbox::Isolation;
use everstep_server::{Config, Server, config, forward};
use tokio::signal::unix::{Signal, SignalKind, signal};

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
    /// Listen on this address, or on several by several flags or with commas; port 0 for any [default: 127.0.0.1:9000]
    #[arg(long, env = "EVERSTEP_LISTEN", value_name = "ADDRESS:PORT", value_delimiter = ',')]
    listen: Vec<SocketAddr>,
    /// Take executions of `sam local` at this address, where nobody has to sign [default without a value: 127.0.0.1:9014]
    #[arg(long, env = "EVERSTEP_SAM_LOCAL", value_name = "ADDRESS:PORT", value_delimiter = ',', num_args = 0..=1, require_equals = true, default_missing_value = config::SAM_LOCAL_DEFAULT)]
    sam_local: Vec<SocketAddr>,
    /// Speak TLS with the certificate (and its chain) in this PEM file; SIGHUP reads it anew
    #[arg(long, env = "EVERSTEP_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, in PEM
    #[arg(long, env = "EVERSTEP_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
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
    #[arg(long, env = "EVERSTEP_MOVABLE_CLOCK", value_name = "WHETHER", num_args = 0..=1, default_missing_value = "true")]
    movable_clock: Option<bool>,
    /// Give function processes files, processes and users of their own: if-possible, required or off [default: if-possible]
    #[arg(long, env = "EVERSTEP_ISOLATION", value_name = "WHETHER")]
    isolation: Option<Isolation>,
    /// Keep so much of what functions print, in MB; who prints most loses old lines first [default: 2048]
    #[arg(long, env = "EVERSTEP_LOG_MEGABYTES", value_name = "MEGABYTES")]
    log_megabytes: Option<u64>,
    /// Print the settings that would be in force, as a configuration file, and start nothing
    #[arg(long)]
    show_settings: bool,
}

impl Serve {
    /// Runs until Ctrl-C or SIGTERM.
    pub async fn run(self) -> anyhow::Result<()> {
        let show = self.show_settings;
        let config = self.config()?;
        if show {
            output::say(&settings(&config));
            return Ok(());
        }
        run(config, |server| {
            server.protection().iter().for_each(|line| println!("{line}"));
            server.sam_local_addresses().iter().for_each(|address| println!("sam local: {address}"));
            server.urls().iter().for_each(|url| println!("{LISTENING}{url}"));
        })
        .await
    }

    fn config(self) -> anyhow::Result<Config> {
        let mut config = Config::new("everstep-data");
        if let Some(file) = &self.config {
            config.read_file(file)?;
        }
        config.data = self.data.unwrap_or(config.data);
        if !self.listen.is_empty() {
            config.listen = self.listen;
        }
        if !self.sam_local.is_empty() {
            config.sam_local = self.sam_local;
        }
        if let (Some(certificate), Some(key)) = (self.tls_certificate, self.tls_key) {
            config.tls = Some(TlsFiles { certificate, key });
        }
        config.region = self.region.unwrap_or(config.region);
        config.runtimes = self.runtimes.or(config.runtimes);
        config.install = self.install.unwrap_or(config.install);
        config.idle_limit = self.idle_seconds.map_or(config.idle_limit, Duration::from_secs);
        config.processes_max = self.processes.unwrap_or(config.processes_max);
        config.movable_clock = self.movable_clock.unwrap_or(config.movable_clock);
        config.isolation = self.isolation.unwrap_or(config.isolation);
        config.log_megabytes = self.log_megabytes.unwrap_or(config.log_megabytes);
        config.progress = output::installation_progress();
        Ok(config)
    }
}

/// Runs a server until Ctrl-C or SIGTERM; `ready` is called once it serves.
pub async fn run(mut config: Config, ready: impl FnOnce(&Server)) -> anyhow::Result<()> {
    config.launcher = Some(THIS_PROGRAM.into());
    let mut signals = Signals::listen(config.tls.is_some())?;
    let server = Server::start(config).await?;
    ready(&server);
    signals.until_end(&server).await;
    server.stop().await;
    Ok(())
}

/// The signals that a server heeds. It listens before it starts, so that none is missed.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Only with certificates: without them a hang-up ends the server, as it ends every program of a terminal.
    hang_up: Option<Signal>,
}

impl Signals {
    fn listen(has_certificates: bool) -> anyhow::Result<Self> {
        let hang_up = if has_certificates { Some(signal(SignalKind::hangup())?) } else { None };
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hang_up })
    }

    /// Returns with Ctrl-C or SIGTERM; reads certificates anew with SIGHUP.
    async fn until_end(&mut self, server: &Server) {
        loop {
            let hung_up = async {
                match &mut self.hang_up {
                    Some(hang_up) => hang_up.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = hung_up => match server.reload_certificates() {
                    Ok(()) => tracing::info!("the certificate was read anew"),
                    Err(error) => tracing::error!(error = format!("{error:#}"), "the certificate stays as it was"),
                },
            }
        }
    }
}

/// Writes the settings in the form of a configuration file.
fn settings(config: &Config) -> String {
    let path = |path: &Path| format!("{:?}", path.display().to_string());
    let listen: Vec<String> = config.listen.iter().map(|address| format!("\"{address}\"")).collect();
    let mut lines = vec![
        format!("data = {}", path(&config.data)),
        format!("listen = [{}]", listen.join(", ")),
        format!("region = {:?}", config.region),
        format!("account = {:?}", config.account),
        format!("idle_seconds = {}", config.idle_limit.as_secs()),
        format!("processes = {}", config.processes_max),
        format!("install = {}", config.install),
        format!("movable_clock = {}", config.movable_clock),
        format!("log_megabytes = {}", config.log_megabytes),
    ];
    if !config.sam_local.is_empty() {
        let addresses: Vec<String> = config.sam_local.iter().map(|address| format!("\"{address}\"")).collect();
        lines.push(format!("sam_local = [{}]", addresses.join(", ")));
    }
    lines.extend(config.runtimes.as_deref().map(|runtimes| format!("runtimes = {}", path(runtimes))));
    lines.extend(config.function_urls.as_ref().map(|base| format!("function_urls = {base:?}")));
    if let Some(TlsFiles { certificate, key }) = &config.tls {
        lines.push(format!("tls = {{ certificate = {}, key = {} }}", path(certificate), path(key)));
    }
    for (name, forward::Settings { endpoint, profile, region, credentials_file }) in &config.forward {
        lines.push(format!("[forward.{name:?}]\nendpoint = {endpoint:?}"));
        lines.extend(profile.as_ref().map(|profile| format!("profile = {profile:?}")));
        lines.extend(region.as_ref().map(|region| format!("region = {region:?}")));
        lines.extend(credentials_file.as_deref().map(|file| format!("credentials_file = {}", path(file))));
    }
    lines.join("\n") + "\n"
}
