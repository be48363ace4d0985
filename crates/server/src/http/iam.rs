//! The service `iam`: roles, users and policies.
//!
//! Requests are forms, answers XML. What is kept is in `identities`; who may do what is decided there too.

mod access_keys;
mod attached_policies;
mod entity;
mod inline_policies;
mod managed_policies;
mod needs;
mod roles;
mod simulate;
mod tags;
mod users;

use std::collections::BTreeMap;

use everstep_api::validation::Violations;
use everstep_iam::limits::DOCUMENT_CHARACTERS_MAX;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Error;
use super::operation::declare_operations;
use super::query::{self, Api};
use super::request::{Request, Response};
use super::{Services, marker};
use crate::limits::{
    IDENTITIES_LISTED_DEFAULT, IDENTITIES_LISTED_MAX, IDENTITY_DESCRIPTION_CHARACTERS_MAX,
    IDENTITY_NAME_CHARACTERS_MAX, IDENTITY_PATH_CHARACTERS_MAX, POLICY_NAME_CHARACTERS_MAX,
};
use entity::What;
pub use needs::needs;

const API: Api = Api { namespace: "https://iam.amazonaws.com/doc/2010-05-08/" };

/// The operations that are served, and what each is about.
macro_rules! operations {
    ($($name:ident on $target:ident;)*) => {
        declare_operations! { "IAM", "iam": $($name)* }

        impl Operation {
            fn target(self) -> Target {
                match self { $(Self::$name => Target::$target,)* }
            }
        }
    };
}

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Nothing in particular.
    Everything,
    /// The role that `RoleName` names.
    Role,
    /// The user that `UserName` names, or whoever asks.
    User,
    /// The policy that `PolicyArn` names.
    Policy,
    /// A policy that is not there yet.
    NewPolicy,
    /// Whoever `PolicySourceArn` names.
    Source,
}

operations! {
    CreateRole on Role;
    GetRole on Role;
    ListRoles on Everything;
    UpdateRole on Role;
    UpdateRoleDescription on Role;
    UpdateAssumeRolePolicy on Role;
    DeleteRole on Role;
    TagRole on Role;
    UntagRole on Role;
    ListRoleTags on Role;
    PutRolePolicy on Role;
    GetRolePolicy on Role;
    ListRolePolicies on Role;
    DeleteRolePolicy on Role;
    AttachRolePolicy on Role;
    DetachRolePolicy on Role;
    ListAttachedRolePolicies on Role;
    PutRolePermissionsBoundary on Role;
    DeleteRolePermissionsBoundary on Role;
    ListInstanceProfilesForRole on Role;
    CreateUser on User;
    GetUser on User;
    ListUsers on Everything;
    DeleteUser on User;
    TagUser on User;
    UntagUser on User;
    ListUserTags on User;
    PutUserPolicy on User;
    GetUserPolicy on User;
    ListUserPolicies on User;
    DeleteUserPolicy on User;
    AttachUserPolicy on User;
    DetachUserPolicy on User;
    ListAttachedUserPolicies on User;
    PutUserPermissionsBoundary on User;
    DeleteUserPermissionsBoundary on User;
    CreateAccessKey on User;
    ListAccessKeys on User;
    UpdateAccessKey on User;
    DeleteAccessKey on User;
    CreatePolicy on NewPolicy;
    GetPolicy on Policy;
    GetPolicyVersion on Policy;
    CreatePolicyVersion on Policy;
    SetDefaultPolicyVersion on Policy;
    ListPolicies on Everything;
    ListPolicyVersions on Policy;
    DeletePolicy on Policy;
    DeletePolicyVersion on Policy;
    TagPolicy on Policy;
    UntagPolicy on Policy;
    ListPolicyTags on Policy;
    ListEntitiesForPolicy on Policy;
    SimulateCustomPolicy on Everything;
    SimulatePrincipalPolicy on Source;
}

impl Operation {
    /// Finds the operation of a name.
    ///
    /// # Errors
    /// If it is none that is served.
    pub fn find(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.iter().find(|operation| operation.name() == name).copied();
        found.ok_or_else(|| Error::not_served(format!("Everstep does not serve {name} of IAM.")))
    }
}

/// Carries out an operation.
pub async fn serve(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    Ok(query::answer(API, request, &handle(services, operation, request).await?))
}

/// Carries out an operation. Returns its answer before it is written.
pub async fn handle(services: &Services, operation: Operation, request: &Request) -> Result<Value, Error> {
    match operation {
        Operation::CreateRole => roles::create(services, request).await,
        Operation::GetRole => roles::get(services, request),
        Operation::ListRoles => roles::list(services, request),
        Operation::UpdateRole => roles::update(services, request).await,
        Operation::UpdateRoleDescription => roles::update_description(services, request).await,
        Operation::UpdateAssumeRolePolicy => roles::update_assume_role_policy(services, request).await,
        Operation::DeleteRole => roles::delete(services, request).await,
        Operation::ListInstanceProfilesForRole => roles::list_instance_profiles(services, request),
        Operation::TagRole => tags::tag(services, request, tags::Tagged::Role).await,
        Operation::UntagRole => tags::untag(services, request, tags::Tagged::Role).await,
        Operation::ListRoleTags => tags::list(services, request, tags::Tagged::Role),
        Operation::TagUser => tags::tag(services, request, tags::Tagged::User).await,
        Operation::UntagUser => tags::untag(services, request, tags::Tagged::User).await,
        Operation::ListUserTags => tags::list(services, request, tags::Tagged::User),
        Operation::TagPolicy => tags::tag(services, request, tags::Tagged::Policy).await,
        Operation::UntagPolicy => tags::untag(services, request, tags::Tagged::Policy).await,
        Operation::ListPolicyTags => tags::list(services, request, tags::Tagged::Policy),
        Operation::PutRolePolicy => inline_policies::put(services, request, What::Role).await,
        Operation::GetRolePolicy => inline_policies::get(services, request, What::Role),
        Operation::ListRolePolicies => inline_policies::list(services, request, What::Role),
        Operation::DeleteRolePolicy => inline_policies::delete(services, request, What::Role).await,
        Operation::PutUserPolicy => inline_policies::put(services, request, What::User).await,
        Operation::GetUserPolicy => inline_policies::get(services, request, What::User),
        Operation::ListUserPolicies => inline_policies::list(services, request, What::User),
        Operation::DeleteUserPolicy => inline_policies::delete(services, request, What::User).await,
        Operation::AttachRolePolicy => attached_policies::attach(services, request, What::Role).await,
        Operation::DetachRolePolicy => attached_policies::detach(services, request, What::Role).await,
        Operation::ListAttachedRolePolicies => attached_policies::list(services, request, What::Role),
        Operation::AttachUserPolicy => attached_policies::attach(services, request, What::User).await,
        Operation::DetachUserPolicy => attached_policies::detach(services, request, What::User).await,
        Operation::ListAttachedUserPolicies => attached_policies::list(services, request, What::User),
        Operation::PutRolePermissionsBoundary => attached_policies::put_boundary(services, request, What::Role).await,
        Operation::DeleteRolePermissionsBoundary => {
            attached_policies::delete_boundary(services, request, What::Role).await
        }
        Operation::PutUserPermissionsBoundary => attached_policies::put_boundary(services, request, What::User).await,
        Operation::DeleteUserPermissionsBoundary => {
            attached_policies::delete_boundary(services, request, What::User).await
        }
        Operation::ListEntitiesForPolicy => attached_policies::list_entities(services, request),
        Operation::CreateUser => users::create(services, request).await,
        Operation::GetUser => users::get(services, request),
        Operation::ListUsers => users::list(services, request),
        Operation::DeleteUser => users::delete(services, request).await,
        Operation::CreateAccessKey => access_keys::create(services, request).await,
        Operation::ListAccessKeys => access_keys::list(services, request),
        Operation::UpdateAccessKey => access_keys::update(services, request).await,
        Operation::DeleteAccessKey => access_keys::delete(services, request).await,
        Operation::CreatePolicy => managed_policies::create(services, request).await,
        Operation::GetPolicy => managed_policies::get(services, request),
        Operation::GetPolicyVersion => managed_policies::get_version(services, request),
        Operation::CreatePolicyVersion => managed_policies::create_version(services, request).await,
        Operation::SetDefaultPolicyVersion => managed_policies::set_default_version(services, request).await,
        Operation::ListPolicies => managed_policies::list(services, request),
        Operation::ListPolicyVersions => managed_policies::list_versions(services, request),
        Operation::DeletePolicy => managed_policies::delete(services, request).await,
        Operation::DeletePolicyVersion => managed_policies::delete_version(services, request).await,
        Operation::SimulateCustomPolicy => simulate::custom(services, request),
        Operation::SimulatePrincipalPolicy => simulate::principal(services, request),
    }
}

/// Which part of a list is asked for.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Paging {
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// Writes a page of a list of things that have a name, which are in the order of their names.
fn page<T>(
    services: &Services,
    paging: &Paging,
    member: &str,
    items: impl IntoIterator<Item = (String, T)>,
    shape: impl Fn(&T) -> Value,
) -> Result<Value, Error> {
    let mut violations = Violations::default();
    let max_items = paging.max_items.unwrap_or(IDENTITIES_LISTED_DEFAULT as i64);
    violations.range(max_items, "maxItems", 1, IDENTITIES_LISTED_MAX as i64);
    violations.finish().map_err(Error::validation)?;
    let now = services.engine.clock().now();
    let after = paging.marker.as_deref().map(|marker| marker::open(marker, now)).transpose();
    let after = after.map_err(|_| Error::validation("Invalid Marker."))?;
    let mut rest = items.into_iter().skip_while(|(name, _)| after.as_ref().is_some_and(|after| name <= after));
    let found: Vec<_> = rest.by_ref().take(max_items as usize).collect();
    let more = rest.next().is_some();
    let shapes: Vec<Value> = found.iter().map(|(_, item)| shape(item)).collect();
    let mut answer = json!({member: shapes, "IsTruncated": more});
    if let Some((last, _)) = found.last().filter(|_| more) {
        answer["Marker"] = marker::seal(last, now).into();
    }
    Ok(answer)
}

/// Returns a point in time as IAM writes it.
fn time(millis: i64) -> Value {
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into()
}

/// Writes a document as IAM does: escaped as in an address.
fn escaped(document: &str) -> Value {
    percent_encoding::utf8_percent_encode(document, percent_encoding::NON_ALPHANUMERIC).to_string().into()
}

/// Writes tags.
fn tag_shapes(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// Checks the name of a role or a user.
fn check_name(name: &str, member: &str) -> Result<(), Error> {
    check_word(name, member, IDENTITY_NAME_CHARACTERS_MAX)
}

/// Checks the name of a policy.
fn check_policy_name(name: &str) -> Result<(), Error> {
    check_word(name, "policyName", POLICY_NAME_CHARACTERS_MAX)
}

fn check_word(name: &str, member: &str, max: usize) -> Result<(), Error> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    let mut violations = Violations::default();
    violations.length(name, member, 1, max);
    violations.require(
        name.bytes().all(known),
        name,
        member,
        "Member must satisfy regular expression pattern: [\\w+=,.@-]+",
    );
    violations.finish().map_err(Error::validation)
}

/// Checks a path. Without one it is `/`.
fn path(given: Option<String>) -> Result<String, Error> {
    let path = given.filter(|path| !path.is_empty()).unwrap_or_else(|| "/".into());
    let printable = path.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    let mut violations = Violations::default();
    violations.length(&path, "path", 1, IDENTITY_PATH_CHARACTERS_MAX);
    violations.require(
        path.starts_with('/') && path.ends_with('/') && printable,
        &path,
        "path",
        "Member must satisfy regular expression pattern: (\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)",
    );
    violations.finish().map_err(Error::validation)?;
    Ok(path)
}

fn check_description(description: Option<&str>) -> Result<(), Error> {
    let mut violations = Violations::default();
    violations.length(description.unwrap_or_default(), "description", 0, IDENTITY_DESCRIPTION_CHARACTERS_MAX);
    violations.finish().map_err(Error::validation)
}

/// Reads a document of policy, which may have so many characters.
fn document<T: TryFrom<String, Error = everstep_iam::Malformed>>(text: Option<String>) -> Result<T, Error> {
    let text = text.ok_or_else(|| Error::missing("policyDocument"))?;
    let mut violations = Violations::default();
    violations.length(&text, "policyDocument", 1, DOCUMENT_CHARACTERS_MAX);
    violations.finish().map_err(Error::validation)?;
    T::try_from(text).map_err(|malformed| Error::malformed_policy(malformed.0))
}
