//! `ListChangeSets`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{name_of, shape};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
}

/// Returns the change sets of a stack: few enough for one page.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let stack = services.stacks.find(&name_of(given.stack_name)?).await?;
    let known = services.stacks.change_sets(&stack.id).await?;
    let shapes: Vec<Value> = known.iter().map(|known| shape::change_set(&services.stacks, known)).collect();
    Ok(json!({"Summaries": shapes}))
}
