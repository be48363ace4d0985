//! Aliases of keys.

use everstep_api::timestamp::seconds;
use everstep_api::validation::Violations;
use everstep_core::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{limit, missing, page, refused};
use crate::encryption_keys::Alias;
use crate::functions::now_millis;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::{
    ENCRYPTION_KEY_ALIAS_CHARACTERS_MAX, ENCRYPTION_KEY_ALIASES_LISTED_DEFAULT, ENCRYPTION_KEY_ALIASES_LISTED_MAX,
};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    alias_name: String,
    target_key_id: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ListAliases {
    key_id: Option<String>,
    marker: Option<String>,
    limit: Option<i64>,
}

/// `CreateAlias`.
pub async fn create(services: &Services, request: &Request) -> Result<Value, Error> {
    let (name, key) = read(services, request)?;
    services.encryption_keys.name(&name, &key, now_millis()).await.map_err(|error| refused(services, &name, error))?;
    Ok(json!({}))
}

/// `UpdateAlias`.
pub async fn update(services: &Services, request: &Request) -> Result<Value, Error> {
    let (name, key) = read(services, request)?;
    services
        .encryption_keys
        .rename(&name, &key, now_millis())
        .await
        .map_err(|error| refused(services, &name, error))?;
    Ok(json!({}))
}

/// `DeleteAlias`.
pub async fn delete(services: &Services, request: &Request) -> Result<Value, Error> {
    let Asked { alias_name: name, .. } = request.json()?;
    services.encryption_keys.forget_name(&name).await.map_err(|error| refused(services, &name, error))?;
    Ok(json!({}))
}

/// `ListAliases`: all of them, or those of a key.
pub fn list(services: &Services, request: &Request) -> Result<Value, Error> {
    let ListAliases { key_id, marker, limit: asked } = request.json()?;
    let limit = limit(asked, ENCRYPTION_KEY_ALIASES_LISTED_MAX, ENCRYPTION_KEY_ALIASES_LISTED_DEFAULT)?;
    let keys = &services.encryption_keys;
    let key = key_id.map(|named| keys.find(&named).ok_or_else(|| missing(services, &named))).transpose()?;
    let mut found = keys.aliases();
    found.retain(|alias| key.as_ref().is_none_or(|key| alias.key == key.id));
    let next = page(services, &mut found, |alias| alias.name.clone(), marker.as_deref(), limit)?;
    let shapes: Value = found.iter().map(|alias| shape(services, alias)).collect();
    let mut answer = json!({"Aliases": shapes, "Truncated": next.is_some()});
    if let Some(next) = next {
        answer["NextMarker"] = next.into();
    }
    Ok(answer)
}

/// Reads the name of an alias and the id of the key that it shall belong to.
fn read(services: &Services, request: &Request) -> Result<(String, String), Error> {
    let Asked { alias_name: name, target_key_id } = request.json()?;
    let mut violations = Violations::default();
    violations.length(&name, "aliasName", 1, ENCRYPTION_KEY_ALIAS_CHARACTERS_MAX);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte);
    let constraint = "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$";
    violations.require(name.bytes().all(allowed), &name, "aliasName", constraint);
    violations.finish().map_err(Error::validation)?;
    if !name.starts_with("alias/") || name == "alias/" {
        return Err(Error::validation(
            "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    }
    if name.starts_with("alias/aws/") {
        return Err(Error::named(400, "NotAuthorizedException", "Aliases that begin with alias/aws/ are AWS's own."));
    }
    let key = services.encryption_keys.find(&target_key_id).ok_or_else(|| missing(services, &target_key_id))?;
    Ok((name, key.id.clone()))
}

fn shape(services: &Services, alias: &Alias) -> Value {
    let Alias { name, key, created_at_millis, updated_at_millis } = alias;
    json!({
        "AliasName": name,
        "AliasArn": services.encryption_keys.arn(name),
        "TargetKeyId": key,
        "CreationDate": seconds(Timestamp::from_millis(*created_at_millis)),
        "LastUpdatedDate": seconds(Timestamp::from_millis(*updated_at_millis)),
    })
}
