//! A small client of a server's public API, for programs of this repository: signed requests, JSON answers.
//!
//! [`Client`] is for programs that ask now and then; one that sends thousands of requests a second signs with
//! [`Signer`] and keeps connections of its own.

use std::time::SystemTime;

use anyhow::{Context, bail};
pub use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Everything but letters, digits and `-_.~`, as AWS's SDKs escape paths.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A client of one server.
pub struct Client {
    endpoint: String,
    signer: Signer,
    http: reqwest::Client,
}

/// Signs requests to the Lambda API with one key, as AWS's SDKs do.
pub struct Signer {
    credentials: Credentials,
    region: String,
}

/// Escapes one segment of a path.
pub fn escaped(segment: &str) -> String {
    utf8_percent_encode(segment, ESCAPED).to_string()
}

impl Client {
    /// Makes a client.
    pub fn new(endpoint: String, credentials: Credentials, region: String) -> Self {
        let signer = Signer::new(credentials, region);
        Self { endpoint: endpoint.trim_end_matches('/').into(), signer, http: reqwest::Client::new() }
    }

    /// Sends a request and returns the JSON answer.
    ///
    /// # Errors
    /// What the server says against it, or that none answers.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.endpoint);
        let signed = self.signer.sign(method, &url, headers.iter().copied(), &body)?;
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
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send("GET", path, &[], Vec::new()).await
    }

    /// Returns every item of a list, page by page.
    ///
    /// # Errors
    /// As [`Self::send`].
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
}

impl Signer {
    /// Makes a signer for a Region.
    pub fn new(credentials: Credentials, region: String) -> Self {
        Self { credentials, region }
    }

    /// Returns the headers that sign a request.
    ///
    /// # Errors
    /// If the request cannot be put into canonical form.
    pub fn sign<'a>(
        &self,
        method: &'a str,
        url: &'a str,
        headers: impl Iterator<Item = (&'a str, &'a str)>,
        body: &'a [u8],
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
        let request = SignableRequest::new(method, url, headers, SignableBody::Bytes(body))?;
        let (instructions, _) = sign(request, &parameters)?.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }
}
