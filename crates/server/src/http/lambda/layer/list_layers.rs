//! `ListLayers`.

use serde_json::json;

use super::{Filter, item};
use crate::http::error::Error;
use crate::http::request::{Request, Response, page};
use crate::http::{Services, marker};

/// Returns a page of layers, each with the newest of its versions that is wanted; those without one are left out.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let filter = Filter::read(request)?;
    let now = services.engine.clock().now();
    let after = request.query("Marker").map(|text| marker::open(text, now)).transpose()?;
    let mut layers = services.layers.list(after.as_deref(), filter.items_max + 1).await?;
    let more = layers.len() > filter.items_max;
    layers.truncate(filter.items_max);
    let next = layers.last().filter(|_| more).map(|last| marker::seal(&last.name, now));
    let shapes = layers.iter().filter_map(|layer| {
        let (number, version) = filter.versions(layer).next()?;
        Some(json!({
            "LayerName": layer.name,
            "LayerArn": services.layers.arn(&layer.name),
            "LatestMatchingVersion": item(services, &layer.name, number, version),
        }))
    });
    Ok(Response::json(200, &page("Layers", shapes.collect(), next)))
}
