//! `GetAccountSettings`: what this server allows, and what is used of it.

use everstep_worker::limits::{CODE_BYTES_MAX, ZIP_BYTES_MAX};
use serde_json::json;

use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::limits::FUNCTIONS_MAX;

/// Returns limits and usage. For code there is no quota but the disk: the limit is what is used and what is free.
pub async fn handle(services: &Services, _request: &Request) -> Result<Response, Error> {
    let (mut count, mut used_bytes) = (0_u64, 0_u64);
    let mut after: Option<String> = None;
    loop {
        let functions = services.functions.list(after.as_deref(), FUNCTIONS_MAX).await?;
        let Some(last) = functions.last() else { break };
        after = Some(last.name.to_string());
        count += functions.len() as u64;
        let versions = functions.iter().flat_map(|function| function.versions.values().chain([&function.latest]));
        used_bytes += versions.map(|version| version.code.size).sum::<u64>();
    }
    let processes = services.runner.processes_max();
    Ok(Response::json(
        200,
        &json!({
            "AccountLimit": {
                "TotalCodeSize": used_bytes.saturating_add(services.code.free_bytes()),
                "CodeSizeUnzipped": CODE_BYTES_MAX,
                "CodeSizeZipped": ZIP_BYTES_MAX,
                "ConcurrentExecutions": processes,
                "UnreservedConcurrentExecutions": processes,
            },
            "AccountUsage": {"TotalCodeSize": used_bytes, "FunctionCount": count},
        }),
    ))
}
