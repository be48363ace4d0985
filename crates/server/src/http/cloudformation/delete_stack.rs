//! `DeleteStack`.

use serde::Deserialize;
use serde_json::Value;

use super::name_of;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::stacks::begin;
use crate::stacks::status::StackStatus;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
    #[serde(default)]
    retain_resources: Vec<String>,
    client_request_token: Option<String>,
}

/// Begins to delete a stack; it need not be there.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let name = name_of(given.stack_name)?;
    let stacks = &services.stacks;
    let _turn = stacks.turn().await;
    let Some(stack) = stacks.lookup(&name).await? else { return Ok(Value::Null) };
    if stack.status == StackStatus::DeleteComplete {
        return Ok(Value::Null);
    }
    let retained = given.retain_resources.into_iter().collect();
    begin::delete(stacks, &stack, request.principal.clone(), retained, given.client_request_token).await?;
    Ok(Value::Null)
}
