//! `PauseDurableExecution`: let nothing run until further notice.

use std::sync::Arc;

use everstep_api::durable::PauseRequest;
use everstep_core::Command;
use everstep_engine::Engine;
use serde_json::json;

use super::{named_execution, token_and_reason};
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Asks for a pause.
pub async fn handle(engine: &Arc<Engine>, request: &Request) -> Result<Response, Error> {
    let pause: PauseRequest = request.json()?;
    let (client_token, reason) = token_and_reason(pause.client_token, pause.reason)?;
    let execution = named_execution(engine, request).await?;
    let execution_timeout_paused = pause.execution_timeout_paused.unwrap_or(true);
    let command = Command::Pause { execution_timeout_paused, reason, client_token };
    engine.submit(execution.start_facts().id, command, Vec::new()).await?;
    Ok(Response::json(202, &json!({})))
}
