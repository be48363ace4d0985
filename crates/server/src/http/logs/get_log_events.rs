//! `GetLogEvents`: the events of one stream, read in both directions.

use everstep_store::{LogPosition, LogQuery};
use serde::Deserialize;
use serde_json::json;

use super::{events_limit, group, time};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GetLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<i64>,
    start_from_head: bool,
    #[serde(rename = "unmask")]
    _unmask: Option<bool>,
}

/// Where a page begins and which way it goes. The ends of a stream have tokens too, as on AWS: who follows a stream
/// asks with the same one until there is more.
#[derive(Clone, Copy)]
enum From {
    /// After this position.
    After(LogPosition),
    /// Before this position.
    Before(LogPosition),
}

/// Returns a page of events, in the order in which they came.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let asked: GetLogEvents = request.json()?;
    let limit = events_limit(asked.limit)?;
    let from = match asked.next_token {
        Some(token) => read(&token)?,
        None if asked.start_from_head => From::After(LogPosition(0)),
        None => From::Before(LogPosition(i64::MAX)),
    };
    let stream = asked.log_stream_name.ok_or_else(|| {
        Error::logs_invalid_parameter(
            "1 validation error detected: Value null at 'logStreamName' failed to satisfy constraint: Member must not be null",
        )
    })?;
    let group = group(services, asked.log_group_name, asked.log_group_identifier).await?;
    if !services.logs.streams(&group, &stream).await?.iter().any(|known| known.name == stream) {
        return Err(Error::logs_not_found("The specified log stream does not exist."));
    }
    let (after, before) = match from {
        From::After(position) => (Some(position), None),
        From::Before(position) => (None, Some(position)),
    };
    let query = LogQuery {
        group,
        stream: Some(stream),
        from: time(asked.start_time),
        until: time(asked.end_time),
        after,
        before,
        newest_first: before.is_some(),
        limit,
    };
    let mut events = services.logs.read(&query).await?;
    if query.newest_first {
        events.reverse();
    }
    let (first, last) = match (events.first(), events.last(), from) {
        (Some(first), Some(last), _) => (first.position, last.position),
        // Nothing there: forward and backward meet where the page would have begun.
        (_, _, From::After(LogPosition(at))) => (LogPosition(at.saturating_add(1)), LogPosition(at)),
        (_, _, From::Before(LogPosition(at))) => (LogPosition(at), LogPosition(at - 1)),
    };
    let shapes: Vec<_> = events
        .iter()
        .map(|stored| {
            let at = stored.event.at.as_millis();
            json!({"timestamp": at, "message": stored.event.message, "ingestionTime": at})
        })
        .collect();
    let shape = json!({
        "events": shapes,
        "nextForwardToken": format!("f/{:056}", last.0),
        "nextBackwardToken": format!("b/{:056}", first.0),
    });
    Ok(Response::json(200, &shape))
}

fn read(token: &str) -> Result<From, Error> {
    let number = |text: &str| text.parse().ok().map(LogPosition);
    let found = match token.split_once('/') {
        Some(("f", position)) => number(position).map(From::After),
        Some(("b", position)) => number(position).filter(|position| position.0 > i64::MIN).map(From::Before),
        Some(_) | None => None,
    };
    found.ok_or_else(|| Error::logs_invalid_parameter("The specified nextToken is invalid."))
}
