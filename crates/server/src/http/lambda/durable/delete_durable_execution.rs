//! `DeleteDurableExecution`: forget an execution that is over.

use std::sync::Arc;

use everstep_api::timestamp::seconds;
use everstep_core::Command;
use everstep_engine::Engine;
use serde_json::json;

use super::named_execution;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Asks for an execution to be deleted.
pub async fn handle(engine: &Arc<Engine>, request: &Request) -> Result<Response, Error> {
    let execution = named_execution(engine, request).await?;
    engine.submit(execution.start_facts().id, Command::Delete, Vec::new()).await?;
    Ok(Response::json(202, &json!({"DeletionRequestTimestamp": seconds(engine.clock().now())})))
}
