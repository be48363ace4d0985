//! `DeleteRetentionPolicy`: the events of a group are kept as long as there is room.

use serde::Deserialize;

use super::group;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeleteRetentionPolicy {
    log_group_name: Option<String>,
}

/// Takes it away.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let DeleteRetentionPolicy { log_group_name } = request.json()?;
    let name = group(services, log_group_name, None).await?;
    let now = services.engine.clock().now();
    services.log_groups.change(&name, now, |group| group.retention_days = None).await?;
    Ok(Response::empty(200))
}
