//! `GetFunctionConfiguration`.

use super::{configuration, named_function};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Describes the configuration of a function.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = named_function(services, request)?;
    let found = services.functions.find(&reference).await?;
    Ok(Response::json(200, &configuration(services, &found.function, found.version, found.qualified)))
}
