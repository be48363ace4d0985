//! A small client of a server's public API, for programs of this repository: signed requests, JSON answers.
//!
//! [`Client`] is for programs that ask now and then; one that sends thousands of requests a second signs with
//! [`Signer`] and keeps connections of its own.

mod query;

use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;
pub use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
pub use query::Form;
use serde_json::Value;

/// Everything but letters, digits and `-_.~`, as AWS's SDKs escape paths.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A client of one server.
pub struct Client {
    endpoint: String,
    signer: Signer,
    http: reqwest::Client,
}

/// A request that is to be signed.
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query, escaped.
    pub path: &'a str,
    /// Headers, which are signed too.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: Vec<u8>,
}

/// What was answered.
pub struct Answer {
    /// The status code.
    pub status: u16,
    headers: reqwest::header::HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// What a server says against a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// The name of the exception.
    pub code: String,
    /// What is wrong.
    pub message: String,
}

/// Signs requests with one key, as AWS's SDKs do.
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

    /// Trusts the certificates that this PEM file vouches for, and no others.
    ///
    /// # Errors
    /// If there is no certificate in the file.
    pub fn trusting(mut self, ca_bundle: &Path) -> anyhow::Result<Self> {
        let pem = std::fs::read(ca_bundle).with_context(|| format!("cannot read {}", ca_bundle.display()))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .with_context(|| format!("there is no certificate in {}", ca_bundle.display()))?;
        let builder = certificates
            .into_iter()
            .fold(reqwest::Client::builder(), |builder, certificate| builder.add_root_certificate(certificate));
        self.http = builder.build()?;
        Ok(self)
    }

    /// Returns where the server is.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends a request to a service and returns the answer, whatever it says.
    ///
    /// # Errors
    /// If none answers.
    pub async fn exchange(&self, service: &str, request: Request<'_>) -> anyhow::Result<Answer> {
        Self::answer(self.open(service, request).await?).await
    }

    /// Reads an answer to its end.
    ///
    /// # Errors
    /// If it is broken off.
    pub async fn answer(response: reqwest::Response) -> anyhow::Result<Answer> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await.context("the server broke off its answer")?;
        Ok(Answer { status, headers, body: body.to_vec() })
    }

    /// Sends a request to a service and returns the answer before its body is read.
    ///
    /// # Errors
    /// If none answers.
    pub async fn open(&self, service: &str, request: Request<'_>) -> anyhow::Result<reqwest::Response> {
        let Request { method, path, headers, body } = request;
        let url = format!("{}{path}", self.endpoint);
        let signed = self.signer.sign_for(service, method, &url, headers.iter().copied(), &body)?;
        let mut request = self.http.request(method.parse()?, &url).body(body);
        for (name, value) in
            headers.iter().copied().chain(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        {
            request = request.header(name, value);
        }
        request.send().await.with_context(|| format!("no server answers at {}", self.endpoint))
    }

    /// Sends a request to the Lambda API and returns the JSON answer.
    ///
    /// # Errors
    /// A [`Refused`] with what the server says against it, or that none answers.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Value> {
        Ok(self.exchange("lambda", Request { method, path, headers, body }).await?.json()?)
    }

    /// Sends a request to a service of AWS that speaks JSON 1.1: one path, the operation in a header.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn call(&self, service: &str, target: &str, body: &Value) -> anyhow::Result<Value> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let body = body.to_string().into_bytes();
        Ok(self.exchange(service, Request { method: "POST", path: "/", headers: &headers, body }).await?.json()?)
    }

    /// Sends a request to Everstep's own service and returns the JSON answer; the body is left out if it is null.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        Ok(self.exchange("everstep", Request { method, path, headers: &[], body }).await?.json()?)
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

impl Answer {
    /// Returns a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the JSON of an answer that says yes.
    ///
    /// # Errors
    /// What the server says against the request.
    pub fn json(&self) -> Result<Value, Refused> {
        let answer: Value =
            if self.body.is_empty() { Value::Null } else { serde_json::from_slice(&self.body).unwrap_or_default() };
        if (200..300).contains(&self.status) {
            return Ok(answer);
        }
        let message = ["message", "Message"].iter().find_map(|member| answer[member].as_str());
        Err(Refused {
            code: self.header("x-amzn-errortype").map_or_else(|| format!("status {}", self.status), String::from),
            message: message.unwrap_or("no reason given").into(),
        })
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refused {}

impl Signer {
    /// Makes a signer for a Region.
    pub fn new(credentials: Credentials, region: String) -> Self {
        Self { credentials, region }
    }

    /// Returns the headers that sign a request to the Lambda API.
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
        self.sign_for("lambda", method, url, headers, body)
    }

    /// Returns the headers that sign a request to a service.
    ///
    /// # Errors
    /// If the request cannot be put into canonical form.
    pub fn sign_for<'a>(
        &self,
        service: &str,
        method: &'a str,
        url: &'a str,
        headers: impl Iterator<Item = (&'a str, &'a str)>,
        body: &'a [u8],
    ) -> anyhow::Result<Vec<(String, String)>> {
        let identity = self.credentials.clone().into();
        let mut settings = SigningSettings::default();
        // S3 takes paths as they are, and wants to be told the digest. Source: AWS General Reference, Signature Version 4.
        if service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(SystemTime::now())
            .settings(settings)
            .build()?
            .into();
        let request = SignableRequest::new(method, url, headers, SignableBody::Bytes(body))?;
        let (instructions, _) = sign(request, &parameters)?.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }
}
