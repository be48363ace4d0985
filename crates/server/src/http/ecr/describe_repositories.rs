//! `DescribeRepositories`: which repositories are noted down.

use everstep_api::validation::Violations;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{invalid, missing, shape};
use crate::http::error::Error;
use crate::http::request::Request;
use crate::http::{Services, marker};
use crate::limits::{REPOSITORIES_LISTED_DEFAULT, REPOSITORIES_LISTED_MAX};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DescribeRepositories {
    repository_names: Vec<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// Returns those that are named, or a page of all.
pub fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let DescribeRepositories { repository_names, next_token, max_results } = request.json()?;
    let known = &services.repositories;
    if !repository_names.is_empty() {
        let found: Result<Vec<Value>, Error> = repository_names
            .iter()
            .map(|name| known.find(name).map(|found| shape(services, &found)).ok_or_else(|| missing(services, name)))
            .collect();
        return Ok(json!({"repositories": found?}));
    }
    let limit = max_results.unwrap_or(REPOSITORIES_LISTED_DEFAULT as i64);
    let mut violations = Violations::default();
    violations.range(limit, "maxResults", 1, REPOSITORIES_LISTED_MAX as i64);
    violations.finish().map_err(invalid)?;
    let now = services.engine.clock().now();
    let after = next_token.map(|token| marker::open(&token, now)).transpose();
    let after = after.map_err(|_| invalid("Invalid parameter at 'nextToken': it is garbled or too old"))?;
    let mut found = known.all();
    found.retain(|repository| after.as_ref().is_none_or(|after| repository.name > *after));
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let mut answer = json!({"repositories": found.iter().map(|found| shape(services, found)).collect::<Value>()});
    if let Some(last) = found.last().filter(|_| more) {
        answer["nextToken"] = marker::seal(&last.name, now).into();
    }
    Ok(answer)
}
