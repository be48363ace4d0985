//! The operations of roles themselves.

use everstep_api::validation::Violations;
use everstep_iam::limits::{TRUST_POLICY_CHARACTERS_MAX, characters};
use serde::Deserialize;
use serde_json::{Value, json};

use super::entity::{add_boundary, change_role, check_bare, missing_role, named_role, role};
use super::tags::{Tag, read_tags};
use super::{Paging, check_description, document, escaped, page, path, tag_shapes, time};
use crate::access::new_id;
use crate::functions::now_millis;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::iam::attached_policies::check_attachable;
use crate::http::request::Request;
use crate::identities::{Grants, Role, Trust};
use crate::limits::{ROLES_MAX, SESSION_SECONDS_DEFAULT, SESSION_SECONDS_MAX};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct CreateRole {
    role_name: Option<String>,
    path: Option<String>,
    assume_role_policy_document: Option<String>,
    description: Option<String>,
    max_session_duration: Option<i64>,
    permissions_boundary: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NamedRole {
    role_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct UpdateRole {
    role_name: Option<String>,
    description: Option<String>,
    max_session_duration: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct UpdateAssumeRolePolicy {
    role_name: Option<String>,
    policy_document: Option<String>,
}

/// Creates a role.
pub async fn create(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: CreateRole = request.form()?;
    let name = named_role(given.role_name)?;
    check_description(given.description.as_deref())?;
    let trust = trust(&name, given.assume_role_policy_document, "assumeRolePolicyDocument")?;
    let _changing = services.identities.changing.lock().await;
    if let Some(boundary) = &given.permissions_boundary {
        check_attachable(services, boundary)?;
    }
    let role = Role {
        name: name.clone(),
        path: path(given.path)?,
        id: new_id("AROA"),
        created_at_millis: now_millis(),
        trust,
        description: given.description,
        max_session_seconds: max_session(given.max_session_duration)?.unwrap_or(SESSION_SECONDS_DEFAULT),
        tags: read_tags(given.tags)?,
        grants: Grants { boundary: given.permissions_boundary, ..Grants::default() },
        born: false,
    };
    let roles = &services.identities.roles;
    let exists = || Error::entity_exists(format!("Role with name {name} already exists."));
    match roles.get(&name) {
        None if roles.len() >= ROLES_MAX => {
            return Err(Error::limit_exceeded(format!("Cannot exceed quota for RolesPerAccount: {ROLES_MAX}")));
        }
        None => {
            roles.create(&name, role.clone()).await?;
        }
        // What the server was born with gives way.
        Some(known) if known.born => {
            change_role(services, &name, |known| {
                *known = role.clone();
                Ok(())
            })
            .await?;
        }
        Some(_) => return Err(exists()),
    }
    Ok(json!({"Role": shape(services, &role)}))
}

/// Returns a role.
pub fn get(services: &Services, request: &Request) -> Result<Value, Error> {
    let NamedRole { role_name } = request.form()?;
    let role = role(services, &named_role(role_name)?)?;
    let mut shape = shape(services, &role);
    shape["RoleLastUsed"] = json!({});
    Ok(json!({"Role": shape}))
}

/// Lists roles.
pub fn list(services: &Services, request: &Request) -> Result<Value, Error> {
    let paging: Paging = request.form()?;
    let prefix = paging.path_prefix.clone().unwrap_or_default();
    let roles = services.identities.roles.all().into_iter().filter(|role| role.path.starts_with(&prefix));
    page(services, &paging, "Roles", roles.map(|role| (role.name.clone(), role)), |role| {
        let mut shape = shape(services, role);
        shape.as_object_mut().expect("it is one").remove("Tags");
        shape
    })
}

/// Changes a role's description and its longest session.
pub async fn update(services: &Services, request: &Request) -> Result<Value, Error> {
    let UpdateRole { role_name, description, max_session_duration } = request.form()?;
    let name = named_role(role_name)?;
    check_description(description.as_deref())?;
    let seconds = max_session(max_session_duration)?.unwrap_or(SESSION_SECONDS_DEFAULT);
    change_role(services, &name, |role| {
        role.description = description.clone().or(role.description.take());
        role.max_session_seconds = seconds;
        Ok(())
    })
    .await?;
    Ok(json!({}))
}

/// Changes a role's description.
pub async fn update_description(services: &Services, request: &Request) -> Result<Value, Error> {
    let UpdateRole { role_name, description, max_session_duration: _ } = request.form()?;
    let name = named_role(role_name)?;
    check_description(description.as_deref())?;
    change_role(services, &name, |role| {
        role.description = description;
        Ok(())
    })
    .await?;
    Ok(json!({"Role": shape(services, &*role(services, &name)?)}))
}

/// Changes who may assume a role.
pub async fn update_assume_role_policy(services: &Services, request: &Request) -> Result<Value, Error> {
    let UpdateAssumeRolePolicy { role_name, policy_document } = request.form()?;
    let name = named_role(role_name)?;
    let trust = trust(&name, policy_document, "policyDocument")?;
    change_role(services, &name, |role| {
        role.trust = trust;
        Ok(())
    })
    .await?;
    Ok(Value::Null)
}

/// Deletes a role that has no policies any more.
pub async fn delete(services: &Services, request: &Request) -> Result<Value, Error> {
    let NamedRole { role_name } = request.form()?;
    let name = named_role(role_name)?;
    let _changing = services.identities.changing.lock().await;
    let deleted = services.identities.roles.delete(&name, |role| check_bare(&role.grants)).await?;
    deleted.map(|_| Value::Null).ok_or_else(|| missing_role(&name))
}

/// Lists instance profiles: there are none, because there are no instances.
pub fn list_instance_profiles(services: &Services, request: &Request) -> Result<Value, Error> {
    let NamedRole { role_name } = request.form()?;
    role(services, &named_role(role_name)?)?;
    Ok(json!({"InstanceProfiles": [], "IsTruncated": false}))
}

/// Writes a role.
fn shape(services: &Services, role: &Role) -> Value {
    let mut shape = json!({
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": services.identities.arn("role", &role.path, &role.name),
        "CreateDate": time(role.created_at_millis),
        "AssumeRolePolicyDocument": escaped(role.trust.text()),
        "MaxSessionDuration": role.max_session_seconds,
    });
    if let Some(description) = &role.description {
        shape["Description"] = description.as_str().into();
    }
    if !role.tags.is_empty() {
        shape["Tags"] = tag_shapes(&role.tags);
    }
    add_boundary(&mut shape, &role.grants);
    shape
}

fn trust(role: &str, text: Option<String>, member: &str) -> Result<Trust, Error> {
    let trust: Trust = document(Some(text.ok_or_else(|| Error::missing(member))?))?;
    if characters(trust.text()) > TRUST_POLICY_CHARACTERS_MAX {
        let message = format!("Cannot exceed quota for ACLSizePerRole: {TRUST_POLICY_CHARACTERS_MAX} (role {role})");
        return Err(Error::limit_exceeded(message));
    }
    Ok(trust)
}

fn max_session(given: Option<i64>) -> Result<Option<u32>, Error> {
    let Some(seconds) = given else { return Ok(None) };
    let mut violations = Violations::default();
    let (min, max) = (SESSION_SECONDS_DEFAULT.into(), SESSION_SECONDS_MAX.into());
    violations.range(seconds, "maxSessionDuration", min, max);
    violations.finish().map_err(Error::validation)?;
    Ok(Some(u32::try_from(seconds).expect("it is in range")))
}
