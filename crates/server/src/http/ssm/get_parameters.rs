//! `GetParameter` and `GetParameters`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{missing, shape, split};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::PARAMETERS_NAMED_MAX;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GetParameters {
    name: Option<String>,
    names: Option<Vec<String>>,
    with_decryption: bool,
}

/// Returns a parameter, or a version of it.
pub async fn one(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: GetParameters = request.json()?;
    let name = given.name.ok_or_else(|| Error::missing("name"))?;
    let found = find(services, &name, given.with_decryption).await?;
    Ok(json!({"Parameter": found?}))
}

/// Returns several, and the names of those that are not there.
pub async fn several(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: GetParameters = request.json()?;
    let names = given.names.ok_or_else(|| Error::missing("names"))?;
    check_number(&names)?;
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in names {
        match find(services, &name, given.with_decryption).await? {
            Ok(shape) => found.push(shape),
            Err(_) => invalid.push(name),
        }
    }
    Ok(json!({"Parameters": found, "InvalidParameters": invalid}))
}

/// Checks how many are named.
pub(super) fn check_number(names: &[String]) -> Result<(), Error> {
    if names.is_empty() || names.len() > PARAMETERS_NAMED_MAX {
        return Err(Error::validation(format!(
            "1 validation error detected: Value '[{}]' at 'names' failed to satisfy constraint: Member must have length less than or equal to {PARAMETERS_NAMED_MAX}, and greater than or equal to 1",
            names.join(", ").chars().take(100).collect::<String>()
        )));
    }
    Ok(())
}

async fn find(services: &Services, text: &str, decrypt: bool) -> Result<Result<Value, Error>, Error> {
    let name = services.parameters.name_of(text);
    let (name, selector) = split(&name);
    let Some(parameter) = services.parameters.find(name).await? else { return Ok(Err(missing())) };
    let Some(selector) = selector else { return Ok(Ok(shape(services, &parameter, parameter.latest(), decrypt))) };
    let Some(version) = parameter.version(selector) else {
        let message =
            format!("Systems Manager could not find version {selector} of {name}. Verify the version and try again.");
        return Ok(Err(Error::named(400, "ParameterVersionNotFound", message)));
    };
    let mut shape = shape(services, &parameter, version, decrypt);
    shape["Selector"] = format!(":{selector}").into();
    Ok(Ok(shape))
}
