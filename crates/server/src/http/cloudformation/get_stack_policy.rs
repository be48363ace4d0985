//! `GetStackPolicy`: there are none.

use serde::Deserialize;
use serde_json::{Value, json};

use super::name_of;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
}

/// Returns no policy: every resource of a stack may be updated.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    services.stacks.find(&name_of(given.stack_name)?).await?;
    Ok(json!({}))
}
