//! `DeleteChangeSet`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    change_set_name: Option<String>,
    stack_name: Option<String>,
}

/// Deletes a change set; it need not be there. Its stack stays, also if it has nothing else.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let name = given.change_set_name.ok_or_else(|| Error::missing("changeSetName"))?;
    let _turn = services.stacks.turn().await;
    match services.stacks.find_change_set(&name, given.stack_name.as_deref()).await {
        Ok(change_set) => services.stacks.remove_change_set(&change_set).await?,
        Err(error) if error.code == "ChangeSetNotFound" => {}
        Err(error) => return Err(error),
    }
    Ok(json!({}))
}
