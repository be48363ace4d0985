//! `DescribeStackResource`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{name_of, shape};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
    logical_resource_id: Option<String>,
}

/// Describes a resource of a stack.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let name = name_of(given.stack_name)?;
    let logical_id = given.logical_resource_id.ok_or_else(|| Error::missing("logicalResourceId"))?;
    let stacks = &services.stacks;
    let stack = stacks.lookup(&name).await?;
    let stack = stack.ok_or_else(|| Error::validation(format!("Stack '{name}' does not exist")))?;
    let resources = stacks.resources(&stack.id).await?;
    let resource = resources.get(&logical_id).ok_or_else(|| {
        Error::validation(format!("Resource {logical_id} does not exist for stack {}", stack.id.name))
    })?;
    Ok(json!({"StackResourceDetail": shape::resource_of(stacks, &stack, resource, "LastUpdatedTimestamp")}))
}
