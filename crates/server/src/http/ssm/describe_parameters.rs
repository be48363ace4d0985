//! `DescribeParameters`: which parameters there are, without their values.

use everstep_api::timestamp::seconds;
use everstep_core::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{limit, open, seal};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::PARAMETERS_LISTED_MAX;
use crate::parameters::Parameter;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DescribeParameters {
    parameter_filters: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Filter {
    key: String,
    option: Option<String>,
    values: Vec<String>,
}

impl Filter {
    fn check(&self) -> Result<(), Error> {
        let known = ["Name", "Path", "Type", "Tier", "KeyId", "DataType"].contains(&self.key.as_str());
        if !known && !self.key.starts_with("tag:") {
            return Err(Error::named(400, "InvalidFilterKey", format!("The filter key {} is not valid.", self.key)));
        }
        let options: &[&str] = match self.key.as_str() {
            "Path" => &["Recursive", "OneLevel"],
            "Name" => &["Equals", "BeginsWith", "Contains"],
            _ => &["Equals", "BeginsWith"],
        };
        match &self.option {
            Some(option) if !options.contains(&option.as_str()) => Err(Error::named(
                400,
                "InvalidFilterOption",
                format!(
                    "The filter option {option} is not valid for {}. Valid options include: {options:?}.",
                    self.key
                ),
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn takes(&self, parameter: &Parameter) -> bool {
        let value = match self.key.as_str() {
            "Name" | "Path" => Some(parameter.name.as_str()),
            "Type" => Some(parameter.latest().kind.as_str()),
            "Tier" => Some(parameter.tier.as_str()),
            "KeyId" => parameter.key_id.as_deref(),
            "DataType" => Some(parameter.data_type.as_str()),
            key => parameter.tags.get(&key["tag:".len()..]).map(String::as_str),
        };
        let Some(value) = value else { return false };
        if self.values.is_empty() {
            return true;
        }
        self.values.iter().any(|wanted| match (self.key.as_str(), self.option.as_deref()) {
            ("Path", option) => {
                let below = value.strip_prefix(wanted.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
                below.is_some_and(|rest| option == Some("Recursive") || !rest.contains('/'))
            }
            (_, Some("BeginsWith")) => value.starts_with(wanted.as_str()),
            (_, Some("Contains")) => value.contains(wanted.as_str()),
            (_, _) => value == wanted,
        })
    }
}

/// Returns a page of them, in the order of their names.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: DescribeParameters = request.json()?;
    given.parameter_filters.iter().try_for_each(Filter::check)?;
    let limit = limit(given.max_results, PARAMETERS_LISTED_MAX, PARAMETERS_LISTED_MAX)?;
    let after = open(services, given.next_token.as_deref())?;
    let wanted = |parameter: &Parameter| given.parameter_filters.iter().all(|filter| filter.takes(parameter));
    let (found, more) = services.parameters.list("", after.as_deref(), limit, wanted).await?;
    let shapes: Vec<Value> = found.iter().map(|parameter| shape(services, parameter)).collect();
    let mut answer = json!({"Parameters": shapes});
    if let Some(last) = found.last().filter(|_| more) {
        answer["NextToken"] = seal(services, &last.name);
    }
    Ok(answer)
}

fn shape(services: &Services, parameter: &Parameter) -> Value {
    let latest = parameter.latest();
    let mut shape = json!({
        "Name": parameter.name,
        "ARN": services.parameters.arn(&parameter.name),
        "Type": latest.kind,
        "LastModifiedDate": seconds(Timestamp::from_millis(latest.modified_at_millis)),
        "LastModifiedUser": latest.modified_by,
        "Version": latest.number,
        "Tier": parameter.tier,
        "Policies": [],
        "DataType": parameter.data_type,
    });
    if let Some(description) = &latest.description {
        shape["Description"] = description.as_str().into();
    }
    if let Some(key_id) = &parameter.key_id {
        shape["KeyId"] = key_id.as_str().into();
    }
    shape
}
