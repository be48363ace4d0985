//! `AWS::Lambda::Alias`.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::super::{Made, ResourceType, Site, members, required, text_of};
use super::{split, unqualified};
use crate::http::error::Error;
use crate::http::lambda::Operation;
use crate::http::on_behalf::Call;

/// An alias of a function.
pub struct Alias;

#[async_trait]
impl ResourceType for Alias {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Alias"
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let reference = unqualified(site, required(properties, "FunctionName")?)?;
        let (name, functions) = (required(properties, "Name")?, &site.services.functions);
        let found = functions.load(&reference.function).await?;
        let arn = format!("{}:{name}", functions.arn(&reference));
        match found {
            Some((function, _)) if function.aliases.contains_key(name) => {
                Err(Error::conflict(format!("Alias already exists: {arn}")))
            }
            Some(_) | None => Ok(arn),
        }
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let (function, name) = split(physical_id);
        let mut create = request(properties);
        create.insert("Name".into(), name.into());
        site.call(Call::new(Operation::CreateAlias, &[function]).body(create.into())).await?;
        Ok(Made::with([("AliasArn", physical_id.into())]))
    }

    async fn update(&self, site: &Site, physical_id: &str, _former: &Value, properties: &Value) -> Result<Made, Error> {
        let (function, name) = split(physical_id);
        let mut update = request(properties);
        update.entry("Description").or_insert_with(|| "".into());
        update.entry("RoutingConfig").or_insert_with(|| json!({}));
        site.call(Call::new(Operation::UpdateAlias, &[function, name]).body(update.into())).await?;
        Ok(Made::with([("AliasArn", physical_id.into())]))
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        let (function, name) = split(physical_id);
        site.call(Call::new(Operation::DeleteAlias, &[function, name])).await.map(drop)
    }
}

fn request(properties: &Value) -> Map<String, Value> {
    let mut request = members(properties, &["Description", "FunctionVersion"]);
    if let Some(version) = request.get_mut("FunctionVersion") {
        *version = text_of(version).map_or(version.take(), Value::String);
    }
    if let Some(routing) = properties.get("RoutingConfig") {
        // Templates write a list where the API has a map.
        let weights = routing["AdditionalVersionWeights"].as_array().into_iter().flatten();
        let weight = |weight: &Value| Some((text_of(&weight["FunctionVersion"])?, weight["FunctionWeight"].clone()));
        let weights: Map<String, Value> = weights.filter_map(weight).collect();
        request.insert("RoutingConfig".into(), json!({"AdditionalVersionWeights": weights}));
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_a_map_of_the_api() {
        let properties = json!({
            "FunctionVersion": 2,
            "RoutingConfig": {"AdditionalVersionWeights": [{"FunctionVersion": "1", "FunctionWeight": 0.25}]},
        });
        let expected = json!({"FunctionVersion": "2", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.25}}});
        assert_eq!(Value::from(request(&properties)), expected);
    }
}
