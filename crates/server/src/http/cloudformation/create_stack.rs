//! `CreateStack`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ParameterMember, TagMember, check_name, name_of, parameters, settings, source, tags};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::stacks::Tell;
use crate::stacks::begin::{self, Deployment};
use crate::stacks::document::{OnFailure, StackId};
use crate::stacks::prepare::{Asked, Prepared, Sender, prepare};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
    template_body: Option<String>,
    #[serde(rename = "TemplateURL")]
    template_url: Option<String>,
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
    disable_rollback: Option<bool>,
    on_failure: Option<String>,
    client_request_token: Option<String>,
    #[serde(default)]
    enable_termination_protection: bool,
}

/// Begins to make a stack of a template.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let name = name_of(given.stack_name)?;
    check_name(&name, "stackName")?;
    let on_failure = match (given.disable_rollback, given.on_failure.as_deref()) {
        (Some(_), Some(_)) => {
            return Err(Error::validation("Only one of DisableRollback and OnFailure may be specified."));
        }
        (Some(true), None) | (None, Some("DO_NOTHING")) => OnFailure::DoNothing,
        (None, Some("DELETE")) => OnFailure::Delete,
        (Some(false) | None, None) | (None, Some("ROLLBACK")) => OnFailure::Rollback,
        (None, Some(other)) => {
            return Err(Error::validation(format!(
                "1 validation error detected: Value '{other}' at 'onFailure' failed to satisfy constraint: Member must satisfy enum value set: [DELETE, DO_NOTHING, ROLLBACK]"
            )));
        }
    };
    let stacks = &services.stacks;
    let _turn = stacks.turn().await;
    if let Some(stack) = stacks.lookup(&name).await? {
        if begin::repeat(stacks, &stack, given.client_request_token.as_deref()) {
            return Ok(json!({"StackId": stacks.arn(&stack.id)}));
        }
        return Err(Error::named(400, "AlreadyExistsException", format!("Stack [{name}] already exists")));
    }
    let asked = Asked {
        source: source(given.template_body, given.template_url, false)?,
        parameters: parameters(given.parameters),
        settings: settings(tags(given.tags)?, given.capabilities, given.role_arn, given.notification_arns),
        expands_only_if_told: true,
    };
    let id = StackId { name, unique: uuid::Uuid::new_v4().to_string() };
    let Prepared { settings, template, obstacle, .. } =
        prepare(services, &Sender::of(request), &id, None, asked).await?;
    if let Some(obstacle) = obstacle {
        return Err(Error::validation(obstacle));
    }
    let stack = begin::create(stacks, id, settings.clone(), Tell::Nothing).await?;
    if given.enable_termination_protection {
        stacks
            .change(&stack.id, Tell::Nothing, |stack| {
                stack.termination_protection = true;
                Ok(())
            })
            .await?;
    }
    let deployment = Deployment {
        settings,
        template,
        on_failure,
        deployer: request.principal.clone(),
        client_request_token: given.client_request_token,
        change_set: None,
    };
    begin::deploy(stacks, &stack, deployment).await?;
    Ok(json!({"StackId": stacks.arn(&stack.id)}))
}
