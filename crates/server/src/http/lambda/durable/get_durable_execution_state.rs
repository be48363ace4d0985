//! `GetDurableExecutionState`: the rest of the operations, when they do not fit into the event.

use std::sync::Arc;

use everstep_api::envelope;
use everstep_core::id::ExecutionArn;
use everstep_core::{Rejection, view};
use everstep_engine::Engine;

use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Returns a page of operations. The token is looked at, not spent.
pub async fn handle(engine: &Arc<Engine>, request: &Request) -> Result<Response, Error> {
    let stale = || Error::from(Rejection::checkpoint_token());
    let arn: ExecutionArn = request.parameter(0).parse().map_err(|_| stale())?;
    let items_max = request.max_items()?;
    let sealed = request.query("CheckpointToken").ok_or_else(|| Error::missing("checkpointToken"))?;
    let token = engine.keys().open_checkpoint(sealed).ok_or_else(stale)?;
    if token.execution.to_string() != arn.id {
        return Err(Error::invalid_parameter("Checkpoint token is not valid for the durable execution ARN"));
    }
    let execution = engine.execution(token.execution).await?.ok_or_else(stale)?;
    execution.check_token(&token)?;

    let marker = request.query("Marker").map(str::parse).transpose();
    let from: Option<usize> = marker.map_err(|_| Error::invalid_parameter("Invalid Marker"))?;
    let first = from.unwrap_or_default();
    let start = execution.start_facts();
    let shown: Vec<_> = view::replayed_operations(&execution).into_iter().cloned().collect();
    let page_of = &shown[first.min(shown.len())..shown.len().min(first.saturating_add(items_max))];
    let payloads: Vec<_> = page_of.iter().flat_map(|operation| view::payloads(operation)).chain(&start.input).collect();
    let texts = engine.texts(start.id, &payloads, &Vec::new()).await?;
    Ok(Response::json(200, &envelope::state(&execution, &shown, from, items_max, &texts)))
}
