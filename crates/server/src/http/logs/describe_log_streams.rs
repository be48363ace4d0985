//! `DescribeLogStreams`: the streams of a group, one for each process of the function.

use serde::Deserialize;
use serde_json::json;

use super::{group, group_arn, limit, open, token};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::limits::LOG_STREAMS_MAX;
use everstep_api::validation::Violations;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DescribeLogStreams {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: bool,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Name,
    LastEvent,
}

/// Returns a page of streams.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let asked: DescribeLogStreams = request.json()?;
    let mut violations = Violations::default();
    let orders = [("LogStreamName", Order::Name), ("LastEventTime", Order::LastEvent)];
    let order = violations.one_of(asked.order_by.as_deref().unwrap_or("LogStreamName"), "orderBy", &orders);
    violations.finish().map_err(Error::logs_invalid_parameter)?;
    let order = order.expect("else it would be a violation");
    let prefix = asked.log_stream_name_prefix;
    if order == Order::LastEvent && prefix.is_some() {
        return Err(Error::logs_invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let limit = limit(asked.limit, LOG_STREAMS_MAX)?;
    let first = match asked.next_token {
        Some(token) => open(services, &token)?
            .parse()
            .map_err(|_| Error::logs_invalid_parameter("The specified nextToken is invalid."))?,
        None => 0_usize,
    };
    let group = group(services, asked.log_group_name, asked.log_group_identifier).await?;
    let mut streams = services.logs.streams(&group, &prefix.unwrap_or_default()).await?;
    if order == Order::LastEvent {
        streams.sort_by_key(|stream| stream.last_at);
    }
    if asked.descending {
        streams.reverse();
    }
    let shapes: Vec<_> = streams
        .iter()
        .skip(first)
        .take(limit)
        .map(|stream| {
            json!({
                "logStreamName": stream.name,
                "creationTime": stream.first_at.as_millis(),
                "firstEventTimestamp": stream.first_at.as_millis(),
                "lastEventTimestamp": stream.last_at.as_millis(),
                "lastIngestionTime": stream.last_at.as_millis(),
                "arn": format!("{}:log-stream:{}", group_arn(services, &group), stream.name),
                "storedBytes": 0,
            })
        })
        .collect();
    let next = first.saturating_add(limit);
    let mut shape = json!({"logStreams": shapes});
    if next < streams.len() {
        shape["nextToken"] = token(services, &next.to_string()).into();
    }
    Ok(Response::json(200, &shape))
}
