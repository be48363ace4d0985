//! `PutFunctionConcurrency`, `GetFunctionConcurrency`, `DeleteFunctionConcurrency`: how many invocations of a function
//! may run at once, and are sure to find a place.

use everstep_api::function::PutFunctionConcurrency;
use everstep_api::reference::FunctionReference;
use everstep_api::validation::Violations;
use serde_json::json;

use super::named_function;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Reserves concurrency for a function; none at all stops it.
pub async fn put(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = unqualified(services, request)?;
    let given: PutFunctionConcurrency = request.json()?;
    let wanted = given.reserved_concurrent_executions.ok_or_else(|| Error::missing("reservedConcurrentExecutions"))?;
    let mut violations = Violations::default();
    violations.range(wanted, "reservedConcurrentExecutions", 0, i64::from(u32::MAX));
    violations.finish().map_err(Error::validation)?;
    let concurrency = u32::try_from(wanted).expect("the range was checked");
    services.concurrency.reserve(&reference, Some(concurrency)).await?;
    Ok(Response::json(200, &json!({"ReservedConcurrentExecutions": concurrency})))
}

/// Returns what a function has reserved: nothing is an empty answer.
pub async fn get(services: &Services, request: &Request) -> Result<Response, Error> {
    let found = services.functions.find(&unqualified(services, request)?).await?;
    let concurrency = found.function.reserved_concurrency;
    let shape =
        concurrency.map_or_else(|| json!({}), |concurrency| json!({"ReservedConcurrentExecutions": concurrency}));
    Ok(Response::json(200, &shape))
}

/// Lets a function share concurrency with the others again.
pub async fn delete(services: &Services, request: &Request) -> Result<Response, Error> {
    services.concurrency.reserve(&unqualified(services, request)?, None).await?;
    Ok(Response::empty(204))
}

fn unqualified(services: &Services, request: &Request) -> Result<FunctionReference, Error> {
    let mut reference = named_function(services, request)?;
    reference.qualifier = None;
    Ok(reference)
}
