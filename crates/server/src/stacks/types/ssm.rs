//! `AWS::SSM::Parameter`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Made, ResourceType, Site, Tags, members, required, tags, text};
use crate::http::error::Error;
use crate::http::on_behalf::Call;
use crate::http::ssm::Operation;
use crate::limits::GENERATED_NAME_CHARACTERS_MAX;

/// A parameter. Its physical id is its name.
pub struct Parameter;

/// Properties that are members of `PutParameter`.
const MEMBERS: &[&str] = &["AllowedPattern", "DataType", "Description", "Policies", "Tier", "Type", "Value"];

#[async_trait]
impl ResourceType for Parameter {
    fn name(&self) -> &'static str {
        "AWS::SSM::Parameter"
    }

    fn tags(&self) -> Tags {
        Tags::Map
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let Some(name) = text(properties, "Name") else {
            return Ok(site.generated_name(GENERATED_NAME_CHARACTERS_MAX));
        };
        let get = Call::new(Operation::GetParameter, &[]).body(json!({"Name": name}));
        match site.call(get).await {
            // What the server was born with gives way.
            Ok(_) if site.services.parameters.find(name).await?.is_some_and(|known| known.born) => Ok(name.into()),
            Ok(_) => Err(Error::conflict(format!("{name} already exists"))),
            Err(error) if error.code == MISSING => Ok(name.into()),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let mut put = members(properties, MEMBERS);
        put.insert("Name".into(), physical_id.into());
        let tags = tags(properties).into_iter().map(|(key, value)| json!({"Key": key, "Value": value}));
        put.insert("Tags".into(), tags.collect());
        site.call(Call::new(Operation::PutParameter, &[]).body(put.into())).await?;
        made(site, physical_id, properties)
    }

    async fn update(&self, site: &Site, physical_id: &str, former: &Value, properties: &Value) -> Result<Made, Error> {
        let mut put = members(properties, MEMBERS);
        put.insert("Name".into(), physical_id.into());
        put.insert("Overwrite".into(), true.into());
        put.entry("Description").or_insert_with(|| "".into());
        site.call(Call::new(Operation::PutParameter, &[]).body(put.into())).await?;
        let (before, after) = (tags(former), tags(properties));
        let named = json!({"ResourceType": "Parameter", "ResourceId": physical_id});
        let with = |name: &str, value: Value| {
            let mut members = named.clone();
            members[name] = value;
            members
        };
        if after != before && !after.is_empty() {
            let tags = after.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
            site.call(Call::new(Operation::AddTagsToResource, &[]).body(with("Tags", tags))).await?;
        }
        let gone: Vec<&String> = before.keys().filter(|key| !after.contains_key(*key)).collect();
        if !gone.is_empty() {
            let call = Call::new(Operation::RemoveTagsFromResource, &[]).body(with("TagKeys", json!(gone)));
            site.call(call).await?;
        }
        made(site, physical_id, properties)
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        match site.call(Call::new(Operation::DeleteParameter, &[]).body(json!({"Name": physical_id}))).await {
            Err(error) if error.code != MISSING => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// How SSM says that there is no such parameter.
const MISSING: &str = "ParameterNotFound";

fn made(site: &Site, name: &str, properties: &Value) -> Result<Made, Error> {
    let place = site.services.stacks.place();
    let slash = if name.starts_with('/') { "" } else { "/" };
    let arn = format!("arn:aws:ssm:{}:{}:parameter{slash}{name}", place.region, place.account);
    let (kind, value) = (required(properties, "Type")?, required(properties, "Value")?);
    Ok(Made::with([("Arn", arn.into()), ("Type", kind.into()), ("Value", value.into())]))
}
