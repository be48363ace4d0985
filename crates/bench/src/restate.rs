//! Restate's server and a service of its Rust SDK, as they come from npm and crates.io.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::process::{Child, Command};

use crate::connection::Connection;
use crate::process;

/// How long the server may take until it serves.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `restate-server`.
    pub server: PathBuf,
    /// The service of `crates/bench/restate`.
    pub service: PathBuf,
}

/// A server and a service that run.
pub struct Restate {
    server: Child,
    service: Child,
    ingress: String,
}

impl Restate {
    /// Starts both on a fresh directory; without `partitions` the server has its default of them.
    pub async fn start(programs: &Programs, data: &Path, partitions: Option<u32>) -> anyhow::Result<Self> {
        fs::create_dir_all(data)?;
        let [node, ingress, admin, service] = free_ports()?.map(|port| format!("127.0.0.1:{port}"));
        let log = |name: &str| File::create(data.join(name));
        let mut command = Command::new(&programs.server);
        command
            .args(["--listen-mode", "tcp", "--no-logo", "--base-dir"])
            .arg(data)
            .env("RESTATE_BIND_ADDRESS", &node)
            .env("RESTATE_ADVERTISED_ADDRESS", format!("http://{node}"))
            .env("RESTATE_INGRESS__BIND_ADDRESS", &ingress)
            .env("RESTATE_ADMIN__BIND_ADDRESS", &admin)
            .env("RESTATE_DISABLE_TELEMETRY", "true")
            .env("RESTATE_LOG_FILTER", "warn")
            .stdin(Stdio::null())
            .stdout(log("server.log")?)
            .stderr(log("server.err")?)
            .kill_on_drop(true);
        if let Some(partitions) = partitions {
            command.env("RESTATE_DEFAULT_NUM_PARTITIONS", partitions.to_string());
        }
        let server = command.spawn().with_context(|| format!("cannot run {}", programs.server.display()))?;
        let mut command = Command::new(&programs.service);
        command.arg(&service).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log("service.err")?);
        let service_process =
            command.kill_on_drop(true).spawn().with_context(|| format!("cannot run {}", programs.service.display()))?;
        register(&admin, &service, data).await?;
        let restate = Self { server, service: service_process, ingress };
        let begin = Instant::now();
        while let Err(error) = restate.caller().invoke().await {
            ensure!(begin.elapsed() < PATIENCE, "the service of Restate does not answer: {error}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(restate)
    }

    /// Returns somebody who invokes the service.
    pub fn caller(&self) -> Caller {
        Caller { ingress: self.ingress.clone(), connection: None }
    }

    /// Returns the processor time of server and service so far.
    pub fn cpu(&self) -> anyhow::Result<(Duration, Duration)> {
        let of = |child: &Child| anyhow::Ok(process::usage(child.id().context("it has ended")?)?.cpu);
        Ok((of(&self.server)?, of(&self.service)?))
    }

    /// Ends both.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.service.kill().await?;
        self.server.kill().await?;
        Ok(())
    }
}

/// Invokes the service over a connection that is kept.
pub struct Caller {
    ingress: String,
    connection: Option<Connection>,
}

impl Caller {
    /// Runs ten steps.
    pub async fn invoke(&mut self) -> anyhow::Result<()> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(Connection::open(&self.ingress).await?),
        };
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        let (head, body) = connection.send("POST", "/TenSteps/run", headers, "0".into()).await?;
        ensure!(head.status.is_success() && body == "45", "Restate answered {}: {body:?}", head.status);
        Ok(())
    }
}

/// Tells the server of the service.
async fn register(admin: &str, service: &str, data: &Path) -> anyhow::Result<()> {
    let body = json!({"uri": format!("http://{service}"), "force": true}).to_string();
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let begin = Instant::now();
    loop {
        let answer = async {
            let mut connection = Connection::open(admin).await?;
            let (head, answer) = connection.send("POST", "/deployments", headers.clone(), body.clone().into()).await?;
            ensure!(head.status.is_success(), "{}: {}", head.status, String::from_utf8_lossy(&answer));
            Ok(())
        };
        match answer.await {
            Ok(()) => return Ok(()),
            Err(error) if begin.elapsed() > PATIENCE => {
                let log = fs::read_to_string(data.join("server.err")).unwrap_or_default();
                return Err(error.context(format!("Restate's server takes no deployment: {log}")));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Returns ports that nobody uses now.
fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let listeners: Vec<TcpListener> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let ports: Vec<u16> =
        listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect::<Result<_, std::io::Error>>()?;
    Ok(ports.try_into().expect("as many as were bound"))
}
