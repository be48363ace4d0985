//! The service `lambda`: AWS's Lambda API, as far as it is served.

mod durable;
mod function;
mod route;

use super::Services;
use super::error::Error;
use super::request::{Request, Response};
use crate::access::Principal;
pub use route::{NoRoute, Operation, Route, route};

/// Carries out an operation, if its sender may ask for it.
pub async fn serve(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    authorize(services, operation, request)?;
    dispatch(services, operation, request).await
}

/// A function process may report on the execution it runs, and nothing else.
fn authorize(services: &Services, operation: Operation, request: &Request) -> Result<(), Error> {
    let Principal::Process { function, execution } = &request.principal else { return Ok(()) };
    let parameters = &request.parameters;
    let own = match operation {
        Operation::CheckpointDurableExecution | Operation::GetDurableExecutionState => {
            let arn = parameters[0].parse::<everstep_core::id::ExecutionArn>();
            arn.is_ok_and(|arn| execution.is_some_and(|execution| execution.to_string() == arn.id))
        }
        _ => false,
    };
    if own {
        return Ok(());
    }
    let resource = parameters.first().map_or("*", String::as_str);
    Err(services.denied(function, "lambda", operation.name(), resource))
}

async fn dispatch(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    match operation {
        Operation::CreateFunction => function::create_function::handle(services, request).await,
        Operation::ListFunctions => function::list_functions::handle(services, request).await,
        Operation::GetFunction => function::get_function::handle(services, request).await,
        Operation::DeleteFunction => function::delete_function::handle(services, request).await,
        Operation::GetFunctionConfiguration => function::get_function_configuration::handle(services, request).await,
        Operation::UpdateFunctionConfiguration => {
            function::update_function_configuration::handle(services, request).await
        }
        Operation::UpdateFunctionCode => function::update_function_code::handle(services, request).await,
        Operation::PublishVersion => function::publish_version::handle(services, request).await,
        Operation::ListVersionsByFunction => function::list_versions_by_function::handle(services, request).await,
        Operation::CreateAlias => function::aliases::create(services, request).await,
        Operation::ListAliases => function::aliases::list(services, request).await,
        Operation::GetAlias => function::aliases::get(services, request).await,
        Operation::UpdateAlias => function::aliases::update(services, request).await,
        Operation::DeleteAlias => function::aliases::delete(services, request).await,
        Operation::AddPermission => function::permissions::add(services, request).await,
        Operation::GetPolicy => function::permissions::get(services, request).await,
        Operation::RemovePermission => function::permissions::remove(services, request).await,
        Operation::TagResource => function::tags::tag(services, request).await,
        Operation::UntagResource => function::tags::untag(services, request).await,
        Operation::ListTags => function::tags::list(services, request).await,
        Operation::GetAccountSettings => function::get_account_settings::handle(services, request).await,
        Operation::PutFunctionEventInvokeConfig => function::event_invoke_configs::put(services, request).await,
        Operation::UpdateFunctionEventInvokeConfig => function::event_invoke_configs::update(services, request).await,
        Operation::GetFunctionEventInvokeConfig => function::event_invoke_configs::get(services, request).await,
        Operation::DeleteFunctionEventInvokeConfig => function::event_invoke_configs::delete(services, request).await,
        Operation::ListFunctionEventInvokeConfigs => function::event_invoke_configs::list(services, request).await,
        Operation::PutFunctionConcurrency => function::concurrency::put(services, request).await,
        Operation::GetFunctionConcurrency => function::concurrency::get(services, request).await,
        Operation::DeleteFunctionConcurrency => function::concurrency::delete(services, request).await,
        Operation::Invoke => function::invoke::handle(services, request).await,
        Operation::InvokeWithResponseStream => function::invoke_with_response_stream::handle(services, request).await,
        Operation::ListDurableExecutionsByFunction => {
            durable::list_durable_executions_by_function::handle(services, request).await
        }
        Operation::CheckpointDurableExecution => durable::checkpoint_durable_execution::handle(services, request).await,
        Operation::GetDurableExecutionState => durable::get_durable_execution_state::handle(services, request).await,
        Operation::GetDurableExecutionHistory => {
            durable::get_durable_execution_history::handle(services, request).await
        }
        Operation::StopDurableExecution => durable::stop_durable_execution::handle(services, request).await,
        Operation::PauseDurableExecution => durable::pause_durable_execution::handle(services, request).await,
        Operation::ResumeDurableExecution => durable::resume_durable_execution::handle(services, request).await,
        Operation::GetDurableExecution => durable::get_durable_execution::handle(services, request).await,
        Operation::DeleteDurableExecution => durable::delete_durable_execution::handle(services, request).await,
        Operation::SendDurableExecutionCallbackSuccess => durable::callbacks::succeed(services, request).await,
        Operation::SendDurableExecutionCallbackFailure => durable::callbacks::fail(services, request).await,
        Operation::SendDurableExecutionCallbackHeartbeat => durable::callbacks::heartbeat(services, request).await,
    }
}
