//! The durable clock: what time it is, and moving it forward on a server for development.

use std::time::Duration;

use everstep_api::timestamp::seconds;
use everstep_engine::NextWakeUp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::NotMoved;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct AdvanceClock {
    seconds: Option<u64>,
}

/// Tells the time.
pub fn get(services: &Services) -> Response {
    Response::json(200, &shape(services))
}

/// Moves the clock forward by so many seconds.
pub async fn advance(services: &Services, request: &Request) -> Result<Response, Error> {
    let AdvanceClock { seconds } = request.json()?;
    let seconds = seconds.ok_or_else(|| Error::missing("seconds"))?;
    services.clock.advance(Duration::from_secs(seconds)).await.map_err(refused)?;
    Ok(get(services))
}

/// Moves the clock to the next wake-up of an execution that sleeps.
pub async fn next(services: &Services) -> Result<Response, Error> {
    if !services.clock.is_movable() {
        return Err(refused(NotMoved::Fixed));
    }
    let mut wake_up = services.engine.next_wake_up().await?;
    if let Some(engine) = &services.sam_local {
        wake_up = wake_up.or_sooner(engine.next_wake_up().await?);
    }
    let (at, execution) = match wake_up {
        NextWakeUp::At { at, execution } => (at, execution),
        NextWakeUp::AtWork(Some(id)) => {
            return Err(Error::conflict(format!("Execution {id} is at work: wait until it sleeps.")));
        }
        NextWakeUp::AtWork(None) => {
            return Err(Error::conflict("A function is at work: wait until it is done."));
        }
        NextWakeUp::Nothing => return Err(Error::conflict("No execution sleeps: there is nothing to wake up.")),
    };
    let left = at.millis_since(services.clock.clock().now());
    services.clock.advance(Duration::from_millis(left)).await.map_err(refused)?;
    let mut shape = shape(services);
    if let Some(execution) = execution {
        shape["DurableExecutionArn"] = execution.start_facts().arn().to_string().into();
    }
    shape["WakeUpTimestamp"] = seconds(at).into();
    Ok(Response::json(200, &shape))
}

fn shape(services: &Services) -> Value {
    let clock = services.clock.clock();
    json!({
        "Now": seconds(clock.now()),
        "AheadSeconds": clock.ahead().as_secs_f64(),
        "Movable": services.clock.is_movable(),
    })
}

fn refused(error: NotMoved) -> Error {
    match error {
        NotMoved::Fixed => Error::access_denied(
            "The clock of this server cannot be moved: start it with `everstep dev`, or with `serve --movable-clock`.",
        ),
        NotMoved::TooFar => Error::invalid_parameter("The clock would be more than a hundred years ahead."),
        NotMoved::Store(error) => error.into(),
    }
}
