//! `ListHookResults`: there are no hooks.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    target_type: Option<String>,
    target_id: Option<String>,
}

/// Returns no results, whatever they were of.
pub async fn handle(_services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let mut answer = json!({"HookResults": []});
    for (name, value) in [("TargetType", given.target_type), ("TargetId", given.target_id)] {
        if let Some(value) = value {
            answer[name] = value.into();
        }
    }
    Ok(answer)
}
