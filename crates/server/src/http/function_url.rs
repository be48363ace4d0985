//! Serves function URLs: a request to the host name of a URL becomes an event, and what the function answers a response.
//!
//! Start reading at [`serve`]. It knows who may send a request; `event` writes the request down, `answer` reads what
//! comes back, `cors` speaks with browsers.

mod answer;
mod cors;
mod event;

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::{Bytes, BytesMut};
use everstep_api::reference::FunctionReference;
use everstep_core::id::RequestId;
use everstep_core::limits::SYNC_PAYLOAD_BYTES_MAX;
use everstep_worker::StreamPart;
use everstep_worker::limits::RESPONSE_BYTES_MAX;
use http::header::{CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::channel::{Channel, Sender};
use serde_json::json;
use tracing::{debug, warn};

use super::authorize::{Need, allowed};
use super::error::Error;
use super::lambda::{plain_invocation, policy, run_durable};
use super::request::{Request, parse_query};
use super::sigv4::{Authorization, Payload};
use super::{Services, authenticate, read_body};
use crate::access::Principal;
use crate::function_urls::{AuthType, FunctionUrl, InvokeMode, id_of};
use crate::functions::Found;
use crate::limits::HTTP_PRELUDE_BYTES_MAX;
use crate::listen::Peer;
use crate::runner::{Streaming, new_trace_id};
use answer::{Head, INTEGRATION};
use event::{Signer, UrlRequest};

/// Returns the id of the function URL that a request is sent to, if it is sent to one.
pub fn addressed(headers: &HeaderMap) -> Option<&str> {
    id_of(headers.get(HOST)?.to_str().ok()?)
}

/// Answers a request to the function URL `id`. Every answer is an HTTP response, also that it may not be.
pub async fn serve(
    services: &Services,
    id: &str,
    parts: &Parts,
    body: Body,
    request_id: RequestId,
) -> http::Response<Body> {
    let trace_id = parts.headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok()).map(Into::into);
    let trace_id = trace_id.unwrap_or_else(|| new_trace_id(false));
    let mut response = match answer(services, id, parts, body, request_id, &trace_id).await {
        Ok((Head { status, headers }, body)) => {
            let mut response = http::Response::new(body);
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        }
        Err(error) => {
            debug!(request.id = %request_id, function_url.id = id, %error, "a request to a function URL is refused");
            refusal(&error)
        }
    };
    if let Ok(value) = trace_id.split(';').next().unwrap_or_default().parse() {
        response.headers_mut().entry(HeaderName::from_static("x-amzn-trace-id")).or_insert(value);
    }
    response
}

fn refusal(error: &Error) -> http::Response<Body> {
    let mut response = http::Response::new(json!({"Message": error.message}).to_string().into());
    *response.status_mut() = StatusCode::from_u16(error.status).expect("status codes are written by hand");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-amzn-errortype", HeaderValue::from_static(error.code));
    if error.status == 429 {
        headers.insert("retry-after", HeaderValue::from_static("1"));
    }
    response
}

async fn answer(
    services: &Services,
    id: &str,
    parts: &Parts,
    body: Body,
    request_id: RequestId,
    trace_id: &str,
) -> Result<(Head, Body), Error> {
    let found = services.function_urls.find(&services.functions, id).await?;
    let (found, url) = found.ok_or_else(|| Error::not_found("There is no function at this URL."))?;
    if let Some(cors) = url.cors.as_ref().filter(|_| cors::is_preflight(&parts.method, &parts.headers)) {
        return Ok((Head { status: StatusCode::OK, headers: cors::preflight(cors, &parts.headers) }, Body::empty()));
    }
    let body = read_body(body, SYNC_PAYLOAD_BYTES_MAX).await?;
    let query = parse_query(parts.uri.query().unwrap_or_default());
    let signed_by = match url.auth_type {
        AuthType::None if found.function.policies.allow_anyone_by_url(found.alias.as_deref()) => None,
        AuthType::None => return Err(Error::forbidden()),
        AuthType::AwsIam => Some(signer(services, parts, &query, &body, &found).await?),
    };
    let event = event::event(
        &UrlRequest {
            id,
            request_id: &request_id.to_string(),
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            body: &body,
            source_ip: source_ip(parts),
            scheme: services.function_urls.scheme(),
            trace_id,
            signed_by: signed_by.as_ref(),
        },
        jiff::Timestamp::now(),
    );
    let event = event.to_string();
    if event.len() as u64 > SYNC_PAYLOAD_BYTES_MAX {
        return Err(Error::too_large(SYNC_PAYLOAD_BYTES_MAX));
    }
    let (mut head, body) = invoke(services, request_id, &found, &url, event, trace_id).await?;
    if let Some(cors) = &url.cors {
        cors::apply(cors, &parts.headers, &mut head.headers);
    }
    Ok((head, body))
}

/// Returns who signed a request, if they may use the URL: by their own policies, or by the function's.
async fn signer(
    services: &Services,
    parts: &Parts,
    query: &[(String, String)],
    body: &[u8],
    found: &Found,
) -> Result<Signer, Error> {
    let authorization = Authorization::read(&parts.headers, query).map_err(|error| match error.code {
        "MissingAuthenticationTokenException" => Error::forbidden(),
        _ => error,
    })?;
    if authorization.service != "lambda" {
        return Err(Error::invalid_signature("Credential should be scoped to correct service: 'lambda'."));
    }
    let principal =
        authenticate(services, &authorization, &parts.method, &parts.uri, &parts.headers, Payload::Whole(body))?;
    let reference = FunctionReference {
        qualifier: found.alias.clone(),
        ..services.functions.parse(found.function.name.as_str(), None)?
    };
    let need = Need {
        resource_policy: policy(services, &reference).await?,
        ..Need::new("lambda:InvokeFunctionUrl", services.functions.arn(&reference))
    };
    let need = need.with("lambda:functionurlauthtype", "AWS_IAM");
    allowed(services, &principal, None, &need).map_err(|_| Error::forbidden())?;
    Ok(Signer {
        access_key_id: authorization.access_key_id.into(),
        account: services.identities.place().account.to_string(),
        arn: services.identities.principal_arn(&principal),
        user_id: services.identities.user_id(&principal),
    })
}

fn source_ip(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| peer.address.ip().to_canonical())
}

/// Invokes the function as `Invoke` does, with the event as its payload.
async fn invoke(
    services: &Services,
    id: RequestId,
    found: &Found,
    url: &FunctionUrl,
    event: String,
    trace_id: &str,
) -> Result<(Head, Body), Error> {
    let headers = trace_id.parse().ok().map(|value| (HeaderName::from_static("x-amzn-trace-id"), value));
    let request = Request {
        id,
        operation: "InvokeFunctionUrl",
        parameters: Vec::new(),
        principal: Principal::Operator,
        on_behalf: false,
        source_ip: None,
        query: Vec::new(),
        headers: headers.into_iter().collect(),
        body: event.into(),
    };
    if found.configuration().durable_config.is_some() {
        let (result, _) = run_durable(services, &request, found, None, None).await?;
        return whole(found, result.map_err(|_| Error::bad_gateway())?);
    }
    let invocation = plain_invocation(services, &request, found, None)?;
    let mut streaming = services.runner.invoke_streaming(found, invocation).await?;
    let Some(StreamPart::Head { content_type }) = streaming.parts.recv().await else {
        let outcome = streaming.outcome().await;
        return whole(found, outcome.result.map_err(|_| Error::bad_gateway())?);
    };
    let (head, first) = head(found, content_type, &mut streaming).await?;
    match url.invoke_mode {
        InvokeMode::ResponseStream => {
            let (sender, body) = Channel::new(1);
            tokio::spawn(pass_on(first, streaming, sender));
            Ok((head, Body::new(body)))
        }
        InvokeMode::Buffered => Ok((head, collect(first, streaming).await?.into())),
    }
}

fn whole(found: &Found, response: Bytes) -> Result<(Head, Body), Error> {
    let read = answer::read(response);
    let (head, body) = read.ok_or_else(|| {
        warn!(function.name = %found.function.name, "the answer of a function behind a URL is no HTTP response");
        Error::bad_gateway()
    })?;
    Ok((head, body.into()))
}

/// Reads status and headers of a stream. Returns the beginning of its body too.
async fn head(found: &Found, content_type: Option<String>, streaming: &mut Streaming) -> Result<(Head, Bytes), Error> {
    let content_type = content_type.unwrap_or_else(|| "application/octet-stream".into());
    if content_type != INTEGRATION {
        return Ok((Head::of_type(&content_type), Bytes::new()));
    }
    let mut begun = BytesMut::new();
    while let Some(part) = streaming.parts.recv().await {
        let StreamPart::Chunk(bytes) = part else { continue };
        begun.extend_from_slice(&bytes);
        match answer::read_prelude(&begun) {
            Ok(Some((head, end))) => return Ok((head, begun.freeze().slice(end..))),
            Ok(None) if begun.len() <= HTTP_PRELUDE_BYTES_MAX => {}
            Ok(None) | Err(()) => break,
        }
    }
    warn!(function.name = %found.function.name, "a streamed answer does not begin with the status and headers it announces");
    Err(Error::bad_gateway())
}

/// Sends a body on as it comes. One that fails half-way is cut off, so that nobody takes it for whole.
async fn pass_on(first: Bytes, mut streaming: Streaming, mut sender: Sender<Bytes, StreamFailed>) {
    if !first.is_empty() && sender.send_data(first).await.is_err() {
        return;
    }
    while let Some(part) = streaming.parts.recv().await {
        if let StreamPart::Chunk(bytes) = part
            && sender.send_data(bytes).await.is_err()
        {
            return;
        }
    }
    if streaming.outcome().await.result.is_err() {
        sender.abort(StreamFailed);
    }
}

/// The function failed after it began to answer.
#[derive(Debug, thiserror::Error)]
#[error("the function failed half-way")]
struct StreamFailed;

async fn collect(first: Bytes, mut streaming: Streaming) -> Result<Bytes, Error> {
    let mut body = BytesMut::from(&first[..]);
    while let Some(part) = streaming.parts.recv().await {
        let StreamPart::Chunk(bytes) = part else { continue };
        if body.len() + bytes.len() > RESPONSE_BYTES_MAX {
            return Err(Error::bad_gateway());
        }
        body.extend_from_slice(&bytes);
    }
    streaming.outcome().await.result.map_err(|_| Error::bad_gateway())?;
    Ok(body.freeze())
}
