//! `ListFunctions`.

use everstep_core::id::Version;

use super::configuration;
use crate::functions::Function;
use crate::http::error::Error;
use crate::http::request::{Request, Response, page};
use crate::http::{Services, marker};
use crate::limits::FUNCTIONS_MAX;

/// Returns a page of functions, with `FunctionVersion=ALL` also their published versions.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let items_max = request.max_items()?.min(FUNCTIONS_MAX);
    let all_versions = request.query("FunctionVersion") == Some("ALL");
    let now = services.engine.clock().now();
    let after = request.query("Marker").map(|text| marker::open(text, now)).transpose()?;
    let mut functions = services.functions.list(after.as_deref(), items_max + 1).await?;
    let more = functions.len() > items_max;
    functions.truncate(items_max);
    let next = functions.last().filter(|_| more).map(|last| marker::seal(last.name.as_str(), now));
    let shapes = functions.iter().flat_map(|function| {
        versions(function, all_versions).map(|version| configuration(services, function, version, all_versions))
    });
    Ok(Response::json(200, &page("Functions", shapes.collect(), next)))
}

fn versions(function: &Function, all: bool) -> impl Iterator<Item = Version> {
    let published = function.versions.keys().filter(move |_| all).map(|number| Version::Number(*number));
    std::iter::once(Version::Latest).chain(published)
}
