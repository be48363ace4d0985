//! The server under measurement: the real binary, a child process on a data directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use everstep_client::{Client, Credentials};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::process::{self, Usage};

/// How long a server may take to serve, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Binary {
    /// The program.
    pub everstep: PathBuf,
    /// Where interpreters and SDKs are.
    pub runtimes: PathBuf,
}

/// A server that runs.
pub struct Server {
    child: Child,
    /// Its process id.
    pub pid: u32,
    /// Asks it, with the operator's key.
    pub client: Arc<Client>,
    /// From its start as a process to its first answer to a signed request.
    pub ready_after: Duration,
    log: PathBuf,
}

/// What a server says of its store when it ends.
#[derive(Clone, Copy, Debug)]
pub struct StoreStatistics {
    /// Transactions that it committed.
    pub transactions: u64,
    /// Times that it waited for the disk.
    pub flushes: u64,
}

impl Binary {
    /// Starts a server on a data directory.
    pub async fn start(&self, data: &Path) -> anyhow::Result<Server> {
        let log = data.with_extension("log");
        let begin = Instant::now();
        let mut child = Command::new(&self.everstep)
            .arg("serve")
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .arg("--runtimes")
            .arg(&self.runtimes)
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", self.everstep.display()))?;
        let pid = child.id().context("the server ended at once")?;
        let mut lines = BufReader::new(child.stdout.take().expect("it was asked for")).lines();
        let endpoint = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, url)) = line.split_once("listening on ") {
                    return Ok(url.trim().to_string());
                }
            }
            bail!("the server ended: {}", fs::read_to_string(&log).unwrap_or_default())
        });
        let endpoint = endpoint.await.context("the server does not serve")??;
        // Whatever else it prints goes nowhere, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let client = Arc::new(Client::new(endpoint, credentials(data)?, "us-east-1".into()));
        client.get("/2015-03-31/functions").await?;
        Ok(Server { child, pid, client, ready_after: begin.elapsed(), log })
    }
}

impl Server {
    /// Returns what it has used so far.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        process::usage(self.pid)
    }

    /// Ends it as an operator does, and returns what it says of its store.
    pub async fn stop(mut self) -> anyhow::Result<StoreStatistics> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, Signal::TERM)?;
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.context("the server does not end")??;
        let log = fs::read_to_string(&self.log)?;
        ensure!(status.success(), "the server ended with {status}: {log}");
        let number = |name: &str| {
            let value = log.rsplit_once(&format!("{name}="))?.1;
            value.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
        };
        let missing = "the server does not say what its store did";
        Ok(StoreStatistics {
            transactions: number("transactions").context(missing)?,
            flushes: number("flushes").context(missing)?,
        })
    }
}

/// Reads the operator's key, where the server writes it for its owner.
fn credentials(data: &Path) -> anyhow::Result<Credentials> {
    let path = data.join("credentials");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
        line.map(|value| value.trim().to_string()).with_context(|| format!("{} has no `{name}`", path.display()))
    };
    Ok(Credentials::new(value("aws_access_key_id")?, value("aws_secret_access_key")?, None, None, "file"))
}
