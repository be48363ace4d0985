//! The service `s3`: Amazon S3, as much as tools need to hand artifacts over, and a little more.
//!
//! Paths, queries, XML and errors are the work of the crate `s3s`; what it calls is in `operations.rs`. Who asks is found out
//! here, by this house's own signatures, before a byte of the body is read; the library gets requests that are signed no more,
//! with bodies that are checked as they are read. Objects stream between network and disk.

mod access;
mod body;
mod bucket;
mod chunked;
mod error;
mod list;
mod object;
mod operations;
mod receive;
mod send;
mod settings;
mod upload;

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use everstep_core::id::{Place, RequestId};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Uri};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3ErrorCode};

use super::request::parse_query;
use super::sigv4::{Authorization, Payload, without_signature};
use crate::access::{Found, Keys, Principal};
use crate::identities::Identities;
use crate::limits::S3_DOCUMENT_BYTES_MAX;
use crate::listen::Peer;
use crate::objects::Objects;
use crate::sessions::NotOpened;
use body::Checked;
use receive::Given;

/// Writes a text that is a setting of a bucket as it is kept, such as a policy.
pub fn setting(text: &str) -> String {
    settings::kept(&text.to_string())
}

/// The service.
pub struct Service {
    keys: Arc<Keys>,
    library: S3Service,
}

/// What operations work with.
struct Buckets {
    objects: Arc<Objects>,
    place: Place,
}

/// Tells whether a request was signed for this service, also in the way of long ago.
pub fn addressed(parts: &Parts) -> bool {
    let query = parse_query(parts.uri.query().unwrap_or_default());
    let authorization = Authorization::read(&parts.headers, &query);
    authorization.is_ok_and(|authorization| authorization.service == "s3") || is_signed_by_version_2(parts, &query)
}

/// Tells whether a request has a signature of version 2, which only S3 knew.
fn is_signed_by_version_2(parts: &Parts, query: &[(String, String)]) -> bool {
    let header = parts.headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS "));
    header || ["AWSAccessKeyId", "Signature"].iter().all(|name| query.iter().any(|(given, _)| given == name))
}

impl Service {
    /// Puts the service together.
    pub fn new(
        objects: Arc<Objects>,
        keys: Arc<Keys>,
        identities: Arc<Identities>,
        place: Place,
        is_secure: bool,
    ) -> Self {
        let mut builder = S3ServiceBuilder::new(Buckets { objects, place });
        builder.set_auth(access::Nobody);
        builder.set_access(access::Access { identities, is_secure });
        Self { keys, library: builder.build() }
    }

    /// Answers a request that is addressed to this service.
    pub async fn serve(
        &self,
        parts: Parts,
        body: Body,
        id: RequestId,
        peer: Option<&Peer>,
    ) -> axum::response::Response {
        let mut response = match self.call(parts, body, peer).await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(request.id = %id, %error, "refused");
                error.to_http_response().expect("errors are written")
            }
        };
        let id = HeaderValue::from_str(&id.to_string()).expect("a UUID is a header value");
        response.headers_mut().insert("x-amzn-requestid", id.clone());
        response.headers_mut().insert("x-amz-request-id", id);
        response.map(Body::new)
    }

    async fn call(&self, parts: Parts, body: Body, peer: Option<&Peer>) -> Result<s3s::HttpResponse, S3Error> {
        let query = parse_query(parts.uri.query().unwrap_or_default());
        if is_signed_by_version_2(&parts, &query) {
            let message = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256: for presigned URLs of boto3, Config(signature_version=\"s3v4\").";
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        let authorization = Authorization::read(&parts.headers, &query).map_err(error::of_signature)?;
        let (principal, secret) = self.authenticate(&authorization, &parts)?;
        if peer.is_some_and(|peer| peer.inside) && principal == Principal::Operator {
            return Err(error::denied(
                "This address is for function processes: use one that the server says it listens on.",
            ));
        }
        let given = Given::read(&parts.headers)?;
        let claimed =
            body::claimed(&parts.headers, &authorization).ok_or_else(|| error::missing("x-amz-content-sha256"))?;
        let chunked = claimed.starts_with("STREAMING-");
        let (body, trailers) =
            Checked::new(body, claimed, &authorization, &secret).map_err(|refused| error::of_body(&refused))?;
        let Parts { method, uri, mut headers, .. } = parts;
        headers.remove(AUTHORIZATION);
        headers.remove("x-amz-security-token");
        if chunked {
            unwrap_chunked(&mut headers)?;
        }
        let body = if carries_object(&method, &uri, &headers) {
            if !headers.contains_key(CONTENT_LENGTH) {
                let message = "You must provide the Content-Length HTTP header.";
                return Err(S3Error::with_message(S3ErrorCode::MissingContentLength, message));
            }
            s3s::Body::http_body_unsync(body)
        } else {
            // A form would be read whole by the library, whatever is in it.
            let form =
                headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"multipart/form-data"));
            if form {
                return Err(error::not_served("uploads by a form: use PutObject"));
            }
            let bytes = body.collect(S3_DOCUMENT_BYTES_MAX).await.map_err(|refused| error::of_body(&refused))?;
            let bytes = bytes.ok_or_else(|| error::too_large(S3_DOCUMENT_BYTES_MAX))?;
            given.check(&bytes, &trailers)?;
            headers.insert(CONTENT_LENGTH, bytes.len().into());
            s3s::Body::from(bytes)
        };
        let mut request = http::Request::new(body);
        *request.uri_mut() = unsigned(&uri);
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        let source_ip = peer.map(|peer| peer.address.ip().to_canonical());
        request.extensions_mut().insert(access::Sender { principal, source_ip });
        request.extensions_mut().insert(given);
        request.extensions_mut().insert(trailers);
        self.library.call(request).await.map_err(|failed| {
            tracing::error!(error = ?failed, "an answer could not be written");
            S3Error::new(S3ErrorCode::InternalError)
        })
    }

    /// Finds out who asks. Nothing of the body is read for that.
    fn authenticate(&self, authorization: &Authorization<'_>, parts: &Parts) -> Result<(Principal, String), S3Error> {
        let found = self.keys.find(authorization.access_key_id, authorization.session_token, SystemTime::now());
        let Found { principal, secret } = found.map_err(|error| match error {
            NotOpened::Unknown => S3Error::with_message(
                S3ErrorCode::InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records.",
            ),
            NotOpened::Expired => S3Error::with_message(S3ErrorCode::ExpiredToken, "The provided token has expired."),
        })?;
        authorization.check_time(SystemTime::now()).map_err(|error| error::of_time(error, authorization))?;
        let claimed = body::claimed(&parts.headers, authorization).unwrap_or_default();
        let uri = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        authorization
            .verify(&secret, parts.method.as_str(), uri, &parts.headers, Payload::Signed(claimed), SystemTime::now())
            .map_err(error::of_signature)?;
        Ok((principal, secret))
    }
}

/// Tells whether the body of a request is the content of an object, which goes to disk as it comes.
fn carries_object(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let has_key = uri.path().trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let query = parse_query(uri.query().unwrap_or_default());
    let plain = query.iter().all(|(name, _)| {
        let name = name.to_ascii_lowercase();
        ["partnumber", "uploadid"].contains(&name.as_str()) || name.starts_with("x-")
    });
    *method == Method::PUT && has_key && plain && !headers.contains_key("x-amz-copy-source")
}

/// Makes the headers those of a body that is in chunks no more.
fn unwrap_chunked(headers: &mut HeaderMap) -> Result<(), S3Error> {
    let length = headers.get("x-amz-decoded-content-length").cloned();
    headers.insert(CONTENT_LENGTH, length.ok_or_else(|| error::missing("x-amz-decoded-content-length"))?);
    let encoding = headers.remove(CONTENT_ENCODING);
    let encoding = encoding.as_ref().and_then(|encoding| encoding.to_str().ok()).unwrap_or_default();
    let others: Vec<&str> = encoding.split(',').map(str::trim).filter(|one| *one != "aws-chunked").collect();
    let others = others.join(",");
    if !others.is_empty() {
        headers
            .insert(CONTENT_ENCODING, HeaderValue::from_str(&others).map_err(|_| error::missing("content-encoding"))?);
    }
    Ok(())
}

/// Returns a URI without a signature in its query.
fn unsigned(uri: &Uri) -> Uri {
    let text = without_signature(&uri.to_string());
    text.trim_end_matches('?').parse().expect("less of a URI is one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_of_objects_is_told_from_documents() {
        let check = |method: Method, uri: &str, expected: bool| {
            assert_eq!(carries_object(&method, &uri.parse().unwrap(), &HeaderMap::new()), expected, "{method} {uri}");
        };
        check(Method::PUT, "/b/k", true);
        check(Method::PUT, "/b/k/l?x-id=PutObject", true);
        check(Method::PUT, "/b/k?partNumber=1&uploadId=x", true);
        check(Method::PUT, "/b/k?tagging", false);
        check(Method::PUT, "/b", false);
        check(Method::PUT, "/b/", false);
        check(Method::POST, "/b/k?uploads", false);
        let mut copy = HeaderMap::new();
        copy.insert("x-amz-copy-source", HeaderValue::from_static("b/k"));
        assert!(!carries_object(&Method::PUT, &"/b/k".parse().unwrap(), &copy));
    }
}
