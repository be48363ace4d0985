//! `GetAccountSettings`: what this server allows, and what is used of it.

use everstep_worker::limits::{CODE_BYTES_MAX, ZIP_BYTES_MAX};
use serde_json::json;

use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Returns limits and usage. For code there is no quota but the disk: the limit is what is used and what is free.
pub async fn handle(services: &Services, _request: &Request) -> Result<Response, Error> {
    let functions = services.functions.all().await?;
    let versions = functions.iter().flat_map(|function| function.versions.values().chain([&function.latest]));
    let mut used_bytes: u64 = versions.map(|version| version.code.size).sum();
    for layer in services.layers.all().await? {
        used_bytes += layer.versions.values().map(|version| version.code.size).sum::<u64>();
    }
    Ok(Response::json(
        200,
        &json!({
            "AccountLimit": {
                "TotalCodeSize": used_bytes.saturating_add(services.code.free_bytes()),
                "CodeSizeUnzipped": CODE_BYTES_MAX,
                "CodeSizeZipped": ZIP_BYTES_MAX,
                "ConcurrentExecutions": services.concurrency.total(),
                "UnreservedConcurrentExecutions": services.concurrency.unreserved(&functions),
            },
            "AccountUsage": {"TotalCodeSize": used_bytes, "FunctionCount": functions.len()},
        }),
    ))
}
