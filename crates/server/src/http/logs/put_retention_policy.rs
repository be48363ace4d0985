//! `PutRetentionPolicy`: how long the events of a group are kept.

use everstep_api::validation::Violations;
use serde::Deserialize;

use super::group;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// For how many days events may be kept. Source: CloudWatch Logs API, `PutRetentionPolicy`.
const DAYS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PutRetentionPolicy {
    log_group_name: Option<String>,
    retention_in_days: Option<i64>,
}

/// Sets it.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let PutRetentionPolicy { log_group_name, retention_in_days } = request.json()?;
    let mut violations = Violations::default();
    let days = violations.present(retention_in_days, "retentionInDays");
    if let Some(days) = days {
        let constraint = format!("Member must satisfy enum value set: {DAYS:?}");
        violations.require(DAYS.contains(&days), days, "retentionInDays", constraint);
    }
    violations.finish().map_err(Error::logs_invalid_parameter)?;
    let name = group(services, log_group_name, None).await?;
    let now = services.engine.clock().now();
    services.log_groups.change(&name, now, |group| group.retention_days = days).await?;
    Ok(Response::empty(200))
}
