//! The policies that roles and users share, and the boundaries that limit them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::entity::{Entity, What};
use super::managed_policies::named_policy;
use super::{Paging, page};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::identities::{Attachable, Grants};
use crate::limits::ATTACHED_POLICIES_MAX;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Given {
    role_name: Option<String>,
    user_name: Option<String>,
    policy_arn: Option<String>,
    permissions_boundary: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ListEntities {
    policy_arn: Option<String>,
    entity_filter: Option<String>,
    policy_usage_filter: Option<String>,
}

/// Attaches a policy.
pub async fn attach(services: &Services, request: &Request, what: What) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let entity = Entity::named(what, request, given.role_name, given.user_name)?;
    let arn = named_policy(given.policy_arn)?;
    let _changing = services.identities.changing.lock().await;
    entity.grants(services)?;
    check_attachable(services, &arn)?;
    entity
        .change(services, |Grants { attached, .. }| {
            attached.insert(arn);
            if attached.len() > ATTACHED_POLICIES_MAX {
                let quota = match what {
                    What::Role => "PoliciesPerRole",
                    What::User => "PoliciesPerUser",
                };
                return Err(Error::limit_exceeded(format!("Cannot exceed quota for {quota}: {ATTACHED_POLICIES_MAX}")));
            }
            Ok(())
        })
        .await?;
    Ok(Value::Null)
}

/// Detaches a policy.
pub async fn detach(services: &Services, request: &Request, what: What) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let entity = Entity::named(what, request, given.role_name, given.user_name)?;
    let arn = named_policy(given.policy_arn)?;
    let missing = || Error::no_such_entity(format!("Policy {arn} was not found."));
    entity.change(services, |Grants { attached, .. }| attached.remove(&arn).then_some(()).ok_or_else(missing)).await?;
    Ok(Value::Null)
}

/// Lists attached policies.
pub fn list(services: &Services, request: &Request, what: What) -> Result<Value, Error> {
    let (given, paging) = request.form_pair::<Given, Paging>()?;
    let entity = Entity::named(what, request, given.role_name, given.user_name)?;
    let prefix = paging.path_prefix.clone().unwrap_or_default();
    let attached = entity.grants(services)?.attached.into_iter().filter(|arn| path_of(arn).starts_with(&prefix));
    page(services, &paging, "AttachedPolicies", attached.map(|arn| (arn.clone(), arn)), |arn| {
        let name = services.identities.attachable(arn).map(|policy| policy.name().to_string());
        json!({"PolicyName": name, "PolicyArn": arn})
    })
}

/// Sets the policy that limits what the others give.
pub async fn put_boundary(services: &Services, request: &Request, what: What) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let entity = Entity::named(what, request, given.role_name, given.user_name)?;
    let arn = given.permissions_boundary.ok_or_else(|| Error::missing("permissionsBoundary"))?;
    let _changing = services.identities.changing.lock().await;
    entity.grants(services)?;
    check_attachable(services, &arn)?;
    entity
        .change(services, |grants| {
            grants.boundary = Some(arn);
            Ok(())
        })
        .await?;
    Ok(Value::Null)
}

/// Removes the policy that limits what the others give.
pub async fn delete_boundary(services: &Services, request: &Request, what: What) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let entity = Entity::named(what, request, given.role_name, given.user_name)?;
    entity
        .change(services, |grants| {
            let missing =
                || Error::no_such_entity(format!("{} {} has no permissions boundary.", entity.word(), entity.name()));
            grants.boundary.take().map(drop).ok_or_else(missing)
        })
        .await?;
    Ok(Value::Null)
}

/// Lists who uses a policy.
pub fn list_entities(services: &Services, request: &Request) -> Result<Value, Error> {
    let ListEntities { policy_arn, entity_filter, policy_usage_filter } = request.form()?;
    let arn = named_policy(policy_arn)?;
    services.identities.attachable(&arn).ok_or_else(|| missing(&arn))?;
    let as_boundary = policy_usage_filter.as_deref() == Some("PermissionsBoundary");
    let uses = |grants: &Grants| {
        if as_boundary { grants.boundary.as_ref() == Some(&arn) } else { grants.attached.contains(&arn) }
    };
    let wanted = |kind: &str| entity_filter.as_deref().is_none_or(|filter| filter == kind);
    let roles = services.identities.roles.all().into_iter().filter(|role| wanted("Role") && uses(&role.grants));
    let roles: Vec<Value> = roles.map(|role| json!({"RoleName": role.name, "RoleId": role.id})).collect();
    let users = services.identities.users.all().into_iter().filter(|user| wanted("User") && uses(&user.grants));
    let users: Vec<Value> = users.map(|user| json!({"UserName": user.name, "UserId": user.id})).collect();
    Ok(json!({"PolicyGroups": [], "PolicyUsers": users, "PolicyRoles": roles, "IsTruncated": false}))
}

/// Checks that there is a policy of that ARN.
pub fn check_attachable(services: &Services, arn: &str) -> Result<(), Error> {
    match services.identities.attachable(arn) {
        Some(Attachable::Aws(_) | Attachable::Own(_)) => Ok(()),
        None if arn.starts_with("arn:") => {
            Err(Error::no_such_entity(format!("Policy {arn} does not exist or is not attachable.")))
        }
        None => Err(Error::invalid_input(format!("ARN {arn} is not valid."))),
    }
}

/// Counts who uses a policy, as one of theirs and as a boundary.
pub fn count_uses(services: &Services, arn: &str) -> (usize, usize) {
    let roles = services.identities.roles.all().into_iter().map(|role| role.grants.clone());
    let users = services.identities.users.all().into_iter().map(|user| user.grants.clone());
    let all: Vec<Grants> = roles.chain(users).collect();
    let attached = all.iter().filter(|grants| grants.attached.contains(arn)).count();
    (attached, all.iter().filter(|grants| grants.boundary.as_deref() == Some(arn)).count())
}

/// Says that there is no such policy.
pub fn missing(arn: &str) -> Error {
    Error::no_such_entity(format!("Policy {arn} was not found."))
}

fn path_of(arn: &str) -> &str {
    let path = arn.split_once(":policy").map_or("/", |(_, rest)| rest);
    &path[..=path.rfind('/').unwrap_or_default()]
}
