//! `DescribeLogGroups`: which groups there are.

use serde::Deserialize;
use serde_json::json;

use super::{group_arn, limit, open, token};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::limits::LOG_GROUPS_MAX;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DescribeLogGroups {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

/// Returns a page of groups, in the order of their names.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let DescribeLogGroups { log_group_name_prefix, log_group_name_pattern, next_token, limit: asked } =
        request.json()?;
    if log_group_name_prefix.is_some() && log_group_name_pattern.is_some() {
        return Err(Error::logs_invalid_parameter(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let limit = limit(asked, LOG_GROUPS_MAX)?;
    let after = next_token.map(|token| open(services, &token)).transpose()?;
    let mut groups = services.logs.groups(&log_group_name_prefix.unwrap_or_default()).await?;
    let pattern = log_group_name_pattern.unwrap_or_default();
    groups.retain(|group| group.contains(&pattern) && after.as_ref().is_none_or(|after| group > after));
    let more = groups.len() > limit;
    groups.truncate(limit);
    let shapes: Vec<_> = groups
        .iter()
        .map(|group| {
            let arn = group_arn(services, group);
            let mut shape = json!({"logGroupName": group, "arn": format!("{arn}:*"), "logGroupArn": arn, "logGroupClass": "STANDARD"});
            if let Some(known) = services.log_groups.find(group) {
                shape["creationTime"] = known.created_at_millis.into();
                if let Some(days) = known.retention_days {
                    shape["retentionInDays"] = days.into();
                }
            }
            shape
        })
        .collect();
    let mut shape = json!({"logGroups": shapes});
    if let Some(last) = groups.last().filter(|_| more) {
        shape["nextToken"] = token(services, last).into();
    }
    Ok(Response::json(200, &shape))
}
