//! Which server a command talks to, and with which key.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use everstep_client::Credentials;
pub use everstep_client::{Client, escaped};

/// Which server to talk to.
#[derive(Args, Clone)]
pub struct Connection {
    /// Talk to the server at this URL [default: the one that uses the data directory]
    #[arg(long, env = "AWS_ENDPOINT_URL", value_name = "URL")]
    endpoint: Option<String>,
    /// Take key and URL from this data directory, unless AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL are set
    #[arg(long, env = "EVERSTEP_DATA", value_name = "DIR", default_value = ".everstep")]
    data: PathBuf,
    /// Trust the certificates that this PEM file vouches for [default: those of the system]
    #[arg(long, env = "AWS_CA_BUNDLE", value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
}

/// Where systems keep the certificates that they trust.
const SYSTEM_CERTIFICATES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

impl Connection {
    /// Returns a client of the server.
    pub fn client(&self) -> anyhow::Result<Client> {
        let endpoint = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => read_endpoint(&self.data)?,
        };
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let credentials = match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => {
                Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "environment")
            }
            (Some(_) | None, _) => read_credentials(&self.data)?,
        };
        let tls = endpoint.starts_with("https://");
        let client = Client::new(endpoint, credentials, variable("AWS_REGION").unwrap_or_else(|| "us-east-1".into()));
        let system = || SYSTEM_CERTIFICATES.iter().map(PathBuf::from).find(|path| path.exists());
        match self.ca_bundle.clone().or_else(system).filter(|_| tls) {
            Some(bundle) => client.trusting(&bundle),
            None => Ok(client),
        }
    }
}

fn read_endpoint(data: &Path) -> anyhow::Result<String> {
    let path = everstep_server::endpoint_path(data);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "no server is known: {} is not there; set AWS_ENDPOINT_URL, or name a data directory with --data",
            path.display()
        )
    })?;
    Ok(text.trim().into())
}

/// Reads the operator's key of a data directory.
pub fn read_credentials(data: &Path) -> anyhow::Result<Credentials> {
    let path = everstep_server::credentials_path(data);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a data directory with --data",
            path.display()
        )
    })?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
        line.map(|value| value.trim().to_string()).with_context(|| format!("{} has no `{name}`", path.display()))
    };
    Ok(Credentials::new(value("aws_access_key_id")?, value("aws_secret_access_key")?, None, None, "file"))
}
