//! `CancelUpdateStack`.

use serde::Deserialize;
use serde_json::Value;

use super::name_of;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::stacks::Tell;
use crate::stacks::status::StackStatus;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
}

/// Has an update go back.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let stack = services.stacks.find(&name_of(given.stack_name)?).await?;
    let refused = || Error::validation("CancelUpdateStack cannot be called from current stack status");
    services
        .stacks
        .change(&stack.id, Tell::Nothing, |stack| {
            if stack.status != StackStatus::UpdateInProgress {
                return Err(refused());
            }
            let operation = stack.operation.as_mut().ok_or_else(refused)?;
            operation.cancelled = true;
            Ok(())
        })
        .await?;
    Ok(Value::Null)
}
