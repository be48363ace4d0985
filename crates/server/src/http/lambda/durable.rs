//! The durable execution operations, one file each. But for the list they know an engine, and nothing of functions.

pub mod callbacks;
pub mod checkpoint_durable_execution;
pub mod delete_durable_execution;
pub mod get_durable_execution;
pub mod get_durable_execution_history;
pub mod get_durable_execution_state;
pub mod list_durable_executions_by_function;
pub mod pause_durable_execution;
pub mod resume_durable_execution;
pub mod stop_durable_execution;

use std::sync::Arc;

use everstep_core::id::{ClientToken, ExecutionArn, ExecutionId};
use everstep_core::limits::{CLIENT_TOKEN_CHARACTERS_MAX, REASON_CHARACTERS_MAX};
use everstep_core::{Execution, Rejection};
use everstep_engine::Engine;

use crate::http::error::Error;
use crate::http::request::Request;
use everstep_api::validation::Violations;

/// Returns the execution that the path names.
async fn named_execution(engine: &Arc<Engine>, request: &Request) -> Result<Execution, Error> {
    let text = request.parameter(0);
    let arn: ExecutionArn = text.parse().map_err(|_| {
        Error::validation(format!(
            "1 validation error detected: Value '{text}' at 'durableExecutionArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:([a-zA-Z0-9-]+):lambda:([a-zA-Z0-9-]+):(\\d{{12}}):function:([a-zA-Z0-9_-]+):(\\$LATEST(?:\\.PUBLISHED)?|[0-9]+)/durable-execution/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)"
        ))
    })?;
    let missing = || Error::from(Rejection::execution_not_found());
    let id: ExecutionId = arn.id.parse().map_err(|_| missing())?;
    let execution = engine.execution(id).await?.ok_or_else(missing)?;
    if execution.start_facts().arn() == arn { Ok(execution) } else { Err(missing()) }
}

/// Checks the client token and the reason that pause and resume share.
fn token_and_reason(
    client_token: Option<String>,
    reason: Option<String>,
) -> Result<(Option<ClientToken>, Option<Arc<str>>), Error> {
    let mut violations = Violations::default();
    let token = client_token
        .and_then(|text| violations.text(&text, "clientToken", CLIENT_TOKEN_CHARACTERS_MAX, "[\\x21-\\x7E]+"));
    if let Some(reason) = &reason {
        violations.length(reason, "reason", 0, REASON_CHARACTERS_MAX);
    }
    violations.finish().map_err(Error::validation)?;
    Ok((token, reason.map(Into::into)))
}
