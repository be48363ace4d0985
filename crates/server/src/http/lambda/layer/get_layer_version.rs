//! `GetLayerVersion`.

use super::{number, shape};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Describes a version of a layer, and says where its content can be fetched.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = services.layers.parse(request.parameter(0))?;
    let number = number(request.parameter(1))?;
    let version = services.layers.find(&reference.name, number).await?;
    Ok(Response::json(200, &shape(services, request, &reference.name, number, &version)))
}
