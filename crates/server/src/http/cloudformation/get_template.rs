//! `GetTemplate`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
    change_set_name: Option<String>,
    template_stage: Option<String>,
}

/// Returns a template: as it was sent, or after its transforms.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let stacks = &services.stacks;
    let template = if let Some(change_set) = given.change_set_name.filter(|name| !name.is_empty()) {
        stacks.find_change_set(&change_set, given.stack_name.as_deref()).await?.template
    } else {
        let name = given.stack_name.ok_or_else(|| Error::missing("stackName"))?;
        let stack = stacks.find(&name).await?;
        match stacks.shown_template(&stack).await? {
            Some(template) => template,
            // A stack that is only reviewed has an empty one, as on AWS.
            None => return Ok(json!({"TemplateBody": "", "StagesAvailable": ["Original", "Processed"]})),
        }
    };
    let body = match given.template_stage.as_deref() {
        Some("Processed") => template.processed.to_string(),
        Some("Original") | None => template.original,
        Some(other) => {
            return Err(Error::validation(format!(
                "1 validation error detected: Value '{other}' at 'templateStage' failed to satisfy constraint: Member must satisfy enum value set: [Original, Processed]"
            )));
        }
    };
    Ok(json!({"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}))
}
