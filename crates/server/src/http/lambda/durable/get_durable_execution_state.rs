//! `GetDurableExecutionState`: the rest of the operations, when they do not fit into the event.

use std::sync::Arc;

use everstep_api::envelope::{execution_operation, page};
use everstep_api::timestamp::TimeFormat;
use everstep_core::id::ExecutionArn;
use everstep_core::{Rejection, view};
use everstep_engine::Engine;
use serde_json::json;

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

    let marker = request.query("Marker");
    let first: usize = match marker {
        Some(marker) => marker.parse().map_err(|_| Error::invalid_parameter("Invalid Marker"))?,
        None => 0,
    };
    let start = execution.start_facts();
    let shown: Vec<_> = view::replayed_operations(&execution).into_iter().cloned().collect();
    let page_of = &shown[first.min(shown.len())..shown.len().min(first.saturating_add(items_max))];
    let payloads: Vec<_> = page_of.iter().flat_map(|operation| view::payloads(operation)).chain(&start.input).collect();
    let texts = engine.texts(start.id, &payloads, &Vec::new()).await?;
    let mut operations = Vec::new();
    if marker.is_none() {
        operations.push(execution_operation(start, execution.started_at(), &texts, TimeFormat::Seconds));
    }
    let page = page(&shown, first, items_max - operations.len().min(items_max - 1), &texts, TimeFormat::Seconds);
    operations.extend(page.operations);
    let mut shape = json!({"Operations": operations});
    if let Some(marker) = page.next_marker {
        shape["NextMarker"] = marker.into();
    }
    Ok(Response::json(200, &shape))
}
