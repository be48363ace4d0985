//! `AWS::Lambda::LayerVersion`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::super::{Made, ResourceType, Site, members, text};
use super::split;
use crate::http::error::Error;
use crate::http::lambda::Operation;
use crate::http::on_behalf::Call;
use crate::limits::LAYER_NAME_CHARACTERS_MAX;

/// A version of a layer. It is never changed.
pub struct LayerVersion;

/// Properties that are members of `PublishLayerVersion`.
const MEMBERS: &[&str] = &["CompatibleArchitectures", "CompatibleRuntimes", "Content", "Description", "LicenseInfo"];

#[async_trait]
impl ResourceType for LayerVersion {
    fn name(&self) -> &'static str {
        "AWS::Lambda::LayerVersion"
    }

    /// The number that the next version gets is known before it has it.
    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let layers = &site.services.layers;
        let name = match text(properties, "LayerName") {
            Some(name) => layers.parse(name)?.name,
            None => site.generated_name(LAYER_NAME_CHARACTERS_MAX),
        };
        let next = layers.load(&name).await?.map_or(1, |(layer, _)| layer.next_version);
        Ok(format!("{}:{next}", layers.arn(&name)))
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let (layer, _) = split(physical_id);
        let (_, name) = split(layer);
        let publish = members(properties, MEMBERS);
        let published = site.call(Call::new(Operation::PublishLayerVersion, &[name]).body(publish.into())).await?;
        let arn = published["LayerVersionArn"].clone();
        Ok(Made { physical_id: arn.as_str().map(str::to_string), ..Made::with([("LayerVersionArn", arn)]) })
    }

    async fn update(
        &self,
        _site: &Site,
        physical_id: &str,
        _former: &Value,
        _properties: &Value,
    ) -> Result<Made, Error> {
        Ok(Made::with([("LayerVersionArn", json!(physical_id))]))
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        let (layer, version) = split(physical_id);
        let (_, name) = split(layer);
        site.call(Call::new(Operation::DeleteLayerVersion, &[name, version])).await.map(drop)
    }
}
