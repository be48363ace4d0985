//! `GetLayerVersionByArn`.

use everstep_api::layer::LayerReference;

use super::shape;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Describes the version of a layer that an ARN names.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let arn = request.query("Arn").ok_or_else(|| Error::missing("arn"))?;
    let Some(LayerReference { place: Some(_), name, version: Some(number) }) = LayerReference::parse(arn) else {
        let shown: String = arn.chars().take(140).collect();
        return Err(Error::validation(format!(
            "1 validation error detected: Value '{shown}' at 'arn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:lambda:[a-z]{{2}}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{{1}}:\\d{{12}}:layer:[a-zA-Z0-9-_]+:[0-9]+"
        )));
    };
    if format!("{}:{number}", services.layers.arn(&name)) != arn {
        return Err(Error::not_found("The resource you requested does not exist."));
    }
    let version = services.layers.find(&name, number).await?;
    Ok(Response::json(200, &shape(services, request, &name, number, &version)))
}
