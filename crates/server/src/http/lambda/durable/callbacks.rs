//! `SendDurableExecutionCallbackSuccess`, `…Failure` and `…Heartbeat`: the holder of a callback id reports.

use std::sync::Arc;

use everstep_core::command::CallbackCompletion;
use everstep_core::{Command, ErrorObject, Intake, Rejection, RejectionKind};
use everstep_engine::{Engine, Error as EngineError};
use serde_json::json;

use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Completes a callback with a result: the body as it is.
pub async fn succeed(engine: &Arc<Engine>, request: &Request) -> Result<Response, Error> {
    let mut intake = Intake::default();
    let result = match std::str::from_utf8(&request.body) {
        Ok("") => None,
        Ok(text) => Some(intake.payload(text)),
        Err(_) => return Err(Error::invalid_parameter("The callback result must be UTF-8 text.")),
    };
    complete(engine, request, CallbackCompletion::Succeed(result), intake).await
}

/// Completes a callback with an error.
pub async fn fail(engine: &Arc<Engine>, request: &Request) -> Result<Response, Error> {
    let error: ErrorObject = request.json()?;
    let mut intake = Intake::default();
    let completion = CallbackCompletion::Fail(intake.error(&error));
    complete(engine, request, completion, intake).await
}

/// Says that the holder is still at it.
pub async fn heartbeat(engine: &Arc<Engine>, request: &Request) -> Result<Response, Error> {
    complete(engine, request, CallbackCompletion::Heartbeat, Intake::default()).await
}

async fn complete(
    engine: &Arc<Engine>,
    request: &Request,
    completion: CallbackCompletion,
    intake: Intake,
) -> Result<Response, Error> {
    let callback = engine
        .keys()
        .open_callback(request.parameter(0))
        .ok_or_else(|| Error::invalid_parameter("Invalid callback id"))?;
    let command = Command::CompleteCallback { operation: callback.operation, completion };
    match engine.submit(callback.execution, command, intake.into_texts()).await {
        // The execution was forgotten, and its callbacks with it.
        Err(EngineError::Rejected(rejection)) if rejection.kind == RejectionKind::NotFound => {
            Err(Rejection::callback_closed().into())
        }
        other => other.map(|_| Response::json(200, &json!({}))).map_err(Into::into),
    }
}
