//! The operator's keys: list them, make one, revoke one.

use everstep_api::timestamp::seconds;
use everstep_api::validation::Violations;
use everstep_core::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::{AccessKey, NotRevoked};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::limits::DESCRIPTION_CHARACTERS_MAX;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct CreateKey {
    description: String,
}

/// Lists the keys, the oldest first, without their secrets.
pub fn list(services: &Services) -> Result<Response, Error> {
    let keys: Vec<Value> = services.keys.list().iter().map(facts).collect();
    Ok(Response::json(200, &json!({"Keys": keys})))
}

/// Makes a key. This answer is the only one that has its secret.
pub async fn create(services: &Services, request: &Request) -> Result<Response, Error> {
    let CreateKey { description } = request.json()?;
    let mut violations = Violations::default();
    violations.length(&description, "description", 0, DESCRIPTION_CHARACTERS_MAX);
    violations.finish().map_err(Error::validation)?;
    let key = services.keys.create(description, jiff::Timestamp::now().as_millisecond()).await?;
    let mut shape = facts(&key);
    shape["SecretAccessKey"] = key.secret_access_key.into();
    Ok(Response::json(201, &shape))
}

/// Makes a key void, at once and for good.
pub async fn revoke(services: &Services, request: &Request) -> Result<Response, Error> {
    let id = request.parameter(0);
    services.keys.revoke_operator(id).await.map_err(|refused| match refused {
        NotRevoked::Missing => Error::not_found(format!("There is no access key {id}.")),
        NotRevoked::Last => Error::conflict("The last access key cannot be revoked: create another one first."),
        NotRevoked::Store(error) => error.into(),
    })?;
    // The file in the data directory may hold the key that is void now.
    services.write_credentials().map_err(|error| {
        tracing::error!(%error, "the key is revoked, but the credentials file is out of date");
        Error::service("The key is revoked, but the credentials file could not be written; the server's log says why.")
    })?;
    Ok(Response::empty(204))
}

fn facts(key: &AccessKey) -> Value {
    let mut shape = json!({"AccessKeyId": key.access_key_id, "Description": key.description});
    if let Some(millis) = key.created_at_millis {
        shape["CreatedAt"] = seconds(Timestamp::from_millis(millis)).into();
    }
    shape
}
