//! A small client of a server's public API: signed requests, JSON answers.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use clap::Args;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Everything but letters, digits and `-_.~`, as AWS's SDKs escape paths.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Which server to talk to.
#[derive(Args, Clone)]
pub struct Connection {
    /// Talk to the server at this URL [default: the one that uses the data directory]
    #[arg(long, env = "AWS_ENDPOINT_URL", value_name = "URL")]
    endpoint: Option<String>,
    /// Take key and URL from this data directory, unless AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL are set
    #[arg(long, env = "EVERSTEP_DATA", value_name = "DIR", default_value = ".everstep")]
    data: PathBuf,
}

/// A client of one server.
pub struct Client {
    endpoint: String,
    credentials: Credentials,
    region: String,
    http: reqwest::Client,
}

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
        Ok(Client::new(endpoint, credentials, variable("AWS_REGION").unwrap_or_else(|| "us-east-1".into())))
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

/// Escapes one segment of a path.
pub fn escaped(segment: &str) -> String {
    utf8_percent_encode(segment, ESCAPED).to_string()
}

impl Client {
    /// Makes a client.
    pub fn new(endpoint: String, credentials: Credentials, region: String) -> Self {
        Self { endpoint: endpoint.trim_end_matches('/').into(), credentials, region, http: reqwest::Client::new() }
    }

    /// Sends a request and returns the JSON answer.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.endpoint);
        let signed = self.signature(method, &url, headers, &body)?;
        let mut request = self.http.request(method.parse()?, &url).body(body);
        for (name, value) in
            headers.iter().copied().chain(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        {
            request = request.header(name, value);
        }
        let response = request.send().await.with_context(|| format!("no server answers at {}", self.endpoint))?;
        let status = response.status();
        let code = response.headers().get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(String::from);
        let bytes = response.bytes().await?;
        let answer: Value =
            if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or_default() };
        if status.is_success() {
            return Ok(answer);
        }
        let message =
            ["message", "Message"].iter().find_map(|member| answer[member].as_str()).unwrap_or("no reason given");
        bail!("{}: {message}", code.unwrap_or_else(|| status.to_string()))
    }

    /// Sends a request without a body.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send("GET", path, &[], Vec::new()).await
    }

    /// Returns every item of a list, page by page.
    pub async fn list(&self, path: &str, member: &str, limit: usize) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = match &marker {
                Some(marker) => self.get(&format!("{path}{separator}Marker={}", escaped(marker))).await?,
                None => self.get(path).await?,
            };
            items.extend(page[member].as_array().cloned().unwrap_or_default());
            marker = page["NextMarker"].as_str().map(String::from);
            if marker.is_none() || items.len() >= limit {
                items.truncate(limit);
                return Ok(items);
            }
        }
    }

    fn signature(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Vec<(String, String)>> {
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("lambda")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let request = SignableRequest::new(method, url, headers.iter().copied(), SignableBody::Bytes(body))?;
        let (instructions, _) = sign(request, &parameters)?.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }
}
