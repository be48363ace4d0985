//! `Invoke`: run a function, or start a durable execution, or find the one that was started before.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use everstep_api::durable::function_error;
use everstep_core::event::{Outcome, PlainInvocation, Start, StartMode};
use everstep_core::id::{ExecutionName, TenantId, Version};
use everstep_core::limits::{ASYNC_PAYLOAD_BYTES_MAX, SYNC_EXECUTION_TIMEOUT_SECONDS_MAX, SYNC_PAYLOAD_BYTES_MAX};
use everstep_core::{ErrorObject, Execution, Intake};
use everstep_engine::{Engine, Error as EngineError, NewTexts, new_execution_id};
use everstep_worker::{Failure, Invocation, Outcome as PlainOutcome, Throttle};

use super::named_function;
use crate::functions::{Found, draw};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::limits::CLIENT_CONTEXT_BYTES_MAX;
use crate::runner::{UNQUALIFIED, check_tenant, execution_timeout_seconds, new_trace_id, retention_days};

/// How a caller wants a function to be invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

/// Invokes a function.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = named_function(services, request)?;
    let invocation_type = match request.header("x-amz-invocation-type") {
        None | Some("RequestResponse") => InvocationType::RequestResponse,
        Some("Event") => InvocationType::Event,
        Some("DryRun") => InvocationType::DryRun,
        Some(other) => {
            return Err(Error::validation(format!(
                "1 validation error detected: Value '{other}' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
            )));
        }
    };
    let found = services.functions.find(&reference).await?.drawn(draw());
    check_payload(&request.body, invocation_type)?;
    let tenant_id = tenant(request, &found)?;
    let name = execution_name(request)?;
    let durable = found.configuration().durable_config.is_some();
    if name.is_some() && !durable {
        return Err(Error::invalid_parameter(
            "You cannot provide a durable execution name for a function that is not durable.",
        ));
    }
    if durable && !found.qualified {
        return Err(Error::invalid_parameter(UNQUALIFIED));
    }
    let version = |execution: &Execution| execution.start_facts().version;
    let (response, version) = match (invocation_type, durable) {
        (InvocationType::DryRun, _) => (Response::empty(204), found.version),
        (InvocationType::Event, true) => {
            let execution = start(services, request, &found, name, tenant_id, StartMode::Async).await?;
            (with_arn(Response::empty(202), &execution), version(&execution))
        }
        (InvocationType::RequestResponse, true) => {
            let (result, execution) = run_durable(services, request, &found, name, tenant_id).await?;
            (with_arn(response(result), &execution), version(&execution))
        }
        (InvocationType::Event, false) => {
            invoke_later(services, request, &found, tenant_id).await?;
            (Response::empty(202), found.version)
        }
        (InvocationType::RequestResponse, false) => {
            (invoke_plain(services, request, &found, tenant_id).await?, found.version)
        }
    };
    Ok(response.with_header("x-amz-executed-version", version.to_string()))
}

fn with_arn(response: Response, execution: &Execution) -> Response {
    response.with_header("x-amz-durable-execution-arn", execution.start_facts().arn().to_string())
}

/// A payload is JSON of a bounded size, or nothing.
pub(super) fn check_payload(payload: &[u8], invocation_type: InvocationType) -> Result<(), Error> {
    let bytes_max = match invocation_type {
        InvocationType::RequestResponse | InvocationType::DryRun => SYNC_PAYLOAD_BYTES_MAX,
        InvocationType::Event => ASYNC_PAYLOAD_BYTES_MAX,
    };
    if payload.len() as u64 > bytes_max {
        return Err(Error::request_too_large(payload.len() as u64, bytes_max));
    }
    if payload.is_empty() {
        return Ok(());
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(payload) {
        Ok(_) if std::str::from_utf8(payload).is_ok() => Ok(()),
        Ok(_) => Err(Error::invalid_request_content("Could not parse request body into json: invalid UTF-8")),
        Err(error) => Err(Error::invalid_request_content(format!("Could not parse request body into json: {error}"))),
    }
}

fn execution_name(request: &Request) -> Result<Option<ExecutionName>, Error> {
    let Some(text) = request.header("x-amz-durable-execution-name") else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        Error::validation(format!(
            "1 validation error detected: Value '{text}' at 'durableExecutionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+ and have length between 1 and 64"
        ))
    })
}

pub(super) fn tenant(request: &Request, found: &Found) -> Result<Option<TenantId>, Error> {
    let given = request.header("x-amz-tenant-id");
    check_tenant(found.configuration(), given)?;
    let Some(text) = given else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        Error::validation(format!(
            "1 validation error detected: Value '{text}' at 'tenantId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9\\._:\\/=+\\-@ ]+ and have length between 1 and 256"
        ))
    })
}

fn check_sync_timeout(found: &Found) -> Result<(), Error> {
    let config = found.configuration().durable_config.as_ref().expect("only asked of durable functions");
    if execution_timeout_seconds(config) <= SYNC_EXECUTION_TIMEOUT_SECONDS_MAX {
        return Ok(());
    }
    Err(Error::invalid_parameter(
        "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes.",
    ))
}

/// Starts an execution, or finds the one of that name and the same input.
async fn start(
    services: &Services,
    request: &Request,
    found: &Found,
    name: Option<ExecutionName>,
    tenant_id: Option<TenantId>,
    mode: StartMode,
) -> Result<Execution, Error> {
    let config = found.configuration().durable_config.as_ref().expect("only durable functions are started");
    let mut intake = Intake::default();
    let input = std::str::from_utf8(&request.body).expect("the payload was checked");
    let id = new_execution_id();
    let start = Start {
        id,
        place: services.functions.place().clone(),
        function: found.function.name.clone(),
        version: found.version,
        name: name.unwrap_or_else(|| new_execution_id().to_string().parse().expect("a UUID is an execution name")),
        input: (!input.is_empty()).then(|| intake.payload(input)),
        execution_timeout_seconds: execution_timeout_seconds(config),
        retention_days: retention_days(config),
        mode,
        trace_id: Some(trace_id(request, found).into()),
        tenant_id,
        parent: None,
        alias: found.alias.as_deref().map(Into::into),
        hops: 0,
    };
    start_or_find(&services.engine, start, intake.into_texts(), |version| found.leads_to(version)).await
}

/// Starts an execution, or finds the one that has its name, if it was given the same input and its version will do.
///
/// # Errors
/// `DurableExecutionAlreadyStartedException` if it will not.
pub async fn start_or_find(
    engine: &Arc<Engine>,
    start: Start,
    texts: NewTexts,
    leads_to: impl Fn(Version) -> bool,
) -> Result<Execution, Error> {
    loop {
        match engine.start(start.clone(), texts.clone()).await {
            Ok(execution) => return Ok(execution),
            Err(EngineError::NameTaken(taken_by)) => {
                // The execution that has the name may be forgotten at this very moment; then the name is free.
                let Some(execution) = engine.execution(taken_by).await? else { continue };
                let facts = execution.start_facts();
                if facts.input == start.input && leads_to(facts.version) {
                    return Ok(execution);
                }
                return Err(Error::already_started(&facts.arn().to_string()));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Starts an execution and waits for its end. Returns its result, or its error as a caller gets it.
pub async fn run_durable(
    services: &Services,
    request: &Request,
    found: &Found,
    name: Option<ExecutionName>,
    tenant_id: Option<TenantId>,
) -> Result<(Result<Bytes, Bytes>, Execution), Error> {
    check_sync_timeout(found)?;
    if found.function.reserved_concurrency == Some(0) {
        return Err(Error::throttled(Throttle::Reserved));
    }
    let execution = start(services, request, found, name, tenant_id, StartMode::Sync).await?;
    let closed = services.engine.wait_until_closed(execution.start_facts().id).await?;
    Ok((outcome(services, &closed).await?, closed))
}

async fn outcome(services: &Services, execution: &Execution) -> Result<Result<Bytes, Bytes>, Error> {
    let id = execution.start_facts().id;
    let error = match execution.outcome().expect("the execution is over") {
        Outcome::Succeeded(None) => return Ok(Ok(Bytes::from_static(b"null"))),
        Outcome::Succeeded(Some(result)) => {
            let texts = services.engine.texts(id, &[result], &Vec::new()).await?;
            return Ok(Ok(texts.get(result).to_string().into()));
        }
        Outcome::Failed(error) => error.clone(),
        Outcome::TimedOut(error) | Outcome::Stopped(error) => Some(error.clone()),
    };
    let error: ErrorObject = match error {
        Some(error) => {
            let texts = services.engine.texts(id, &[&error.0], &Vec::new()).await?;
            serde_json::from_str(texts.get(&error.0)).expect("an error document is JSON")
        }
        None => ErrorObject::default(),
    };
    Ok(Err(function_error(&error).to_string().into()))
}

/// Answers with what a function returned, or with its error.
fn response(result: Result<Bytes, Bytes>) -> Response {
    match result {
        Ok(result) => Response::bytes(200, result),
        Err(error) => Response::bytes(200, error).with_header("x-amz-function-error", "Unhandled"),
    }
}

async fn invoke_plain(
    services: &Services,
    request: &Request,
    found: &Found,
    tenant_id: Option<TenantId>,
) -> Result<Response, Error> {
    let PlainOutcome { result, log_tail, .. } =
        services.runner.invoke(found, plain_invocation(services, request, found, tenant_id)?).await?;
    let response = response(result.map_err(|Failure { payload, .. }| payload));
    if request.header("x-amz-log-type") == Some("Tail") {
        return Ok(response.with_header("x-amz-log-result", STANDARD.encode(log_tail)));
    }
    Ok(response)
}

/// Makes the invocation of a plain function that a request asks for.
pub fn plain_invocation(
    services: &Services,
    request: &Request,
    found: &Found,
    tenant_id: Option<TenantId>,
) -> Result<Invocation, Error> {
    let arn = services.functions.place().function_arn(&found.function.name);
    let qualifier = found.qualifier();
    let event = if request.body.is_empty() { Bytes::from_static(b"{}") } else { request.body.clone() };
    Ok(Invocation {
        request_id: request.id.to_string(),
        event,
        invoked_function_arn: qualifier.map_or(arn.clone(), |qualifier| format!("{arn}:{qualifier}")),
        trace_id: trace_id(request, found),
        client_context: client_context(request)?,
        tenant_id: tenant_id.map(|tenant_id| tenant_id.to_string()),
    })
}

/// Returns the trace header that the caller sent, or else a new one.
fn trace_id(request: &Request, found: &Found) -> String {
    let new = || new_trace_id(found.configuration().is_traced());
    request.header("x-amzn-trace-id").map_or_else(new, Into::into)
}

fn client_context(request: &Request) -> Result<Option<String>, Error> {
    let Some(text) = request.header("x-amz-client-context") else { return Ok(None) };
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.filter(|json| serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok()) {
        Some(json) if text.len() <= CLIENT_CONTEXT_BYTES_MAX => Ok(Some(json)),
        Some(_) => Err(Error::validation(format!(
            "1 validation error detected: Value at 'clientContext' failed to satisfy constraint: Member must have length less than or equal to {CLIENT_CONTEXT_BYTES_MAX}"
        ))),
        None => Err(Error::invalid_request_content("Client context must be a valid Base64-encoded JSON object.")),
    }
}

async fn invoke_later(
    services: &Services,
    request: &Request,
    found: &Found,
    tenant_id: Option<TenantId>,
) -> Result<(), Error> {
    let payload =
        if request.body.is_empty() { "{}" } else { std::str::from_utf8(&request.body).expect("it was checked") };
    let invocation = PlainInvocation {
        function: found.function.name.clone(),
        version: found.version,
        request_id: request.id,
        payload: payload.into(),
        tenant_id,
        trace_id: request.header("x-amzn-trace-id").map(Into::into),
        tries: 0,
        qualifier: found.qualifier().map(Into::into),
        accepted_at: Some(services.engine.clock().now()),
        deferrals: 0,
        hops: 0,
    };
    Ok(services.engine.invoke_plain_later(invocation).await?)
}
