//! `DescribeStackResources`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::shape;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
    logical_resource_id: Option<String>,
    physical_resource_id: Option<String>,
}

/// Describes the resources of a stack, which may be named by one of them.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let stacks = &services.stacks;
    let stack = match (given.stack_name.filter(|name| !name.is_empty()), &given.physical_resource_id) {
        (Some(name), _) => stacks.find(&name).await?,
        (None, Some(physical_id)) => stacks
            .of_resource(physical_id)
            .await?
            .ok_or_else(|| Error::validation(format!("Stack for {physical_id} does not exist")))?,
        (None, None) => {
            return Err(Error::validation("Either StackName or PhysicalResourceId must be specified."));
        }
    };
    let resources = stacks.resources(&stack.id).await?;
    let wanted = resources
        .values()
        .filter(|resource| given.logical_resource_id.as_ref().is_none_or(|wanted| resource.logical_id == *wanted));
    let shapes: Vec<Value> = wanted.map(|resource| shape::resource_of(stacks, &stack, resource, "Timestamp")).collect();
    Ok(json!({"StackResources": shapes}))
}
