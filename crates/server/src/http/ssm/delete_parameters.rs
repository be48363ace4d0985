//! `DeleteParameter` and `DeleteParameters`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::get_parameters::check_number;
use super::missing;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DeleteParameters {
    name: Option<String>,
    names: Option<Vec<String>>,
}

/// Deletes a parameter with all of its versions.
pub async fn one(services: &Services, request: &Request) -> Result<Value, Error> {
    let DeleteParameters { name, .. } = request.json()?;
    let name = name.ok_or_else(|| Error::missing("name"))?;
    match services.parameters.delete(&name).await? {
        true => Ok(json!({})),
        false => Err(missing()),
    }
}

/// Deletes several, and says which were not there.
pub async fn several(services: &Services, request: &Request) -> Result<Value, Error> {
    let DeleteParameters { names, .. } = request.json()?;
    let names = names.ok_or_else(|| Error::missing("names"))?;
    check_number(&names)?;
    let (mut deleted, mut invalid) = (Vec::new(), Vec::new());
    for name in names {
        match services.parameters.delete(&name).await? {
            true => deleted.push(name),
            false => invalid.push(name),
        }
    }
    Ok(json!({"DeletedParameters": deleted, "InvalidParameters": invalid}))
}
