//! What the sender of a request to IAM must be allowed.

use super::{Operation, Target};
use crate::access::Principal;
use crate::http::Services;
use crate::http::authorize::Need;
use crate::http::request::Request;

/// Returns what an operation takes. Things that are not there, or not named, have the ARN that they would have.
pub fn needs(services: &Services, operation: Operation, request: &Request) -> Vec<Need> {
    let identities = &services.identities;
    let given = |member: &str| request.member(member);
    let resource = match operation.target() {
        Target::Everything => "*".into(),
        Target::Role => {
            let name = given("RoleName").unwrap_or_default();
            let path = identities.roles.get(&name).map(|role| role.path.clone());
            identities.arn("role", &path.or_else(|| given("Path")).unwrap_or_else(|| "/".into()), &name)
        }
        Target::User => {
            let own = || match &request.principal {
                Principal::User { name } => Some(name.clone()),
                Principal::Operator | Principal::Session(_) | Principal::Process { .. } => None,
            };
            let name = given("UserName").or_else(own).unwrap_or_default();
            let path = identities.users.get(&name).map(|user| user.path.clone());
            identities.arn("user", &path.or_else(|| given("Path")).unwrap_or_else(|| "/".into()), &name)
        }
        Target::Policy => given("PolicyArn").unwrap_or_else(|| "*".into()),
        Target::NewPolicy => {
            let path = given("Path").unwrap_or_else(|| "/".into());
            identities.arn("policy", &path, &given("PolicyName").unwrap_or_default())
        }
        Target::Source => given("PolicySourceArn").unwrap_or_else(|| "*".into()),
    };
    let mut need = Need::new(operation.action(), resource);
    for (member, key) in [("PolicyArn", "iam:policyarn"), ("PermissionsBoundary", "iam:permissionsboundary")] {
        if let Some(value) = given(member) {
            need = need.with(key, value);
        }
    }
    vec![need]
}
