//! A role or a user: what has policies.

use std::sync::Arc;

use serde_json::{Value, json};

use super::check_name;
use crate::access::Principal;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::identities::{Grants, Role, User};

/// Whether an operation is about roles or users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// `RoleName` says which.
    Role,
    /// `UserName` says which.
    User,
}

/// A role or a user.
pub enum Entity {
    /// A role.
    Role(String),
    /// A user.
    User(String),
}

impl Entity {
    /// Reads which one an operation is about.
    pub fn named(
        what: What,
        request: &Request,
        role_name: Option<String>,
        user_name: Option<String>,
    ) -> Result<Self, Error> {
        match what {
            What::Role => Ok(Self::Role(named_role(role_name)?)),
            What::User => Ok(Self::User(named_user(request, user_name)?)),
        }
    }

    /// Returns what it is given.
    pub fn grants(&self, services: &Services) -> Result<Grants, Error> {
        match self {
            Self::Role(name) => Ok(role(services, name)?.grants.clone()),
            Self::User(name) => Ok(user(services, name)?.grants.clone()),
        }
    }

    /// Changes what it is given.
    pub async fn change(
        &self,
        services: &Services,
        change: impl FnOnce(&mut Grants) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self {
            Self::Role(name) => change_role(services, name, |role| change(&mut role.grants)).await,
            Self::User(name) => {
                let changed = services.identities.users.change(name, |user| change(&mut user.grants)).await?;
                changed.map(drop).ok_or_else(|| missing_user(name))
            }
        }
    }

    /// Returns `role` or `user`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Role(_) => "role",
            Self::User(_) => "user",
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Role(name) | Self::User(name) => name,
        }
    }
}

/// Reads the name of a role.
pub fn named_role(name: Option<String>) -> Result<String, Error> {
    let name = name.ok_or_else(|| Error::missing("roleName"))?;
    check_name(&name, "roleName")?;
    Ok(name)
}

/// Reads the name of a user; a user who names none means itself.
pub fn named_user(request: &Request, name: Option<String>) -> Result<String, Error> {
    match (name, &request.principal) {
        (Some(name), _) => {
            check_name(&name, "userName")?;
            Ok(name)
        }
        (None, Principal::User { name }) => Ok(name.clone()),
        (None, Principal::Operator) => {
            Err(Error::validation("Must specify userName: the keys of the operator are managed by `everstep keys`."))
        }
        (None, Principal::Session(_) | Principal::Process { .. }) => {
            Err(Error::validation("Must specify userName when calling with non-User credentials"))
        }
    }
}

/// Returns a role.
pub fn role(services: &Services, name: &str) -> Result<Arc<Role>, Error> {
    services.identities.roles.get(name).ok_or_else(|| missing_role(name))
}

/// Returns a user.
pub fn user(services: &Services, name: &str) -> Result<Arc<User>, Error> {
    services.identities.users.get(name).ok_or_else(|| missing_user(name))
}

/// Changes a role.
pub async fn change_role(
    services: &Services,
    name: &str,
    change: impl FnOnce(&mut Role) -> Result<(), Error>,
) -> Result<(), Error> {
    services.identities.roles.change(name, change).await?.map(drop).ok_or_else(|| missing_role(name))
}

/// Says that there is no such role.
pub fn missing_role(name: &str) -> Error {
    Error::no_such_entity(format!("The role with name {name} cannot be found."))
}

/// Says that there is no such user.
pub fn missing_user(name: &str) -> Error {
    Error::no_such_entity(format!("The user with name {name} cannot be found."))
}

/// Adds what limits it to the shape of a role or a user.
pub fn add_boundary(shape: &mut Value, grants: &Grants) {
    if let Some(arn) = &grants.boundary {
        shape["PermissionsBoundary"] = json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn});
    }
}

/// Checks that a role or user may be deleted: nothing is left that it was given.
pub fn check_bare(grants: &Grants) -> Result<(), Error> {
    if !grants.attached.is_empty() {
        return Err(Error::delete_conflict("Cannot delete entity, must detach all policies first."));
    }
    if !grants.inline.is_empty() {
        return Err(Error::delete_conflict("Cannot delete entity, must delete policies first."));
    }
    Ok(())
}
