//! `ResumeDurableExecution`: go on after a pause.

use std::sync::Arc;

use everstep_api::durable::ResumeRequest;
use everstep_core::Command;
use everstep_engine::Engine;
use serde_json::json;

use super::{named_execution, token_and_reason};
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Resumes an execution.
pub async fn handle(engine: &Arc<Engine>, request: &Request) -> Result<Response, Error> {
    let resume: ResumeRequest = request.json()?;
    let (client_token, reason) = token_and_reason(resume.client_token, resume.reason)?;
    let execution = named_execution(engine, request).await?;
    let command = Command::Resume { reason, client_token };
    engine.submit(execution.start_facts().id, command, Vec::new()).await?;
    Ok(Response::json(202, &json!({})))
}
