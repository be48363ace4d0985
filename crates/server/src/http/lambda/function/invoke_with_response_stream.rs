//! `InvokeWithResponseStream`: run a function and read its response while it is written.

use std::convert::Infallible;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use everstep_worker::{Failure, StreamPart};
use http_body_util::channel::{Channel, Sender};
use serde_json::json;

use super::invoke::{InvocationType, check_payload, plain_invocation, run_durable, tenant};
use super::named_function;
use crate::functions::draw;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::event_stream::{self, event};
use crate::http::request::{Request, Response};
use crate::runner::{Streaming, UNQUALIFIED};

/// Invokes a function. One that does not stream, and a durable one, answer in one piece.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = named_function(services, request)?;
    let dry_run = match request.header("x-amz-invocation-type") {
        None | Some("RequestResponse") => false,
        Some("DryRun") => true,
        Some(other) => {
            return Err(Error::validation(format!(
                "1 validation error detected: Value '{other}' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [RequestResponse, DryRun]"
            )));
        }
    };
    let found = services.functions.find(&reference).await?.drawn(draw());
    check_payload(&request.body, InvocationType::RequestResponse)?;
    let tenant_id = tenant(request, &found)?;
    let durable = found.configuration().durable_config.is_some();
    if durable && !found.qualified {
        return Err(Error::invalid_parameter(UNQUALIFIED));
    }
    let version = found.version.to_string();
    let response = if dry_run {
        Response::empty(204)
    } else if durable {
        let (result, _) = run_durable(services, request, &found, None, tenant_id).await?;
        Response::bytes(200, whole(result))
    } else {
        let invocation = plain_invocation(services, request, &found, tenant_id)?;
        let streaming = services.runner.invoke_streaming(&found, invocation).await?;
        let (sender, body) = Channel::new(1);
        tokio::spawn(pass_on(streaming, sender, request.header("x-amz-log-type") == Some("Tail")));
        Response::bytes(200, Body::new(body))
    };
    Ok(response.with_header("content-type", event_stream::CONTENT_TYPE).with_header("x-amz-executed-version", version))
}

/// Writes each piece of a response as it comes, then how it ended. A caller who goes away stops nothing.
async fn pass_on(mut streaming: Streaming, mut sender: Sender<Bytes, Infallible>, with_log: bool) {
    let mut streamed = false;
    while let Some(part) = streaming.parts.recv().await {
        streamed = true;
        if let StreamPart::Chunk(bytes) = part
            && sender.send_data(chunk(bytes)).await.is_err()
        {
            return;
        }
    }
    let outcome = streaming.outcome().await;
    let log = with_log.then_some(outcome.log_tail);
    let messages = match outcome.result {
        Ok(_) if streamed => vec![complete(None, log)],
        Ok(body) => vec![chunk(body), complete(None, log)],
        Err(failure) => vec![complete(Some(&failure), log)],
    };
    for message in messages {
        if sender.send_data(message).await.is_err() {
            return;
        }
    }
}

fn chunk(bytes: Bytes) -> Bytes {
    event("PayloadChunk", "application/octet-stream", bytes)
}

fn complete(failure: Option<&Failure>, log_tail: Option<Vec<u8>>) -> Bytes {
    let mut shape = json!({});
    if let Some(failure) = failure {
        shape["ErrorCode"] = failure.error_type.as_str().into();
        shape["ErrorDetails"] = String::from_utf8_lossy(&failure.payload).into();
    }
    if let Some(log_tail) = log_tail {
        shape["LogResult"] = STANDARD.encode(log_tail).into();
    }
    event("InvokeComplete", "application/json", shape.to_string().into())
}

/// Writes the whole stream of an execution that is over.
fn whole(result: Result<Bytes, Bytes>) -> Bytes {
    match result {
        Ok(result) => [chunk(result), complete(None, None)].concat().into(),
        Err(error) => {
            let details = String::from_utf8_lossy(&error);
            let code = serde_json::from_slice::<serde_json::Value>(&error).ok();
            let code = code.as_ref().and_then(|error| error["errorType"].as_str()).unwrap_or("Unhandled");
            let shape = json!({"ErrorCode": code, "ErrorDetails": details});
            event("InvokeComplete", "application/json", shape.to_string().into())
        }
    }
}
