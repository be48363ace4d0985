//! `DeleteRepository`: forgets a repository. Whether images are in it need not be asked.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{missing, shape};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeleteRepository {
    repository_name: String,
}

/// Forgets it.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let DeleteRepository { repository_name: name } = request.json()?;
    let deleted = services.repositories.delete(&name).await?.ok_or_else(|| missing(services, &name))?;
    Ok(json!({"repository": shape(services, &deleted)}))
}
