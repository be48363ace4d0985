//! The role of a function: whether the function may have it, and whether its deployer may give it.

use crate::access::Principal;
use crate::http::Services;
use crate::http::error::Error;
use crate::identities::{ROLE, Wish};

/// The service that assumes the roles of functions.
const LAMBDA: &str = "lambda.amazonaws.com";

/// Checks that a function can run with a role, and that whoever deploys it may pass the role on.
pub(super) fn check(services: &Services, principal: &Principal, arn: &str) -> Result<(), Error> {
    let identities = &services.identities;
    let account = &identities.place().account;
    let Some(of) = account_of(arn) else {
        return Err(Error::validation(format!(
            "1 validation error detected: Value '{}' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{{12}}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
            arn.chars().take(140).collect::<String>()
        )));
    };
    if *of != **account {
        return Err(Error::access_denied(format!(
            "Cross-account pass role is not allowed: the account of this server is {account}."
        )));
    }
    let context = |key: &str| (key == "iam:passedtoservice").then(|| vec![LAMBDA.to_string()]);
    let wish =
        Wish { action: "iam:PassRole", resource: arn, resource_policy: None, is_trust: false, context: &context };
    identities.decide(principal, wish).map_err(Error::access_denied)?;
    let reason = match identities.role(arn) {
        Some(role) if identities.trusts(&role, LAMBDA) => return Ok(()),
        Some(_) => format!("Its trust policy does not allow sts:AssumeRole to {LAMBDA}."),
        None => format!("There is no role {arn}: create it, or use {}.", identities.arn("role", "/", ROLE)),
    };
    Err(Error::invalid_parameter(format!("The role defined for the function cannot be assumed by Lambda. {reason}")))
}

/// Returns the account in the ARN of a role.
fn account_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, role] = parts[..] else { return None };
    let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte);
    let name = role.strip_prefix("role/")?;
    let well = partition.starts_with("aws") && digits && !name.is_empty() && name.bytes().all(known);
    well.then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_roles_have_an_account() {
        for (arn, expected) in [
            ("arn:aws:iam::123456789012:role/a", Some("123456789012")),
            ("arn:aws:iam::123456789012:role/path/a", Some("123456789012")),
            ("arn:aws:iam::12345678901:role/a", None),
            ("arn:aws:iam::123456789012:role/", None),
            ("arn:aws:iam::123456789012:user/a", None),
            ("arn:aws:iam::123456789012:role/a b", None),
            ("a", None),
        ] {
            assert_eq!(account_of(arn), expected, "{arn}");
        }
    }
}
