//! `DescribeEvents`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{after, name_of, next, shape};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::STACK_EVENTS_LISTED;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filters {
    #[serde(default)]
    failed_events: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
    #[serde(default)]
    filters: Filters,
    next_token: Option<String>,
}

/// Returns a page of what happened to a stack, the newest first; if asked to, only what failed.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let stacks = &services.stacks;
    let stack = stacks.find(&name_of(given.stack_name)?).await?;
    let from = after(services, given.next_token.as_deref())?;
    let mut events = stacks.events.list(&stack.id, from.as_deref(), STACK_EVENTS_LISTED + 1).await?;
    let more = events.len() > STACK_EVENTS_LISTED;
    events.truncate(STACK_EVENTS_LISTED);
    let position = events.last().filter(|_| more).map(|(key, _)| key.clone());
    events.retain(|(_, event)| !given.filters.failed_events || event.status.ends_with("FAILED"));
    let shapes: Vec<Value> = events.iter().map(|(_, event)| shape::operation_event(stacks, &stack, event)).collect();
    Ok(json!({"OperationEvents": shapes, "NextToken": next(services, position.as_deref())}))
}
