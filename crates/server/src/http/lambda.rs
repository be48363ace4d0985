//! The service `lambda`: AWS's Lambda API, as far as it is served.

pub mod durable;
mod function;
mod layer;
mod needs;
mod route;

use std::pin::Pin;

use super::Services;
use super::error::Error;
use super::request::{Request, Response};
pub use function::invoke::{plain_invocation, run_durable, start_or_find};
pub use needs::{invocation, needs, policy};
pub use route::{NoRoute, Operation, Route, route};

/// Carries out an operation.
pub async fn serve(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    dispatch(services, operation, request).await
}

/// Finds what carries out an operation. Each is on the heap by itself, so that a request takes up and moves only what
/// its own operation needs.
fn dispatch<'a>(
    services: &'a Services,
    operation: Operation,
    request: &'a Request,
) -> Pin<Box<dyn Future<Output = Result<Response, Error>> + Send + 'a>> {
    let engine = &services.engine;
    match operation {
        Operation::CreateFunction => Box::pin(function::create_function::handle(services, request)),
        Operation::ListFunctions => Box::pin(function::list_functions::handle(services, request)),
        Operation::GetFunction => Box::pin(function::get_function::handle(services, request)),
        Operation::DeleteFunction => Box::pin(function::delete_function::handle(services, request)),
        Operation::GetFunctionConfiguration => {
            Box::pin(function::get_function_configuration::handle(services, request))
        }
        Operation::UpdateFunctionConfiguration => {
            Box::pin(function::update_function_configuration::handle(services, request))
        }
        Operation::UpdateFunctionCode => Box::pin(function::update_function_code::handle(services, request)),
        Operation::PublishVersion => Box::pin(function::publish_version::handle(services, request)),
        Operation::ListVersionsByFunction => Box::pin(function::list_versions_by_function::handle(services, request)),
        Operation::CreateAlias => Box::pin(function::aliases::create(services, request)),
        Operation::ListAliases => Box::pin(function::aliases::list(services, request)),
        Operation::GetAlias => Box::pin(function::aliases::get(services, request)),
        Operation::UpdateAlias => Box::pin(function::aliases::update(services, request)),
        Operation::DeleteAlias => Box::pin(function::aliases::delete(services, request)),
        Operation::AddPermission => Box::pin(function::permissions::add(services, request)),
        Operation::GetPolicy => Box::pin(function::permissions::get(services, request)),
        Operation::RemovePermission => Box::pin(function::permissions::remove(services, request)),
        Operation::TagResource => Box::pin(function::tags::tag(services, request)),
        Operation::UntagResource => Box::pin(function::tags::untag(services, request)),
        Operation::ListTags => Box::pin(function::tags::list(services, request)),
        Operation::GetAccountSettings => Box::pin(function::get_account_settings::handle(services, request)),
        Operation::PutFunctionEventInvokeConfig => Box::pin(function::event_invoke_configs::put(services, request)),
        Operation::UpdateFunctionEventInvokeConfig => {
            Box::pin(function::event_invoke_configs::update(services, request))
        }
        Operation::GetFunctionEventInvokeConfig => Box::pin(function::event_invoke_configs::get(services, request)),
        Operation::DeleteFunctionEventInvokeConfig => {
            Box::pin(function::event_invoke_configs::delete(services, request))
        }
        Operation::ListFunctionEventInvokeConfigs => Box::pin(function::event_invoke_configs::list(services, request)),
        Operation::PutFunctionConcurrency => Box::pin(function::concurrency::put(services, request)),
        Operation::GetFunctionConcurrency => Box::pin(function::concurrency::get(services, request)),
        Operation::DeleteFunctionConcurrency => Box::pin(function::concurrency::delete(services, request)),
        Operation::CreateFunctionUrlConfig => Box::pin(function::url_configs::create(services, request)),
        Operation::GetFunctionUrlConfig => Box::pin(function::url_configs::get(services, request)),
        Operation::UpdateFunctionUrlConfig => Box::pin(function::url_configs::update(services, request)),
        Operation::DeleteFunctionUrlConfig => Box::pin(function::url_configs::delete(services, request)),
        Operation::ListFunctionUrlConfigs => Box::pin(function::url_configs::list(services, request)),
        Operation::PublishLayerVersion => Box::pin(layer::publish_layer_version::handle(services, request)),
        Operation::GetLayerVersion => Box::pin(layer::get_layer_version::handle(services, request)),
        // One path, two operations: that is how the model has it.
        Operation::ListLayers if request.query("find") == Some("LayerVersion") => {
            Box::pin(layer::get_layer_version_by_arn::handle(services, request))
        }
        Operation::ListLayers => Box::pin(layer::list_layers::handle(services, request)),
        Operation::ListLayerVersions => Box::pin(layer::list_layer_versions::handle(services, request)),
        Operation::DeleteLayerVersion => Box::pin(layer::delete_layer_version::handle(services, request)),
        Operation::AddLayerVersionPermission => Box::pin(layer::permissions::add(services, request)),
        Operation::GetLayerVersionPolicy => Box::pin(layer::permissions::get(services, request)),
        Operation::RemoveLayerVersionPermission => Box::pin(layer::permissions::remove(services, request)),
        Operation::Invoke => Box::pin(function::invoke::handle(services, request)),
        Operation::InvokeWithResponseStream => {
            Box::pin(function::invoke_with_response_stream::handle(services, request))
        }
        Operation::ListDurableExecutionsByFunction => {
            Box::pin(durable::list_durable_executions_by_function::handle(services, request))
        }
        Operation::CheckpointDurableExecution => Box::pin(checkpoint(services, request)),
        Operation::GetDurableExecutionState => Box::pin(durable::get_durable_execution_state::handle(engine, request)),
        Operation::GetDurableExecutionHistory => {
            Box::pin(durable::get_durable_execution_history::handle(engine, request))
        }
        Operation::StopDurableExecution => Box::pin(durable::stop_durable_execution::handle(engine, request)),
        Operation::PauseDurableExecution => Box::pin(durable::pause_durable_execution::handle(engine, request)),
        Operation::ResumeDurableExecution => Box::pin(durable::resume_durable_execution::handle(engine, request)),
        Operation::GetDurableExecution => Box::pin(durable::get_durable_execution::handle(engine, request)),
        Operation::DeleteDurableExecution => Box::pin(durable::delete_durable_execution::handle(engine, request)),
        Operation::SendDurableExecutionCallbackSuccess => Box::pin(durable::callbacks::succeed(engine, request)),
        Operation::SendDurableExecutionCallbackFailure => Box::pin(durable::callbacks::fail(engine, request)),
        Operation::SendDurableExecutionCallbackHeartbeat => Box::pin(durable::callbacks::heartbeat(engine, request)),
    }
}

async fn checkpoint(services: &Services, request: &Request) -> Result<Response, Error> {
    let targets = durable::checkpoint_durable_execution::Permitted { services, request };
    durable::checkpoint_durable_execution::handle(&services.engine, &targets, request).await
}
