//! OTLP over HTTP: the client that sends spans.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use tokio_rustls::rustls::crypto::ring;

use crate::limits::ANSWER_BYTES_MAX;

/// Why spans cannot be sent as it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("OpenTelemetry's exporter cannot be set up")]
pub struct ExporterError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Makes an exporter: to `endpoint`, or as `OTEL_EXPORTER_OTLP_…` say.
pub(crate) fn exporter(endpoint: Option<&str>) -> Result<SpanExporter, ExporterError> {
    let builder = SpanExporter::builder().with_http().with_http_client(Hyper::new()?);
    let builder = match endpoint {
        Some(endpoint) => builder.with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/'))),
        None => builder,
    };
    builder.build().map_err(|error| ExporterError(error.into()))
}

/// hyper's client, with TLS.
#[derive(Debug)]
struct Hyper(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Hyper {
    fn new() -> Result<Self, ExporterError> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(ring::default_provider())
            .map_err(|error| ExporterError(error.into()))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }
}

#[async_trait]
impl HttpClient for Hyper {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = self.0.request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}
