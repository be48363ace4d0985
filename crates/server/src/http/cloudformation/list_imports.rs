//! `ListImports`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    export_name: Option<String>,
}

/// Returns the names of the stacks that use an export.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let name = given.export_name.ok_or_else(|| Error::missing("exportName"))?;
    let importers = services.stacks.importers(&name).await?;
    if importers.is_empty() {
        return Err(Error::validation(format!("Export '{name}' is not imported by any stack.")));
    }
    let names: Vec<&str> = importers.iter().map(|stack| stack.name.as_str()).collect();
    Ok(json!({"Imports": names}))
}
