//! `AddLayerVersionPermission`, `RemoveLayerVersionPermission`, `GetLayerVersionPolicy`: who else may use a version of a layer.
//!
//! The policy is kept and shown. Nothing is decided by it so far: every request is signed with a key of this account.

use everstep_api::permission::AddLayerVersionPermission;
use everstep_api::validation::Violations;
use serde_json::json;

use super::number;
use crate::functions::new_revision_id;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::limits::{POLICY_BYTES_MAX, STATEMENT_ID_CHARACTERS_MAX};
use crate::policy::{Policy, Statement};

/// Adds a statement.
pub async fn add(services: &Services, request: &Request) -> Result<Response, Error> {
    let (name, version, resource) = named(services, request)?;
    let statement = statement(request.json()?)?;
    let policy = services.layers.change_policy(&name, version, |policy| {
        check_revision(request, policy)?;
        if policy.statements.iter().any(|known| known.id == statement.id) {
            return Err(Error::conflict(format!(
                "The statement id ({}) provided already exists. Please provide a new statement id, or remove the existing statement.",
                statement.id
            )));
        }
        policy.statements.push(statement.clone());
        let bytes = policy.document(&resource).to_string().len();
        if bytes > POLICY_BYTES_MAX {
            return Err(Error::policy_too_long(bytes, POLICY_BYTES_MAX));
        }
        policy.revision_id = new_revision_id();
        Ok(())
    });
    let revision = policy.await?.revision_id;
    Ok(Response::json(201, &json!({"Statement": statement.document(&resource).to_string(), "RevisionId": revision})))
}

/// Removes a statement.
pub async fn remove(services: &Services, request: &Request) -> Result<Response, Error> {
    let (name, version, _) = named(services, request)?;
    let id = request.parameter(2);
    let changed = services.layers.change_policy(&name, version, |policy| {
        let missing = || Error::not_found(format!("Statement {id} is not found in resource policy."));
        let position = policy.statements.iter().position(|known| known.id == id).ok_or_else(missing)?;
        check_revision(request, policy)?;
        policy.statements.remove(position);
        policy.revision_id = new_revision_id();
        Ok(())
    });
    changed.await?;
    Ok(Response::empty(204))
}

/// Returns the policy.
pub async fn get(services: &Services, request: &Request) -> Result<Response, Error> {
    let (name, version, resource) = named(services, request)?;
    let policy = services.layers.find(&name, version).await?.policy;
    if policy.statements.is_empty() {
        return Err(Error::not_found("No policy is associated with the given resource."));
    }
    let document = policy.document(&resource).to_string();
    Ok(Response::json(200, &json!({"Policy": document, "RevisionId": policy.revision_id})))
}

/// Reads which version of which layer a request is about. Returns its ARN as well.
fn named(services: &Services, request: &Request) -> Result<(String, u64, String), Error> {
    let name = services.layers.parse(request.parameter(0))?.name;
    let version = number(request.parameter(1))?;
    let arn = format!("{}:{version}", services.layers.arn(&name));
    Ok((name, version, arn))
}

fn check_revision(request: &Request, policy: &Policy) -> Result<(), Error> {
    match request.query("RevisionId") {
        Some(given) if given != policy.revision_id => Err(Error::precondition_failed("GetLayerVersionPolicy")),
        Some(_) | None => Ok(()),
    }
}

/// Checks a statement against the model, and against what goes together.
fn statement(given: AddLayerVersionPermission) -> Result<Statement, Error> {
    let mut violations = Violations::default();
    let id = violations.present(given.statement_id, "statementId").unwrap_or_default();
    let action = violations.present(given.action, "action").unwrap_or_default();
    let principal = violations.present(given.principal, "principal").unwrap_or_default();
    violations.finish().map_err(Error::validation)?;
    let mut violations = Violations::default();
    let mut pattern = |holds: bool, value: &str, path: &str, pattern: &str| {
        violations.require(holds, value, path, format!("Member must satisfy regular expression pattern: {pattern}"));
    };
    let is_account = principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit());
    let is_root = principal.starts_with("arn:aws:iam::") && principal.ends_with(":root");
    pattern(everstep_core::id::is_word(&id), &id, "statementId", "([a-zA-Z0-9-_]+)");
    pattern(action == "lambda:GetLayerVersion", &action, "action", "lambda:GetLayerVersion");
    let principals = "\\d{12}|\\*|arn:(aws[a-zA-Z-]*):iam::\\d{12}:root";
    pattern(principal == "*" || is_account || is_root, &principal, "principal", principals);
    if let Some(organization) = &given.organization_id {
        let rest = organization.strip_prefix("o-").unwrap_or_default();
        let known = rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        pattern(known && (10..=32).contains(&rest.len()), organization, "organizationId", "o-[a-z0-9]{10,32}");
    }
    violations.length(&id, "statementId", 1, STATEMENT_ID_CHARACTERS_MAX);
    violations.finish().map_err(Error::validation)?;
    if given.organization_id.is_some() && principal != "*" {
        return Err(Error::invalid_parameter("OrganizationId can be given only if the principal is *."));
    }
    Ok(Statement { id, action, principal, principal_org_id: given.organization_id, ..Statement::default() })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[track_caller]
    fn check(members: Value, expected: Result<(), &str>) {
        let mut given = json!({"StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": "*"});
        given.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        match (statement(serde_json::from_value(given).unwrap()), expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.message.contains(part), "{members}: {error}"),
            (found, expected) => panic!("{members}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn statements_hold_their_limits_and_patterns() {
        check(json!({}), Ok(()));
        check(json!({"StatementId": "s".repeat(100)}), Ok(()));
        check(json!({"StatementId": "s".repeat(101)}), Err("'statementId'"));
        check(json!({"StatementId": null}), Err("null at 'statementId'"));
        check(json!({"Action": "lambda:InvokeFunction"}), Err("'action'"));
        check(json!({"Principal": "123456789012"}), Ok(()));
        check(json!({"Principal": "arn:aws:iam::123456789012:root"}), Ok(()));
        check(json!({"Principal": "s3.amazonaws.com"}), Err("'principal'"));
        check(json!({"OrganizationId": "o-1234567890"}), Ok(()));
        check(json!({"OrganizationId": "o-123456789"}), Err("'organizationId'"));
        check(
            json!({"OrganizationId": "o-1234567890", "Principal": "123456789012"}),
            Err("only if the principal is *"),
        );
    }
}
