//! A table of DynamoDB, of which one operation is needed: a signed request is all that takes.

use std::env;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningInstructions, SigningSettings, sign};
use aws_sigv4::sign::v4;
use everstep::Result;
use serde_json::{Value, json};

const JSON: &str = "application/x-amz-json-1.0";
const PUT_ITEM: &str = "DynamoDB_20120810.PutItem";
const TIMEOUT: Duration = Duration::from_secs(10);

/// A table.
pub struct Table {
    pub http: reqwest::Client,
    pub endpoint: String,
    pub name: String,
    pub region: String,
    pub credentials: Credentials,
}

impl Table {
    /// Finds it, with the credentials of the function's role.
    pub fn from_environment(http: reqwest::Client) -> Self {
        let variable = |name| env::var(name).ok();
        let required = |name| variable(name).unwrap_or_default();
        let region = variable("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = variable("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| variable("AWS_ENDPOINT_URL"));
        let endpoint = endpoint.unwrap_or_else(|| format!("https://dynamodb.{region}.amazonaws.com"));
        let (key, secret) = (required("AWS_ACCESS_KEY_ID"), required("AWS_SECRET_ACCESS_KEY"));
        let credentials = Credentials::new(key, secret, variable("AWS_SESSION_TOKEN"), None, "environment");
        Self { http, endpoint, name: required("TABLE"), region, credentials }
    }

    /// Puts an item; one with the same key is replaced.
    pub async fn put(&self, item: &Value) -> Result<()> {
        let body = json!({"TableName": self.name, "Item": item}).to_string();
        let url = format!("{}/", self.endpoint.trim_end_matches('/'));
        let headers = [("content-type", JSON), ("x-amz-target", PUT_ITEM)];
        let signature = self.signature(&url, &headers, &body)?;
        let mut request = self.http.post(&url).timeout(TIMEOUT);
        for (name, value) in headers.into_iter().chain(signature.headers()) {
            request = request.header(name, value);
        }
        let response = request.body(body).send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        Err(format!("DynamoDB answered {status}: {}", response.text().await?).into())
    }

    /// Signs a request.
    fn signature(&self, url: &str, headers: &[(&str, &str)], body: &str) -> Result<SigningInstructions> {
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("dynamodb")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let body = SignableBody::Bytes(body.as_bytes());
        let request = SignableRequest::new("POST", url, headers.iter().copied(), body)?;
        Ok(sign(request, &parameters)?.into_parts().0)
    }
}
