//! `ListExports`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{after, next};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::EXPORTS_LISTED;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    next_token: Option<String>,
}

/// Returns a page of the values that stacks export.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let stacks = &services.stacks;
    let from = after(services, given.next_token.as_deref())?;
    let mut exports: Vec<_> = stacks.exports().await?.into_iter().collect();
    exports.retain(|(name, _)| from.as_ref().is_none_or(|from| name > from));
    let more = exports.len() > EXPORTS_LISTED;
    exports.truncate(EXPORTS_LISTED);
    let position = exports.last().filter(|_| more).map(|(name, _)| name.as_str());
    let shapes: Vec<Value> = exports
        .iter()
        .map(|(name, export)| {
            json!({"ExportingStackId": stacks.arn(&export.stack), "Name": name, "Value": export.value})
        })
        .collect();
    Ok(json!({"Exports": shapes, "NextToken": next(services, position)}))
}
