//! Sends requests to real services: signed anew, and passed through as they come, in both directions.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use axum::body::Body;
use http::header::{AUTHORIZATION, CONNECTION, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::S3;
use crate::limits::{FORWARD_ANSWER_LIMIT, FORWARD_CONNECT_LIMIT, FORWARD_IDLE_CONNECTIONS_MAX};

/// How long a connection is kept that nothing is sent on.
const IDLE_LIMIT: Duration = Duration::from_secs(20);

/// The client of all services.
pub struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Body>,
}

/// Where a service is.
pub struct Destination {
    scheme: Scheme,
    authority: Authority,
    /// What comes before the path of each request; empty, or without a slash at its end.
    prefix: String,
}

/// A request that is to be passed on.
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Path and query as they came, without a signature.
    pub path_and_query: String,
    /// The headers as they came.
    pub headers: HeaderMap,
    /// What is signed as the digest of the body.
    pub payload_hash: String,
    /// The body.
    pub body: Body,
}

/// Why there is no answer of a service.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The operator's key cannot be read.
    #[error("the key for it cannot be read")]
    Key(#[source] anyhow::Error),
    /// The request cannot be signed.
    #[error("the request cannot be put into canonical form")]
    Unsignable(#[source] aws_sigv4::http_request::SigningError),
    /// Nobody is there, or the connection broke.
    #[error("it does not answer")]
    Failed(#[source] legacy::Error),
    /// The answer broke off, or is too long for Everstep itself to read.
    #[error("its answer cannot be read")]
    BrokenOff(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer did not begin in time.
    #[error("it did not answer within {} s", FORWARD_ANSWER_LIMIT.as_secs())]
    TooSlow,
}

/// Headers that speak of a connection, not of a request. Source: RFC 9110, section 7.6.1.
const OF_THE_CONNECTION: [HeaderName; 8] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
];

/// Headers of the request that came which the one that goes out has anew, or not at all.
const MADE_ANEW: [HeaderName; 6] = [
    HOST,
    AUTHORIZATION,
    EXPECT,
    HeaderName::from_static("x-amz-date"),
    HeaderName::from_static("x-amz-security-token"),
    HeaderName::from_static("x-amz-content-sha256"),
];

impl Client {
    /// Makes a client that trusts whom the system trusts; nobody, if nothing is `secure` that it is for.
    ///
    /// # Errors
    /// If the system's certificates cannot be read.
    pub fn new(secure: bool) -> anyhow::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(FORWARD_CONNECT_LIMIT));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let builder = HttpsConnectorBuilder::new();
        let builder = if secure {
            builder
                .with_provider_and_native_roots(ring::default_provider())
                .context("the system has no certificates to trust: install them, or name a file by SSL_CERT_FILE")?
        } else {
            let nobody = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("ring has them")
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth();
            builder.with_tls_config(nobody)
        };
        let connector = builder.https_or_http().enable_http1().wrap_connector(connector);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_LIMIT)
            .pool_max_idle_per_host(FORWARD_IDLE_CONNECTIONS_MAX)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self { http })
    }

    /// Signs a request for a service and a Region, and sends it.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(
        &self,
        destination: &Destination,
        service: &str,
        region: &str,
        key: Credentials,
        request: Outgoing,
    ) -> Result<http::Response<Body>, Unreachable> {
        let Outgoing { method, path_and_query, mut headers, payload_hash, body } = request;
        remove_those_of_the_connection(&mut headers);
        MADE_ANEW.iter().for_each(|name| drop(headers.remove(name)));
        headers.insert(HOST, destination.authority.as_str().parse().expect("an authority is a header value"));
        let uri = destination.uri(&path_and_query);
        let signed = signature(&method, &uri, &headers, payload_hash, service, region, key, SystemTime::now())
            .map_err(Unreachable::Unsignable)?;
        headers.extend(signed);
        let mut request = http::Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let answer = tokio::time::timeout(FORWARD_ANSWER_LIMIT, self.http.request(request)).await;
        let mut answer = answer.map_err(|_| Unreachable::TooSlow)?.map_err(Unreachable::Failed)?.map(Body::new);
        remove_those_of_the_connection(answer.headers_mut());
        Ok(answer)
    }
}

impl Destination {
    /// Reads where a service is; `None` if it cannot be there.
    pub fn new(uri: &Uri) -> Option<Self> {
        let (scheme, authority) = (uri.scheme()?.clone(), uri.authority()?.clone());
        let usable = [Scheme::HTTP, Scheme::HTTPS].contains(&scheme) && uri.query().is_none();
        usable.then(|| Self { scheme, authority, prefix: uri.path().trim_end_matches('/').into() })
    }

    fn uri(&self, path_and_query: &str) -> Uri {
        let path = format!("{}{path_and_query}", self.prefix);
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .expect("parts of URIs make a URI")
    }
}

fn remove_those_of_the_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    named.iter().chain(&OF_THE_CONNECTION).for_each(|name| drop(headers.remove(name)));
}

/// Returns the headers that sign a request.
#[expect(clippy::too_many_arguments, reason = "a signature covers all of that")]
fn signature(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    payload_hash: String,
    service: &str,
    region: &str,
    key: Credentials,
    now: SystemTime,
) -> Result<Vec<(HeaderName, HeaderValue)>, aws_sigv4::http_request::SigningError> {
    let identity = key.into();
    let mut settings = SigningSettings::default();
    // S3 takes paths as they are, and wants to be told the digest. Source: AWS General Reference, Signature Version 4.
    if service == S3 {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(now)
        .settings(settings)
        .build()
        .expect("every parameter is given")
        .into();
    // What proxies on the way may change is left out.
    let signed =
        |name: &HeaderName| [HOST, http::header::CONTENT_TYPE].contains(name) || name.as_str().starts_with("x-amz-");
    let headers = headers
        .iter()
        .filter(|(name, _)| signed(name))
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let request =
        SignableRequest::new(method.as_str(), uri.to_string(), headers, SignableBody::Precomputed(payload_hash))?;
    let (instructions, _) = sign(request, &parameters)?.into_parts();
    let (headers, _) = instructions.into_parts();
    Ok(headers
        .into_iter()
        .map(|header| {
            let name: HeaderName = header.name().parse().expect("the signer writes names");
            let mut value: HeaderValue = header.value().parse().expect("the signer writes values");
            value.set_sensitive(true);
            (name, value)
        })
        .collect())
}
