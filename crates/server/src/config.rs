//! What an operator can set.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use everstep_core::id::Place;
use everstep_worker::sandbox::{Isolation, Sandbox};
use everstep_worker::{Install, Progress};
use serde::Deserialize;

use crate::forward;
use crate::function_urls::Base;
use crate::listen::TlsFiles;

/// How a server is set up.
pub struct Config {
    /// Where everything is kept.
    pub data: PathBuf,
    /// Where to listen; port 0 for any.
    pub listen: Vec<SocketAddr>,
    /// Where `sam local` finds its two endpoints, for which nobody signs; nowhere if empty.
    pub sam_local: Vec<SocketAddr>,
    /// The certificate and key for TLS; without them there is none.
    pub tls: Option<TlsFiles>,
    /// The Region in ARNs and signatures.
    pub region: String,
    /// The account in ARNs, twelve digits.
    pub account: String,
    /// Where runtimes and SDKs are installed; below the data directory if not set.
    pub runtimes: Option<PathBuf>,
    /// Interpreters by runtime id, such as `python3.13`.
    pub interpreters: BTreeMap<String, PathBuf>,
    /// Whether a runtime that is missing is installed at its first use.
    pub install: bool,
    /// How long a process may be idle.
    pub idle_limit: Duration,
    /// How many processes functions may have.
    pub processes_max: usize,
    /// Whether the durable clock may be moved forward: for development and tests.
    pub movable_clock: bool,
    /// The program that starts function processes: one that calls [`crate::sandbox::enter_if_asked`] first. Without
    /// it they are started directly, and nothing holds them.
    pub launcher: Option<PathBuf>,
    /// Whether functions get rooms of their own.
    pub isolation: Isolation,
    /// How much of what functions print is kept, in MB.
    pub log_megabytes: u64,
    /// What function URLs are below, such as `https://functions.example.com`; if not set, they are for this machine only.
    pub function_urls: Option<String>,
    /// The services that are passed on to real ones, by the names that AWS's command line has for them.
    pub forward: BTreeMap<String, forward::Settings>,
    /// Is told of things that take a while.
    pub progress: Progress,
}

/// The settings of a configuration file. What it leaves out stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    listen: Option<Addresses>,
    sam_local: Option<Addresses>,
    tls: Option<Tls>,
    region: Option<String>,
    account: Option<String>,
    runtimes: Option<PathBuf>,
    function_urls: Option<String>,
    #[serde(default)]
    interpreters: BTreeMap<String, PathBuf>,
    install: Option<bool>,
    idle_seconds: Option<u64>,
    processes: Option<usize>,
    movable_clock: Option<bool>,
    isolation: Option<Isolation>,
    log_megabytes: Option<u64>,
    #[serde(default)]
    forward: BTreeMap<String, forward::Settings>,
}

/// One address, or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Addresses {
    One(SocketAddr),
    Several(Vec<SocketAddr>),
}

impl Addresses {
    fn list(self) -> Vec<SocketAddr> {
        match self {
            Self::One(address) => vec![address],
            Self::Several(addresses) => addresses,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    certificate: PathBuf,
    key: PathBuf,
}

/// Where to listen if nothing is said.
pub const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9_000);

/// Where `sam local` finds its endpoints if it is only said that it shall: where its own emulator is.
pub const SAM_LOCAL_DEFAULT: &str = "127.0.0.1:9014";

/// How long a process may be idle if nothing is said, in seconds. Everstep's own.
pub const IDLE_SECONDS_DEFAULT: u64 = 300;

/// How many processes functions may have if nothing is said. Everstep's own.
pub const PROCESSES_DEFAULT: usize = 64;

/// How much of what functions print is kept if nothing is said, in MB. Everstep's own.
pub const LOG_MEGABYTES_DEFAULT: u64 = 2_048;

impl Config {
    /// Returns the defaults for a data directory.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            listen: vec![LISTEN_DEFAULT],
            sam_local: Vec::new(),
            tls: None,
            region: "us-east-1".into(),
            account: "123456789012".into(),
            runtimes: None,
            function_urls: None,
            interpreters: BTreeMap::new(),
            install: true,
            idle_limit: Duration::from_secs(IDLE_SECONDS_DEFAULT),
            processes_max: PROCESSES_DEFAULT,
            movable_clock: false,
            launcher: None,
            isolation: Isolation::default(),
            log_megabytes: LOG_MEGABYTES_DEFAULT,
            forward: BTreeMap::new(),
            progress: std::sync::Arc::new(|_| {}),
        }
    }

    /// Takes over what a configuration file says.
    ///
    /// # Errors
    /// If it cannot be read, or says something that is not a setting.
    pub fn read_file(&mut self, path: &Path) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let file: File = toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))?;
        let File {
            data,
            listen,
            sam_local,
            tls,
            region,
            account,
            runtimes,
            function_urls,
            interpreters,
            install,
            idle_seconds,
            processes,
            movable_clock,
            isolation,
            log_megabytes,
            forward,
        } = file;
        self.data = data.unwrap_or_else(|| self.data.clone());
        self.listen = listen.map_or_else(|| self.listen.clone(), Addresses::list);
        self.sam_local = sam_local.map_or_else(|| self.sam_local.clone(), Addresses::list);
        self.tls = tls.map(|Tls { certificate, key }| TlsFiles { certificate, key }).or(self.tls.take());
        self.region = region.unwrap_or_else(|| self.region.clone());
        self.account = account.unwrap_or_else(|| self.account.clone());
        self.runtimes = runtimes.or(self.runtimes.take());
        self.function_urls = function_urls.or(self.function_urls.take());
        self.interpreters.extend(interpreters);
        self.install = install.unwrap_or(self.install);
        self.idle_limit = idle_seconds.map_or(self.idle_limit, Duration::from_secs);
        self.processes_max = processes.unwrap_or(self.processes_max);
        self.movable_clock = movable_clock.unwrap_or(self.movable_clock);
        self.isolation = isolation.unwrap_or(self.isolation);
        self.log_megabytes = log_megabytes.unwrap_or(self.log_megabytes);
        self.forward.extend(forward);
        Ok(())
    }

    /// Returns what function URLs are below.
    pub(crate) fn function_url_base(&self, address: SocketAddr) -> anyhow::Result<Base> {
        match &self.function_urls {
            Some(text) => Base::parse(text).map_err(anyhow::Error::msg),
            None => Ok(Base::local(address.port(), self.tls.is_some())),
        }
    }

    /// Returns Region and account.
    pub fn place(&self) -> Place {
        Place { region: self.region.as_str().into(), account: self.account.as_str().into() }
    }

    pub(crate) async fn sandbox(&self) -> Result<Sandbox, everstep_worker::Error> {
        match &self.launcher {
            Some(launcher) => Sandbox::open(launcher.clone(), self.isolation).await,
            None => Ok(Sandbox::none()),
        }
    }

    pub(crate) fn worker(&self, address: SocketAddr) -> everstep_worker::Config {
        let mut reachable = address;
        if reachable.ip().is_unspecified() {
            reachable.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let mut worker = everstep_worker::Config::new(&self.data, format!("http://{reachable}"));
        if let Some(runtimes) = &self.runtimes {
            worker.runtimes_dir.clone_from(runtimes);
        }
        worker.interpreters = self.interpreters.clone();
        worker.install = if self.install { Install::Everything } else { Install::Nothing };
        worker.idle_limit = self.idle_limit;
        worker.processes_max = self.processes_max;
        worker.progress = self.progress.clone();
        worker
    }
}
