//! `DescribeChangeSet`.

use serde::Deserialize;
use serde_json::Value;

use super::{after, next, shape};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::CHANGES_LISTED;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    change_set_name: Option<String>,
    stack_name: Option<String>,
    next_token: Option<String>,
}

/// Describes a change set, with a page of its changes.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let name = given.change_set_name.ok_or_else(|| Error::missing("changeSetName"))?;
    let change_set = services.stacks.find_change_set(&name, given.stack_name.as_deref()).await?;
    let from = after(services, given.next_token.as_deref())?;
    let from = from.and_then(|position| position.parse::<usize>().ok()).unwrap_or_default();
    let shown: Vec<Value> = change_set.changes.iter().skip(from).take(CHANGES_LISTED).cloned().collect();
    let until = from + shown.len();
    let more = (until < change_set.changes.len()).then(|| until.to_string());
    let mut described = shape::change_set(&services.stacks, &change_set);
    described["Parameters"] = shape::parameters(&change_set.settings.parameters);
    described["NotificationARNs"] = change_set.settings.notification_arns.clone().into();
    described["RollbackConfiguration"] = Value::Object(serde_json::Map::new());
    described["Capabilities"] = change_set.settings.capabilities.clone().into();
    described["Tags"] = shape::tags(&change_set.settings);
    described["Changes"] = shown.into();
    described["NextToken"] = next(services, more.as_deref());
    Ok(described)
}
