//! `UpdateStack`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ParameterMember, TagMember, name_of, parameters, settings, shape, source, tags};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::stacks::begin::{self, Deployment};
use crate::stacks::document::OnFailure;
use crate::stacks::prepare::{Asked, Prepared, Sender, prepare};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
    template_body: Option<String>,
    #[serde(rename = "TemplateURL")]
    template_url: Option<String>,
    #[serde(default)]
    use_previous_template: bool,
    #[serde(default)]
    parameters: Vec<ParameterMember>,
    #[serde(default)]
    capabilities: Vec<String>,
    tags: Option<Vec<TagMember>>,
    #[serde(rename = "RoleARN")]
    role_arn: Option<String>,
    #[serde(rename = "NotificationARNs", default)]
    notification_arns: Vec<String>,
    #[serde(default)]
    disable_rollback: bool,
    client_request_token: Option<String>,
}

/// Begins to make a stack what a template says.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let name = name_of(given.stack_name)?;
    let stacks = &services.stacks;
    let _turn = stacks.turn().await;
    let stack = stacks.lookup(&name).await?;
    let stack = stack.ok_or_else(|| Error::validation(format!("Stack [{name}] does not exist")))?;
    let answer = json!({"StackId": stacks.arn(&stack.id)});
    if begin::repeat(stacks, &stack, given.client_request_token.as_deref()) {
        return Ok(answer);
    }
    if !stack.status.can_be_updated() {
        return Err(Error::validation(shape::cannot_be_updated(stacks, &stack, stack.status)));
    }
    let tags = match given.tags {
        Some(members) => tags(members)?,
        None => stack.settings.tags.clone(),
    };
    let role_arn = given.role_arn.or_else(|| stack.settings.role_arn.clone());
    let asked = Asked {
        source: source(given.template_body, given.template_url, given.use_previous_template)?,
        parameters: parameters(given.parameters),
        settings: settings(tags, given.capabilities, role_arn, given.notification_arns),
        expands_only_if_told: true,
    };
    let prepared = prepare(services, &Sender::of(request), &stack.id, Some(&stack), asked).await?;
    let Prepared { settings, template, obstacle, .. } = prepared;
    match obstacle {
        Some(obstacle) if obstacle == everstep_template::NO_CHANGES => {
            return Err(Error::validation("No updates are to be performed."));
        }
        Some(obstacle) => return Err(Error::validation(obstacle)),
        None => {}
    }
    let deployment = Deployment {
        settings,
        template,
        on_failure: if given.disable_rollback { OnFailure::DoNothing } else { OnFailure::Rollback },
        deployer: request.principal.clone(),
        client_request_token: given.client_request_token,
        change_set: None,
    };
    begin::deploy(stacks, &stack, deployment).await?;
    Ok(answer)
}
