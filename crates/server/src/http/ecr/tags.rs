//! The tags of repositories.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Tag, change, check_tags, invalid, missing};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::repositories::Repository;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    resource_arn: String,
    tags: Vec<Tag>,
    tag_keys: Vec<String>,
}

/// `TagResource`.
pub async fn add(services: &Services, request: &Request) -> Result<Value, Error> {
    let Asked { resource_arn, tags, .. } = request.json()?;
    let name = named(services, &resource_arn)?;
    let add = |repository: &mut Repository| {
        repository.tags.extend(tags.into_iter().map(|tag| (tag.key, tag.value)));
        check_tags(repository.tags.len())
    };
    change(services, &name, add).await?;
    Ok(json!({}))
}

/// `UntagResource`.
pub async fn remove(services: &Services, request: &Request) -> Result<Value, Error> {
    let Asked { resource_arn, tag_keys, .. } = request.json()?;
    let name = named(services, &resource_arn)?;
    let remove = |repository: &mut Repository| {
        repository.tags.retain(|key, _| !tag_keys.contains(key));
        Ok(())
    };
    change(services, &name, remove).await?;
    Ok(json!({}))
}

/// `ListTagsForResource`.
pub fn list(services: &Services, request: &Request) -> Result<Value, Error> {
    let Asked { resource_arn, .. } = request.json()?;
    let name = named(services, &resource_arn)?;
    let known = services.repositories.find(&name).ok_or_else(|| missing(services, &name))?;
    let tags: Value = known.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({"tags": tags}))
}

fn named(services: &Services, arn: &str) -> Result<String, Error> {
    let name = arn.strip_prefix(&services.repositories.arn("")).map(String::from);
    name.ok_or_else(|| invalid(format!("Invalid parameter at 'resourceArn': {arn} is no repository of this server")))
}
