//! `FilterLogEvents`: the events of a group, over all its streams.

use everstep_store::{LogPosition, LogQuery, StoredLogEvent};
use serde::Deserialize;
use serde_json::json;

use super::{event_id, events_limit, group, open, time, token};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FilterLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
    #[serde(rename = "interleaved")]
    _interleaved: Option<bool>,
    #[serde(rename = "unmask")]
    _unmask: Option<bool>,
}

/// Returns a page of events in the order in which they came. A page may hold fewer than asked for, or none, and have a
/// next one all the same, as on AWS.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let asked: FilterLogEvents = request.json()?;
    if asked.filter_pattern.is_some_and(|pattern| !pattern.trim().is_empty()) {
        return Err(Error::logs_invalid_parameter(
            "Everstep does not serve filter patterns yet: leave out filterPattern and choose among the events yourself.",
        ));
    }
    if asked.log_stream_names.is_some() && asked.log_stream_name_prefix.is_some() {
        return Err(Error::logs_invalid_parameter("LogStreamNamePrefix and LogStreamNames cannot be used together."));
    }
    let limit = events_limit(asked.limit)?;
    let after = match asked.next_token {
        Some(token) => Some(position(&open(services, &token)?)?),
        None => None,
    };
    let group = group(services, asked.log_group_name, asked.log_group_identifier).await?;
    let names = asked.log_stream_names.unwrap_or_default();
    let prefix = asked.log_stream_name_prefix.unwrap_or_default();
    let query = LogQuery {
        group,
        stream: if let [name] = &names[..] { Some(name.clone()) } else { None },
        from: time(asked.start_time),
        // Events at the end are shown.
        until: asked.end_time.and_then(|end| time(end.checked_add(1))),
        after,
        before: None,
        newest_first: false,
        limit,
    };
    let read = services.logs.read(&query).await?;
    let next = read.last().filter(|_| read.len() == limit).map(|last| last.position);
    let wanted = |stored: &&StoredLogEvent| {
        stored.stream.starts_with(&prefix) && (names.is_empty() || names.contains(&stored.stream))
    };
    let events: Vec<_> = read
        .iter()
        .filter(wanted)
        .map(|stored| {
            json!({
                "logStreamName": stored.stream,
                "timestamp": stored.event.at.as_millis(),
                "message": stored.event.message,
                "ingestionTime": stored.event.at.as_millis(),
                "eventId": event_id(stored.position),
            })
        })
        .collect();
    let mut shape = json!({"events": events, "searchedLogStreams": []});
    if let Some(LogPosition(position)) = next {
        shape["nextToken"] = token(services, &position.to_string()).into();
    }
    Ok(Response::json(200, &shape))
}

fn position(text: &str) -> Result<LogPosition, Error> {
    let invalid = |_| Error::logs_invalid_parameter("The specified nextToken is invalid.");
    text.parse().map(LogPosition).map_err(invalid)
}
