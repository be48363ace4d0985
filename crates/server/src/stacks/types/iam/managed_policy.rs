//! `AWS::IAM::ManagedPolicy`.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::super::{Made, ResourceType, Site, members, text};
use super::{Holder, attach, call, document, take_away, texts};
use crate::http::error::Error;
use crate::http::iam::Operation;
use crate::limits::POLICY_NAME_CHARACTERS_MAX;

/// A policy that is attached to roles and users.
pub struct ManagedPolicy;

#[async_trait]
impl ResourceType for ManagedPolicy {
    fn name(&self) -> &'static str {
        "AWS::IAM::ManagedPolicy"
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let given = text(properties, "ManagedPolicyName").map(str::to_string);
        let name = given.clone().unwrap_or_else(|| site.generated_name(POLICY_NAME_CHARACTERS_MAX));
        let path = text(properties, "Path").unwrap_or("/");
        let account = &site.services.stacks.place().account;
        let arn = format!("arn:aws:iam::{account}:policy{path}{name}");
        if given.is_none() {
            return Ok(arn);
        }
        match call(site, Operation::GetPolicy, json!({"PolicyArn": arn})).await {
            Ok(_) => Err(Error::entity_exists(format!(
                "A policy called {name} already exists. Duplicate names are not allowed."
            ))),
            Err(error) if error.code == "NoSuchEntity" => Ok(arn),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let mut create = members(properties, &["Description", "Path"]);
        let (_, name) = physical_id.rsplit_once('/').unwrap_or_default();
        create.insert("PolicyName".into(), name.into());
        create.insert("PolicyDocument".into(), document(properties, "PolicyDocument").into());
        let created = call(site, Operation::CreatePolicy, create.into()).await?;
        if let Err(error) = share(site, physical_id, &Value::Null, properties).await {
            self.delete(site, physical_id, properties).await?;
            return Err(error);
        }
        Ok(made(physical_id, &created))
    }

    async fn update(&self, site: &Site, physical_id: &str, former: &Value, properties: &Value) -> Result<Made, Error> {
        if former["PolicyDocument"] != properties["PolicyDocument"] {
            // There may be five versions; those that are not in force make room.
            forget_versions(site, physical_id).await?;
            let version = json!({
                "PolicyArn": physical_id,
                "PolicyDocument": document(properties, "PolicyDocument"),
                "SetAsDefault": true,
            });
            call(site, Operation::CreatePolicyVersion, version).await?;
        }
        share(site, physical_id, former, properties).await?;
        let policy = call(site, Operation::GetPolicy, json!({"PolicyArn": physical_id})).await?;
        Ok(made(physical_id, &policy))
    }

    async fn delete(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<(), Error> {
        share(site, physical_id, properties, &Value::Null).await?;
        forget_versions(site, physical_id).await?;
        call(site, Operation::DeletePolicy, json!({"PolicyArn": physical_id})).await.map(drop)
    }
}

fn made(arn: &str, answer: &Value) -> Made {
    let attribute = |name: &str| answer["Policy"][name].clone();
    Made::with([
        ("PolicyArn", arn.into()),
        ("PolicyId", attribute("PolicyId")),
        ("DefaultVersionId", attribute("DefaultVersionId")),
        ("CreateDate", attribute("CreateDate")),
        ("UpdateDate", attribute("UpdateDate")),
        ("AttachmentCount", attribute("AttachmentCount")),
        ("IsAttachable", attribute("IsAttachable")),
    ])
}

/// Deletes the versions of a policy that are not in force.
async fn forget_versions(site: &Site, arn: &str) -> Result<(), Error> {
    let versions = match call(site, Operation::ListPolicyVersions, json!({"PolicyArn": arn})).await {
        Err(error) if error.code == "NoSuchEntity" => return Ok(()),
        versions => versions?,
    };
    for version in versions["Versions"].as_array().into_iter().flatten() {
        if version["IsDefaultVersion"] != true {
            let members = json!({"PolicyArn": arn, "VersionId": version["VersionId"]});
            take_away(site, Operation::DeletePolicyVersion, members).await?;
        }
    }
    Ok(())
}

/// Attaches the policy to those who are to have it, and to nobody else who had it.
async fn share(site: &Site, arn: &str, former: &Value, properties: &Value) -> Result<(), Error> {
    let (policy, nothing) = (BTreeSet::from([arn.to_string()]), BTreeSet::new());
    for holder in Holder::ALL {
        let (had, have) = (texts(former, holder.property()), texts(properties, holder.property()));
        for name in have.difference(&had) {
            attach(site, holder, name, &nothing, &policy).await?;
        }
        for name in had.difference(&have) {
            attach(site, holder, name, &policy, &nothing).await?;
        }
    }
    Ok(())
}
