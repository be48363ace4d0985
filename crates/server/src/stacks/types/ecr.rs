//! `AWS::ECR::Repository`: a record behind which no registry stands.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Made, ResourceType, Site, Tags, tags, text};
use crate::http::ecr::{self, Operation};
use crate::http::error::Error;
use crate::http::on_behalf::Call;
use crate::limits::REPOSITORY_NAME_CHARACTERS_MAX;

/// A repository. Its physical id is its name.
pub struct Repository;

#[async_trait]
impl ResourceType for Repository {
    fn name(&self) -> &'static str {
        "AWS::ECR::Repository"
    }

    fn tags(&self) -> Tags {
        Tags::List
    }

    fn warning(&self) -> Option<&'static str> {
        Some(
            "WARNING: Everstep noted the repository down and has no registry behind it: images can neither be pushed to it nor run.",
        )
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let Some(name) = text(properties, "RepositoryName") else {
            return Ok(site.generated_name(REPOSITORY_NAME_CHARACTERS_MAX).to_lowercase());
        };
        match site.services.repositories.find(name) {
            Some(_) => Err(Error::conflict(format!("{name} already exists"))),
            None => Ok(name.into()),
        }
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let mut body = json!({"repositoryName": physical_id});
        if let Some(mutability) = text(properties, "ImageTagMutability") {
            body["imageTagMutability"] = mutability.into();
        }
        body["imageScanningConfiguration"] = json!({"scanOnPush": scans_on_push(properties)});
        body["tags"] = tags(properties).iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        site.call(Call::new(Operation::CreateRepository, &[]).body(body)).await?;
        Ok(made(site, physical_id))
    }

    async fn update(&self, site: &Site, physical_id: &str, former: &Value, properties: &Value) -> Result<Made, Error> {
        let arn = site.services.repositories.arn(physical_id);
        if properties["ImageTagMutability"] != former["ImageTagMutability"] {
            site.check_allowed("ecr:PutImageTagMutability", arn.clone())?;
        }
        if scans_on_push(properties) != scans_on_push(former) {
            site.check_allowed("ecr:PutImageScanningConfiguration", arn.clone())?;
        }
        if tags(properties) != tags(former) {
            site.check_allowed("ecr:TagResource", arn)?;
        }
        let mutability = text(properties, "ImageTagMutability").unwrap_or("MUTABLE");
        ecr::check_mutability(mutability)?;
        ecr::check_tags(tags(properties).len())?;
        let change = |repository: &mut crate::repositories::Repository| {
            repository.tag_mutability = mutability.into();
            repository.scan_on_push = scans_on_push(properties);
            repository.tags = tags(properties);
            Ok(())
        };
        ecr::change(&site.services, physical_id, change).await?;
        Ok(made(site, physical_id))
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        let call = Call::new(Operation::DeleteRepository, &[]).body(json!({"repositoryName": physical_id}));
        match site.call(call).await {
            Err(error) if error.code != "RepositoryNotFoundException" => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

fn scans_on_push(properties: &Value) -> bool {
    properties["ImageScanningConfiguration"]["ScanOnPush"].as_bool().unwrap_or(false)
}

fn made(site: &Site, name: &str) -> Made {
    let repositories = &site.services.repositories;
    Made::with([("Arn", repositories.arn(name).into()), ("RepositoryUri", repositories.uri(name).into())])
}
