//! `DeleteLayerVersion`.

use super::number;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Deletes a version of a layer. Functions that use it go on doing so.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = services.layers.parse(request.parameter(0))?;
    services.layers.delete(&reference.name, number(request.parameter(1))?).await?;
    services.code.want_sweep();
    Ok(Response::empty(204))
}
