//! `AWS::IAM::Policy`: an inline policy of roles and users.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use super::super::{Made, ResourceType, Site, required};
use super::{Holder, document, put, texts};
use crate::http::error::Error;
use crate::limits::GENERATED_NAME_CHARACTERS_MAX;

/// An inline policy.
pub struct Policy;

#[async_trait]
impl ResourceType for Policy {
    fn name(&self) -> &'static str {
        "AWS::IAM::Policy"
    }

    /// It has no name of its own in the world: those who have it know it by its property.
    async fn identify(&self, site: &Site, _properties: &Value) -> Result<String, Error> {
        Ok(site.generated_name(GENERATED_NAME_CHARACTERS_MAX))
    }

    async fn create(&self, site: &Site, _physical_id: &str, properties: &Value) -> Result<Made, Error> {
        if texts(properties, "Roles").is_empty() && texts(properties, "Users").is_empty() {
            return Err(Error::validation("At least one of [Groups,Roles,Users] must be non-empty."));
        }
        if let Err(error) = change(site, &Value::Null, properties).await {
            change(site, properties, &Value::Null).await?;
            return Err(error);
        }
        Ok(Made::default())
    }

    async fn update(&self, site: &Site, _physical_id: &str, former: &Value, properties: &Value) -> Result<Made, Error> {
        change(site, former, properties).await?;
        Ok(Made::default())
    }

    async fn delete(&self, site: &Site, _physical_id: &str, properties: &Value) -> Result<(), Error> {
        change(site, properties, &Value::Null).await
    }
}

/// Has those have the policy who are to have it, and nobody else who had it.
async fn change(site: &Site, former: &Value, properties: &Value) -> Result<(), Error> {
    let policy = |properties: &Value| -> Result<BTreeMap<String, String>, Error> {
        if properties.is_null() {
            return Ok(BTreeMap::new());
        }
        let name = required(properties, "PolicyName")?.to_string();
        Ok(BTreeMap::from([(name, document(properties, "PolicyDocument"))]))
    };
    let (before, after, nothing) = (policy(former)?, policy(properties)?, BTreeMap::new());
    for holder in Holder::ALL {
        let (had, have) = (texts(former, holder.property()), texts(properties, holder.property()));
        for name in &have {
            let before = if had.contains(name) { &before } else { &nothing };
            put(site, holder, name, before, &after).await?;
        }
        for name in had.difference(&have) {
            put(site, holder, name, &before, &nothing).await?;
        }
    }
    Ok(())
}
