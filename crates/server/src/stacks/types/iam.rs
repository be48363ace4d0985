//! The types of IAM.

pub mod managed_policy;
pub mod policy;
pub mod role;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Site;
use crate::http::error::Error;
use crate::http::iam::Operation;
use crate::http::on_behalf::Call;

/// Asks for an operation whose members are these.
async fn call(site: &Site, operation: Operation, members: Value) -> Result<Value, Error> {
    site.call(Call::new(operation, &[]).body(members)).await
}

/// The same, where it is as good if there is nothing to take away.
async fn take_away(site: &Site, operation: Operation, members: Value) -> Result<(), Error> {
    match call(site, operation, members).await {
        Err(error) if error.code != "NoSuchEntity" => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Returns a policy document as the text that the API takes.
fn document(properties: &Value, name: &str) -> String {
    match &properties[name] {
        Value::String(text) => text.clone(),
        document => document.to_string(),
    }
}

/// Returns a list of texts.
fn texts(properties: &Value, name: &str) -> BTreeSet<String> {
    let items = properties[name].as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_string)).collect()
}

/// Who has policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Role,
    User,
}

impl Holder {
    const ALL: [Self; 2] = [Self::Role, Self::User];

    /// Returns the property that lists those who get a policy.
    fn property(self) -> &'static str {
        match self {
            Self::Role => "Roles",
            Self::User => "Users",
        }
    }

    fn member(self) -> &'static str {
        match self {
            Self::Role => "RoleName",
            Self::User => "UserName",
        }
    }

    fn put(self) -> Operation {
        match self {
            Self::Role => Operation::PutRolePolicy,
            Self::User => Operation::PutUserPolicy,
        }
    }

    fn delete(self) -> Operation {
        match self {
            Self::Role => Operation::DeleteRolePolicy,
            Self::User => Operation::DeleteUserPolicy,
        }
    }

    fn attach(self) -> Operation {
        match self {
            Self::Role => Operation::AttachRolePolicy,
            Self::User => Operation::AttachUserPolicy,
        }
    }

    fn detach(self) -> Operation {
        match self {
            Self::Role => Operation::DetachRolePolicy,
            Self::User => Operation::DetachUserPolicy,
        }
    }
}

/// Has exactly these managed policies attached to somebody, of those that were attached before.
async fn attach(
    site: &Site,
    holder: Holder,
    name: &str,
    former: &BTreeSet<String>,
    wanted: &BTreeSet<String>,
) -> Result<(), Error> {
    for arn in wanted {
        call(site, holder.attach(), json!({holder.member(): name, "PolicyArn": arn})).await?;
    }
    for arn in former.difference(wanted) {
        take_away(site, holder.detach(), json!({holder.member(): name, "PolicyArn": arn})).await?;
    }
    Ok(())
}

/// Has exactly these inline policies in somebody, of those that were there before.
async fn put(
    site: &Site,
    holder: Holder,
    name: &str,
    former: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> Result<(), Error> {
    for (policy, document) in wanted {
        let members = json!({holder.member(): name, "PolicyName": policy, "PolicyDocument": document});
        call(site, holder.put(), members).await?;
    }
    for policy in former.keys().filter(|policy| !wanted.contains_key(*policy)) {
        take_away(site, holder.delete(), json!({holder.member(): name, "PolicyName": policy})).await?;
    }
    Ok(())
}
