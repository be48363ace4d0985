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
    if matches!(stack.status, StackStatus::DeleteComplete | StackStatus::DeleteInProgress) {
        return Ok(Value::Null);
    }
    if stack.termination_protection {
        return Err(Error::validation(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.id.name
        )));
    }
    if !given.retain_resources.is_empty() && stack.status != StackStatus::DeleteFailed {
        return Err(Error::validation(format!(
            "Invalid operation on stack [{}]. RetainResources can only be specified when the stack is in the DELETE_FAILED state.",
            stacks.arn(&stack.id)
        )));
    }
    if stack.status.work() != crate::stacks::status::Work::Nothing {
        return Err(Error::validation(format!(
            "Stack [{}] cannot be deleted while in status {}",
            stacks.arn(&stack.id),
            stack.status.as_str()
        )));
    }
    let retained = given.retain_resources.into_iter().collect();
    begin::delete(stacks, &stack, request.principal.clone(), retained, given.client_request_token).await?;
    Ok(Value::Null)
}
