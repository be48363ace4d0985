//! `CheckpointDurableExecution`: the handler reports progress.

use everstep_api::checkpoint::{CheckpointRequest, CheckpointResponse, NewExecutionState, ValidUpdate};
use everstep_api::operation::operation;
use everstep_api::timestamp::TimeFormat;
use everstep_core::command::{ChainedInvokeOptions, OperationUpdate};
use everstep_core::id::ExecutionArn;
use everstep_core::operation::chained_invoke::{Child, Target};
use everstep_core::{ErrorObject, Intake, Rejection};
use everstep_engine::{Functions as _, Resolved};

use crate::http::Services;
use crate::http::authorize::allowed;
use crate::http::error::Error;
use crate::http::lambda::invocation;
use crate::http::request::{Request, Response};

/// Takes a checkpoint.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let mut intake = Intake::default();
    let checkpoint = request.json::<CheckpointRequest>()?.validate(&mut intake).map_err(Error::validation)?;
    let stale = || Error::from(Rejection::checkpoint_token());
    let arn: ExecutionArn = request.parameter(0).parse().map_err(|_| stale())?;
    let token = services.engine.keys().open_checkpoint(&checkpoint.checkpoint_token).ok_or_else(stale)?;
    if token.execution.to_string() != arn.id {
        return Err(Error::invalid_parameter("Checkpoint token is not valid for the durable execution ARN"));
    }
    let mut updates = Vec::with_capacity(checkpoint.updates.len());
    for update in checkpoint.updates {
        updates.push(resolved(services, request, update).await);
    }
    let answer = services.engine.checkpoint(token, checkpoint.client_token, updates, intake.into_texts()).await?;
    let operations = answer.operations.iter().map(|changed| {
        let shape = operation(changed, &answer.texts, TimeFormat::Seconds);
        serde_json::value::to_raw_value(&shape).expect("shapes serialise")
    });
    let new_execution_state = NewExecutionState { operations: operations.collect() };
    Ok(Response::json(200, &CheckpointResponse { checkpoint_token: answer.token, new_execution_state }))
}

/// Finds what an update wants to be invoked, so that the decision can name it.
async fn resolved(services: &Services, request: &Request, update: ValidUpdate) -> OperationUpdate {
    let ValidUpdate { mut update, chained } = update;
    let Some(chained) = chained else { return update };
    let found = match may_invoke(services, request, &chained.function_name).await {
        Ok(()) => services.runner.resolve(&chained.function_name).await,
        Err(sentence) => Resolved::Refused(ErrorObject::new("AccessDeniedException", sentence)),
    };
    let target = match found {
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
