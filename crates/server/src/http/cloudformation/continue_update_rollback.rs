//! `ContinueUpdateRollback`.

use serde::Deserialize;
use serde_json::{Value, json};

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
    client_request_token: Option<String>,
}

/// Tries again to change a stack back to what it was before an update.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let stacks = &services.stacks;
    let stack = stacks.find(&name_of(given.stack_name)?).await?;
    let _turn = stacks.turn().await;
    let tell = Tell::State { client_request_token: given.client_request_token };
    let begun = stacks.change(&stack.id, tell, |stack| {
        if stack.status != StackStatus::UpdateRollbackFailed {
            return Err(Error::validation(format!(
                "Stack:{} is in {} state and can not continue update rollback.",
                stacks.arn(&stack.id),
                stack.status.as_str()
            )));
        }
        stack.status = StackStatus::UpdateRollbackInProgress;
        stack.status_reason = Some("User Initiated".into());
        Ok(())
    });
    let stack = begun.await?;
    stacks.wake(&stack.id);
    Ok(json!({}))
}
