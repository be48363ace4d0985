//! What a function is given so that its executions can be traced.

use std::fmt;
use std::sync::Arc;

use everstep::plugin::{InvocationInfo, Plugin, PluginFactory};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter};

use crate::invocation::Invocation;
use crate::otlp::{self, ExporterError};
use crate::spans::{OfLibraries, Spans};
use crate::ticks::Ticks;
use crate::trace::Sampling;
use crate::view::View;

/// Traces executions: a plugin of a [`Function`](everstep::Function), and cheap to clone for others.
#[derive(Clone)]
pub struct Otel {
    pub(crate) view: View,
    pub(crate) sampling: Sampling,
    pub(crate) ticks: Arc<Ticks>,
    pub(crate) spans: Arc<Spans>,
    resource: Resource,
}

impl Otel {
    /// Sends spans by OTLP over HTTP as OpenTelemetry's variables say: `OTEL_EXPORTER_OTLP_ENDPOINT` (without it, to
    /// `http://localhost:4318`), `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`.
    ///
    /// # Errors
    /// If one of them makes no sense.
    pub fn from_env(view: View) -> Result<Self, ExporterError> {
        Ok(Self::new(view, otlp::exporter(None)?, resource()))
    }

    /// Sends spans of a service by OTLP over HTTP to a collector, for example `http://localhost:4318`.
    ///
    /// # Errors
    /// If that is no address.
    pub fn to(view: View, endpoint: &str, resource: Resource) -> Result<Self, ExporterError> {
        Ok(Self::new(view, otlp::exporter(Some(endpoint))?, resource))
    }

    /// Sends spans of a service by any exporter. It is used in the invocation's task, so it must not block.
    pub fn new(view: View, mut exporter: impl SpanExporter + 'static, resource: Resource) -> Self {
        exporter.set_resource(&resource);
        let (sampling, ticks, spans) = (Sampling::default(), Arc::default(), Arc::new(Spans::new(exporter)));
        Self { view, sampling, ticks, spans, resource }
    }

    /// Sets which executions are traced.
    #[must_use]
    pub fn sampling(self, sampling: Sampling) -> Self {
        Self { sampling, ..self }
    }

    /// Makes a provider of tracers for other libraries. Their spans are below the attempt, or the invocation, that uses
    /// them, and are sent with its spans.
    pub fn tracer_provider(&self) -> SdkTracerProvider {
        SdkTracerProvider::builder()
            .with_resource(self.resource.clone())
            .with_span_processor(OfLibraries(Arc::clone(&self.spans)))
            .build()
    }
}

impl PluginFactory for Otel {
    fn create(&self, invocation: &InvocationInfo<'_>) -> Box<dyn Plugin> {
        Box::new(Invocation::new(self, invocation))
    }
}

impl fmt::Debug for Otel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Otel").field("view", &self.view).field("sampling", &self.sampling).finish()
    }
}

/// Describes the function. Its name is that of Lambda, unless OpenTelemetry's variables give another one.
fn resource() -> Resource {
    let lambda = |variable: &str| std::env::var(variable).ok().filter(|value| !value.is_empty());
    let builder = Resource::builder();
    let named = std::env::var_os("OTEL_SERVICE_NAME").is_some()
        || lambda("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|attributes| attributes.contains("service.name="));
    match lambda("AWS_LAMBDA_FUNCTION_NAME").filter(|_| !named) {
        Some(name) => builder.with_service_name(name).build(),
        None => builder.build(),
    }
}
