//! The service `ecr`: repositories of images, as records behind which nothing stands.
//!
//! Deployment tools make repositories and ask what is in them: they are told that there is nothing. What would move
//! images is not served, and says so. Requests are AWS's JSON 1.1. What is kept is in `repositories`.

mod create_repository;
mod delete_repository;
mod describe_repositories;
mod images;
mod tags;

pub use create_repository::check_mutability;

use everstep_api::timestamp::seconds;
use everstep_core::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Services;
use super::authorize::Need;
use super::error::Error;
use super::operation::{declare_operations, of_target};
use super::request::{Request, Response};
use crate::limits::TAGS_MAX;
use crate::repositories::Repository;

/// How the header names the API.
const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.";

declare_operations! { "the registry of images", "ecr":
    CreateRepository
    DeleteRepository
    DescribeImages
    DescribeRepositories
    ListImages
    ListTagsForResource
    TagResource
    UntagResource
}

impl Operation {
    /// Finds the operation that a target names.
    ///
    /// # Errors
    /// If it is none of this service, or none that is served.
    pub fn find(target: &str) -> Result<Self, Error> {
        let name = of_target(target, TARGET)?;
        let found = Self::ALL.iter().find(|operation| operation.name() == name).copied();
        found.ok_or_else(|| {
            Error::not_served(format!(
                "Everstep does not serve {name}: it notes repositories down and has no registry behind them, because it runs no images. Deploy functions as zip files (PackageType Zip), or pass requests on to a real registry by a table [forward.ecr] in the configuration file."
            ))
        })
    }

    /// Returns what it takes of its sender.
    pub fn needs(self, services: &Services, request: &Request) -> Vec<Need> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let named = body["repositoryNames"].as_array().into_iter().flatten().chain([&body["repositoryName"]]);
        let mut resources: Vec<String> =
            named.filter_map(Value::as_str).map(|name| services.repositories.arn(name)).collect();
        resources.extend(body["resourceArn"].as_str().map(String::from));
        if resources.is_empty() {
            resources.push(services.repositories.arn("*"));
        }
        resources.into_iter().map(|resource| Need::new(self.action(), resource)).collect()
    }
}

/// Carries out an operation.
pub async fn serve(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    let answer = match operation {
        Operation::CreateRepository => create_repository::handle(services, request).await,
        Operation::DeleteRepository => delete_repository::handle(services, request).await,
        Operation::DescribeRepositories => describe_repositories::handle(services, request),
        Operation::DescribeImages => images::describe(services, request),
        Operation::ListImages => images::list(services, request),
        Operation::TagResource => tags::add(services, request).await,
        Operation::UntagResource => tags::remove(services, request).await,
        Operation::ListTagsForResource => tags::list(services, request),
    };
    Ok(Response::json(200, &answer?))
}

/// A tag.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Tag {
    key: String,
    value: String,
}

/// Changes a repository.
///
/// # Errors
/// If it is not there, what `change` refuses, and the store's.
pub async fn change(
    services: &Services,
    name: &str,
    change: impl FnOnce(&mut Repository) -> Result<(), Error>,
) -> Result<(), Error> {
    let is_there = services.repositories.change(name, change).await?;
    if is_there { Ok(()) } else { Err(missing(services, name)) }
}

/// Checks how many tags a repository has.
///
/// # Errors
/// If there are too many.
pub fn check_tags(count: usize) -> Result<(), Error> {
    if count <= TAGS_MAX {
        return Ok(());
    }
    let message = format!("The maximum number of tags that can be applied to a repository is {TAGS_MAX}");
    Err(Error::named(400, "TooManyTagsException", message))
}

fn shape(services: &Services, repository: &Repository) -> Value {
    let Repository { name, created_at_millis, tag_mutability, scan_on_push, tags: _ } = repository;
    json!({
        "repositoryArn": services.repositories.arn(name),
        "registryId": services.repositories.registry(),
        "repositoryName": name,
        "repositoryUri": services.repositories.uri(name),
        "createdAt": seconds(Timestamp::from_millis(*created_at_millis)),
        "imageTagMutability": tag_mutability,
        "imageScanningConfiguration": {"scanOnPush": scan_on_push},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    })
}

/// Says that there is no such repository.
fn missing(services: &Services, name: &str) -> Error {
    let registry = services.repositories.registry();
    let message = format!("The repository with name '{name}' does not exist in the registry with id '{registry}'");
    Error::named(400, "RepositoryNotFoundException", message)
}

/// A parameter breaks a constraint of the model.
fn invalid(message: impl Into<String>) -> Error {
    Error::named(400, "InvalidParameterException", message)
}
