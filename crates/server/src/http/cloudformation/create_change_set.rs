//! `CreateChangeSet`: what a template would make of a stack, to be looked at and executed.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ParameterMember, TagMember, check_name, name_of, parameters, settings, shape, source, tags};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::stacks::document::{ChangeSet, OnFailure, StackId};
use crate::stacks::prepare::{Asked, Prepared, Sender, prepare};
use crate::stacks::status::{ChangeSetStatus, StackStatus};
use crate::stacks::{Tell, begin, now_millis};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
    change_set_name: Option<String>,
    change_set_type: Option<String>,
    template_body: Option<String>,
    #[serde(rename = "TemplateURL")]
    template_url: Option<String>,
    #[serde(default)]
    use_previous_template: bool,
    #[serde(default)]
    parameters: Vec<ParameterMember>,
    #[serde(default)]
    capabilities: Vec<String>,
    #[serde(default)]
    tags: Vec<TagMember>,
    #[serde(rename = "RoleARN")]
    role_arn: Option<String>,
    #[serde(rename = "NotificationARNs", default)]
    notification_arns: Vec<String>,
    description: Option<String>,
    client_token: Option<String>,
    on_stack_failure: Option<String>,
}

/// Makes a change set, and the stack if it is to create one.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let name = name_of(given.stack_name)?;
    let change_set_name = given.change_set_name.ok_or_else(|| Error::missing("changeSetName"))?;
    check_name(&change_set_name, "changeSetName")?;
    let stacks = &services.stacks;
    let _turn = stacks.turn().await;
    let found = stacks.lookup(&name).await?.filter(|stack| stack.status != StackStatus::DeleteComplete);
    let kind = given.change_set_type.as_deref().unwrap_or("UPDATE");
    let fresh = found.as_ref().is_none_or(|stack| stack.status == StackStatus::ReviewInProgress);
    match (kind, &found) {
        ("CREATE", None) => check_name(&name, "stackName")?,
        ("CREATE", Some(stack)) if !fresh => {
            return Err(Error::validation(format!(
                "Stack [{}] already exists and cannot be created again with the changeSet [{change_set_name}].",
                stack.id.name
            )));
        }
        ("UPDATE", None) => return Err(Error::validation(format!("Stack [{name}] does not exist"))),
        ("UPDATE", Some(stack)) if !stack.status.can_be_updated() => {
            return Err(Error::validation(shape::cannot_be_updated(stacks, stack, stack.status)));
        }
        ("CREATE" | "UPDATE", Some(_)) => {}
        ("IMPORT", _) => return Err(Error::not_served("Everstep does not import resources into stacks yet.")),
        (other, _) => {
            return Err(Error::validation(format!(
                "1 validation error detected: Value '{other}' at 'changeSetType' failed to satisfy constraint: Member must satisfy enum value set: [CREATE, UPDATE, IMPORT]"
            )));
        }
    }
    if let Some(stack) = &found {
        let known = stacks.change_sets(&stack.id).await?;
        if let Some(known) = known.iter().find(|known| known.name == change_set_name) {
            if given.client_token.is_some() && known.client_token == given.client_token {
                return Ok(answer(services, known));
            }
            return Err(Error::named(
                400,
                "AlreadyExistsException",
                format!(
                    "ChangeSet {change_set_name} cannot be created due to a mismatch with existing attribute ChangeSetName"
                ),
            ));
        }
    }
    let asked = Asked {
        source: source(given.template_body, given.template_url, given.use_previous_template)?,
        parameters: parameters(given.parameters),
        settings: settings(tags(given.tags)?, given.capabilities, given.role_arn, given.notification_arns),
        expands_only_if_told: false,
    };
    // The stack's ARN is known to the template before there is a stack.
    let drawn = StackId { name: name.clone(), unique: uuid::Uuid::new_v4().to_string() };
    let id = found.as_ref().map_or(drawn, |stack| stack.id.clone());
    let Prepared { settings, template, imports, changes, obstacle } =
        prepare(services, &Sender::of(request), &id, found.as_ref(), asked).await?;
    let change_set = ChangeSet {
        name: change_set_name,
        unique: uuid::Uuid::new_v4().to_string(),
        stack: id.clone(),
        status: if obstacle.is_none() { ChangeSetStatus::CreateComplete } else { ChangeSetStatus::Failed },
        status_reason: obstacle,
        created_millis: now_millis(),
        description: given.description,
        client_token: given.client_token,
        settings: settings.clone(),
        template,
        imports,
        changes,
        on_failure: match given.on_stack_failure.as_deref() {
            Some("DELETE") => Some(OnFailure::Delete),
            Some("DO_NOTHING") => Some(OnFailure::DoNothing),
            Some("ROLLBACK") => Some(OnFailure::Rollback),
            Some(_) | None => None,
        },
        creates: fresh,
    };
    if found.is_none() {
        begin::create(stacks, id, settings, Tell::State { client_request_token: None }).await?;
    }
    stacks.put_change_set(&change_set).await?;
    Ok(answer(services, &change_set))
}

fn answer(services: &Services, change_set: &ChangeSet) -> Value {
    let stacks = &services.stacks;
    json!({"Id": stacks.change_set_arn(change_set), "StackId": stacks.arn(&change_set.stack)})
}
