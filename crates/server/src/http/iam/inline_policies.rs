//! The policies that a role or a user has for itself.

use everstep_iam::limits::{ROLE_INLINE_CHARACTERS_MAX, USER_INLINE_CHARACTERS_MAX, characters};
use serde::Deserialize;
use serde_json::{Value, json};

use super::entity::{Entity, What};
use super::{Paging, check_policy_name, document, escaped, page};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::identities::{Document, Grants};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Given {
    role_name: Option<String>,
    user_name: Option<String>,
    policy_name: Option<String>,
    policy_document: Option<String>,
}

/// Adds a policy, or replaces it.
pub async fn put(services: &Services, request: &Request, what: What) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let entity = Entity::named(what, request, given.role_name, given.user_name)?;
    let name = policy_name(given.policy_name)?;
    let document: Document = document(given.policy_document)?;
    let max = match what {
        What::Role => ROLE_INLINE_CHARACTERS_MAX,
        What::User => USER_INLINE_CHARACTERS_MAX,
    };
    entity
        .change(services, |Grants { inline, .. }| {
            inline.insert(name, document);
            if inline.values().map(|document| characters(document.text())).sum::<usize>() > max {
                return Err(Error::limit_exceeded(format!(
                    "Maximum policy size of {max} bytes exceeded for {} {}",
                    entity.word(),
                    entity.name()
                )));
            }
            Ok(())
        })
        .await?;
    Ok(Value::Null)
}

/// Returns a policy.
pub fn get(services: &Services, request: &Request, what: What) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let entity = Entity::named(what, request, given.role_name, given.user_name)?;
    let name = policy_name(given.policy_name)?;
    let grants = entity.grants(services)?;
    let document = grants.inline.get(&name).ok_or_else(|| missing(&entity, &name))?;
    let member = match what {
        What::Role => "RoleName",
        What::User => "UserName",
    };
    Ok(json!({member: entity.name(), "PolicyName": name, "PolicyDocument": escaped(document.text())}))
}

/// Lists the names of policies.
pub fn list(services: &Services, request: &Request, what: What) -> Result<Value, Error> {
    let (given, paging) = request.form_pair::<Given, Paging>()?;
    let entity = Entity::named(what, request, given.role_name, given.user_name)?;
    let names = entity.grants(services)?.inline.into_keys().map(|name| (name.clone(), name));
    page(services, &paging, "PolicyNames", names, |name| name.as_str().into())
}

/// Removes a policy.
pub async fn delete(services: &Services, request: &Request, what: What) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let entity = Entity::named(what, request, given.role_name, given.user_name)?;
    let name = policy_name(given.policy_name)?;
    let remove = |grants: &mut Grants| grants.inline.remove(&name).map(drop).ok_or_else(|| missing(&entity, &name));
    entity.change(services, remove).await?;
    Ok(Value::Null)
}

fn policy_name(name: Option<String>) -> Result<String, Error> {
    let name = name.ok_or_else(|| Error::missing("policyName"))?;
    check_policy_name(&name)?;
    Ok(name)
}

fn missing(entity: &Entity, name: &str) -> Error {
    Error::no_such_entity(format!("The {} policy with name {name} cannot be found.", entity.word()))
}
