//! The tags of parameters.

use std::collections::BTreeMap;

use everstep_api::validation::Violations;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::{TAG_KEY_CHARACTERS_MAX, TAG_VALUE_CHARACTERS_MAX, TAGS_MAX};

/// A tag.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Tag {
    key: String,
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Given {
    resource_type: Option<String>,
    resource_id: Option<String>,
    tags: Vec<Tag>,
    tag_keys: Vec<String>,
}

/// Adds tags.
pub async fn add(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.json()?;
    let name = named(&given)?;
    let tags = read_tags(given.tags)?;
    change(services, &name, |known| known.extend(tags)).await
}

/// Removes tags.
pub async fn remove(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.json()?;
    let name = named(&given)?;
    change(services, &name, |known| known.retain(|key, _| !given.tag_keys.contains(key))).await
}

/// Lists tags.
pub async fn list(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.json()?;
    let parameter = services.parameters.find(&named(&given)?).await?.ok_or_else(missing)?;
    let tags: Vec<Value> = parameter.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({"TagList": tags}))
}

/// Reads tags, and checks them.
pub(super) fn read_tags(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, Error> {
    let mut violations = Violations::default();
    for Tag { key, value } in &tags {
        violations.length(key, "tags.key", 1, TAG_KEY_CHARACTERS_MAX);
        violations.length(value, "tags.value", 0, TAG_VALUE_CHARACTERS_MAX);
    }
    violations.finish().map_err(Error::validation)?;
    let tags: BTreeMap<String, String> = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    check_number(tags.len())?;
    Ok(tags)
}

fn check_number(tags: usize) -> Result<(), Error> {
    if tags > TAGS_MAX {
        let message = format!("A parameter can have at most {TAGS_MAX} tags.");
        return Err(Error::named(400, "TooManyTagsError", message));
    }
    Ok(())
}

async fn change(
    services: &Services,
    name: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<Value, Error> {
    let changed = services.parameters.change(name, |found| {
        let mut parameter = found.ok_or_else(missing)?;
        change(&mut parameter.tags);
        check_number(parameter.tags.len())?;
        Ok((parameter, ()))
    });
    changed.await.map(|()| json!({}))
}

fn named(given: &Given) -> Result<String, Error> {
    match given.resource_type.as_deref() {
        Some("Parameter") => given.resource_id.clone().ok_or_else(|| Error::missing("resourceId")),
        Some(_) => Err(Error::named(400, "InvalidResourceType", "Of Systems Manager, Everstep has parameters only.")),
        None => Err(Error::missing("resourceType")),
    }
}

fn missing() -> Error {
    Error::named(400, "InvalidResourceId", "There is no parameter of that name.")
}
