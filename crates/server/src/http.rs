//! The HTTP edge: read a request, know its sender, find its operation, answer in AWS's terms.

mod durable;
pub mod error;
mod function;
mod marker;
mod request;
mod route;
mod sigv4;

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use everstep_engine::Engine;
use everstep_store::Logs;
use everstep_worker::code;
use http::{HeaderMap, Method, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tracing::{debug, warn};

use crate::access::{Keys, Principal};
use crate::functions::Functions;
use crate::limits::{BODY_BYTES_MAX, CODE_BODY_BYTES_MAX};
use crate::runner::Runner;
use error::Error;
use request::{Request, Response};
use route::{NoRoute, Operation, Route, route};
use sigv4::Authorization;

/// What operations work with.
pub struct Services {
    /// Moves executions.
    pub engine: Arc<Engine>,
    /// The functions.
    pub functions: Functions,
    /// Runs functions.
    pub runner: Arc<Runner>,
    /// The code of functions.
    pub code: Arc<code::Store>,
    /// What functions print.
    pub logs: Arc<dyn Logs>,
    /// The keys that sign requests.
    pub keys: Arc<Keys>,
}

/// Makes the router that serves every request.
pub fn router(services: Arc<Services>) -> axum::Router {
    axum::Router::new().fallback(move |request: axum::extract::Request| {
        let services = Arc::clone(&services);
        async move { serve(&services, request).await }
    })
}

async fn serve(services: &Services, request: axum::extract::Request) -> axum::response::Response {
    let request_id = uuid::Uuid::new_v4().to_string();
    let (parts, body) = request.into_parts();
    let answer = match handle(services, &parts.method, &parts.uri, parts.headers, body).await {
        Ok(response) => response,
        Err(error) => {
            debug!(request.id = request_id, method = %parts.method, path = parts.uri.path(), %error, "refused");
            let response = Response::json(error.status, &error.body()).with_header("x-amzn-errortype", error.code);
            if error.status == 429 { response.with_header("retry-after", "1") } else { response }
        }
    };
    let mut builder = http::Response::builder().status(answer.status).header("x-amzn-requestid", request_id);
    if !answer.headers.iter().any(|(name, _)| *name == "content-type") {
        builder = builder.header("content-type", "application/json");
    }
    for (name, value) in &answer.headers {
        builder = builder.header(*name, value);
    }
    builder = builder.header("date", httpdate(SystemTime::now()));
    builder.body(axum::body::Body::from(answer.body)).expect("headers are written by hand or checked")
}

/// Writes the `Date` header, by which clients with a wrong clock correct themselves.
fn httpdate(now: SystemTime) -> String {
    let now = jiff::Timestamp::try_from(now).unwrap_or_default();
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

async fn handle(
    services: &Services,
    method: &Method,
    uri: &Uri,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<Response, Error> {
    let authorization = Authorization::read(&headers)?;
    if authorization.service != "lambda" {
        let service = authorization.service;
        return Err(Error::not_served(format!(
            "Everstep does not serve `{service}`; of AWS's services it serves `lambda`."
        )));
    }
    let route = route(method.as_str(), uri.path()).map_err(|missing| match missing {
        NoRoute::NotServed(name) => Error::not_served(format!("Everstep does not serve {name} yet.")),
        NoRoute::Unknown => Error::unknown_operation(format!("There is no operation {method} {}.", uri.path())),
    })?;
    let bytes_max = match route.operation {
        Operation::CreateFunction | Operation::UpdateFunctionCode => CODE_BODY_BYTES_MAX,
        _ => BODY_BYTES_MAX,
    };
    let body = read_body(body, bytes_max).await?;
    let principal = authenticate(services, &authorization, method, uri, &headers, &body)?;
    let query = request::parse_query(uri.query().unwrap_or_default());
    let request = Request { route, principal, query, headers, body };
    dispatch(services, &request).await
}

async fn read_body(body: axum::body::Body, bytes_max: u64) -> Result<Bytes, Error> {
    let limit = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::too_large(bytes_max)),
        Err(error) => Err(Error::serialization(format!("The body could not be read: {error}"))),
    }
}

fn authenticate(
    services: &Services,
    authorization: &Authorization<'_>,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Principal, Error> {
    let (principal, secret, session_token) =
        services.keys.find(authorization.access_key_id).ok_or_else(Error::unrecognized_client)?;
    let uri = uri.path_and_query().map_or("/", |path| path.as_str());
    authorization.verify(&secret, method.as_str(), uri, headers, body, SystemTime::now())?;
    let given = headers.get("x-amz-security-token").and_then(|value| value.to_str().ok());
    if session_token.as_deref().is_some_and(|expected| given != Some(expected)) {
        return Err(Error::unrecognized_client());
    }
    Ok(principal)
}

/// A function process may report on the execution it runs, and nothing else.
fn authorize(services: &Services, request: &Request) -> Result<(), Error> {
    let Principal::Process { function, execution } = &request.principal else { return Ok(()) };
    let Route { operation, parameters } = &request.route;
    let own = match operation {
        Operation::CheckpointDurableExecution | Operation::GetDurableExecutionState => {
            let arn = parameters[0].parse::<everstep_core::id::ExecutionArn>();
            arn.is_ok_and(|arn| execution.is_some_and(|execution| execution.to_string() == arn.id))
        }
        _ => false,
    };
    if own {
        return Ok(());
    }
    let resource = parameters.first().map_or("*", String::as_str);
    warn!(function.name = function, operation = operation.name(), "a function process asked for what it may not do");
    let account = &services.functions.place().account;
    Err(Error::access_denied(format!(
        "User: arn:aws:sts::{account}:assumed-role/everstep/{function} is not authorized to perform: lambda:{} on resource: {resource}",
        operation.name()
    )))
}

async fn dispatch(services: &Services, request: &Request) -> Result<Response, Error> {
    authorize(services, request)?;
    match request.route.operation {
        Operation::CreateFunction => function::create_function::handle(services, request).await,
        Operation::ListFunctions => function::list_functions::handle(services, request).await,
        Operation::GetFunction => function::get_function::handle(services, request).await,
        Operation::DeleteFunction => function::delete_function::handle(services, request).await,
        Operation::GetFunctionConfiguration => function::get_function_configuration::handle(services, request).await,
        Operation::UpdateFunctionConfiguration => {
            function::update_function_configuration::handle(services, request).await
        }
        Operation::UpdateFunctionCode => function::update_function_code::handle(services, request).await,
        Operation::PublishVersion => function::publish_version::handle(services, request).await,
        Operation::ListVersionsByFunction => function::list_versions_by_function::handle(services, request).await,
        Operation::CreateAlias => function::aliases::create(services, request).await,
        Operation::ListAliases => function::aliases::list(services, request).await,
        Operation::GetAlias => function::aliases::get(services, request).await,
        Operation::UpdateAlias => function::aliases::update(services, request).await,
        Operation::DeleteAlias => function::aliases::delete(services, request).await,
        Operation::Invoke => function::invoke::handle(services, request).await,
        Operation::ListDurableExecutionsByFunction => {
            durable::list_durable_executions_by_function::handle(services, request).await
        }
        Operation::CheckpointDurableExecution => durable::checkpoint_durable_execution::handle(services, request).await,
        Operation::GetDurableExecutionState => durable::get_durable_execution_state::handle(services, request).await,
        Operation::GetDurableExecutionHistory => {
            durable::get_durable_execution_history::handle(services, request).await
        }
        Operation::StopDurableExecution => durable::stop_durable_execution::handle(services, request).await,
        Operation::PauseDurableExecution => durable::pause_durable_execution::handle(services, request).await,
        Operation::ResumeDurableExecution => durable::resume_durable_execution::handle(services, request).await,
        Operation::GetDurableExecution => durable::get_durable_execution::handle(services, request).await,
        Operation::DeleteDurableExecution => durable::delete_durable_execution::handle(services, request).await,
        Operation::SendDurableExecutionCallbackSuccess => durable::callbacks::succeed(services, request).await,
        Operation::SendDurableExecutionCallbackFailure => durable::callbacks::fail(services, request).await,
        Operation::SendDurableExecutionCallbackHeartbeat => durable::callbacks::heartbeat(services, request).await,
    }
}
