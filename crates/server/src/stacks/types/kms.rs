//! The types of KMS, `AWS::KMS::Key` and `AWS::KMS::Alias`: records behind which no key material stands.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Made, ResourceType, Site, Tags, required, tags, text};
use crate::encryption_keys::EncryptionKey;
use crate::http::error::Error;
use crate::http::kms::{self, Operation};
use crate::http::on_behalf::Call;

/// A key. Its physical id is its id.
pub struct Key;

const WARNING: &str =
    "WARNING: Everstep noted the key down and has no material for it: nothing is encrypted or signed with it.";

/// How KMS says that there is no such key or alias.
const MISSING: &str = "NotFoundException";

#[async_trait]
impl ResourceType for Key {
    fn name(&self) -> &'static str {
        "AWS::KMS::Key"
    }

    fn tags(&self) -> Tags {
        Tags::List
    }

    fn warning(&self) -> Option<&'static str> {
        Some(WARNING)
    }

    async fn identify(&self, _site: &Site, _properties: &Value) -> Result<String, Error> {
        Ok(uuid::Uuid::new_v4().to_string())
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        site.check_allowed("kms:CreateKey", "*".into())?;
        let mut body = json!({});
        for name in ["Description", "KeySpec", "KeyUsage"] {
            if let Some(value) = text(properties, name) {
                body[name] = value.into();
            }
        }
        body["Tags"] = tags(properties).iter().map(|(key, value)| json!({"TagKey": key, "TagValue": value})).collect();
        let key = serde_json::from_value(body).expect("it was just written");
        kms::create(&site.services, physical_id, key).await?;
        if !is_enabled(properties) {
            change(site, physical_id, |key| key.enabled = false).await?;
        }
        Ok(made(site, physical_id))
    }

    async fn update(&self, site: &Site, physical_id: &str, former: &Value, properties: &Value) -> Result<Made, Error> {
        if let Some(key) = site.services.encryption_keys.find(physical_id) {
            check_is_same("KeySpec", &key.spec, text(properties, "KeySpec").unwrap_or(kms::SPEC_DEFAULT))?;
            check_is_same("KeyUsage", &key.usage, text(properties, "KeyUsage").unwrap_or(kms::USAGE_DEFAULT))?;
        }
        let arn = || site.services.encryption_keys.arn(physical_id);
        if text(properties, "Description") != text(former, "Description") {
            site.check_allowed("kms:UpdateKeyDescription", arn())?;
        }
        if is_enabled(properties) != is_enabled(former) {
            site.check_allowed(if is_enabled(properties) { "kms:EnableKey" } else { "kms:DisableKey" }, arn())?;
        }
        if tags(properties) != tags(former) {
            site.check_allowed("kms:TagResource", arn())?;
        }
        let changed = change(site, physical_id, |key| {
            key.description = text(properties, "Description").unwrap_or_default().into();
            key.enabled = is_enabled(properties);
            key.tags = tags(properties);
        });
        changed.await?;
        Ok(made(site, physical_id))
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        let call = Call::new(Operation::ScheduleKeyDeletion, &[]).body(json!({"KeyId": physical_id}));
        forgive(site.call(call).await)
    }
}

/// An alias. Its physical id is its name.
pub struct Alias;

#[async_trait]
impl ResourceType for Alias {
    fn name(&self) -> &'static str {
        "AWS::KMS::Alias"
    }

    fn warning(&self) -> Option<&'static str> {
        Some(WARNING)
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let name = required(properties, "AliasName")?;
        match site.services.encryption_keys.alias(name) {
            Some(_) => Err(Error::conflict(format!("{name} already exists"))),
            None => Ok(name.into()),
        }
    }

    async fn create(&self, site: &Site, _physical_id: &str, properties: &Value) -> Result<Made, Error> {
        name(site, Operation::CreateAlias, properties).await
    }

    async fn update(
        &self,
        site: &Site,
        _physical_id: &str,
        _former: &Value,
        properties: &Value,
    ) -> Result<Made, Error> {
        name(site, Operation::UpdateAlias, properties).await
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        forgive(site.call(Call::new(Operation::DeleteAlias, &[]).body(json!({"AliasName": physical_id}))).await)
    }
}

async fn name(site: &Site, operation: Operation, properties: &Value) -> Result<Made, Error> {
    let body = json!({
        "AliasName": required(properties, "AliasName")?,
        "TargetKeyId": required(properties, "TargetKeyId")?,
    });
    site.call(Call::new(operation, &[]).body(body)).await?;
    Ok(Made::default())
}

/// Refuses what would replace a key, as AWS does: nobody loses one by an update. It goes by what the key is, so that an
/// update that was refused can be undone.
fn check_is_same(name: &str, is: &str, wanted: &str) -> Result<(), Error> {
    if is == wanted {
        return Ok(());
    }
    Err(Error::validation(format!(
        "The {name} of a key cannot be changed from {is} to {wanted}: make a new key under another logical id, and take this one out of the template when nothing needs it."
    )))
}

fn is_enabled(properties: &Value) -> bool {
    properties["Enabled"].as_bool().unwrap_or(true)
}

async fn change(site: &Site, id: &str, change: impl FnOnce(&mut EncryptionKey)) -> Result<(), Error> {
    let changed = site.services.encryption_keys.change(id, change).await;
    changed.map_err(|error| kms::refused(&site.services, id, error))
}

fn made(site: &Site, id: &str) -> Made {
    Made::with([("Arn", site.services.encryption_keys.arn(id).into()), ("KeyId", id.into())])
}

fn forgive(result: Result<Value, Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.code != MISSING => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
