//! `DeleteDurableExecution`: forget an execution that is over.

use everstep_api::timestamp::seconds;
use everstep_core::Command;
use serde_json::json;

use super::named_execution;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Asks for an execution to be deleted.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let execution = named_execution(services, request).await?;
    services.engine.submit(execution.start_facts().id, Command::Delete, Vec::new()).await?;
    Ok(Response::json(202, &json!({"DeletionRequestTimestamp": seconds(services.engine.clock().now())})))
}
