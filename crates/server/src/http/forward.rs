//! Passes requests on to a real service: whose they are is checked here, and what they may; `crate::forward` sends them.
//!
//! What the service answers goes back as it is, also its errors, and while it is written. Start reading at [`serve`].

mod compared;
mod needs;

use axum::body::Body;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use sha2::{Digest, Sha256};
use tokio::sync::SemaphorePermit;
use tracing::warn;

use super::authorize::allowed;
use super::error::Error;
use super::request::parse_query;
use super::sigv4::{Authorization, Payload, hex, without_signature};
use super::{Services, authenticate, check_is_process, find_key, read_body};
use crate::access::Principal;
use crate::forward::{Forward, Outgoing, S3, Unreachable};
use crate::limits::{FORWARD_BODY_BYTES_MAX, FORWARD_BODY_LIMIT};
use compared::{Compared, Mismatch};

/// What is signed in place of a digest if the body is not. Source: S3 API, `x-amz-content-sha256`.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The same, if the body comes in chunks with a checksum at its end.
const UNSIGNED_CHUNKS: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// Returns the service that a request is passed on to, if it is. Those to S3 are if a function process sends them.
pub fn addressed<'a>(services: &'a Services, parts: &Parts) -> Option<&'a Forward> {
    if services.forwards.is_empty() {
        return None;
    }
    let query = parse_query(parts.uri.query().unwrap_or_default());
    let authorization = Authorization::read(&parts.headers, &query).ok()?;
    let forward = services.forwards.find(authorization.service)?;
    let is_process =
        || find_key(services, &authorization).is_ok_and(|found| matches!(found.principal, Principal::Process { .. }));
    (authorization.service != S3 || is_process()).then_some(forward)
}

/// Passes a request on.
///
/// # Errors
/// AWS's, if the request is not its sender's, or the service cannot be reached.
pub async fn serve(
    services: &Services,
    forward: &Forward,
    inside: bool,
    parts: &Parts,
    body: Body,
) -> Result<http::Response<Body>, Error> {
    let query = parse_query(parts.uri.query().unwrap_or_default());
    let authorization = Authorization::read(&parts.headers, &query)?;
    let path_and_query = parts.uri.path_and_query().map(|path| path.as_str()).filter(|path| path.starts_with('/'));
    let path_and_query = path_and_query.ok_or_else(|| Error::unknown_operation("The path must begin with a slash."))?;
    // A stranger's body is not read.
    find_key(services, &authorization)?;
    let sender = |payload: Payload<'_>| {
        let principal = authenticate(services, &authorization, &parts.method, &parts.uri, &parts.headers, payload)?;
        if inside {
            check_is_process(&principal)?;
        }
        let body = match payload {
            Payload::Whole(body) => Some(body),
            Payload::Signed(_) => None,
        };
        check_allowed(services, &principal, authorization.service, parts, body)
    };
    let (payload_hash, body, _held) = if authorization.service == S3 {
        let payload_hash = signed_hash(&authorization, parts)?;
        sender(Payload::Signed(&payload_hash))?;
        let body = if is_digest(&payload_hash) { Body::new(Compared::new(body, payload_hash.clone())) } else { body };
        (payload_hash, body, None)
    } else {
        let (body, held) = whole(services, parts, body).await?;
        sender(Payload::Whole(&body))?;
        (hex(&Sha256::digest(&body)), body.into(), Some(held))
    };
    let path_and_query =
        if authorization.is_presigned() { without_signature(path_and_query) } else { path_and_query.into() };
    let (method, headers) = (parts.method.clone(), parts.headers.clone());
    let outgoing = Outgoing { method, path_and_query, headers, payload_hash, body };
    forward.send(outgoing).await.map_err(|error| not_passed_on(forward, &error))
}

/// Checks that somebody may ask a service for what a request says.
///
/// # Errors
/// AWS's.
pub fn check_allowed(
    services: &Services,
    principal: &Principal,
    service: &str,
    parts: &Parts,
    body: Option<&[u8]>,
) -> Result<(), Error> {
    if *principal == Principal::Operator {
        return Ok(());
    }
    let needs = needs::needs(service, services.identities.place(), parts, body);
    needs.iter().try_for_each(|need| allowed(services, principal, None, need)).map_err(Error::access_denied)
}

/// Reads a body whole, once there is room for it.
async fn whole<'a>(
    services: &'a Services,
    parts: &Parts,
    body: Body,
) -> Result<(bytes::Bytes, SemaphorePermit<'a>), Error> {
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let length: u64 = length.unwrap_or(FORWARD_BODY_BYTES_MAX);
    if length > FORWARD_BODY_BYTES_MAX {
        return Err(Error::too_large(FORWARD_BODY_BYTES_MAX));
    }
    let held = services.forwards.room_for(length).await;
    let body = tokio::time::timeout(FORWARD_BODY_LIMIT, read_body(body, FORWARD_BODY_BYTES_MAX)).await;
    let body = body.map_err(|_| Error::serialization("The body of the request did not come in time."))??;
    Ok((body, held))
}

/// Returns what was signed as the digest of a body that is sent to S3.
fn signed_hash(authorization: &Authorization<'_>, parts: &Parts) -> Result<String, Error> {
    let header = parts.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
    match header {
        Some(hash) if is_digest(hash) || [UNSIGNED, UNSIGNED_CHUNKS].contains(&hash) => Ok(hash.into()),
        Some(kind) => Err(Error::not_served(format!(
            "Everstep does not pass on bodies that are signed chunk by chunk (`{kind}`): set the client not to (in AWS SDK for Java, chunkedEncodingEnabled(false))."
        ))),
        None if authorization.is_presigned() => Ok(UNSIGNED.into()),
        None => Err(Error::named(
            400,
            "MissingSecurityHeader",
            "Your request was missing a required header: x-amz-content-sha256",
        )),
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn not_passed_on(forward: &Forward, error: &Unreachable) -> Error {
    if Mismatch::caused(error) {
        return Error::other_content();
    }
    warn!(forward.service = forward.name, error = error as &dyn std::error::Error, "a request is not passed on");
    Error::unreachable(format!(
        "Everstep passes requests to `{}` on to a service that could not be asked: {error}. The server's log says more.",
        forward.name
    ))
}
