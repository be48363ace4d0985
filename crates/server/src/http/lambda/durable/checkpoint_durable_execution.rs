//! `CheckpointDurableExecution`: the handler reports progress.

use std::sync::Arc;

use async_trait::async_trait;
use everstep_api::checkpoint::{CheckpointRequest, CheckpointResponse, ValidUpdate};
use everstep_core::command::OperationUpdate;
use everstep_core::id::ExecutionArn;
use everstep_core::{ErrorObject, Intake, Rejection};
use everstep_engine::{Engine, Functions as _, Resolved};

use crate::http::Services;
use crate::http::authorize::allowed;
use crate::http::error::Error;
use crate::http::lambda::invocation;
use crate::http::request::{Request, Response};

/// Finds what a handler means by the name of a function that it wants to be invoked.
#[async_trait]
pub trait Targets: Sync {
    /// Returns what the name stands for, if the handler may invoke that.
    async fn find(&self, name: &str) -> Resolved;
}

/// The functions of this server, as far as the sender of a request may invoke them.
pub struct Permitted<'a> {
    /// What there is.
    pub services: &'a Services,
    /// Who asks.
    pub request: &'a Request,
}

#[async_trait]
impl Targets for Permitted<'_> {
    async fn find(&self, name: &str) -> Resolved {
        match may_invoke(self.services, self.request, name).await {
            Ok(()) => self.services.runner.resolve(name).await,
            Err(sentence) => Resolved::Refused(ErrorObject::new("AccessDeniedException", sentence)),
        }
    }
}

/// Takes a checkpoint.
pub async fn handle(engine: &Arc<Engine>, targets: &dyn Targets, request: &Request) -> Result<Response, Error> {
    let mut intake = Intake::default();
    let checkpoint = request.json::<CheckpointRequest>()?.validate(&mut intake).map_err(Error::validation)?;
    let stale = || Error::from(Rejection::checkpoint_token());
    let arn: ExecutionArn = request.parameter(0).parse().map_err(|_| stale())?;
    let token = engine.keys().open_checkpoint(&checkpoint.checkpoint_token).ok_or_else(stale)?;
    if token.execution.to_string() != arn.id {
        return Err(Error::invalid_parameter("Checkpoint token is not valid for the durable execution ARN"));
    }
    let mut updates = Vec::with_capacity(checkpoint.updates.len());
    for update in checkpoint.updates {
        updates.push(resolved(targets, update).await);
    }
    let answer = engine.checkpoint(token, checkpoint.client_token, updates, intake.into_texts()).await?;
    Ok(Response::json(200, &CheckpointResponse::new(answer.token, &answer.operations, &answer.texts)))
}

/// Finds what an update wants to be invoked, so that the decision can name it.
async fn resolved(targets: &dyn Targets, update: ValidUpdate) -> OperationUpdate {
    let Some(function) = update.chained_function() else { return update.aimed_at(None) };
    let found = targets.find(function).await;
    update.aimed_at(Some(found.into_target()))
}

/// A chained invoke needs what an invocation by the function itself would: its role must allow it, or the policy of the other.
async fn may_invoke(services: &Services, request: &Request, name: &str) -> Result<(), String> {
    // What is no name of a function is refused for that.
    let Ok(need) = invocation(services, name).await else { return Ok(()) };
    allowed(services, &request.principal, Some(request), &need)
}
