//! Runs functions: joins the catalog, the code store and the supervisor, for the engine and for plain invocations.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use everstep_api::envelope::{self, Answer, Envelope};
use everstep_api::reference::FunctionReference;
use everstep_core::event::PlainInvocation;
use everstep_core::id::{FunctionName, RequestId, TenantId, Version};
use everstep_core::{Effect, ErrorObject, limits};
use everstep_engine::{
    Acquired, AsyncEnding, DurableRun, EventInvokeConfig, HandlerAnswer, PlainRun, Resolved, Slot, Unavailable,
};
use everstep_worker::{
    Failure, FailureKind, Invocation, LogFormat, Outcome, Patience, StreamPart, Supervisor, Throttle, code,
    response_stream,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::warn;

use crate::access::Keys;
use crate::destinations;
use crate::functions::{Configuration, Found, Functions, draw};
use crate::http::error::Error;
use crate::layers;

/// Runs functions.
pub struct Runner {
    functions: Functions,
    code: Arc<code::Store>,
    keys: Arc<Keys>,
    supervisor: Arc<Supervisor>,
}

/// A response that is read while it is written: first its parts, then what came of it.
pub struct Streaming {
    /// The parts, none if the function does not stream.
    pub parts: mpsc::Receiver<StreamPart>,
    outcome: JoinHandle<Outcome>,
}

impl Streaming {
    /// Waits for the outcome.
    pub async fn outcome(self) -> Outcome {
        self.outcome.await.expect("an invocation does not panic")
    }
}

fn failed(failure: Failure) -> Outcome {
    Outcome { result: Err(failure), log_tail: Vec::new(), duration: Duration::ZERO }
}

/// Why a durable function cannot be invoked by that name, in AWS's words.
pub const UNQUALIFIED: &str = "You cannot invoke a durable function using an unqualified ARN.";

impl Runner {
    /// Puts a runner together.
    pub fn new(functions: Functions, code: Arc<code::Store>, keys: Arc<Keys>, supervisor: Arc<Supervisor>) -> Self {
        Self { functions, code, keys, supervisor }
    }

    /// Invokes a plain function for a caller that waits.
    ///
    /// # Errors
    /// `TooManyRequestsException` if there is no concurrency left.
    pub async fn invoke(&self, found: &Found, invocation: Invocation) -> Result<Outcome, Error> {
        Ok(match self.slot(found, &invocation).await? {
            Ok(slot) => slot.invoke(invocation).await,
            Err(failure) => failed(failure),
        })
    }

    /// Invokes a plain function for a caller that reads its response while it is written.
    ///
    /// # Errors
    /// As [`Self::invoke`].
    pub async fn invoke_streaming(&self, found: &Found, invocation: Invocation) -> Result<Streaming, Error> {
        let (sender, parts) = response_stream();
        let outcome = match self.slot(found, &invocation).await? {
            Ok(slot) => tokio::spawn(slot.invoke_streaming(invocation, sender)),
            Err(failure) => tokio::spawn(async { failed(failure) }),
        };
        Ok(Streaming { parts, outcome })
    }

    /// Waits for a process that is ready for an invocation.
    async fn slot(
        &self,
        found: &Found,
        invocation: &Invocation,
    ) -> Result<Result<everstep_worker::Slot, Failure>, Error> {
        let (name, tenant_id) = (&found.function.name, invocation.tenant_id.clone());
        match self.process(name, found.version, tenant_id, Patience::UnlessReserved).await {
            Ok(process) => Ok(Ok(process.slot)),
            Err(NoProcess::Missing) => {
                let (function, qualifier) = (name.clone(), found.qualifier());
                Err(self.functions.missing(&FunctionReference { region: None, account: None, function, qualifier }))
            }
            Err(NoProcess::Broken(error)) => Ok(Err(platform_failure(&error))),
            Err(NoProcess::Throttled(throttle)) => Err(Error::throttled(throttle)),
            Err(NoProcess::Failed(failure)) => Ok(Err(failure)),
        }
    }

    /// Waits for a process of a version as it is when its turn comes: whoever waits while it is changed or deleted gets
    /// what there is then.
    async fn process(
        &self,
        name: &FunctionName,
        version: Version,
        tenant_id: Option<String>,
        patience: Patience,
    ) -> Result<Process, NoProcess> {
        let mut turn = self.supervisor.turn(patience);
        loop {
            let (function, _) = self.functions.load(name).await?.ok_or(NoProcess::Missing)?;
            let configuration = function.configuration(version).ok_or(NoProcess::Missing)?;
            let function = self.function(name, version, configuration, tenant_id.clone())?;
            match turn.acquire(&function).await {
                Ok(slot) => return Ok(Process { slot, function }),
                Err(everstep_worker::Unavailable::Retired) => {}
                Err(everstep_worker::Unavailable::Throttled(throttle)) => return Err(NoProcess::Throttled(throttle)),
                Err(everstep_worker::Unavailable::Failed(failure)) => return Err(NoProcess::Failed(failure)),
            }
        }
    }

    /// Ends the processes of a version that is not wanted any more.
    pub fn retire(&self, name: &FunctionName, version: Version, configuration: &Configuration) {
        self.supervisor.retire(&process_key(name, version, configuration));
    }

    fn function(
        &self,
        name: &FunctionName,
        version: Version,
        configuration: &Configuration,
        tenant_id: Option<String>,
    ) -> Result<Arc<everstep_worker::Function>, Error> {
        check_tenant(configuration, tenant_id.as_deref())?;
        let runtime = configuration.runtime.parse().map_err(|error| Error::invalid_parameter(format!("{error}")))?;
        let code = self.code.pin(&configuration.code.digest).ok_or_else(|| {
            Error::service(format!("The code of function `{name}` is not in the data directory: upload it again."))
        })?;
        let layers = match &configuration.layers[..] {
            [] => None,
            // They are there already, but for the first time after a restore.
            layers => Some(self.code.merge(&layers::digests(layers)).map_err(|error| {
                warn!(function.name = %name, error = &error as &dyn std::error::Error, "layers cannot be merged");
                Error::service(format!(
                    "The layers of function `{name}` are not in the data directory: set them again."
                ))
            })?),
        };
        let logging = &configuration.logging_config;
        let json = logging.log_format.as_deref() == Some("JSON");
        Ok(Arc::new(everstep_worker::Function {
            key: process_key(name, version, configuration),
            name: name.to_string(),
            version: version.to_string(),
            arn: format!("{}:{version}", self.functions.place().function_arn(name)),
            role: configuration.role.clone(),
            runtime,
            handler: configuration.handler.clone(),
            code_dir: code.dir().to_path_buf(),
            layers_dir: layers.as_ref().map(|layers| layers.dir().to_path_buf()),
            pins: [code].into_iter().chain(layers).collect(),
            timeout: Duration::from_secs(configuration.timeout_seconds.into()),
            memory_mb: configuration.memory_mb,
            tmp_mb: configuration.tmp_mb(),
            environment: configuration.environment.clone(),
            region: self.functions.place().region.to_string(),
            log_group: log_group(name, configuration),
            log_format: if json { LogFormat::Json } else { LogFormat::Text },
            log_level: json.then(|| logging.application_log_level.clone().unwrap_or_else(|| "INFO".into())),
            tenant_id,
        }))
    }
}

/// Checks that a function that keeps its tenants apart is told for which one it is invoked, and no other is.
///
/// # Errors
/// AWS's.
pub fn check_tenant(configuration: &Configuration, tenant_id: Option<&str>) -> Result<(), Error> {
    match (configuration.isolates_tenants(), tenant_id) {
        (true, None) => Err(Error::invalid_parameter(
            "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.",
        )),
        (false, Some(_)) => Err(Error::invalid_parameter(
            "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try again.",
        )),
        (true, Some(_)) | (false, None) => Ok(()),
    }
}

/// Returns the log group of a function.
pub fn log_group(name: &FunctionName, configuration: &Configuration) -> String {
    configuration.logging_config.log_group.clone().unwrap_or_else(|| own_log_group(name))
}

/// Returns the log group that a function has unless it is told to print elsewhere.
pub fn own_log_group(name: &FunctionName) -> String {
    format!("/aws/lambda/{name}")
}

fn process_key(name: &FunctionName, version: Version, configuration: &Configuration) -> String {
    format!("{name}:{version}:{}", configuration.revision_id)
}

#[async_trait]
impl everstep_engine::Functions for Runner {
    async fn resolve(&self, text: &str) -> Resolved {
        let refused = |error_type: &str, message: String| Resolved::Refused(ErrorObject::new(error_type, message));
        let Some(mut reference) = everstep_api::reference::FunctionReference::parse(text) else {
            return refused("InvalidParameterValueException", format!("Invalid function name: {text}"));
        };
        let qualified = reference.qualifier.is_some();
        let found = if reference.is_in(self.functions.place()) {
            self.functions.find(&reference).await
        } else {
            Err(self.functions.missing(&reference))
        };
        let found = match found {
            Ok(found) => found.drawn(draw()),
            Err(error) if error.status == 404 => {
                reference.qualifier.get_or_insert_with(|| "$LATEST".into());
                let message = format!("Function not found: {}", self.functions.arn(&reference));
                return refused("ResourceNotFoundException", message);
            }
            Err(error) => return refused(error.code, error.message),
        };
        let (function, version) = (found.function.name.clone(), found.version);
        match &found.configuration().durable_config {
            Some(_) if !qualified => refused("InvalidParameterValueException", UNQUALIFIED.into()),
            Some(config) => Resolved::Durable {
                place: self.functions.place().clone(),
                function,
                version,
                execution_timeout_seconds: execution_timeout_seconds(config),
                retention_days: retention_days(config),
            },
            None => Resolved::Plain { function, version },
        }
    }

    async fn acquire(&self, name: &FunctionName, version: Version, tenant: Option<&TenantId>) -> Acquired {
        match self.process(name, version, tenant.map(ToString::to_string), Patience::Any).await {
            Ok(process) => Acquired::Ready(Box::new(ProcessSlot { process, keys: Arc::clone(&self.keys) })),
            Err(NoProcess::Missing) => Acquired::Missing,
            Err(NoProcess::Broken(error)) => Acquired::Broken(ErrorObject::new(error.code, error.message)),
            Err(NoProcess::Throttled(_)) => Acquired::Throttled,
            Err(NoProcess::Failed(failure)) => Acquired::Broken(error_of(&failure)),
        }
    }

    async fn event_invoke_config(&self, invocation: &PlainInvocation) -> Result<EventInvokeConfig, Unavailable> {
        let found = self.functions.load(&invocation.function).await.map_err(unavailable)?;
        let config = found
            .as_ref()
            .and_then(|(function, _)| function.event_invoke_configs.get(destinations::qualifier(invocation)));
        let default = EventInvokeConfig::default();
        let Some(config) = config else { return Ok(default) };
        Ok(EventInvokeConfig {
            maximum_retry_attempts: config.maximum_retry_attempts.unwrap_or(default.maximum_retry_attempts),
            maximum_event_age_seconds: config.maximum_event_age_seconds.unwrap_or(default.maximum_event_age_seconds),
        })
    }

    async fn destination(
        &self,
        invocation: &PlainInvocation,
        ending: &AsyncEnding,
    ) -> Result<Option<Effect>, Unavailable> {
        destinations::owed(&self.functions, invocation, ending).await.map_err(unavailable)
    }
}

fn unavailable(error: Error) -> Unavailable {
    Unavailable(error.to_string())
}

/// Returns how long an execution may take: the longest there is if the configuration does not say.
pub fn execution_timeout_seconds(config: &everstep_api::DurableConfig) -> u64 {
    config.execution_timeout.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(limits::DURATION_SECONDS_MAX)
}

/// Returns how long an execution is remembered.
pub fn retention_days(config: &everstep_api::DurableConfig) -> u32 {
    let days = config.retention_period_in_days.and_then(|days| u32::try_from(days).ok());
    days.unwrap_or(limits::RETENTION_DAYS_DEFAULT)
}

/// A process that is ready, and what it runs.
struct Process {
    slot: everstep_worker::Slot,
    function: Arc<everstep_worker::Function>,
}

/// Why there is no process.
enum NoProcess {
    /// There is no such function, or no such version of it.
    Missing,
    /// The function is not fit to be run.
    Broken(Error),
    /// There is no concurrency left.
    Throttled(Throttle),
    /// None could be started.
    Failed(Failure),
}

impl From<Error> for NoProcess {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

struct ProcessSlot {
    process: Process,
    keys: Arc<Keys>,
}

impl ProcessSlot {
    async fn run(self, request_id: RequestId, event: Vec<u8>, trace_id: Option<&str>) -> Result<bytes::Bytes, Failure> {
        let Process { slot, function } = self.process;
        let invocation = Invocation {
            request_id: request_id.to_string(),
            event: event.into(),
            invoked_function_arn: function.arn.clone(),
            trace_id: trace_id.map_or_else(|| new_trace_id(false), Into::into),
            client_context: None,
            tenant_id: function.tenant_id.clone(),
        };
        slot.invoke(invocation).await.result
    }
}

#[async_trait]
impl Slot for ProcessSlot {
    async fn run_durable(self: Box<Self>, run: DurableRun) -> HandlerAnswer {
        self.keys.bind(self.process.slot.access_key_id(), run.start.id);
        let request_id = run.request_id;
        let trace_id = run.start.trace_id.clone();
        let event = envelope::encode(&Envelope {
            start: run.start,
            started_at: run.started_at,
            checkpoint_token: run.checkpoint_token,
            operations: run.operations,
            updated_operation_ids: run.updated_operation_ids,
            texts: run.texts,
        });
        match self.run(request_id, event, trace_id.as_deref()).await {
            Ok(body) => match envelope::decode_answer(&body) {
                Answer::Succeeded(result) => HandlerAnswer::Succeeded(result),
                Answer::Failed(error) => HandlerAnswer::Failed(error),
                Answer::Pending => HandlerAnswer::Pending,
                Answer::Invalid(message) => HandlerAnswer::Invalid(message.into()),
            },
            Err(failure) => HandlerAnswer::Broken(error_of(&failure)),
        }
    }

    async fn run_plain(self: Box<Self>, run: PlainRun) -> Result<String, ErrorObject> {
        let event = run.payload.as_bytes().to_vec();
        match (*self).run(run.request_id, event, run.trace_id.as_deref()).await {
            Ok(body) => Ok(String::from_utf8_lossy(&body).into_owned()),
            Err(failure) => Err(error_of(&failure)),
        }
    }
}

fn error_of(failure: &Failure) -> ErrorObject {
    ErrorObject {
        stack_trace: (!failure.stack_trace.is_empty()).then(|| failure.stack_trace.clone()),
        ..ErrorObject::new(&failure.error_type, failure.error_message.clone())
    }
}

fn platform_failure(error: &Error) -> Failure {
    warn!(%error, "a function cannot be run");
    let payload = serde_json::json!({"errorType": error.code, "errorMessage": error.message}).to_string();
    Failure {
        error_type: error.code.into(),
        error_message: error.message.clone(),
        stack_trace: Vec::new(),
        payload: payload.into(),
        kind: FailureKind::Platform,
    }
}

/// Makes a trace header that says whether the trace is sampled.
pub fn new_trace_id(is_sampled: bool) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    let seconds = jiff::Timestamp::now().as_second();
    let sampled = u8::from(is_sampled);
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled={sampled}", &random[..24], &random[16..])
}
