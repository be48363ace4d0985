//! What `sam local` asks for where nobody signs: its two endpoints, and the durable operations of the executions that
//! were started by them. The rest of the server cannot be reached from here.

use std::sync::Arc;

use async_trait::async_trait;
use everstep_api::validation::Violations;
use everstep_core::Intake;
use everstep_core::event::{Start, StartMode};
use everstep_core::id::{ExecutionName, FunctionName, Place, TenantId};
use everstep_core::limits::{
    ASYNC_PAYLOAD_BYTES_MAX, DURATION_SECONDS_MAX, RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MAX,
};
use everstep_engine::{Resolved, new_execution_id, new_request_id};
use http::{HeaderMap, Uri};
use serde::Deserialize;
use serde_json::json;
use tracing::debug;

use super::error::Error;
use super::lambda;
use super::lambda::durable::checkpoint_durable_execution::Targets;
use super::lambda::durable::{
    callbacks, checkpoint_durable_execution, get_durable_execution, get_durable_execution_history,
    get_durable_execution_state, stop_durable_execution,
};
use super::request::{Request, Response, parse_query};
use super::service::Protocol;
use super::{read_body, respond};
use crate::access::Principal;
use crate::limits::BODY_BYTES_MAX;
use crate::runner::new_trace_id;
use crate::sam_local::{Room, is_endpoint};

/// Makes the router of this door.
pub fn router(room: Arc<Room>) -> axum::Router {
    axum::Router::new().fallback(move |request: axum::extract::Request| {
        let room = Arc::clone(&room);
        async move {
            let request_id = new_request_id().to_string();
            let answer = serve(&room, request).await.unwrap_or_else(|error| {
                debug!(request.id = request_id, %error, "refused at the door of `sam local`");
                Protocol::RestJson.error(&error, &request_id)
            });
            respond(answer, Protocol::RestJson, request_id)
        }
    })
}

async fn serve(room: &Room, request: axum::extract::Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    check_is_no_page(&parts.headers)?;
    let body = read_body(body, BODY_BYTES_MAX).await?;
    let (operation, name, parameters) = match (parts.method.as_str(), parts.uri.path()) {
        ("GET", "/health") => (Operation::Health, "Health", Vec::new()),
        ("POST", "/start-durable-execution") => (Operation::Start, "StartDurableExecution", Vec::new()),
        (method, path) => {
            let lambda::Route { operation, parameters } = lambda::route(method, path).map_err(|_| not_here(path))?;
            (Operation::of(operation).ok_or_else(|| not_here(operation.name()))?, operation.name(), parameters)
        }
    };
    let request = Request {
        id: new_request_id(),
        operation: name,
        parameters,
        // Nobody looks at it: what is asked for here knows an engine, and nothing that belongs to anybody.
        principal: Principal::Operator,
        on_behalf: false,
        source_ip: None,
        query: parse_query(parts.uri.query().unwrap_or_default()),
        headers: parts.headers,
        body,
    };
    let (engine, request) = (&room.engine, &request);
    match operation {
        Operation::Health => Ok(Response::json(200, &json!({"status": "healthy"}))),
        Operation::Start => start(room, request).await,
        Operation::Checkpoint => checkpoint_durable_execution::handle(engine, &NoTargets, request).await,
        Operation::State => get_durable_execution_state::handle(engine, request).await,
        Operation::Get => get_durable_execution::handle(engine, request).await,
        Operation::History => get_durable_execution_history::handle(engine, request).await,
        Operation::Stop => stop_durable_execution::handle(engine, request).await,
        Operation::Succeed => callbacks::succeed(engine, request).await,
        Operation::Fail => callbacks::fail(engine, request).await,
        Operation::Heartbeat => callbacks::heartbeat(engine, request).await,
    }
}

/// What is served here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Health,
    Start,
    Checkpoint,
    State,
    Get,
    History,
    Stop,
    Succeed,
    Fail,
    Heartbeat,
}

impl Operation {
    /// Returns what an operation of AWS Lambda's API is here, if it is anything.
    fn of(operation: lambda::Operation) -> Option<Self> {
        const SERVED: [(lambda::Operation, Operation); 8] = [
            (lambda::Operation::CheckpointDurableExecution, Operation::Checkpoint),
            (lambda::Operation::GetDurableExecutionState, Operation::State),
            (lambda::Operation::GetDurableExecution, Operation::Get),
            (lambda::Operation::GetDurableExecutionHistory, Operation::History),
            (lambda::Operation::StopDurableExecution, Operation::Stop),
            (lambda::Operation::SendDurableExecutionCallbackSuccess, Operation::Succeed),
            (lambda::Operation::SendDurableExecutionCallbackFailure, Operation::Fail),
            (lambda::Operation::SendDurableExecutionCallbackHeartbeat, Operation::Heartbeat),
        ];
        SERVED.into_iter().find(|(known, _)| *known == operation).map(|(_, here)| here)
    }
}

fn not_here(what: &str) -> Error {
    Error::not_served(format!(
        "{what} is not served at this address, which is for the executions of `sam local`; the server's own address serves the rest."
    ))
}

/// Refuses what a page in a browser sends: it could reach this address, although it is on loopback.
fn check_is_no_page(headers: &HeaderMap) -> Result<(), Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let authority = text("host").parse::<http::uri::Authority>();
    let host = authority.as_ref().map(|authority| authority.host().trim_matches(['[', ']'])).unwrap_or_default();
    let is_known = ["localhost", "host.docker.internal"].contains(&host) || host.parse::<std::net::IpAddr>().is_ok();
    if is_known && !headers.contains_key("origin") {
        return Ok(());
    }
    Err(Error::access_denied(
        "This address is for `sam local`, by the names localhost and host.docker.internal or an IP address; no page in a browser may use it.",
    ))
}

/// What a function of `sam local` can invoke: nothing.
struct NoTargets;

#[async_trait]
impl Targets for NoTargets {
    async fn find(&self, name: &str) -> Resolved {
        Room::refused(name)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct StartDurableExecution {
    account_id: String,
    function_name: String,
    function_qualifier: String,
    execution_name: Option<String>,
    execution_timeout_seconds: Option<i64>,
    execution_retention_period_days: Option<i64>,
    input: Option<String>,
    lambda_endpoint: String,
    tenant_id: Option<String>,
}

/// Starts an execution of the function that is at an endpoint.
async fn start(room: &Room, request: &Request) -> Result<Response, Error> {
    let asked: StartDurableExecution = request.json()?;
    let mut violations = Violations::default();
    let account = &asked.account_id;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    violations.require(is_account, account, "accountId", "Member must satisfy regular expression pattern: \\d{12}");
    let function: Option<FunctionName> =
        violations.pattern(asked.function_name.parse(), &asked.function_name, "functionName", "[a-zA-Z0-9-_]{1,64}");
    let qualifier = if asked.function_qualifier.is_empty() { "$LATEST" } else { &asked.function_qualifier };
    let version = violations.pattern(qualifier.parse(), qualifier, "functionQualifier", "\\$LATEST|[0-9]+");
    let name = asked.execution_name.filter(|name| !name.is_empty());
    let name: Option<ExecutionName> = name
        .and_then(|name| violations.pattern(name.parse(), &name, "executionName", "[a-zA-Z0-9-_]{1,64}"))
        .or_else(|| new_execution_id().to_string().parse().ok());
    let timeout = asked.execution_timeout_seconds.unwrap_or(DURATION_SECONDS_MAX as i64);
    violations.range(timeout, "executionTimeoutSeconds", 1, DURATION_SECONDS_MAX as i64);
    let days = asked.execution_retention_period_days.unwrap_or(RETENTION_DAYS_DEFAULT.into());
    violations.range(days, "executionRetentionPeriodDays", 1, RETENTION_DAYS_MAX.into());
    let tenant = asked.tenant_id;
    let tenant_id: Option<TenantId> = tenant
        .and_then(|text| violations.pattern(text.parse(), &text, "tenantId", "[a-zA-Z0-9\\._:\\/=+\\-@ ]{1,256}"));
    let endpoint: Option<Uri> = asked.lambda_endpoint.parse().ok().filter(is_endpoint);
    let constraint = "Member must be a URL such as http://localhost:3001, of a function on this machine";
    violations.require(endpoint.is_some(), &asked.lambda_endpoint, "lambdaEndpoint", constraint);
    violations.finish().map_err(Error::validation)?;
    let (Some(function), Some(version), Some(name), Some(endpoint)) = (function, version, name, endpoint) else {
        unreachable!("what is missing was a violation");
    };
    let mut intake = Intake::default();
    let input = asked.input.map(as_json).transpose()?.map(|input| intake.payload(input));
    let start = Start {
        id: new_execution_id(),
        place: Place { region: room.region.as_str().into(), account: account.as_str().into() },
        function,
        version,
        name,
        input,
        execution_timeout_seconds: timeout.unsigned_abs(),
        retention_days: days.unsigned_abs().try_into().expect("it was checked"),
        mode: StartMode::Async,
        trace_id: Some(new_trace_id(false).into()),
        tenant_id,
        parent: None,
        alias: None,
        hops: 0,
    };
    let execution = room.start(start, intake.into_texts(), endpoint).await?;
    Ok(Response::json(201, &json!({"ExecutionArn": execution.start_facts().arn().to_string()})))
}

/// Returns an input as JSON: SAM CLI sends on whatever text it was given.
fn as_json(input: String) -> Result<String, Error> {
    if input.len() as u64 > ASYNC_PAYLOAD_BYTES_MAX {
        return Err(Error::request_too_large(input.len() as u64, ASYNC_PAYLOAD_BYTES_MAX));
    }
    Ok(match serde_json::from_str::<serde::de::IgnoredAny>(&input) {
        Ok(_) => input,
        Err(_) => serde_json::Value::String(input).to_string(),
    })
}
