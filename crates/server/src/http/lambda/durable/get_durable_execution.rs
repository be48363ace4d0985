//! `GetDurableExecution`: how an execution stands.

use std::sync::Arc;

use everstep_api::durable::get_durable_execution;
use everstep_core::event::Outcome;
use everstep_engine::Engine;

use super::named_execution;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Describes an execution.
pub async fn handle(engine: &Arc<Engine>, request: &Request) -> Result<Response, Error> {
    let with_data = request.flag("IncludeExecutionData", true)?;
    let execution = named_execution(engine, request).await?;
    let texts = if with_data {
        let outcome = match execution.outcome() {
            Some(Outcome::Succeeded(result)) => result.as_ref(),
            Some(Outcome::Failed(error)) => error.as_ref().map(|error| &error.0),
            Some(Outcome::TimedOut(error) | Outcome::Stopped(error)) => Some(&error.0),
            None => None,
        };
        let start = execution.start_facts();
        let payloads: Vec<_> = outcome.into_iter().chain(&start.input).collect();
        Some(engine.texts(start.id, &payloads, &Vec::new()).await?)
    } else {
        None
    };
    Ok(Response::json(200, &get_durable_execution(&execution, texts.as_ref())))
}
