//! The tags of roles, users and policies.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::entity::{change_role, missing_user, named_role, named_user, role, user};
use super::managed_policies::{change, named_policy, own};
use super::tag_shapes;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::{TAG_KEY_CHARACTERS_MAX, TAG_VALUE_CHARACTERS_MAX, TAGS_MAX};
use everstep_api::validation::Violations;

/// A tag.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

/// Whose tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged {
    Role,
    User,
    Policy,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Given {
    role_name: Option<String>,
    user_name: Option<String>,
    policy_arn: Option<String>,
    tags: Vec<Tag>,
    tag_keys: Vec<String>,
}

/// Adds tags.
pub async fn tag(services: &Services, request: &Request, tagged: Tagged) -> Result<Value, Error> {
    let mut given: Given = request.form()?;
    let tags = read_tags(std::mem::take(&mut given.tags))?;
    change_tags(services, request, tagged, given, |known| {
        known.extend(tags);
        check_number(known.len())
    })
    .await
}

/// Removes tags.
pub async fn untag(services: &Services, request: &Request, tagged: Tagged) -> Result<Value, Error> {
    let mut given: Given = request.form()?;
    let keys = std::mem::take(&mut given.tag_keys);
    change_tags(services, request, tagged, given, |known| {
        known.retain(|key, _| !keys.contains(key));
        Ok(())
    })
    .await
}

/// Lists tags.
pub fn list(services: &Services, request: &Request, tagged: Tagged) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let tags = match tagged {
        Tagged::Role => role(services, &named_role(given.role_name)?)?.tags.clone(),
        Tagged::User => user(services, &named_user(request, given.user_name)?)?.tags.clone(),
        Tagged::Policy => own(services, &named_policy(given.policy_arn)?)?.tags.clone(),
    };
    Ok(json!({"Tags": tag_shapes(&tags), "IsTruncated": false}))
}

/// Reads tags, and checks them.
pub fn read_tags(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, Error> {
    let mut violations = Violations::default();
    let mut read = BTreeMap::new();
    check_number(tags.len())?;
    for (position, Tag { key, value }) in tags.into_iter().enumerate() {
        let member = position + 1;
        violations.length(&key, &format!("tags.{member}.member.key"), 1, TAG_KEY_CHARACTERS_MAX);
        violations.length(&value, &format!("tags.{member}.member.value"), 0, TAG_VALUE_CHARACTERS_MAX);
        if read.keys().any(|known: &String| known.to_lowercase() == key.to_lowercase()) {
            return Err(Error::invalid_input(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        read.insert(key, value);
    }
    violations.finish().map_err(Error::validation)?;
    Ok(read)
}

fn check_number(tags: usize) -> Result<(), Error> {
    if tags > TAGS_MAX {
        return Err(Error::limit_exceeded(format!("Cannot exceed quota for TagsPerResource: {TAGS_MAX}")));
    }
    Ok(())
}

async fn change_tags(
    services: &Services,
    request: &Request,
    tagged: Tagged,
    given: Given,
    change_them: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), Error>,
) -> Result<Value, Error> {
    match tagged {
        Tagged::Role => {
            change_role(services, &named_role(given.role_name)?, |role| change_them(&mut role.tags)).await?;
        }
        Tagged::User => {
            let name = named_user(request, given.user_name)?;
            let changed = services.identities.users.change(&name, |user| change_them(&mut user.tags)).await?;
            changed.ok_or_else(|| missing_user(&name))?;
        }
        Tagged::Policy => {
            change(services, &named_policy(given.policy_arn)?, |policy| change_them(&mut policy.tags)).await?;
        }
    }
    Ok(Value::Null)
}
