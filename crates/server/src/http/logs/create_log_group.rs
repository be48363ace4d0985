//! `CreateLogGroup`: makes a group, before anything is printed to it.

use std::collections::BTreeMap;

use everstep_api::validation::Violations;
use serde::Deserialize;

use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::limits::LOG_GROUP_NAME_CHARACTERS_MAX;
use crate::log_groups::{self, LogGroup};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CreateLogGroup {
    log_group_name: String,
    tags: BTreeMap<String, String>,
}

/// Makes it.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let CreateLogGroup { log_group_name: name, tags } = request.json()?;
    let mut violations = Violations::default();
    violations.length(&name, "logGroupName", 1, LOG_GROUP_NAME_CHARACTERS_MAX);
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-/#".contains(character);
    let constraint = "Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+";
    violations.require(name.chars().all(allowed), &name, "logGroupName", constraint);
    violations.finish().map_err(Error::logs_invalid_parameter)?;
    let created_at_millis = services.engine.clock().now().as_millis();
    let group = LogGroup { name, created_at_millis, retention_days: None, tags };
    match services.log_groups.create(group).await {
        Ok(()) => Ok(Response::empty(200)),
        Err(log_groups::Error::Exists) => Err(Error::logs_exists("The specified log group already exists")),
        Err(log_groups::Error::TooMany) => Err(Error::logs_limit_exceeded("Resource limit exceeded.")),
        Err(log_groups::Error::Store(error)) => Err(error.into()),
    }
}
