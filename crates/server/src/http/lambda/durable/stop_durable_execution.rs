//! `StopDurableExecution`: end an execution from outside.

use std::sync::Arc;

use everstep_api::timestamp::seconds;
use everstep_core::{Command, ErrorObject, Intake};
use everstep_engine::Engine;
use serde_json::json;

use super::named_execution;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Stops an execution; one that is over stays as it is.
pub async fn handle(engine: &Arc<Engine>, request: &Request) -> Result<Response, Error> {
    let error: ErrorObject = request.json()?;
    let execution = named_execution(engine, request).await?;
    let mut intake = Intake::default();
    let command = Command::Stop { error: intake.error(&error) };
    let stopped = engine.submit(execution.start_facts().id, command, intake.into_texts()).await?;
    let ended_at = stopped.ended_at().expect("a stopped execution has ended");
    Ok(Response::json(200, &json!({"StopTimestamp": seconds(ended_at)})))
}
