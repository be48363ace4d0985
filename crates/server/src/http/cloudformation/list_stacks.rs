//! `ListStacks`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{after, next, shape};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::STACKS_LISTED;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    next_token: Option<String>,
    #[serde(default)]
    stack_status_filter: Vec<String>,
}

/// Returns a page of the stacks, also of those that were deleted.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let stacks = &services.stacks;
    let from = after(services, given.next_token.as_deref())?;
    let mut all = stacks.all().await?;
    let filter = given.stack_status_filter;
    all.retain(|stack| filter.is_empty() || filter.iter().any(|status| status == stack.status.as_str()));
    all.retain(|stack| from.as_ref().is_none_or(|from| stack.id.key() > *from));
    let more = all.len() > STACKS_LISTED;
    all.truncate(STACKS_LISTED);
    let position = all.last().filter(|_| more).map(|stack| stack.id.key());
    let shapes: Vec<Value> = all.iter().map(|stack| shape::summary(stacks, stack)).collect();
    Ok(json!({"StackSummaries": shapes, "NextToken": next(services, position.as_deref())}))
}
