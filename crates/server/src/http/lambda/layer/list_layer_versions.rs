//! `ListLayerVersions`.

use super::{Filter, item};
use crate::http::error::Error;
use crate::http::request::{Request, Response, page};
use crate::http::{Services, marker};

/// Returns a page of the versions of a layer, the newest first.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = services.layers.parse(request.parameter(0))?;
    let filter = Filter::read(request)?;
    let now = services.engine.clock().now();
    let below: Option<u64> = match request.query("Marker") {
        Some(text) => Some(marker::open(text, now)?.parse().map_err(|_| Error::invalid_parameter("Invalid Marker"))?),
        None => None,
    };
    let layer = services.layers.load(&reference.name).await?.map(|(layer, _)| layer);
    let versions = layer.iter().flat_map(|layer| filter.versions(layer));
    let mut versions: Vec<_> = versions.filter(|(number, _)| below.is_none_or(|below| *number < below)).collect();
    let more = versions.len() > filter.items_max;
    versions.truncate(filter.items_max);
    let next = versions.last().filter(|_| more).map(|(number, _)| marker::seal(&number.to_string(), now));
    let shapes = versions.iter().map(|(number, version)| item(services, &reference.name, *number, version));
    Ok(Response::json(200, &page("LayerVersions", shapes.collect(), next)))
}
