//! `ExecuteChangeSet`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::shape;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::stacks::begin::{self, Deployment};
use crate::stacks::document::OnFailure;
use crate::stacks::status::{ChangeSetStatus, StackStatus};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    change_set_name: Option<String>,
    stack_name: Option<String>,
    client_request_token: Option<String>,
    #[serde(default)]
    disable_rollback: bool,
}

/// Begins to make a stack what a change set says.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let name = given.change_set_name.ok_or_else(|| Error::missing("changeSetName"))?;
    let stacks = &services.stacks;
    let _turn = stacks.turn().await;
    let token = given.client_request_token.as_deref();
    let change_set = match stacks.find_change_set(&name, given.stack_name.as_deref()).await {
        Ok(change_set) => change_set,
        Err(error) => {
            // Whoever got no answer asks again, and the change set may be gone by then.
            let stack = match &given.stack_name {
                Some(name) => stacks.lookup(name).await?,
                None => None,
            };
            let repeated = stack.is_some_and(|stack| begin::repeat(stacks, &stack, token));
            return if repeated { Ok(json!({})) } else { Err(error) };
        }
    };
    let arn = stacks.change_set_arn(&change_set);
    if change_set.status != ChangeSetStatus::CreateComplete {
        return Err(Error::named(
            400,
            "InvalidChangeSetStatus",
            format!("ChangeSet [{arn}] cannot be executed in its current status of [{}]", change_set.status.as_str()),
        ));
    }
    let stack = stacks.find(&stacks.arn(&change_set.stack)).await?;
    if stack.change_set.as_ref() == Some(&arn) && begin::repeat(stacks, &stack, token) {
        return Ok(json!({}));
    }
    let ready =
        if change_set.creates { stack.status == StackStatus::ReviewInProgress } else { stack.status.can_be_updated() };
    if !ready {
        return Err(Error::validation(shape::cannot_be_updated(stacks, &stack, stack.status)));
    }
    let deployment = Deployment {
        settings: change_set.settings,
        template: change_set.template,
        on_failure: match (given.disable_rollback, change_set.on_failure) {
            (true, _) => OnFailure::DoNothing,
            (false, on_failure) => on_failure.unwrap_or(OnFailure::Rollback),
        },
        deployer: request.principal.clone(),
        client_request_token: given.client_request_token,
        change_set: Some(arn),
    };
    begin::deploy(stacks, &stack, deployment).await?;
    Ok(json!({}))
}
