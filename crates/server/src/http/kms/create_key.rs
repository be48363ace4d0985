//! `CreateKey`: notes a key down.

use everstep_api::validation::Violations;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::warn;

use super::{refused, shape};
use crate::encryption_keys::EncryptionKey;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::{ENCRYPTION_KEY_DESCRIPTION_CHARACTERS_MAX, TAGS_MAX};

/// What a key shall be.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateKey {
    description: String,
    key_spec: Option<String>,
    key_usage: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Tag {
    tag_key: String,
    tag_value: String,
}

/// What kind of key is made if nobody says. Source: KMS API, `CreateKey`.
pub const SPEC_DEFAULT: &str = "SYMMETRIC_DEFAULT";

/// What a key is used for if nobody says. Source: KMS API, `CreateKey`.
pub const USAGE_DEFAULT: &str = "ENCRYPT_DECRYPT";

/// What a key can be used for, in AWS's words.
const USAGES: &[(&str, &str)] = &[
    ("SIGN_VERIFY", "SIGN_VERIFY"),
    ("ENCRYPT_DECRYPT", "ENCRYPT_DECRYPT"),
    ("GENERATE_VERIFY_MAC", "GENERATE_VERIFY_MAC"),
    ("KEY_AGREEMENT", "KEY_AGREEMENT"),
];

/// Notes it down.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    create(services, &uuid::Uuid::new_v4().to_string(), request.json()?).await
}

/// Notes a key down, under an id that was just drawn. Any kind of key will do: it is none.
///
/// # Errors
/// What is wrong with it, in KMS's words.
pub async fn create(services: &Services, id: &str, key: CreateKey) -> Result<Value, Error> {
    let CreateKey { description, key_spec, key_usage, tags } = key;
    let spec = key_spec.unwrap_or_else(|| SPEC_DEFAULT.into());
    let usage = key_usage.unwrap_or_else(|| USAGE_DEFAULT.into());
    let mut violations = Violations::default();
    violations.length(&description, "description", 0, ENCRYPTION_KEY_DESCRIPTION_CHARACTERS_MAX);
    violations.one_of(&usage, "keyUsage", USAGES);
    let is_spec = (1..=32).contains(&spec.len())
        && spec.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    violations.require(is_spec, &spec, "keySpec", "Member must satisfy regular expression pattern: [A-Z0-9_]{1,32}");
    violations.finish().map_err(Error::validation)?;
    if tags.len() > TAGS_MAX {
        return Err(Error::named(400, "LimitExceededException", format!("A key can have at most {TAGS_MAX} tags.")));
    }
    let key = EncryptionKey {
        id: id.into(),
        created_at_millis: crate::functions::now_millis(),
        description,
        spec,
        usage,
        enabled: true,
        tags: tags.into_iter().map(|tag| (tag.tag_key, tag.tag_value)).collect(),
    };
    let answer = json!({"KeyMetadata": shape(services, &key)});
    services.encryption_keys.create(key).await.map_err(|error| refused(services, id, error))?;
    warn!(key.id = id, "a key was noted down: it has no material, and nothing is encrypted with it");
    Ok(answer)
}
