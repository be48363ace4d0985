//! Beginning something with a stack: what is to be done is committed, then the executor is woken.
//!
//! Whoever calls this holds the stacks' turn.

use std::collections::BTreeSet;

use super::document::{OnFailure, Operation, Settings, Stack, StackId, Template};
use super::status::StackStatus;
use super::{Stacks, Tell, now_millis};
use crate::access::Principal;
use crate::http::error::Error;

/// Makes a stack of which there is nothing yet. It need not be told if it is deployed at once.
///
/// # Errors
/// The store's.
pub async fn create(stacks: &Stacks, id: StackId, settings: Settings, tell: Tell) -> Result<Stack, Error> {
    let stack = Stack {
        id,
        status: StackStatus::ReviewInProgress,
        status_reason: Some("User Initiated".into()),
        created_millis: now_millis(),
        updated_millis: None,
        deleted_millis: None,
        settings,
        template: None,
        change_set: None,
        outputs: Vec::new(),
        imports: BTreeSet::new(),
        termination_protection: false,
        operation: None,
        operations: 0,
        settled: 0,
    };
    stacks.create(&stack, tell).await?;
    Ok(stack)
}

/// What is to be deployed.
pub struct Deployment {
    /// What is asked for.
    pub settings: Settings,
    /// The template.
    pub template: Template,
    /// What happens if a resource cannot be made.
    pub on_failure: OnFailure,
    /// Who asks.
    pub deployer: Principal,
    /// What the sender calls it.
    pub client_request_token: Option<String>,
    /// The ARN of the change set that is executed.
    pub change_set: Option<String>,
}

/// Begins to deploy a template.
///
/// # Errors
/// The store's.
pub async fn deploy(stacks: &Stacks, stack: &Stack, deployment: Deployment) -> Result<(), Error> {
    let Deployment { settings, template, on_failure, deployer, client_request_token, change_set } = deployment;
    let number = stack.operations + 1;
    stacks.put_template(&stack.id, number, &template).await?;
    let creates = stack.status == StackStatus::ReviewInProgress;
    let operation = Operation {
        number,
        template: Some(number),
        former_template: stack.template,
        former: (!creates).then(|| stack.settings.clone()),
        on_failure,
        deployer,
        client_request_token: client_request_token.clone(),
        cancelled: false,
        retained: BTreeSet::new(),
    };
    let tell = Tell::State { client_request_token };
    let begun = stacks.change(&stack.id, tell, |stack| {
        stack.status = if creates { StackStatus::CreateInProgress } else { StackStatus::UpdateInProgress };
        stack.status_reason = Some("User Initiated".into());
        stack.updated_millis = (!creates).then(now_millis);
        stack.settings = settings.clone();
        stack.operation = Some(operation.clone());
        stack.operations = number;
        stack.change_set.clone_from(&change_set);
        Ok(())
    });
    let stack = begun.await?;
    stacks.remove_change_sets(&stack.id).await?;
    stacks.wake(&stack.id);
    Ok(())
}

/// Begins to delete a stack.
///
/// # Errors
/// The store's.
pub async fn delete(
    stacks: &Stacks,
    stack: &Stack,
    deployer: Principal,
    retained: BTreeSet<String>,
    client_request_token: Option<String>,
) -> Result<(), Error> {
    let number = stack.operations + 1;
    let operation = Operation {
        number,
        template: None,
        former_template: stack.template,
        former: None,
        on_failure: OnFailure::Rollback,
        deployer,
        client_request_token: client_request_token.clone(),
        cancelled: false,
        retained,
    };
    let begun = stacks.change(&stack.id, Tell::State { client_request_token }, |stack| {
        stack.status = StackStatus::DeleteInProgress;
        stack.status_reason = Some("User Initiated".into());
        stack.operation = Some(operation.clone());
        stack.operations = number;
        Ok(())
    });
    let stack = begun.await?;
    stacks.wake(&stack.id);
    Ok(())
}

/// Tells whether an operation with this token was begun already: then it is not begun again.
pub fn is_repeated(stack: &Stack, client_request_token: Option<&str>) -> bool {
    let last = stack.operation.as_ref().and_then(|operation| operation.client_request_token.as_deref());
    client_request_token.is_some() && last == client_request_token
}
