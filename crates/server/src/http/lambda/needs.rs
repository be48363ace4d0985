//! What the sender of a request to Lambda must be allowed: the action, and the resource that AWS checks it on.

use everstep_api::reference::FunctionReference;
use everstep_core::id::ExecutionArn;
use everstep_iam::{Kind, Policy};
use serde::Deserialize;

use super::route::{Operation, Target};
use crate::access::Principal;
use crate::http::Services;
use crate::http::authorize::Need;
use crate::http::error::Error;
use crate::http::request::Request;

/// Returns what an operation takes.
///
/// # Errors
/// If what it is about cannot be told, or if a function process asks for what no role gives.
pub async fn needs(services: &Services, operation: Operation, request: &Request) -> Result<Vec<Need>, Error> {
    let action = operation.action();
    let need = match operation.target() {
        Target::Everything if is_find(operation, request) => {
            Need::new("lambda:GetLayerVersion", request.query("Arn").unwrap_or("*"))
        }
        Target::Everything => Need::new(action, "*"),
        Target::NewFunction => {
            let name = new_function(request).ok_or_else(|| Error::missing("functionName"))?;
            Need::new(action, services.functions.arn(&services.functions.parse(&name, None)?))
        }
        Target::Function => Need::new(action, services.functions.arn(&named(services, request)?)),
        Target::Invoked => {
            let reference = named(services, request)?;
            Need {
                resource_policy: policy(services, &reference).await?,
                ..Need::new(action, services.functions.arn(&reference))
            }
        }
        Target::Arn => Need::new(action, request.parameter(0)),
        Target::Execution => {
            check_own(services, operation, request)?;
            Need::new(action, request.parameter(0))
        }
        Target::Callback => {
            let callback = services.engine.keys().open_callback(request.parameter(0));
            let callback = callback.ok_or_else(|| Error::invalid_parameter("Invalid callback id"))?;
            let execution = services.engine.execution(callback.execution).await?;
            let arn = execution.map(|execution| execution.start_facts().arn().to_string());
            Need::new(action, arn.unwrap_or_else(|| "*".into()))
        }
        Target::Layer => Need::new(action, layer(services, request.parameter(0))),
        Target::LayerVersion => {
            let layer = layer(services, request.parameter(0));
            Need::new(action, format!("{layer}:{}", request.parameter(1)))
        }
    };
    Ok(vec![need])
}

/// Returns what an invocation of a function takes, by whatever name it is called.
pub async fn invocation(services: &Services, name: &str) -> Result<Need, Error> {
    let reference = services.functions.parse(name, None)?;
    let resource_policy = policy(services, &reference).await?;
    Ok(Need { resource_policy, ..Need::new("lambda:InvokeFunction", services.functions.arn(&reference)) })
}

/// Returns the policy of a function, a version or an alias.
pub async fn policy(services: &Services, reference: &FunctionReference) -> Result<Option<Policy>, Error> {
    let Some((function, _)) = services.functions.load(&reference.function).await? else { return Ok(None) };
    let policy = function.policies.of(reference.qualifier.as_deref());
    let document = policy.map(|policy| policy.document(&services.functions.arn(reference)));
    Ok(document.and_then(|document| Policy::of(&document, Kind::Resource).ok()))
}

/// A function process may report on the execution it was given, whatever its role says of others.
fn check_own(services: &Services, operation: Operation, request: &Request) -> Result<(), Error> {
    let reports = matches!(operation, Operation::CheckpointDurableExecution | Operation::GetDurableExecutionState);
    match &request.principal {
        Principal::Process { execution, .. } if reports => {
            let arn = request.parameter(0).parse::<ExecutionArn>();
            if arn.is_ok_and(|arn| execution.is_some_and(|execution| execution.to_string() == arn.id)) {
                return Ok(());
            }
            Err(services.denied(&request.principal, operation.action(), request.parameter(0)))
        }
        Principal::Operator | Principal::User { .. } | Principal::Session(_) | Principal::Process { .. } => Ok(()),
    }
}

fn named(services: &Services, request: &Request) -> Result<FunctionReference, Error> {
    services.functions.parse(request.parameter(0), request.query("Qualifier"))
}

/// One path, two operations: that is how the model has it.
fn is_find(operation: Operation, request: &Request) -> bool {
    operation == Operation::ListLayers && request.query("find") == Some("LayerVersion")
}

fn layer(services: &Services, name: &str) -> String {
    if name.starts_with("arn:") {
        return name.into();
    }
    let place = services.functions.place();
    format!("arn:aws:lambda:{}:{}:layer:{name}", place.region, place.account)
}

/// Reads the name of a function that is to be made.
fn new_function(request: &Request) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Named {
        function_name: Option<String>,
    }
    serde_json::from_slice::<Named>(&request.body).ok()?.function_name
}
