//! `ListStackResources`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{after, name_of, next, shape};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::STACK_RESOURCES_LISTED;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
    next_token: Option<String>,
}

/// Returns a page of the resources of a stack.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let stacks = &services.stacks;
    let stack = stacks.find(&name_of(given.stack_name)?).await?;
    let from = after(services, given.next_token.as_deref())?;
    let mut resources: Vec<_> = stacks.resources(&stack.id).await?.into_values().collect();
    resources.retain(|resource| from.as_ref().is_none_or(|from| resource.logical_id > *from));
    let more = resources.len() > STACK_RESOURCES_LISTED;
    resources.truncate(STACK_RESOURCES_LISTED);
    let position = resources.last().filter(|_| more).map(|resource| resource.logical_id.as_str());
    let shapes: Vec<Value> =
        resources.iter().map(|resource| shape::resource(resource, "LastUpdatedTimestamp")).collect();
    Ok(json!({"StackResourceSummaries": shapes, "NextToken": next(services, position)}))
}
