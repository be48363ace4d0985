//! Keys that are there.

use everstep_api::timestamp::seconds;
use everstep_core::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

use super::{limit, missing, page, refused, shape};
use crate::encryption_keys::EncryptionKey;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::{ENCRYPTION_KEYS_LISTED_DEFAULT, ENCRYPTION_KEYS_LISTED_MAX};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    key_id: String,
    marker: Option<String>,
    limit: Option<i64>,
}

/// `DescribeKey`.
pub fn describe(services: &Services, request: &Request) -> Result<Value, Error> {
    Ok(json!({"KeyMetadata": shape(services, &*find(services, request)?)}))
}

/// `ListKeys`.
pub fn list(services: &Services, request: &Request) -> Result<Value, Error> {
    let Asked { marker, limit: asked, .. } = request.json()?;
    let limit = limit(asked, ENCRYPTION_KEYS_LISTED_MAX, ENCRYPTION_KEYS_LISTED_DEFAULT)?;
    let keys = &services.encryption_keys;
    let mut found = keys.all();
    let next = page(services, &mut found, |key| key.id.clone(), marker.as_deref(), limit)?;
    let shapes: Value = found.iter().map(|key| json!({"KeyId": key.id, "KeyArn": keys.arn(&key.id)})).collect();
    let mut answer = json!({"Keys": shapes, "Truncated": next.is_some()});
    if let Some(next) = next {
        answer["NextMarker"] = next.into();
    }
    Ok(answer)
}

/// `ListResourceTags`.
pub fn tags(services: &Services, request: &Request) -> Result<Value, Error> {
    let key = find(services, request)?;
    let tags: Value = key.tags.iter().map(|(key, value)| json!({"TagKey": key, "TagValue": value})).collect();
    Ok(json!({"Tags": tags, "Truncated": false}))
}

/// `ScheduleKeyDeletion`: a key is forgotten at once, for nothing can be lost that it had encrypted.
pub async fn delete(services: &Services, request: &Request) -> Result<Value, Error> {
    let key = find(services, request)?;
    services.encryption_keys.delete(&key.id).await.map_err(|error| refused(services, &key.id, error))?;
    Ok(json!({
        "KeyId": services.encryption_keys.arn(&key.id),
        "DeletionDate": seconds(Timestamp::from_millis(crate::functions::now_millis())),
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": 0,
    }))
}

fn find(services: &Services, request: &Request) -> Result<Arc<EncryptionKey>, Error> {
    let Asked { key_id, .. } = request.json()?;
    services.encryption_keys.find(&key_id).ok_or_else(|| missing(services, &key_id))
}
