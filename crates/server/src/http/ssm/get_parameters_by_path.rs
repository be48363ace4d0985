//! `GetParametersByPath`: the parameters below a path.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{limit, open, seal, shape};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::PARAMETERS_BY_PATH_MAX;
use crate::parameters::Parameter;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GetParametersByPath {
    path: Option<String>,
    recursive: bool,
    with_decryption: bool,
    max_results: Option<i64>,
    next_token: Option<String>,
}

/// Returns a page of them, in the order of their names.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: GetParametersByPath = request.json()?;
    let path = given.path.ok_or_else(|| Error::missing("path"))?;
    if !path.starts_with('/') {
        return Err(Error::validation(
            "The parameter path must begin with a slash and be fully qualified, such as /Finance/Prod.",
        ));
    }
    let limit = limit(given.max_results, PARAMETERS_BY_PATH_MAX, PARAMETERS_BY_PATH_MAX)?;
    let after = open(services, given.next_token.as_deref())?;
    let prefix = format!("{}/", path.trim_end_matches('/'));
    let wanted = |parameter: &Parameter| given.recursive || !parameter.name[prefix.len()..].contains('/');
    let (found, more) = services.parameters.list(&prefix, after.as_deref(), limit, wanted).await?;
    let shapes: Vec<Value> =
        found.iter().map(|parameter| shape(services, parameter, parameter.latest(), given.with_decryption)).collect();
    let mut answer = json!({"Parameters": shapes});
    if let Some(last) = found.last().filter(|_| more) {
        answer["NextToken"] = seal(services, &last.name);
    }
    Ok(answer)
}
