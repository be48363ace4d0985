//! A durable function as a service of AWS's crate `lambda_runtime`, for those who put layers of tower around it, or run
//! it with what else that crate has. [`run`](crate::run) needs none of this.

use std::sync::Arc;

use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::Value;

use crate::function::{Function, IntoFunction, LambdaInvocation};
use crate::runtime::{RunError, deadline_of};
use crate::service::Service;

/// Makes a durable function a service of `lambda_runtime` (feature `lambda_runtime`).
///
/// ```no_run
/// use everstep::{Context, Result};
///
/// async fn greet(name: String, mut ctx: Context) -> Result<String> {
///     Ok(ctx.step("greet", async |_| Ok(format!("Hello, {name}!"))).await?)
/// }
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), lambda_runtime::Error> {
///     lambda_runtime::run(everstep::service(greet)?).await
/// }
/// ```
///
/// # Errors
/// If the process is not a Lambda function's.
pub fn service<M>(
    function: impl IntoFunction<M>,
) -> Result<
    impl lambda_runtime::Service<
        LambdaEvent<Value>,
        Response = Value,
        Error = Diagnostic,
        Future = impl Future<Output = Result<Value, Diagnostic>> + Send,
    > + Clone
    + Send,
    RunError,
> {
    let function = function.into_function();
    let service = function.service().map_err(RunError::environment)?;
    Ok(over(function, service))
}

fn over(
    function: Function,
    api: Arc<dyn Service>,
) -> impl lambda_runtime::Service<
    LambdaEvent<Value>,
    Response = Value,
    Error = Diagnostic,
    Future = impl Future<Output = Result<Value, Diagnostic>> + Send,
> + Clone
+ Send {
    lambda_runtime::service_fn(move |event: LambdaEvent<Value>| {
        let (function, api) = (function.clone(), Arc::clone(&api));
        async move {
            let (event, context) = event.into_parts();
            let invocation = LambdaInvocation {
                request_id: context.request_id,
                deadline: deadline_of(context.deadline),
                trace_id: context.xray_trace_id,
                tenant_id: context.tenant_id,
                #[cfg(feature = "test")]
                witness: Arc::default(),
            };
            match function.invoke(api.as_ref(), invocation, event.to_string().as_bytes()).await {
                Ok(answer) => Ok(serde_json::to_value(answer).expect("shapes serialise")),
                Err(thrown) => {
                    Err(Diagnostic { error_type: thrown.error_type.to_owned(), error_message: thrown.message })
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use lambda_runtime::Service as _;
    use serde_json::json;

    use super::*;
    use crate::context::Context;
    use crate::error::Result;
    use crate::service::ServiceFuture;
    use crate::wire::{CheckpointRequest, CheckpointResponse, Page};

    /// A service that a handler without operations does not need.
    struct Nobody;

    impl Service for Nobody {
        fn checkpoint<'a>(&'a self, _: &'a str, _: &'a CheckpointRequest) -> ServiceFuture<'a, CheckpointResponse> {
            unreachable!("nothing is to be told")
        }

        fn state<'a>(&'a self, _: &'a str, _: &'a str, _: &'a str) -> ServiceFuture<'a, Page> {
            unreachable!("nothing is to be asked for")
        }
    }

    async fn double(number: u32, _: Context) -> Result<u32> {
        Ok(number * 2)
    }

    async fn answer(event: Value) -> Result<Value, Diagnostic> {
        let context = lambda_runtime::Context::default();
        over(Function::new(double), Arc::new(Nobody)).call(LambdaEvent::new(event, context)).await
    }

    #[tokio::test]
    async fn an_event_is_answered() {
        let execution = json!({
            "Id": "e", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1_000,
            "ExecutionDetails": {"InputPayload": "21"},
        });
        let event = json!({
            "DurableExecutionArn": "arn", "CheckpointToken": "token",
            "InitialExecutionState": {"Operations": [execution], "NextMarker": ""},
        });
        assert_eq!(answer(event).await, Ok(json!({"Status": "SUCCEEDED", "Result": "42"})));
    }

    #[tokio::test]
    async fn an_event_that_is_none_is_thrown() {
        let error = answer(json!(21)).await.unwrap_err();
        assert_eq!(error.error_type, "InvalidDurableEvent");
    }
}
