//! `Put`, `Update`, `Get`, `Delete` and `ListFunctionEventInvokeConfig(s)`: how asynchronous invocations are treated.

use std::sync::Arc;

use everstep_api::function::{Destination, DestinationConfig, EventInvokeConfigRequest};
use everstep_api::reference::FunctionReference;
use everstep_api::validation::Violations;
use everstep_core::limits::{ASYNC_EVENT_AGE_SECONDS_MAX, ASYNC_EVENT_AGE_SECONDS_MIN, ASYNC_RETRY_DELAY_SECONDS};
use serde_json::{Value, json};

use super::{named_function, now_millis};
use crate::access::{Principal, Process};
use crate::functions::{EventInvokeConfig, Function};
use crate::http::authorize::allowed;
use crate::http::error::Error;
use crate::http::lambda::invocation;
use crate::http::request::{Request, Response};
use crate::http::{Services, marker};
use crate::limits::EVENT_INVOKE_CONFIGS_MAX;
use crate::runner::UNQUALIFIED;

/// Configures a version or alias; what is left out is removed.
pub async fn put(services: &Services, request: &Request) -> Result<Response, Error> {
    set(services, request, |_| Ok(EventInvokeConfig::default())).await
}

/// Changes what was configured; what is left out stays.
pub async fn update(services: &Services, request: &Request) -> Result<Response, Error> {
    set(services, request, |before| before.cloned().ok_or(())).await
}

async fn set(
    services: &Services,
    request: &Request,
    begin: impl Fn(Option<&EventInvokeConfig>) -> Result<EventInvokeConfig, ()>,
) -> Result<Response, Error> {
    let reference = named_function(services, request)?;
    let given: EventInvokeConfigRequest = request.json()?;
    check(services, &reference, &given).await?;
    let qualifier = qualifier(&reference);
    let (function, ()) = services
        .functions
        .change(&reference, |function| {
            require_version(function, qualifier)?;
            let before = function.event_invoke_configs.get(qualifier);
            let mut config = begin(before).map_err(|()| missing(services, &reference))?;
            take_over(&given, &mut config);
            config.last_modified_millis = now_millis();
            function.event_invoke_configs.insert(qualifier.into(), config);
            Ok(())
        })
        .await?;
    Ok(Response::json(200, &shape(services, &function, qualifier)))
}

/// Shows how a version or alias is configured.
pub async fn get(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = named_function(services, request)?;
    let function = load(services, &reference).await?;
    let qualifier = qualifier(&reference);
    if !function.event_invoke_configs.contains_key(qualifier) {
        return Err(missing(services, &reference));
    }
    Ok(Response::json(200, &shape(services, &function, qualifier)))
}

/// Removes the configuration of a version or alias.
pub async fn delete(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = named_function(services, request)?;
    services
        .functions
        .change(&reference, |function| {
            let removed = function.event_invoke_configs.remove(qualifier(&reference));
            removed.ok_or_else(|| missing(services, &reference))
        })
        .await?;
    Ok(Response::empty(204))
}

/// Returns a page of the configurations of a function.
pub async fn list(services: &Services, request: &Request) -> Result<Response, Error> {
    let mut reference = named_function(services, request)?;
    reference.qualifier = None;
    let items_max = request.max_items()?.min(EVENT_INVOKE_CONFIGS_MAX);
    let now = services.engine.clock().now();
    let after = request.query("Marker").map(|text| marker::open(text, now)).transpose()?;
    let function = load(services, &reference).await?;
    let mut qualifiers: Vec<&String> =
        function.event_invoke_configs.keys().filter(|name| after.as_ref().is_none_or(|after| *name > after)).collect();
    let more = qualifiers.len() > items_max;
    qualifiers.truncate(items_max);
    let next = qualifiers.last().filter(|_| more).map(|last| marker::seal(last, now));
    let shapes = qualifiers.iter().map(|qualifier| shape(services, &function, qualifier)).collect();
    Ok(Response::json(200, &crate::http::request::page("FunctionEventInvokeConfigs", shapes, next)))
}

async fn check(
    services: &Services,
    reference: &FunctionReference,
    given: &EventInvokeConfigRequest,
) -> Result<(), Error> {
    let mut violations = Violations::default();
    if let Some(attempts) = given.maximum_retry_attempts {
        violations.range(attempts, "maximumRetryAttempts", 0, ASYNC_RETRY_DELAY_SECONDS.len() as i64);
    }
    if let Some(seconds) = given.maximum_event_age_in_seconds {
        let (min, max) = (ASYNC_EVENT_AGE_SECONDS_MIN as i64, ASYNC_EVENT_AGE_SECONDS_MAX as i64);
        violations.range(seconds, "maximumEventAgeInSeconds", min, max);
    }
    violations.finish().map_err(Error::validation)?;
    if given.maximum_retry_attempts.is_none()
        && given.maximum_event_age_in_seconds.is_none()
        && given.destination_config.is_none()
    {
        return Err(Error::invalid_parameter(
            "You must specify at least one of error handling or destination setting.",
        ));
    }
    if let Some(DestinationConfig { on_success, on_failure }) = &given.destination_config {
        for arn in [on_success, on_failure].into_iter().flatten().filter_map(Destination::arn) {
            check_destination(services, reference, arn).await?;
        }
    }
    Ok(())
}

/// A destination is another function of this server that is there.
async fn check_destination(services: &Services, reference: &FunctionReference, arn: &str) -> Result<(), Error> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, service, ..] = parts[..] else {
        return Err(Error::validation(format!(
            "1 validation error detected: Value '{arn}' at 'destinationConfig.destination' failed to satisfy constraint: Member must satisfy regular expression pattern: ^$|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:([a-z]{{2}}(-gov)?(-iso([a-z])?)?-[a-z]+-\\d{{1}})?:(\\d{{12}})?:(.*)"
        )));
    };
    if service != "lambda" {
        return Err(Error::invalid_parameter(format!(
            "The provided destination {arn} is invalid: Everstep does not serve `{service}` destinations yet. Use the ARN of a function, which can pass the record on."
        )));
    }
    let target = services.functions.parse(arn, None).map_err(|_| {
        Error::invalid_parameter(format!(
            "The provided destination {arn} is invalid: it is not the ARN of a function here."
        ))
    })?;
    if target.function == reference.function {
        return Err(Error::invalid_parameter("You can't specify the function as a destination for itself."));
    }
    let found = services.functions.find(&target).await.map_err(|error| match error.status {
        404 => Error::invalid_parameter(format!("The provided destination {arn} is invalid: {}", error.message)),
        _ => error,
    })?;
    if found.configuration().durable_config.is_some() && !found.qualified {
        return Err(Error::invalid_parameter(UNQUALIFIED));
    }
    check_role(services, reference, arn).await
}

/// The destination is told in the name of the function, so its role must allow that.
async fn check_role(services: &Services, reference: &FunctionReference, arn: &str) -> Result<(), Error> {
    // Whether the function is there is found out later.
    let Ok(found) = services.functions.find(reference).await else { return Ok(()) };
    let role = found.configuration().role.clone();
    let process = Process::new(reference.function.to_string(), role);
    let function = Principal::Process { process: Arc::new(process), execution: None };
    let need = invocation(services, arn).await?;
    allowed(services, &function, None, &need).map_err(|_| {
        Error::invalid_parameter(format!(
            "The function's execution role does not have permissions to call InvokeFunction on {arn}"
        ))
    })
}

fn take_over(given: &EventInvokeConfigRequest, config: &mut EventInvokeConfig) {
    if let Some(attempts) = given.maximum_retry_attempts {
        config.maximum_retry_attempts = Some(u32::try_from(attempts).expect("the range was checked"));
    }
    if let Some(seconds) = given.maximum_event_age_in_seconds {
        config.maximum_event_age_seconds = Some(u64::try_from(seconds).expect("the range was checked"));
    }
    if let Some(destinations) = &given.destination_config {
        if let Some(destination) = &destinations.on_success {
            config.on_success = destination.arn().map(Into::into);
        }
        if let Some(destination) = &destinations.on_failure {
            config.on_failure = destination.arn().map(Into::into);
        }
    }
}

fn qualifier(reference: &FunctionReference) -> &str {
    reference.qualifier.as_deref().unwrap_or("$LATEST")
}

async fn load(services: &Services, reference: &FunctionReference) -> Result<Arc<Function>, Error> {
    let found = services.functions.load(&reference.function).await?;
    Ok(found.ok_or_else(|| services.functions.missing(reference))?.0)
}

fn require_version(function: &Function, qualifier: &str) -> Result<(), Error> {
    let known = match qualifier.parse() {
        Ok(version) => function.configuration(version).is_some(),
        Err(_) => function.aliases.contains_key(qualifier),
    };
    if known { Ok(()) } else { Err(Error::not_found("The function doesn't exist.")) }
}

fn missing(services: &Services, reference: &FunctionReference) -> Error {
    let arn = services.functions.place().function_arn(&reference.function);
    Error::not_found(format!("The function {arn}:{} doesn't have an EventInvokeConfig", qualifier(reference)))
}

fn shape(services: &Services, function: &Function, qualifier: &str) -> Value {
    let config = &function.event_invoke_configs[qualifier];
    let destination = |arn: &Option<String>| arn.as_ref().map_or_else(|| json!({}), |arn| json!({"Destination": arn}));
    let mut shape = json!({
        "FunctionArn": format!("{}:{qualifier}", services.functions.place().function_arn(&function.name)),
        "LastModified": config.last_modified_millis as f64 / 1000.0,
        "DestinationConfig": {
            "OnSuccess": destination(&config.on_success),
            "OnFailure": destination(&config.on_failure),
        },
    });
    if let Some(attempts) = config.maximum_retry_attempts {
        shape["MaximumRetryAttempts"] = attempts.into();
    }
    if let Some(seconds) = config.maximum_event_age_seconds {
        shape["MaximumEventAgeInSeconds"] = seconds.into();
    }
    shape
}
