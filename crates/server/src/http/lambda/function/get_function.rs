//! `GetFunction`.

use serde_json::json;

use super::{configuration, named_function};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Describes a function.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = named_function(services, request)?;
    let found = services.functions.find(&reference).await?;
    let mut shape = json!({
        "Configuration": configuration(services, &found.function, found.version, found.qualified),
        "Code": {
            "RepositoryType": "Everstep",
            "Location": services.downloads.location(request, &found.configuration().code.digest),
        },
    });
    if let Some(concurrency) = found.function.reserved_concurrency {
        shape["Concurrency"] = json!({"ReservedConcurrentExecutions": concurrency});
    }
    if !found.function.tags.is_empty() {
        shape["Tags"] = json!(found.function.tags);
    }
    Ok(Response::json(200, &shape))
}
