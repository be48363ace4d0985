//! `DescribeStacks`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{after, next, shape};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::STACKS_LISTED;
use crate::stacks::status::StackStatus;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
    next_token: Option<String>,
}

/// Describes a stack, or a page of all that are there.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let stacks = &services.stacks;
    if let Some(name) = given.stack_name.filter(|name| !name.is_empty()) {
        let stack = stacks.find(&name).await?;
        return Ok(json!({"Stacks": [shape::stack(stacks, &stack)]}));
    }
    let from = after(services, given.next_token.as_deref())?;
    let mut all = stacks.all().await?;
    all.retain(|stack| stack.status != StackStatus::DeleteComplete);
    all.retain(|stack| from.as_ref().is_none_or(|from| stack.id.key() > *from));
    let more = all.len() > STACKS_LISTED;
    all.truncate(STACKS_LISTED);
    let position = all.last().filter(|_| more).map(|stack| stack.id.key());
    let shapes: Vec<Value> = all.iter().map(|stack| shape::stack(stacks, stack)).collect();
    Ok(json!({"Stacks": shapes, "NextToken": next(services, position.as_deref())}))
}
