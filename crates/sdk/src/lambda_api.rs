//! The durable service over Lambda's API: requests that are signed, and tried again where that helps.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::{Client, HttpError};
use crate::limits::{REQUEST_ATTEMPTS, REQUEST_TIMEOUT, STATE_ITEMS_MAX};
use crate::service::{Service, ServiceError, ServiceFuture};
use crate::signature::{Credentials, Signer, encoded};
use crate::wire::{CheckpointRequest, CheckpointResponse, Page};

/// How long after a failed request the next one is made; it doubles.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// Lambda's API.
pub(crate) struct LambdaApi {
    client: Arc<Client>,
    signer: Signer,
}

/// What the environment does not say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvironmentError {
    #[error("{0} is not set")]
    Missing(&'static str),
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl LambdaApi {
    /// Makes a client as the environment says: endpoint, Region and keys.
    ///
    /// # Errors
    /// What is missing in it.
    pub(crate) fn from_environment() -> Result<Self, EnvironmentError> {
        let get = |name: &'static str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let need = |name: &'static str| get(name).ok_or(EnvironmentError::Missing(name));
        let region = get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION"));
        let region = region.ok_or(EnvironmentError::Missing("AWS_REGION"))?;
        let endpoint = get("AWS_ENDPOINT_URL_LAMBDA")
            .or_else(|| get("AWS_ENDPOINT_URL"))
            .unwrap_or_else(|| format!("https://lambda.{region}.amazonaws.com"));
        let credentials = Credentials {
            access_key_id: need("AWS_ACCESS_KEY_ID")?,
            secret_access_key: need("AWS_SECRET_ACCESS_KEY")?,
            session_token: get("AWS_SESSION_TOKEN"),
        };
        Ok(Self { client: Arc::new(Client::new(&endpoint)?), signer: Signer::new(region, credentials) })
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &str,
        body: Bytes,
    ) -> Result<T, ServiceError> {
        let mut delay = RETRY_DELAY;
        for attempt in 1.. {
            let answer = tokio::time::timeout(REQUEST_TIMEOUT, self.send(&method, path, query, body.clone())).await;
            let trouble = match answer {
                Ok(Ok(response)) if response.status().is_success() => {
                    return serde_json::from_slice(response.body()).map_err(ServiceError::unreadable);
                }
                Ok(Ok(response)) => refusal(&response),
                Ok(Err(error)) => ServiceError::of_failure(&error),
                Err(_) => ServiceError::Transient(format!("the service did not answer in {REQUEST_TIMEOUT:?}")),
            };
            let is_final = match &trouble {
                ServiceError::Refused { .. } => true,
                // A token that is void stays so.
                ServiceError::Transient(message) => message.to_ascii_lowercase().contains("invalid checkpoint token"),
            };
            if is_final || attempt == REQUEST_ATTEMPTS {
                return Err(trouble);
            }
            tokio::time::sleep(delay).await;
            delay *= 2;
        }
        unreachable!("the last attempt returns")
    }

    async fn send(&self, method: &Method, path: &str, query: &str, body: Bytes) -> Result<Response<Bytes>, HttpError> {
        let host = self.client.host();
        let headers = self.signer.sign(method, &host, path, query, &body, SystemTime::now());
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let mut request = Request::builder().method(method).uri(target).header("host", host);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).map_err(|error| HttpError::Address(error.to_string()))?;
        self.client.send(request).await
    }
}

impl Service for LambdaApi {
    fn checkpoint<'a>(&'a self, arn: &'a str, request: &'a CheckpointRequest) -> ServiceFuture<'a, CheckpointResponse> {
        Box::pin(async move {
            let path = format!("/2025-12-01/durable-executions/{}/checkpoint", encoded(arn));
            let body = serde_json::to_vec(request).expect("shapes serialise");
            self.call(Method::POST, &path, "", body.into()).await
        })
    }

    fn state<'a>(&'a self, arn: &'a str, token: &'a str, marker: &'a str) -> ServiceFuture<'a, Page> {
        Box::pin(async move {
            let path = format!("/2025-12-01/durable-executions/{}/state", encoded(arn));
            let (token, marker) = (encoded(token), encoded(marker));
            let query = format!("CheckpointToken={token}&Marker={marker}&MaxItems={STATE_ITEMS_MAX}");
            self.call(Method::GET, &path, &query, Bytes::new()).await
        })
    }
}

/// Reads an answer that is not a success.
fn refusal(response: &Response<Bytes>) -> ServiceError {
    #[derive(Deserialize)]
    struct Body {
        #[serde(alias = "Message")]
        message: Option<String>,
    }
    let error_type = response.headers().get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    // The name may be followed by a colon and where it is explained.
    let error_type = error_type.and_then(|value| value.split(':').next()).unwrap_or("UnknownError");
    let body: Option<Body> = serde_json::from_slice(response.body()).ok();
    let message = body.and_then(|body| body.message).unwrap_or_default();
    ServiceError::of_answer(response.status().as_u16(), error_type, &message)
}
