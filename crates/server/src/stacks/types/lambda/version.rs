//! `AWS::Lambda::Version`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::super::{Made, ResourceType, Site, members, required};
use super::{split, unqualified};
use crate::http::error::Error;
use crate::http::lambda::Operation;
use crate::http::on_behalf::Call;

/// A version of a function. It is never changed: another description is another version.
pub struct Version;

#[async_trait]
impl ResourceType for Version {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Version"
    }

    /// The number that the next version gets is known before it has it.
    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let reference = unqualified(site, required(properties, "FunctionName")?)?;
        let functions = &site.services.functions;
        let (function, _) = functions.load(&reference.function).await?.ok_or_else(|| functions.missing(&reference))?;
        Ok(format!("{}:{}", functions.arn(&reference), function.next_version))
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let (function, expected) = split(physical_id);
        let publish = members(properties, &["CodeSha256", "Description"]);
        let published = site.call(Call::new(Operation::PublishVersion, &[function]).body(publish.into())).await?;
        let version = published["Version"].as_str().unwrap_or_default();
        let number = |text: &str| text.parse::<u64>().unwrap_or_default();
        if number(version) < number(expected) {
            let (_, name) = split(function);
            return Err(Error::conflict(format!(
                "A version for this Lambda function exists ( {version} ). Modify the function {name} to create a new version."
            )));
        }
        Ok(Made { physical_id: Some(format!("{function}:{version}")), ..made(function, version) })
    }

    async fn update(
        &self,
        _site: &Site,
        physical_id: &str,
        _former: &Value,
        _properties: &Value,
    ) -> Result<Made, Error> {
        let (function, version) = split(physical_id);
        Ok(made(function, version))
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        let (function, version) = split(physical_id);
        site.call(Call::new(Operation::DeleteFunction, &[function]).query("Qualifier", Some(version))).await.map(drop)
    }
}

fn made(function: &str, version: &str) -> Made {
    Made::with([("FunctionArn", json!(function)), ("Version", json!(version))])
}
