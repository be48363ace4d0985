//! `CheckpointDurableExecution`: the handler reports progress.

use std::sync::Arc;

use async_trait::async_trait;
use everstep_api::checkpoint::{CheckpointRequest, CheckpointResponse, NewExecutionState, ValidUpdate};
use everstep_api::operation::operation;
use everstep_api::timestamp::TimeFormat;
use everstep_core::command::{ChainedInvokeOptions, OperationUpdate};
use everstep_core::id::ExecutionArn;
use everstep_core::operation::chained_invoke::{Child, Target};
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
    let operations = answer.operations.iter().map(|changed| {
        let shape = operation(changed, &answer.texts, TimeFormat::Seconds);
        serde_json::value::to_raw_value(&shape).expect("shapes serialise")
    });
    let new_execution_state = NewExecutionState { operations: operations.collect() };
    Ok(Response::json(200, &CheckpointResponse { checkpoint_token: answer.token, new_execution_state }))
}

/// Finds what an update wants to be invoked, so that the decision can name it.
async fn resolved(targets: &dyn Targets, update: ValidUpdate) -> OperationUpdate {
    let ValidUpdate { mut update, chained } = update;
    let Some(chained) = chained else { return update };
    let target = match targets.find(&chained.function_name).await {
        Resolved::Durable { place, function, version, execution_timeout_seconds, retention_days } => {
            Target::Durable(Child {
                place,
                function,
                version,
                name: everstep_engine::new_execution_id().to_string().parse().expect("a UUID is an execution name"),
                id: everstep_engine::new_execution_id(),
                execution_timeout_seconds,
                retention_days,
            })
        }
        Resolved::Plain { function, version } => Target::Plain { function, version },
        Resolved::Refused(error) => Target::Refused(error),
    };
    update.chained_invoke = Some(ChainedInvokeOptions {
        function_name: chained.function_name.into(),
        tenant_id: chained.tenant_id,
        trace_id: chained.trace_id,
        target,
    });
    update
}

/// A chained invoke needs what an invocation by the function itself would: its role must allow it, or the policy of the other.
async fn may_invoke(services: &Services, request: &Request, name: &str) -> Result<(), String> {
    // What is no name of a function is refused for that.
    let Ok(need) = invocation(services, name).await else { return Ok(()) };
    allowed(services, &request.principal, Some(request), &need)
}
