//! Types of services that are passed on: their things are made in the real one, with the operator's key.

pub mod queue;
pub mod table;

use serde_json::Value;

use super::Site;
use crate::forward::{Forward, NotDone};
use crate::http::error::Error;
use crate::http::forward::check_allowed;

/// Asks a service that speaks AWS's JSON protocol, if the deployer may. What it says against the request is an error
/// with its words.
async fn ask(site: &Site, service: Service, operation: &str, body: &Value) -> Result<Value, Error> {
    let forward = found(site, service)?;
    let target = format!("{}.{operation}", service.target);
    let (parts, ()) = http::Request::post("/")
        .header("x-amz-target", &target)
        .body(())
        .expect("names of operations are header values")
        .into_parts();
    check_allowed(&site.services, &site.principal, service.name, &parts, Some(body.to_string().as_bytes()))?;
    forward.ask(&target, body).await.map_err(|error| match error {
        NotDone::Refused { code, message, .. }
            if ["NotFound", "NonExistentQueue", "QueueDoesNotExist"].iter().any(|end| code.contains(end)) =>
        {
            Error::not_found(message)
        }
        NotDone::Refused { code, message, status } => Error::validation(format!(
            "{message} (Service: {}, Status Code: {status}, Error Code: {code})",
            service.name
        )),
        NotDone::Unreachable(error) => {
            let error = anyhow::Error::from(error);
            Error::validation(format!(
                "`{}` is passed on to a service that could not be asked: {error:#}",
                service.name
            ))
        }
    })
}

fn found(site: &Site, service: Service) -> Result<&Forward, Error> {
    site.services.forwards.find(service.name).ok_or_else(|| {
        Error::validation(format!(
            "`{0}` is not passed on to a real service any more: put the table [forward.{0}] back into the configuration file",
            service.name
        ))
    })
}

/// A service, by the name that it is passed on by and the one that its API has in requests.
#[derive(Clone, Copy)]
struct Service {
    name: &'static str,
    target: &'static str,
}

/// Refuses an update of properties that cannot be changed here.
fn check_unchanged(former: &Value, properties: &Value, changeable: &[&str]) -> Result<(), Error> {
    let names = [former, properties].into_iter().filter_map(Value::as_object).flat_map(|members| members.keys());
    let mut fixed = names.filter(|name| !changeable.contains(&name.as_str()));
    match fixed.find(|name| former[name.as_str()] != properties[name.as_str()]) {
        Some(name) => Err(Error::validation(format!(
            "Everstep does not change {name} of a thing that is there: give it another name, so that it is replaced, or change it in the service itself"
        ))),
        None => Ok(()),
    }
}
