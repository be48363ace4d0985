//! `CreateRepository`: notes a repository down.

use everstep_api::validation::Violations;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::warn;

use super::{Tag, check_tags, invalid, shape};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::{REPOSITORY_NAME_CHARACTERS_MAX, REPOSITORY_NAME_CHARACTERS_MIN};
use crate::repositories::{self, Repository};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CreateRepository {
    repository_name: String,
    image_tag_mutability: Option<String>,
    image_scanning_configuration: ImageScanningConfiguration,
    tags: Vec<Tag>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ImageScanningConfiguration {
    scan_on_push: bool,
}

/// What names are like, in AWS's words.
const PATTERN: &str = "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";

const MUTABILITIES: &[(&str, &str)] = &[
    ("IMMUTABLE", "IMMUTABLE"),
    ("IMMUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"),
    ("MUTABLE", "MUTABLE"),
    ("MUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"),
];

/// How requests call it.
const MUTABILITY: &str = "imageTagMutability";

/// Checks whether tags of images could be moved.
///
/// # Errors
/// If it is none of the words for that.
pub fn check_mutability(mutability: &str) -> Result<(), Error> {
    let mut violations = Violations::default();
    violations.one_of(mutability, MUTABILITY, MUTABILITIES);
    violations.finish().map_err(invalid)
}

/// Notes it down.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let CreateRepository { repository_name: name, image_tag_mutability, image_scanning_configuration, tags } =
        request.json()?;
    let mut violations = Violations::default();
    violations.length(&name, "repositoryName", REPOSITORY_NAME_CHARACTERS_MIN, REPOSITORY_NAME_CHARACTERS_MAX);
    let constraint = format!("Member must satisfy regular expression pattern: {PATTERN}");
    violations.require(name.split('/').all(is_part), &name, "repositoryName", constraint);
    let mutability = image_tag_mutability.unwrap_or_else(|| "MUTABLE".into());
    violations.one_of(&mutability, MUTABILITY, MUTABILITIES);
    violations.finish().map_err(invalid)?;
    check_tags(tags.len())?;
    let repository = Repository {
        name: name.clone(),
        created_at_millis: crate::functions::now_millis(),
        tag_mutability: mutability,
        scan_on_push: image_scanning_configuration.scan_on_push,
        tags: tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
    };
    let answer = json!({"repository": shape(services, &repository)});
    let registry = services.repositories.registry();
    services.repositories.create(repository).await.map_err(|error| match error {
        repositories::Error::Exists => Error::named(
            400,
            "RepositoryAlreadyExistsException",
            format!("The repository with name '{name}' already exists in the registry with id '{registry}'"),
        ),
        repositories::Error::TooMany => Error::named(
            400,
            "LimitExceededException",
            "The maximum number of repositories has been reached; delete some that are not needed.",
        ),
        repositories::Error::Store(error) => error.into(),
    })?;
    warn!(repository.name = name, "a repository was noted down: no images are kept in it");
    Ok(answer)
}

/// Whether this may stand between two slashes: words of lower-case letters and digits, one of `._-` between them.
fn is_part(part: &str) -> bool {
    part.split(['.', '_', '-'])
        .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}
