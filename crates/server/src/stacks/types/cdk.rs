//! `AWS::CDK::Metadata`: what CDK tells AWS about an application. It is taken and goes nowhere.

use async_trait::async_trait;
use serde_json::Value;

use super::{Made, ResourceType, Site};
use crate::http::error::Error;
use crate::limits::GENERATED_NAME_CHARACTERS_MAX;

/// Of which nothing is made.
pub struct Metadata;

#[async_trait]
impl ResourceType for Metadata {
    fn name(&self) -> &'static str {
        "AWS::CDK::Metadata"
    }

    async fn identify(&self, site: &Site, _properties: &Value) -> Result<String, Error> {
        Ok(site.generated_name(GENERATED_NAME_CHARACTERS_MAX))
    }

    async fn create(&self, _site: &Site, _physical_id: &str, _properties: &Value) -> Result<Made, Error> {
        Ok(Made::default())
    }

    async fn update(
        &self,
        _site: &Site,
        _physical_id: &str,
        _former: &Value,
        _properties: &Value,
    ) -> Result<Made, Error> {
        Ok(Made::default())
    }

    async fn delete(&self, _site: &Site, _physical_id: &str, _properties: &Value) -> Result<(), Error> {
        Ok(())
    }
}
