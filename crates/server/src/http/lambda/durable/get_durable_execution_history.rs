//! `GetDurableExecutionHistory`: what happened, event by event.

use std::sync::Arc;

use everstep_api::history::{Data, event};
use everstep_core::history::entries;
use everstep_engine::Engine;

use super::named_execution;
use crate::http::error::Error;
use crate::http::marker;
use crate::http::request::{Request, Response, page};

/// Returns a page of history.
pub async fn handle(engine: &Arc<Engine>, request: &Request) -> Result<Response, Error> {
    let with_data = request.flag("IncludeExecutionData", true)?;
    let newest_first = request.flag("ReverseOrder", false)?;
    let items_max = request.max_items()? as u64;
    let execution = named_execution(engine, request).await?;
    let now = engine.clock().now();
    let newest = execution.last_event_id();
    let from = match request.query("Marker") {
        Some(marker) => {
            let position: u64 =
                marker::open(marker, now)?.parse().map_err(|_| Error::invalid_parameter("Invalid Marker"))?;
            position.min(newest)
        }
        None if newest_first => newest,
        None => 1,
    };
    let (first, last, next) = if newest_first {
        let first = (from + 1).saturating_sub(items_max).max(1);
        (first, from, (first > 1).then(|| first - 1))
    } else {
        let last = from.saturating_add(items_max - 1).min(newest);
        (from, last, (last < newest).then_some(last + 1))
    };
    let id = execution.start_facts().id;
    let history = engine.history(id, first, last, items_max as usize, newest_first, with_data).await?;
    let data = if with_data { Data::Included(&history.texts) } else { Data::Excluded };
    let mut events: Vec<_> = history
        .records
        .iter()
        .flat_map(|record| entries(record, &history.execution))
        .filter(|entry| (first..=last).contains(&entry.event_id))
        .collect();
    events.sort_by_key(|entry| entry.event_id);
    if newest_first {
        events.reverse();
    }
    let events = events.iter().map(|entry| event(entry, &history.execution, data)).collect();
    let next_marker = next.map(|position: u64| marker::seal(&position.to_string(), now));
    Ok(Response::json(200, &page("Events", events, next_marker)))
}
