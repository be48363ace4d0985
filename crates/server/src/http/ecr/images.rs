//! What is in a repository: nothing.

use serde::Deserialize;
use serde_json::{Value, json};

use super::missing;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    repository_name: String,
    image_ids: Vec<ImageId>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ImageId {
    image_digest: Option<String>,
    image_tag: Option<String>,
}

/// `DescribeImages`: no image that is named is there.
pub fn describe(services: &Services, request: &Request) -> Result<Value, Error> {
    let Asked { repository_name: name, image_ids } = request.json()?;
    check(services, &name)?;
    let Some(ImageId { image_digest, image_tag }) = image_ids.first() else { return Ok(json!({"imageDetails": []})) };
    let text = |id: &Option<String>| id.clone().unwrap_or_else(|| "null".into());
    Err(Error::named(
        400,
        "ImageNotFoundException",
        format!(
            "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name '{name}' in the registry with id '{}'",
            text(image_digest),
            text(image_tag),
            services.repositories.registry()
        ),
    ))
}

/// `ListImages`: there are none.
pub fn list(services: &Services, request: &Request) -> Result<Value, Error> {
    let Asked { repository_name: name, .. } = request.json()?;
    check(services, &name)?;
    Ok(json!({"imageIds": []}))
}

fn check(services: &Services, name: &str) -> Result<(), Error> {
    services.repositories.find(name).map(drop).ok_or_else(|| missing(services, name))
}
