//! The policies of this account, with their versions; and AWS's own, as far as they are known here.

use std::collections::BTreeMap;
use std::sync::Arc;

use everstep_iam::limits::{MANAGED_POLICY_CHARACTERS_MAX, characters};
use everstep_iam::{Policy, managed};
use serde::Deserialize;
use serde_json::{Value, json};

use super::attached_policies::{count_uses, missing};
use super::tags::{Tag, read_tags};
use super::{Paging, check_description, check_policy_name, document, escaped, page, path, tag_shapes, time};
use crate::access::new_id;
use crate::functions::now_millis;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::identities::{Attachable, Document, ManagedPolicy, PolicyVersion};
use crate::limits::{MANAGED_POLICIES_MAX, POLICY_VERSIONS_MAX};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct CreatePolicy {
    policy_name: Option<String>,
    path: Option<String>,
    policy_document: Option<String>,
    description: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Given {
    policy_arn: Option<String>,
    version_id: Option<String>,
    policy_document: Option<String>,
    set_as_default: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ListPolicies {
    scope: Option<String>,
    only_attached: bool,
}

/// Creates a policy.
pub async fn create(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: CreatePolicy = request.form()?;
    let name = given.policy_name.ok_or_else(|| Error::missing("policyName"))?;
    check_policy_name(&name)?;
    check_description(given.description.as_deref())?;
    let version = version(given.policy_document)?;
    let now_millis = now_millis();
    let policy = ManagedPolicy {
        name: name.clone(),
        path: path(given.path)?,
        id: new_id("ANPA"),
        created_at_millis: now_millis,
        updated_at_millis: now_millis,
        description: given.description,
        tags: read_tags(given.tags)?,
        versions: BTreeMap::from([(1, version)]),
        default_version: 1,
        next_version: 2,
    };
    let _changing = services.identities.changing.lock().await;
    let policies = &services.identities.policies;
    if policies.len() >= MANAGED_POLICIES_MAX && policies.get(&name).is_none() {
        let message = format!("Cannot exceed quota for PoliciesPerAccount: {MANAGED_POLICIES_MAX}");
        return Err(Error::limit_exceeded(message));
    }
    if !policies.create(&name, policy.clone()).await? {
        let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
        return Err(Error::entity_exists(message));
    }
    Ok(json!({"Policy": shape(services, &Attachable::Own(Arc::new(policy)))}))
}

/// Returns a policy without its document.
pub fn get(services: &Services, request: &Request) -> Result<Value, Error> {
    let Given { policy_arn, .. } = request.form()?;
    let policy = find(services, &named_policy(policy_arn)?)?;
    let mut shape = shape(services, &policy);
    if let Attachable::Own(policy) = &policy {
        shape["Description"] = policy.description.clone().into();
        shape["Tags"] = tag_shapes(&policy.tags);
    }
    Ok(json!({"Policy": shape}))
}

/// Returns a version with its document.
pub fn get_version(services: &Services, request: &Request) -> Result<Value, Error> {
    let Given { policy_arn, version_id, .. } = request.form()?;
    let arn = named_policy(policy_arn)?;
    let id = version_id.ok_or_else(|| Error::missing("versionId"))?;
    let policy = find(services, &arn)?;
    let found = versions(&policy).into_iter().find(|version| version.id == id);
    let version = found.ok_or_else(|| missing_version(&arn, &id))?;
    let mut shape = version.shape();
    shape["Document"] = escaped(&version.text);
    Ok(json!({"PolicyVersion": shape}))
}

/// Adds a version.
pub async fn create_version(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let arn = named_policy(given.policy_arn)?;
    let version = version(given.policy_document)?;
    let mut number = 0;
    change(services, &arn, |policy| {
        if policy.versions.len() >= POLICY_VERSIONS_MAX {
            return Err(Error::limit_exceeded(format!(
                "A managed policy can have up to {POLICY_VERSIONS_MAX} versions. Before you create a new version, you must delete an existing version."
            )));
        }
        number = policy.next_version;
        policy.next_version += 1;
        policy.updated_at_millis = version.created_at_millis;
        policy.versions.insert(number, version);
        if given.set_as_default {
            policy.default_version = number;
        }
        Ok(())
    })
    .await?;
    let policy = find(services, &arn)?;
    let id = format!("v{number}");
    let version = versions(&policy).into_iter().find(|version| version.id == id);
    Ok(json!({"PolicyVersion": version.ok_or_else(|| missing_version(&arn, &id))?.shape()}))
}

/// Says which version counts.
pub async fn set_default_version(services: &Services, request: &Request) -> Result<Value, Error> {
    let Given { policy_arn, version_id, .. } = request.form()?;
    let arn = named_policy(policy_arn)?;
    let id = version_id.ok_or_else(|| Error::missing("versionId"))?;
    change(services, &arn, |policy| {
        let number = number(&id).filter(|number| policy.versions.contains_key(number));
        policy.default_version = number.ok_or_else(|| missing_version(&arn, &id))?;
        policy.updated_at_millis = now_millis();
        Ok(())
    })
    .await?;
    Ok(Value::Null)
}

/// Lists policies: of this account first, then AWS's.
pub fn list(services: &Services, request: &Request) -> Result<Value, Error> {
    let (ListPolicies { scope, only_attached }, paging) = request.form_pair::<ListPolicies, Paging>()?;
    let scope = scope.unwrap_or_else(|| "All".into());
    let prefix = paging.path_prefix.clone().unwrap_or_default();
    let own = services.identities.policies.all().into_iter().map(Attachable::Own);
    let aws = managed::all().iter().map(Attachable::Aws);
    let mut found: Vec<(String, Attachable)> = own
        .filter(|_| scope != "AWS")
        .chain(aws.filter(|_| scope != "Local"))
        .map(|policy| (arn_of(services, &policy), policy))
        .filter(|(arn, _)| !only_attached || count_uses(services, arn).0 > 0)
        .filter(|(_, policy)| path_of(policy).starts_with(&prefix))
        .collect();
    found.sort_by(|(left, _), (right, _)| left.cmp(right));
    page(services, &paging, "Policies", found, |policy| shape(services, policy))
}

/// Lists the versions of a policy, the newest first.
pub fn list_versions(services: &Services, request: &Request) -> Result<Value, Error> {
    let Given { policy_arn, .. } = request.form()?;
    let policy = find(services, &named_policy(policy_arn)?)?;
    let shapes: Vec<Value> = versions(&policy).iter().rev().map(Version::shape).collect();
    Ok(json!({"Versions": shapes, "IsTruncated": false}))
}

/// Deletes a policy that nobody uses any more.
pub async fn delete(services: &Services, request: &Request) -> Result<Value, Error> {
    let Given { policy_arn, .. } = request.form()?;
    let arn = named_policy(policy_arn)?;
    let _changing = services.identities.changing.lock().await;
    let name = own(services, &arn)?.name.clone();
    if count_uses(services, &arn) != (0, 0) {
        return Err(Error::delete_conflict("Cannot delete a policy attached to entities."));
    }
    let may = |policy: &ManagedPolicy| match policy.versions.len() {
        1 => Ok(()),
        _ => Err(Error::delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
        )),
    };
    services.identities.policies.delete(&name, may).await?;
    Ok(Value::Null)
}

/// Deletes a version that does not count.
pub async fn delete_version(services: &Services, request: &Request) -> Result<Value, Error> {
    let Given { policy_arn, version_id, .. } = request.form()?;
    let arn = named_policy(policy_arn)?;
    let id = version_id.ok_or_else(|| Error::missing("versionId"))?;
    change(services, &arn, |policy| {
        let number = number(&id).filter(|number| policy.versions.contains_key(number));
        let number = number.ok_or_else(|| missing_version(&arn, &id))?;
        if number == policy.default_version {
            return Err(Error::delete_conflict("Cannot delete the default version of a policy."));
        }
        policy.versions.remove(&number);
        Ok(())
    })
    .await?;
    Ok(Value::Null)
}

/// Reads the ARN of a policy.
pub fn named_policy(arn: Option<String>) -> Result<String, Error> {
    arn.ok_or_else(|| Error::missing("policyArn"))
}

/// Returns a policy of this account.
pub fn own(services: &Services, arn: &str) -> Result<Arc<ManagedPolicy>, Error> {
    match find(services, arn)? {
        Attachable::Own(policy) => Ok(policy),
        Attachable::Aws(_) => Err(Error::access_denied("AWS managed policies cannot be changed.")),
    }
}

/// Changes a policy of this account.
pub async fn change(
    services: &Services,
    arn: &str,
    change: impl FnOnce(&mut ManagedPolicy) -> Result<(), Error>,
) -> Result<(), Error> {
    let name = own(services, arn)?.name.clone();
    services.identities.policies.change(&name, change).await?.map(drop).ok_or_else(|| missing(arn))
}

/// A version of one of AWS's policies, or of one of this account's.
struct Version {
    id: String,
    text: String,
    is_default: bool,
    created_at_millis: i64,
}

impl Version {
    fn shape(&self) -> Value {
        json!({
            "VersionId": self.id,
            "IsDefaultVersion": self.is_default,
            "CreateDate": time(self.created_at_millis),
        })
    }
}

fn versions(policy: &Attachable) -> Vec<Version> {
    match policy {
        Attachable::Aws(policy) => vec![Version {
            id: policy.version_id.clone(),
            text: policy.document.to_string(),
            is_default: true,
            created_at_millis: policy.updated_at_millis,
        }],
        Attachable::Own(policy) => {
            let version = |(number, version): (&u32, &PolicyVersion)| Version {
                id: format!("v{number}"),
                text: version.document.text().into(),
                is_default: *number == policy.default_version,
                created_at_millis: version.created_at_millis,
            };
            policy.versions.iter().map(version).collect()
        }
    }
}

fn find(services: &Services, arn: &str) -> Result<Attachable, Error> {
    services.identities.attachable(arn).ok_or_else(|| missing(arn))
}

fn shape(services: &Services, policy: &Attachable) -> Value {
    let arn = arn_of(services, policy);
    let (attached, as_boundary) = count_uses(services, &arn);
    let (id, path, version, created, updated) = match policy {
        Attachable::Aws(policy) => {
            // AWS's ids say nothing, and are not known.
            let id = format!("ANPA{}", policy.name.to_uppercase());
            (id, &policy.path, policy.version_id.clone(), policy.created_at_millis, policy.updated_at_millis)
        }
        Attachable::Own(policy) => {
            let version = format!("v{}", policy.default_version);
            (policy.id.clone(), &policy.path, version, policy.created_at_millis, policy.updated_at_millis)
        }
    };
    json!({
        "PolicyName": policy.name(),
        "PolicyId": id,
        "Arn": arn,
        "Path": path,
        "DefaultVersionId": version,
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": as_boundary,
        "IsAttachable": true,
        "CreateDate": time(created),
        "UpdateDate": time(updated),
    })
}

fn arn_of(services: &Services, policy: &Attachable) -> String {
    match policy {
        Attachable::Aws(policy) => policy.arn.clone(),
        Attachable::Own(policy) => services.identities.arn("policy", &policy.path, &policy.name),
    }
}

fn path_of(policy: &Attachable) -> &str {
    match policy {
        Attachable::Aws(policy) => &policy.path,
        Attachable::Own(policy) => &policy.path,
    }
}

fn version(text: Option<String>) -> Result<PolicyVersion, Error> {
    let document: Document = document(text)?;
    Policy::check_version(document.text()).map_err(|malformed| Error::malformed_policy(malformed.0))?;
    if characters(document.text()) > MANAGED_POLICY_CHARACTERS_MAX {
        return Err(Error::limit_exceeded(format!(
            "Cannot exceed quota for PolicySize: {MANAGED_POLICY_CHARACTERS_MAX}"
        )));
    }
    Ok(PolicyVersion { document, created_at_millis: now_millis() })
}

fn number(id: &str) -> Option<u32> {
    id.strip_prefix('v')?.parse().ok()
}

fn missing_version(arn: &str, id: &str) -> Error {
    Error::no_such_entity(format!("Policy {arn} version {id} does not exist or is not attachable."))
}
