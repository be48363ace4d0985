//! `UpdateTerminationProtection`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::name_of;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::stacks::Tell;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
    enable_termination_protection: Option<bool>,
}

/// Says whether a stack may be deleted.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let enabled = given.enable_termination_protection.ok_or_else(|| Error::missing("enableTerminationProtection"))?;
    let stack = services.stacks.find(&name_of(given.stack_name)?).await?;
    services
        .stacks
        .change(&stack.id, Tell::Nothing, |stack| {
            stack.termination_protection = enabled;
            Ok(())
        })
        .await?;
    Ok(json!({"StackId": services.stacks.arn(&stack.id)}))
}
