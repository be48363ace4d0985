//! `ListDurableExecutionsByFunction`: the executions of a function.

use everstep_api::timestamp::{self, seconds};
use everstep_api::validation::Violations;
use everstep_core::ExecutionStatus;
use everstep_core::id::{ExecutionArn, ExecutionName};
use everstep_store::{ListOrder, ListPosition, ListQuery, Listed};
use serde_json::{Value, json};

use crate::http::Services;
use crate::http::error::Error;
use crate::http::marker;
use crate::http::request::{Request, Response, page};

/// Returns a page of executions, newest first unless asked otherwise.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = services.functions.parse(request.parameter(0), request.query("Qualifier"))?;
    let items_max = request.max_items()?;
    let now = services.engine.clock().now();
    let found = services.functions.find(&reference).await?;
    let query = ListQuery {
        function: Some(found.function.name.clone()),
        version: found.qualified.then_some(found.version),
        name: name(request)?,
        status: status(request)?,
        started_after: time(request, "StartedAfter")?,
        started_before: time(request, "StartedBefore")?,
        order: if request.flag("ReverseOrder", false)? { ListOrder::Ascending } else { ListOrder::Descending },
        after: request.query("Marker").map(|marker| position(&marker::open(marker, now)?)).transpose()?,
        limit: items_max + 1,
    };
    let mut listed = services.engine.list(&query).await?;
    let more = listed.len() > items_max;
    listed.truncate(items_max);
    let next = listed
        .last()
        .filter(|_| more)
        .map(|last| marker::seal(&format!("{} {}", last.new.started_at.as_millis(), last.execution), now));
    let items = listed.iter().map(|listed| item(services, listed)).collect();
    Ok(Response::json(200, &page("DurableExecutions", items, next)))
}

fn item(services: &Services, listed: &Listed) -> Value {
    let new = &listed.new;
    let place = services.functions.place().clone();
    let function_arn = format!("{}:{}", place.function_arn(&new.function), new.version);
    let arn = ExecutionArn {
        place,
        function: new.function.clone(),
        version: new.version,
        name: new.name.clone(),
        id: listed.execution.to_string(),
    };
    let mut item = json!({
        "DurableExecutionArn": arn.to_string(),
        "DurableExecutionName": new.name.as_str(),
        "FunctionArn": function_arn,
        "Status": listed.status.as_str(),
        "StartTimestamp": seconds(new.started_at),
    });
    if let Some(ended_at) = listed.ended_at {
        item["EndTimestamp"] = seconds(ended_at).into();
    }
    item
}

fn name(request: &Request) -> Result<Option<ExecutionName>, Error> {
    let Some(text) = request.query("DurableExecutionName") else { return Ok(None) };
    let mut violations = Violations::default();
    let name = violations.pattern(text.parse(), text, "durableExecutionName", "[a-zA-Z0-9-_]{1,64}");
    violations.finish().map_err(Error::validation)?;
    Ok(name)
}

fn status(request: &Request) -> Result<Option<ExecutionStatus>, Error> {
    let mut statuses = request.query_all("Statuses");
    let Some(text) = statuses.next() else { return Ok(None) };
    if statuses.next().is_some() {
        return Err(Error::invalid_parameter("Cannot filter by more than one status"));
    }
    let mut violations = Violations::default();
    let names = ExecutionStatus::ALL.map(|status| (status.as_str(), status));
    let status = violations.one_of(text, "statuses.1.member", &names);
    violations.finish().map_err(Error::validation)?;
    Ok(status)
}

fn time(request: &Request, name: &str) -> Result<Option<everstep_core::Timestamp>, Error> {
    let Some(text) = request.query(name) else { return Ok(None) };
    let invalid = || Error::serialization(format!("`{text}` is not a timestamp, in {name}"));
    timestamp::parse(text).map(Some).ok_or_else(invalid)
}

fn position(text: &str) -> Result<ListPosition, Error> {
    let read = || {
        let (started_at, execution) = text.split_once(' ')?;
        Some(ListPosition {
            started_at: everstep_core::Timestamp::from_millis(started_at.parse().ok()?),
            execution: execution.parse().ok()?,
        })
    };
    read().ok_or_else(|| Error::invalid_parameter("Invalid Marker"))
}
