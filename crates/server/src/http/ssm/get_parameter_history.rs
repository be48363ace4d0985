//! `GetParameterHistory`: the versions of a parameter, the oldest first.

use everstep_api::timestamp::seconds;
use everstep_core::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{limit, missing, open, seal, shape};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::PARAMETERS_LISTED_MAX;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GetParameterHistory {
    name: Option<String>,
    with_decryption: bool,
    max_results: Option<i64>,
    next_token: Option<String>,
}

/// Returns a page of versions.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: GetParameterHistory = request.json()?;
    let name = given.name.ok_or_else(|| Error::missing("name"))?;
    let limit = limit(given.max_results, PARAMETERS_LISTED_MAX, PARAMETERS_LISTED_MAX)?;
    let after = open(services, given.next_token.as_deref())?;
    let after: u64 = after.and_then(|number| number.parse().ok()).unwrap_or_default();
    let parameter = services.parameters.find(&services.parameters.name_of(&name)).await?.ok_or_else(missing)?;
    let mut rest = parameter.versions.iter().filter(|version| version.number > after);
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let more = rest.next().is_some();
    let shapes: Vec<Value> = page
        .iter()
        .map(|version| {
            let mut shape = shape(services, &parameter, version, given.with_decryption);
            shape["Labels"] = version.labels.iter().cloned().collect();
            shape["LastModifiedUser"] = version.modified_by.as_str().into();
            shape["LastModifiedDate"] = seconds(Timestamp::from_millis(version.modified_at_millis)).into();
            shape["Tier"] = parameter.tier.as_str().into();
            shape["Policies"] = json!([]);
            if let Some(description) = &version.description {
                shape["Description"] = description.as_str().into();
            }
            shape.as_object_mut().expect("it is one").remove("ARN");
            shape
        })
        .collect();
    let mut answer = json!({"Parameters": shapes});
    if let Some(last) = page.last().filter(|_| more) {
        answer["NextToken"] = seal(services, &last.number.to_string());
    }
    Ok(answer)
}
