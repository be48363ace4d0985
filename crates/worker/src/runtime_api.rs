//! The Lambda Runtime API (2018-06-01) of one process.
//!
//! Each process gets a listener of its own on loopback: that is how processes are told apart. This module speaks HTTP
//! and decides nothing: every call becomes a [`Call`] that the process's state machine answers. Answers leave in one
//! packet, with `TCP_NODELAY`, because a delayed acknowledgement costs 40 ms per invocation.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::{Invocation, StreamPart, limits, sandbox};

/// Something the runtime asks or says.
#[derive(Debug)]
pub(crate) enum Call {
    /// Asks for an invocation; the answer may take as long as it likes.
    Next { reply: oneshot::Sender<Assignment> },
    /// Begins an answer that is written piece by piece; `None` if nobody reads it so.
    BeginStream { request_id: String, reply: oneshot::Sender<Option<mpsc::Sender<StreamPart>>> },
    /// Answers an invocation.
    Respond { request_id: String, answer: Answer, reply: oneshot::Sender<Verdict> },
    /// Reports that initialization failed.
    InitError { body: Body, error_type: Option<String>, reply: oneshot::Sender<Verdict> },
}

/// How the runtime answers an invocation.
#[derive(Debug)]
pub(crate) enum Answer {
    Response(Body),
    /// A response that has been passed on, as far as its reader took it and the limit allows.
    Streamed {
        bytes: u64,
    },
    Error {
        body: Body,
        error_type: Option<String>,
    },
}

/// A body that has been read to its end.
#[derive(Debug)]
pub(crate) enum Body {
    Whole(Bytes),
    /// Longer than [`limits::RESPONSE_BYTES_MAX`]: only its length is known.
    TooLarge(u64),
}

/// An invocation on its way to the runtime.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) invocation: Invocation,
    pub(crate) deadline_ms: i64,
}

/// The answer to what a runtime says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    /// The body is over the limit; the invocation has failed.
    TooLarge,
    /// No such invocation is running here.
    UnknownRequest,
    /// Not now.
    WrongState,
}

/// Binds a listener on loopback, at a port the system chooses.
pub(crate) async fn bind() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves connections until dropped: those of a user, if one is named, and of nobody else.
pub(crate) async fn serve(listener: TcpListener, user: Option<u32>, calls: mpsc::Sender<Call>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= limits::CONNECTIONS_MAX {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let own = user.is_none_or(|user| {
                        stream.local_addr().is_ok_and(|here| sandbox::is_connection_of(user, peer, here))
                    });
                    if own {
                        connections.spawn(connection(stream, calls.clone()));
                    } else {
                        tracing::warn!(%peer, "somebody else reached for the runtime api of a function");
                    }
                }
                Err(error) => {
                    // Out of file descriptors: give others time to close some.
                    tracing::warn!(%error, "cannot accept a connection to the runtime api");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, calls: mpsc::Sender<Call>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request, &calls).await) });
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a runtime api connection broke");
    }
}

async fn answer(request: Request<Incoming>, calls: &mpsc::Sender<Call>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let (method, path) = (&parts.method, parts.uri.path());
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let body = match (method, &segments[..]) {
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) if is_streamed(&parts.headers) => {
            let request_id = (*id).to_owned();
            match ask(calls, |reply| Call::BeginStream { request_id, reply }).await.flatten() {
                Some(stream) => {
                    return match pass_on(body, content_type(&parts.headers), stream).await {
                        Some(answer) => respond(id, answer, calls).await,
                        None => incomplete_body(),
                    };
                }
                None => body,
            }
        }
        _ => body,
    };
    // Read in any case: an answer to half a request would close the connection under its sender.
    let Some((body, trailers)) = read(body).await else { return incomplete_body() };
    match (method, &segments[..]) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => next(calls).await,
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
            let answer = failed_late(trailers.as_ref()).unwrap_or(Answer::Response(body));
            respond(id, answer, calls).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
            respond(id, Answer::Error { body, error_type: error_type(&parts.headers) }, calls).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
            let error_type = error_type(&parts.headers);
            verdict(ask(calls, |reply| Call::InitError { body, error_type, reply }).await)
        }
        (_, ["2020-01-01", "extension", ..] | ["2020-08-15", "logs", ..] | ["2022-07-01", "telemetry", ..]) => refusal(
            StatusCode::FORBIDDEN,
            "Extension.NotSupported",
            "Everstep runs no Lambda extensions; remove the extension from the layers and the code",
        ),
        (method, _) => refusal(
            StatusCode::NOT_FOUND,
            "NotFound",
            &format!("no `{method} {path}` in the runtime api; see /2018-06-01/runtime/invocation/next"),
        ),
    }
}

async fn next(calls: &mpsc::Sender<Call>) -> Response<Full<Bytes>> {
    let Some(Assignment { invocation, deadline_ms }) = ask(calls, |reply| Call::Next { reply }).await else {
        return verdict(Some(Verdict::WrongState));
    };
    let mut response = Response::new(Full::new(invocation.event));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut add = |name: &'static str, value: &str| match HeaderValue::from_bytes(value.as_bytes()) {
        Ok(value) => {
            headers.insert(name, value);
        }
        Err(_) => tracing::warn!(name, "an invocation's field is no header value and was left out"),
    };
    add("lambda-runtime-aws-request-id", &invocation.request_id);
    add("lambda-runtime-deadline-ms", &deadline_ms.to_string());
    add("lambda-runtime-invoked-function-arn", &invocation.invoked_function_arn);
    add("lambda-runtime-trace-id", &invocation.trace_id);
    if let Some(client_context) = &invocation.client_context {
        add("lambda-runtime-client-context", client_context);
    }
    if let Some(tenant_id) = &invocation.tenant_id {
        add("lambda-runtime-aws-tenant-id", tenant_id);
    }
    response
}

async fn respond(request_id: &str, answer: Answer, calls: &mpsc::Sender<Call>) -> Response<Full<Bytes>> {
    let request_id = request_id.to_owned();
    verdict(ask(calls, |reply| Call::Respond { request_id, answer, reply }).await)
}

fn is_streamed(headers: &HeaderMap) -> bool {
    headers.get("lambda-runtime-function-response-mode").is_some_and(|mode| mode.as_bytes() == b"streaming")
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(header::CONTENT_TYPE)?.to_str().ok()?.to_owned())
}

/// Passes a body on while it is written, no faster than it is read; what nobody reads any more, or is past the limit,
/// is thrown away. `None` if the body ends early.
async fn pass_on(mut body: Incoming, content_type: Option<String>, stream: mpsc::Sender<StreamPart>) -> Option<Answer> {
    let mut stream = Some(stream);
    let mut bytes = 0_u64;
    send(&mut stream, StreamPart::Head { content_type }).await;
    while let Some(frame) = body.frame().await {
        match frame.ok()?.into_data() {
            Ok(data) => {
                bytes += data.len() as u64;
                if bytes > limits::STREAMED_RESPONSE_BYTES_MAX {
                    stream = None;
                }
                send(&mut stream, StreamPart::Chunk(data)).await;
            }
            Err(frame) => {
                if let Some(answer) = failed_late(frame.into_trailers().ok().as_ref()) {
                    return Some(answer);
                }
            }
        }
    }
    Some(Answer::Streamed { bytes })
}

/// Sends a part to a reader, who may have gone away.
async fn send(stream: &mut Option<mpsc::Sender<StreamPart>>, part: StreamPart) {
    if let Some(open) = stream
        && open.send(part).await.is_err()
    {
        *stream = None;
    }
}

/// A streamed response that fails half-way says so in its trailers.
fn failed_late(trailers: Option<&HeaderMap>) -> Option<Answer> {
    let error_type = error_type(trailers?)?;
    let body = trailers?.get("lambda-runtime-function-error-body");
    let body = body.and_then(|body| BASE64_STANDARD.decode(body).ok()).unwrap_or_default();
    Some(Answer::Error { body: Body::Whole(body.into()), error_type: Some(error_type) })
}

/// Passes a call to the process and waits for its answer; `None` if the process does not answer.
async fn ask<T>(calls: &mpsc::Sender<Call>, call: impl FnOnce(oneshot::Sender<T>) -> Call) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    calls.send(call(reply)).await.ok()?;
    answer.await.ok()
}

/// Reads a body to its end, even past the limit: a client that is still writing would not hear the answer.
async fn read(mut body: Incoming) -> Option<(Body, Option<HeaderMap>)> {
    let mut whole = BytesMut::new();
    let mut length = 0_u64;
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        match frame.ok()?.into_data() {
            Ok(data) => {
                length += data.len() as u64;
                if length <= limits::RESPONSE_BYTES_MAX as u64 {
                    whole.extend_from_slice(&data);
                } else {
                    whole = BytesMut::new();
                }
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    let body =
        if length <= limits::RESPONSE_BYTES_MAX as u64 { Body::Whole(whole.freeze()) } else { Body::TooLarge(length) };
    Some((body, trailers))
}

fn error_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("lambda-runtime-function-error-type")?.to_str().ok()?;
    Some(value.to_owned())
}

fn verdict(verdict: Option<Verdict>) -> Response<Full<Bytes>> {
    match verdict.unwrap_or(Verdict::WrongState) {
        Verdict::Accepted => document(StatusCode::ACCEPTED, &json!({"status": "OK"})),
        Verdict::TooLarge => refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("a response has at most {} bytes", limits::RESPONSE_BYTES_MAX),
        ),
        Verdict::UnknownRequest => {
            refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "no invocation with this request id is running here")
        }
        Verdict::WrongState => {
            refusal(StatusCode::FORBIDDEN, "InvalidStateTransition", "the process is in no state for this call")
        }
    }
}

fn incomplete_body() -> Response<Full<Bytes>> {
    refusal(StatusCode::BAD_REQUEST, "IncompleteBody", "the body ended early")
}

fn refusal(status: StatusCode, error_type: &str, error_message: &str) -> Response<Full<Bytes>> {
    document(status, &json!({"errorMessage": error_message, "errorType": error_type}))
}

fn document(status: StatusCode, document: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(document.to_string().into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
