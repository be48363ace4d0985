//! Invokes functions that are at endpoints, as AWS Lambda's runtime interface emulator takes it.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use everstep_api::envelope::{self, Answer, Envelope};
use everstep_core::ErrorObject;
use everstep_core::id::{FunctionName, TenantId, Version};
use everstep_engine::{Acquired, DurableRun, Functions, HandlerAnswer, PlainRun, Resolved, Slot};
use http::Uri;
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::sync::watch;

use super::endpoints::Endpoints;
use crate::limits::{
    BODY_BYTES_MAX, SAM_LOCAL_ANSWER_BYTES_SHOWN, SAM_LOCAL_CONNECT_LIMIT, SAM_LOCAL_INVOCATION_LIMIT,
};

/// Invokes them.
pub struct Invoker {
    endpoints: Arc<Endpoints>,
    client: legacy::Client<HttpConnector, Body>,
    until: watch::Receiver<bool>,
}

impl Invoker {
    /// Makes one that breaks off what is under way when it is told to.
    pub fn new(endpoints: Arc<Endpoints>, until: watch::Receiver<bool>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(SAM_LOCAL_CONNECT_LIMIT));
        // A container may be another one at the next invocation.
        let client = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { endpoints, client, until }
    }
}

/// Says why a function cannot invoke another one.
pub fn refused(name: &str) -> Resolved {
    Resolved::Refused(ErrorObject::new(
        "InvalidParameterValueException",
        format!(
            "`{name}` cannot be invoked: `sam local` runs one function at a time. Deploy both to this server to try a chained invoke."
        ),
    ))
}

#[async_trait]
impl Functions for Invoker {
    async fn resolve(&self, reference: &str) -> Resolved {
        refused(reference)
    }

    async fn acquire(&self, function: &FunctionName, _version: Version, _tenant: Option<&TenantId>) -> Acquired {
        Acquired::Ready(Box::new(Call {
            function: function.clone(),
            endpoints: Arc::clone(&self.endpoints),
            client: self.client.clone(),
            until: self.until.clone(),
        }))
    }
}

/// One invocation.
struct Call {
    function: FunctionName,
    endpoints: Arc<Endpoints>,
    client: legacy::Client<HttpConnector, Body>,
    until: watch::Receiver<bool>,
}

#[async_trait]
impl Slot for Call {
    async fn run_durable(mut self: Box<Self>, run: DurableRun) -> HandlerAnswer {
        let broken = |message: String| HandlerAnswer::Broken(ErrorObject::new("SamLocal.Unreachable", message));
        let Some(endpoint) = self.endpoints.find(run.start.id) else {
            return broken("It is not known at which endpoint the function is.".into());
        };
        let tenant = run.start.tenant_id.as_ref().map(ToString::to_string);
        let event = envelope::encode(&Envelope {
            start: run.start,
            started_at: run.started_at,
            checkpoint_token: run.checkpoint_token,
            operations: run.operations,
            updated_operation_ids: run.updated_operation_ids,
            texts: run.texts,
        });
        let asking = tokio::time::timeout(
            SAM_LOCAL_INVOCATION_LIMIT,
            ask(&self.client, &endpoint, &self.function, tenant, event),
        );
        let answer = tokio::select! {
            answer = asking => answer,
            _ = self.until.wait_for(|cut_off| *cut_off) => return broken("The server stops.".into()),
        };
        match answer {
            Ok(Ok((true, body))) => read(&body),
            Ok(Ok((false, body))) => broken(format!("The endpoint {endpoint} answered {}", shown(&body))),
            Ok(Err(error)) => broken(format!("The function at {endpoint} does not answer: {error}")),
            Err(_) => broken(format!(
                "The function at {endpoint} took longer than {} s",
                SAM_LOCAL_INVOCATION_LIMIT.as_secs()
            )),
        }
    }

    async fn run_plain(self: Box<Self>, _run: PlainRun) -> Result<String, ErrorObject> {
        unreachable!("by this door durable executions are started, and they invoke nothing")
    }
}

/// Sends an event to a function. Returns whether the endpoint took it, and what came back.
async fn ask(
    client: &legacy::Client<HttpConnector, Body>,
    endpoint: &Uri,
    function: &FunctionName,
    tenant: Option<String>,
    event: Vec<u8>,
) -> Result<(bool, Bytes), String> {
    let path = format!("/2015-03-31/functions/{function}/invocations");
    let authority = endpoint.authority().expect("it was checked").as_str();
    let mut request =
        http::Request::post(format!("http://{authority}{path}")).header("content-type", "application/json");
    if let Some(tenant) = tenant {
        request = request.header("x-amz-tenant-id", tenant);
    }
    let request = request.body(Body::from(event)).expect("its parts were checked");
    let answer = client.request(request).await.map_err(|error| chain(&error))?;
    let succeeded = answer.status().is_success();
    let limit = usize::try_from(BODY_BYTES_MAX).unwrap_or(usize::MAX);
    let body = Limited::new(answer.into_body(), limit).collect().await.map_err(|error| error.to_string())?;
    Ok((succeeded, body.to_bytes()))
}

/// Reads what a function returned. The emulator gives what a handler threw as a body like any other.
fn read(body: &[u8]) -> HandlerAnswer {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    if document.get("Status").is_none()
        && let Some(error_type) = document["errorType"].as_str()
    {
        let message = document["errorMessage"].as_str().unwrap_or_default();
        return HandlerAnswer::Broken(ErrorObject::new(error_type, message.to_string()));
    }
    match envelope::decode_answer(body) {
        Answer::Succeeded(result) => HandlerAnswer::Succeeded(result),
        Answer::Failed(error) => HandlerAnswer::Failed(error),
        Answer::Pending => HandlerAnswer::Pending,
        Answer::Invalid(message) => HandlerAnswer::Invalid(message.into()),
    }
}

/// Returns an answer as text, or how it begins: it may be of any size and becomes part of the history.
fn shown(body: &[u8]) -> String {
    match body.get(..SAM_LOCAL_ANSWER_BYTES_SHOWN) {
        Some(beginning) if beginning.len() < body.len() => format!("{}…", String::from_utf8_lossy(beginning)),
        Some(_) | None => String::from_utf8_lossy(body).into_owned(),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_answers_the_beginning_is_shown() {
        let at_limit = "x".repeat(SAM_LOCAL_ANSWER_BYTES_SHOWN);
        assert_eq!(shown(b"no"), "no");
        assert_eq!(shown(at_limit.as_bytes()), at_limit);
        assert_eq!(shown(format!("{at_limit}y").as_bytes()), format!("{at_limit}…"));
    }

    #[test]
    fn answers_of_the_emulator_are_read() {
        let thrown = ErrorObject::new("ValueError", "no".to_string());
        for (body, expected) in [
            (r#"{"Status":"SUCCEEDED","Result":"1"}"#, HandlerAnswer::Succeeded(Some("1".into()))),
            (r#"{"Status":"PENDING"}"#, HandlerAnswer::Pending),
            (r#"{"errorType":"ValueError","errorMessage":"no","requestId":"r"}"#, HandlerAnswer::Broken(thrown)),
            (
                "Task timed out after 3.00 seconds",
                HandlerAnswer::Invalid("Invalid Status in invocation output.".into()),
            ),
        ] {
            assert_eq!(read(body.as_bytes()), expected, "{body}");
        }
    }
}
