//! `ListVersionsByFunction`.

use everstep_core::id::Version;

use super::{configuration, named_function};
use crate::http::error::Error;
use crate::http::request::{Request, Response, page};
use crate::http::{Services, marker};

/// Returns a page of versions, `$LATEST` first.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let mut reference = named_function(services, request)?;
    reference.qualifier = None;
    let items_max = request.max_items()?;
    let now = services.engine.clock().now();
    let skipped: usize = match request.query("Marker") {
        Some(text) => marker::open(text, now)?.parse().map_err(|_| Error::invalid_parameter("Invalid Marker"))?,
        None => 0,
    };
    let found = services.functions.find(&reference).await?;
    let published = found.function.versions.keys().map(|number| Version::Number(*number));
    let versions: Vec<Version> = std::iter::once(Version::Latest).chain(published).collect();
    let shown = versions.iter().skip(skipped).take(items_max);
    let shapes: Vec<_> = shown.map(|version| configuration(services, &found.function, *version, true)).collect();
    let end = skipped + shapes.len();
    let next = (end < versions.len()).then(|| marker::seal(&end.to_string(), now));
    Ok(Response::json(200, &page("Versions", shapes, next)))
}
