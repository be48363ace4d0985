//! `SendDurableExecutionCallbackSuccess`, `…Failure` and `…Heartbeat`: the holder of a callback id reports.

use everstep_core::command::CallbackCompletion;
use everstep_core::{Command, ErrorObject, Intake, Rejection, RejectionKind};
use everstep_engine::Error as EngineError;
use serde_json::json;

use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Completes a callback with a result: the body as it is.
pub async fn succeed(services: &Services, request: &Request) -> Result<Response, Error> {
    let mut intake = Intake::default();
    let result = match std::str::from_utf8(&request.body) {
        Ok("") => None,
        Ok(text) => Some(intake.payload(text)),
        Err(_) => return Err(Error::invalid_parameter("The callback result must be UTF-8 text.")),
    };
    complete(services, request, CallbackCompletion::Succeed(result), intake).await
}

/// Completes a callback with an error.
pub async fn fail(services: &Services, request: &Request) -> Result<Response, Error> {
    let error: ErrorObject = request.json()?;
    let mut intake = Intake::default();
    let completion = CallbackCompletion::Fail(intake.error(&error));
    complete(services, request, completion, intake).await
}

/// Says that the holder is still at it.
pub async fn heartbeat(services: &Services, request: &Request) -> Result<Response, Error> {
    complete(services, request, CallbackCompletion::Heartbeat, Intake::default()).await
}

async fn complete(
    services: &Services,
    request: &Request,
    completion: CallbackCompletion,
    intake: Intake,
) -> Result<Response, Error> {
    let callback = services
        .engine
        .keys()
        .open_callback(request.parameter(0))
        .ok_or_else(|| Error::invalid_parameter("Invalid callback id"))?;
    let command = Command::CompleteCallback { operation: callback.operation, completion };
    match services.engine.submit(callback.execution, command, intake.into_texts()).await {
        // The execution was forgotten, and its callbacks with it.
        Err(EngineError::Rejected(rejection)) if rejection.kind == RejectionKind::NotFound => {
            Err(Rejection::callback_closed().into())
        }
        other => other.map(|_| Response::json(200, &json!({}))).map_err(Into::into),
    }
}
