//! `DeleteLogGroup`: forgets a group and all that was printed to it.

use serde::Deserialize;

use super::group;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeleteLogGroup {
    log_group_name: Option<String>,
}

/// Forgets it.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let DeleteLogGroup { log_group_name } = request.json()?;
    let name = group(services, log_group_name, None).await?;
    services.log_groups.delete(&name).await?;
    Ok(Response::empty(200))
}
