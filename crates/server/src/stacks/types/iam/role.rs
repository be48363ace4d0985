//! `AWS::IAM::Role`.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::super::{Made, ResourceType, Site, Tags, members, tags, text};
use super::{Holder, attach, call, document, put, take_away, texts};
use crate::http::error::Error;
use crate::http::iam::Operation;
use crate::limits::IDENTITY_NAME_CHARACTERS_MAX;

/// A role.
pub struct Role;

#[async_trait]
impl ResourceType for Role {
    fn name(&self) -> &'static str {
        "AWS::IAM::Role"
    }

    fn tags(&self) -> Tags {
        Tags::List
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let Some(name) = text(properties, "RoleName") else {
            return Ok(site.generated_name(IDENTITY_NAME_CHARACTERS_MAX));
        };
        match site.services.identities.roles.get(name) {
            Some(known) if !known.born => Err(Error::entity_exists(format!("Role with name {name} already exists."))),
            Some(_) | None => Ok(name.into()),
        }
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let mut create =
            members(properties, &["Description", "MaxSessionDuration", "Path", "PermissionsBoundary", "Tags"]);
        create.insert("RoleName".into(), physical_id.into());
        let trust = document(properties, "AssumeRolePolicyDocument");
        create.insert("AssumeRolePolicyDocument".into(), trust.into());
        let created = call(site, Operation::CreateRole, create.into()).await?;
        if let Err(error) = grant(site, physical_id, &Value::Null, properties).await {
            self.delete(site, physical_id, properties).await?;
            return Err(error);
        }
        let attribute = |name: &str| created["Role"][name].clone();
        Ok(Made::with([("Arn", attribute("Arn")), ("RoleId", attribute("RoleId"))]))
    }

    async fn update(&self, site: &Site, physical_id: &str, former: &Value, properties: &Value) -> Result<Made, Error> {
        let named = |mut members: Value| {
            members["RoleName"] = physical_id.into();
            members
        };
        let description = text(properties, "Description").unwrap_or_default();
        let mut update = json!({"Description": description});
        if let Some(seconds) = properties.get("MaxSessionDuration") {
            update["MaxSessionDuration"] = seconds.clone();
        }
        call(site, Operation::UpdateRole, named(update)).await?;
        let trust = document(properties, "AssumeRolePolicyDocument");
        call(site, Operation::UpdateAssumeRolePolicy, named(json!({"PolicyDocument": trust}))).await?;
        match text(properties, "PermissionsBoundary") {
            Some(arn) => {
                let boundary = named(json!({"PermissionsBoundary": arn}));
                call(site, Operation::PutRolePermissionsBoundary, boundary).await?;
            }
            None => take_away(site, Operation::DeleteRolePermissionsBoundary, named(json!({}))).await?,
        }
        let (before, after) = (tags(former), tags(properties));
        if after != before && !after.is_empty() {
            call(site, Operation::TagRole, named(json!({"Tags": properties["Tags"]}))).await?;
        }
        let gone: Vec<&String> = before.keys().filter(|key| !after.contains_key(*key)).collect();
        if !gone.is_empty() {
            call(site, Operation::UntagRole, named(json!({"TagKeys": gone}))).await?;
        }
        grant(site, physical_id, former, properties).await?;
        let role = call(site, Operation::GetRole, named(json!({}))).await?;
        let attribute = |name: &str| role["Role"][name].clone();
        Ok(Made::with([("Arn", attribute("Arn")), ("RoleId", attribute("RoleId"))]))
    }

    async fn delete(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<(), Error> {
        if site.services.identities.roles.get(physical_id).is_some() {
            grant(site, physical_id, properties, &Value::Null).await?;
        }
        call(site, Operation::DeleteRole, json!({"RoleName": physical_id})).await.map(drop)
    }
}

/// Gives a role the policies that its properties say, and takes those that former ones said.
async fn grant(site: &Site, name: &str, former: &Value, properties: &Value) -> Result<(), Error> {
    let attached = |properties: &Value| -> BTreeSet<String> { texts(properties, "ManagedPolicyArns") };
    attach(site, Holder::Role, name, &attached(former), &attached(properties)).await?;
    put(site, Holder::Role, name, &inline(former), &inline(properties)).await
}

fn inline(properties: &Value) -> BTreeMap<String, String> {
    let policies = properties["Policies"].as_array().into_iter().flatten();
    let policy = |policy: &Value| Some((text(policy, "PolicyName")?.to_string(), document(policy, "PolicyDocument")));
    policies.filter_map(policy).collect()
}
