//! `FilterLogEvents`: the events of a group, over all its streams.

use everstep_api::validation::Violations;
use everstep_store::{LogPosition, LogQuery, Logs, StoredLogEvent};
use serde::Deserialize;
use serde_json::json;

use super::pattern::Pattern;
use super::{event_id, events_limit, group, open, time, token};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::limits::{FILTER_PATTERN_CHARACTERS_MAX, LOG_EVENTS_MAX, LOG_EVENTS_READ, LOG_PAGE_BYTES_MAX};

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
    let pattern = match &asked.filter_pattern {
        Some(text) => {
            let mut violations = Violations::default();
            violations.length(text, "filterPattern", 0, FILTER_PATTERN_CHARACTERS_MAX);
            violations.finish().map_err(Error::logs_invalid_parameter)?;
            Some(Pattern::read(text).map_err(|invalid| Error::logs_invalid_parameter(invalid.to_string()))?)
        }
        None => None,
    };
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
        limit: LOG_EVENTS_READ,
    };
    let wanted = |stored: &StoredLogEvent| {
        stored.stream.starts_with(&prefix)
            && (names.is_empty() || names.contains(&stored.stream))
            && pattern.as_ref().is_none_or(|pattern| pattern.matches(&stored.event.message))
    };
    let (found, next) = page(&*services.logs, query, wanted, limit).await?;
    let events: Vec<_> = found
        .iter()
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

/// Looks at events until so many are found as are asked for, or enough was looked at. Returns where to go on, too, unless
/// there is nothing more.
async fn page(
    logs: &dyn Logs,
    mut query: LogQuery,
    wanted: impl Fn(&StoredLogEvent) -> bool + Send,
    limit: usize,
) -> Result<(Vec<StoredLogEvent>, Option<LogPosition>), Error> {
    let (mut found, mut events, mut bytes) = (Vec::new(), 0, 0);
    loop {
        let read = logs.read(&query).await?;
        let more = read.len() == query.limit;
        for stored in read {
            query.after = Some(stored.position);
            events += 1;
            bytes += stored.event.message.len();
            if wanted(&stored) {
                found.push(stored);
            }
            if found.len() == limit || events == LOG_EVENTS_MAX || bytes >= LOG_PAGE_BYTES_MAX {
                return Ok((found, query.after));
            }
        }
        if !more {
            return Ok((found, None));
        }
    }
}

fn position(text: &str) -> Result<LogPosition, Error> {
    let invalid = |_| Error::logs_invalid_parameter("The specified nextToken is invalid.");
    text.parse().map(LogPosition).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use everstep_core::Timestamp;
    use everstep_store::LogEvent;
    use everstep_store::memory::Memory;

    use super::*;

    /// Reads pages to the end and returns how many events each has.
    async fn sizes(messages: Vec<String>, wanted: &str, limit: usize) -> Vec<usize> {
        let store = Memory::new();
        let event = |message| LogEvent { at: Timestamp::from_millis(1), message };
        store.append("group", "stream", messages.into_iter().map(event).collect()).await.unwrap();
        let query = LogQuery::all("group", LOG_EVENTS_READ);
        let (mut sizes, mut after) = (Vec::new(), None);
        loop {
            let query = LogQuery { after, ..query.clone() };
            let is_wanted = |stored: &StoredLogEvent| stored.event.message.contains(wanted);
            let (found, next) = page(&store, query, is_wanted, limit).await.unwrap();
            sizes.push(found.len());
            if next.is_none() {
                return sizes;
            }
            after = next;
        }
    }

    #[tokio::test]
    async fn a_page_is_full_or_has_looked_at_enough() {
        let lines = |count: usize| (1..=count).map(|line| format!("line {line}")).collect::<Vec<_>>();
        assert_eq!(sizes(lines(5), "line", 2).await, [2, 2, 1]);
        assert_eq!(sizes(lines(4), "line", 2).await, [2, 2, 0]);
        assert_eq!(sizes(lines(LOG_EVENTS_READ * 3 + 1), "1", 10_000).await, [139]);
        // What is not wanted makes pages empty, and none is skipped.
        let mut many = lines(LOG_EVENTS_MAX);
        many.push("wanted".into());
        assert_eq!(sizes(many, "wanted", 10).await, [0, 1]);
        assert_eq!(sizes(lines(LOG_EVENTS_MAX - 1), "wanted", 10).await, [0]);
        let long = |bytes: usize| vec!["x".repeat(bytes), "wanted".into()];
        assert_eq!(sizes(long(LOG_PAGE_BYTES_MAX), "wanted", 10).await, [0, 1]);
        assert_eq!(sizes(long(LOG_PAGE_BYTES_MAX - 7), "wanted", 10).await, [1]);
    }
}
