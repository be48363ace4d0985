//! `ContinueUpdateRollback`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::name_of;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::stacks::begin;

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
    begin::continue_rollback(stacks, &stack.id, given.client_request_token).await?;
    Ok(json!({}))
}
