//! The service `logs`: as much of CloudWatch Logs as is needed to read what functions print, and to say how long it is kept.
//!
//! Requests are AWS's JSON 1.1: one path, the operation in the header `X-Amz-Target`. Events come from
//! functions only.

mod create_log_group;
mod delete_log_group;
mod delete_retention_policy;
mod describe_log_groups;
mod describe_log_streams;
mod filter_log_events;
mod get_log_events;
mod pattern;
mod put_retention_policy;

use everstep_api::validation::Violations;
use everstep_core::Timestamp;
use everstep_store::LogPosition;
use serde::Deserialize;

use super::Services;
use super::authorize::Need;
use super::error::Error;
use super::marker;
use super::operation::{declare_operations, of_target};
use super::request::{Request, Response};
use crate::limits::LOG_EVENTS_MAX;

/// How the header names the API.
const TARGET: &str = "Logs_20140328.";

declare_operations! {
    "CloudWatch Logs", "logs":
    CreateLogGroup
    DeleteLogGroup
    DeleteRetentionPolicy
    DescribeLogGroups
    DescribeLogStreams
    FilterLogEvents
    GetLogEvents
    PutRetentionPolicy
}

impl Operation {
    /// Finds the operation that a target names.
    ///
    /// # Errors
    /// If it is none of this service, or none that is served.
    pub fn find(target: &str) -> Result<Self, Error> {
        let name = of_target(target, TARGET)?;
        let found = Self::ALL.iter().find(|operation| operation.name() == name).copied();
        found.ok_or_else(|| {
            let served = Self::ALL.iter().map(|operation| operation.name()).collect::<Vec<_>>().join(", ");
            Error::not_served(format!("Everstep does not serve {name} yet; of CloudWatch Logs it serves {served}."))
        })
    }

    /// Returns what it takes of its sender.
    pub fn needs(self, services: &Services, request: &Request) -> Vec<Need> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Named {
            log_group_name: Option<String>,
            log_group_identifier: Option<String>,
            log_stream_name: Option<String>,
        }
        let named: Named = serde_json::from_slice(&request.body).unwrap_or_default();
        let identified = named.log_group_identifier.map(|identifier| name_of(&identifier));
        let group = named.log_group_name.or(identified).unwrap_or_default();
        let stream = named.log_stream_name.unwrap_or_default();
        // That is how AWS writes it, also where there is no stream or no group.
        vec![Need::new(self.action(), format!("{}:log-stream:{stream}", group_arn(services, &group)))]
    }
}

/// Carries out an operation, after what was printed before it.
pub async fn serve(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    services.log_sink.settle().await;
    match operation {
        Operation::CreateLogGroup => create_log_group::handle(services, request).await,
        Operation::DeleteLogGroup => delete_log_group::handle(services, request).await,
        Operation::DeleteRetentionPolicy => delete_retention_policy::handle(services, request).await,
        Operation::DescribeLogGroups => describe_log_groups::handle(services, request).await,
        Operation::DescribeLogStreams => describe_log_streams::handle(services, request).await,
        Operation::FilterLogEvents => filter_log_events::handle(services, request).await,
        Operation::GetLogEvents => get_log_events::handle(services, request).await,
        Operation::PutRetentionPolicy => put_retention_policy::handle(services, request).await,
    }
}

/// Returns the group that a request names, by its name or by its ARN.
async fn group(services: &Services, name: Option<String>, identifier: Option<String>) -> Result<String, Error> {
    let text = match (name, identifier) {
        (Some(name), None) => name,
        (None, Some(identifier)) => name_of(&identifier),
        (Some(_), Some(_)) => {
            return Err(Error::logs_invalid_parameter(
                "LogGroup name and LogGroup identifier cannot be specified together.",
            ));
        }
        (None, None) => {
            return Err(Error::logs_invalid_parameter(
                "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null",
            ));
        }
    };
    let known = services.logs.groups(&text).await?;
    if known.contains(&text) { Ok(text) } else { Err(Error::logs_not_found("The specified log group does not exist.")) }
}

/// Returns the name of a group that may be named by its ARN.
fn name_of(identifier: &str) -> String {
    let name = identifier.split_once(":log-group:").map(|(_, name)| name.trim_end_matches(":*"));
    name.unwrap_or(identifier).into()
}

/// Returns the ARN of a group.
fn group_arn(services: &Services, group: &str) -> String {
    let place = services.functions.place();
    format!("arn:aws:logs:{}:{}:log-group:{group}", place.region, place.account)
}

/// Returns how many items are asked for.
fn limit(asked: Option<i64>, max: usize) -> Result<usize, Error> {
    let limit = asked.unwrap_or(max as i64);
    let mut violations = Violations::default();
    violations.range(limit, "limit", 1, max as i64);
    violations.finish().map_err(Error::logs_invalid_parameter)?;
    Ok(limit as usize)
}

/// Returns how many events are asked for.
fn events_limit(asked: Option<i64>) -> Result<usize, Error> {
    limit(asked, LOG_EVENTS_MAX)
}

/// Reads a point in time, in milliseconds.
fn time(asked: Option<i64>) -> Option<Timestamp> {
    asked.map(Timestamp::from_millis)
}

/// Writes a token that says where a list goes on.
fn token(services: &Services, position: &str) -> String {
    marker::seal(position, services.engine.clock().now())
}

/// Reads such a token.
fn open(services: &Services, token: &str) -> Result<String, Error> {
    let opened = marker::open(token, services.engine.clock().now());
    opened.map_err(|_| Error::logs_invalid_parameter("The specified nextToken is invalid."))
}

/// Writes a position as the id of an event: AWS's have 56 digits.
fn event_id(position: LogPosition) -> String {
    format!("{:056}", position.0)
}
