//! `AddPermission`, `RemovePermission`, `GetPolicy`: who else may invoke a function, a version or an alias.

use everstep_api::permission::AddPermission;
use everstep_api::reference::FunctionReference;
use everstep_api::validation::Violations;
use serde_json::json;

use super::named_function;
use crate::functions::new_revision_id;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::limits::{
    EVENT_SOURCE_TOKEN_CHARACTERS_MAX, POLICY_BYTES_MAX, PRINCIPAL_CHARACTERS_MAX, STATEMENT_ID_CHARACTERS_MAX,
};
use crate::policy::{Policy, Statement, is_principal};

/// Adds a statement to a policy.
pub async fn add(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = named(services, request)?;
    let given: AddPermission = request.json()?;
    let revision_id = given.revision_id.clone();
    let statement = statement(given)?;
    let resource = services.functions.arn(&reference);
    services.functions.find(&reference).await?;
    services
        .functions
        .change(&reference, |function| {
            let qualifier = reference.qualifier.as_deref();
            let mut policy = function.policies.of(qualifier).cloned().unwrap_or_default();
            check_revision(revision_id.as_deref(), &policy)?;
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
            function.policies.set(qualifier, policy);
            Ok(())
        })
        .await?;
    Ok(Response::json(201, &json!({"Statement": statement.document(&resource).to_string()})))
}

/// Removes a statement from a policy.
pub async fn remove(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = named(services, request)?;
    let id = request.parameter(1);
    services.functions.find(&reference).await?;
    services
        .functions
        .change(&reference, |function| {
            let qualifier = reference.qualifier.as_deref();
            let mut policy = function.policies.of(qualifier).cloned().unwrap_or_default();
            let missing = || Error::not_found(format!("Statement {id} is not found in resource policy."));
            let position = policy.statements.iter().position(|known| known.id == id).ok_or_else(missing)?;
            check_revision(request.query("RevisionId"), &policy)?;
            policy.statements.remove(position);
            policy.revision_id = new_revision_id();
            function.policies.set(qualifier, policy);
            Ok(())
        })
        .await?;
    Ok(Response::empty(204))
}

/// Returns a policy.
pub async fn get(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = named(services, request)?;
    let found = services.functions.find(&reference).await?;
    let policy = found.function.policies.of(reference.qualifier.as_deref());
    let policy = policy.ok_or_else(|| Error::not_found("The resource you requested does not exist."))?;
    let document = policy.document(&services.functions.arn(&reference)).to_string();
    Ok(Response::json(200, &json!({"Policy": document, "RevisionId": policy.revision_id})))
}

/// Reads whose policy the request is about.
fn named(services: &Services, request: &Request) -> Result<FunctionReference, Error> {
    let reference = named_function(services, request)?;
    if reference.qualifier.as_deref().is_some_and(|qualifier| qualifier.starts_with('$')) {
        return Err(Error::invalid_parameter("We currently do not support adding policies for $LATEST."));
    }
    Ok(reference)
}

fn check_revision(given: Option<&str>, policy: &Policy) -> Result<(), Error> {
    match given {
        Some(given) if given != policy.revision_id => Err(Error::precondition_failed("GetPolicy")),
        Some(_) | None => Ok(()),
    }
}

/// Checks a statement against the model, and against what goes together.
fn statement(given: AddPermission) -> Result<Statement, Error> {
    let mut violations = Violations::default();
    let id = violations.present(given.statement_id, "statementId").unwrap_or_default();
    let action = violations.present(given.action, "action").unwrap_or_default();
    let principal = violations.present(given.principal, "principal").unwrap_or_default();
    violations.finish().map_err(Error::validation)?;

    let mut violations = Violations::default();
    let mut pattern = |holds: bool, value: &str, path: &str, pattern: &str| {
        let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
        violations.require(holds, value, path, constraint);
    };
    pattern(everstep_core::id::is_word(&id), &id, "statementId", "([a-zA-Z0-9-_]+)");
    let name = action.strip_prefix("lambda:").unwrap_or_default();
    let letters = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    pattern(action == "*" || name == "*" || letters, &action, "action", "(lambda:[*]|lambda:[a-zA-Z]+|[*])");
    let spaced = principal.is_empty() || principal.contains(char::is_whitespace);
    pattern(!spaced, &principal, "principal", "[^\\s]+");
    if let Some(arn) = &given.source_arn {
        pattern(
            is_arn(arn),
            arn,
            "sourceArn",
            "arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:([a-z]{2}(-gov)?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)",
        );
    }
    if let Some(account) = &given.source_account {
        let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        pattern(digits, account, "sourceAccount", "\\d{12}");
    }
    if let Some(token) = &given.event_source_token {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        pattern(token.bytes().all(known), token, "eventSourceToken", "[a-zA-Z0-9._\\-]+");
    }
    if let Some(organization) = &given.principal_org_id {
        let rest = organization.strip_prefix("o-").unwrap_or_default();
        let known = rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        pattern(known && (10..=32).contains(&rest.len()), organization, "principalOrgID", "o-[a-z0-9]{10,32}");
    }
    violations.length(&id, "statementId", 1, STATEMENT_ID_CHARACTERS_MAX);
    violations.length(&principal, "principal", 0, PRINCIPAL_CHARACTERS_MAX);
    if let Some(token) = &given.event_source_token {
        violations.length(token, "eventSourceToken", 0, EVENT_SOURCE_TOKEN_CHARACTERS_MAX);
    }
    if let Some(auth_type) = &given.function_url_auth_type {
        violations.one_of(auth_type, "functionUrlAuthType", &[("NONE", ()), ("AWS_IAM", ())]);
    }
    violations.finish().map_err(Error::validation)?;

    if !is_principal(&principal) {
        return Err(Error::invalid_parameter(
            "The provided principal was invalid. Please check the principal and try again.",
        ));
    }
    if given.function_url_auth_type.is_some() && action != "lambda:InvokeFunctionUrl" {
        return Err(Error::invalid_parameter(
            "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
        ));
    }
    if given.invoked_via_function_url.is_some() && action != "lambda:InvokeFunction" {
        return Err(Error::invalid_parameter(
            "InvokedViaFunctionUrl is only supported for lambda:InvokeFunction action",
        ));
    }
    Ok(Statement {
        id,
        action,
        principal,
        source_arn: given.source_arn,
        source_account: given.source_account,
        event_source_token: given.event_source_token,
        principal_org_id: given.principal_org_id,
        function_url_auth_type: given.function_url_auth_type,
        invoked_via_function_url: given.invoked_via_function_url,
    })
}

fn is_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    matches!(parts[..], ["arn", partition, service, _, account, _]
        if partition.starts_with("aws") && !service.is_empty() && (account.is_empty() || account.len() == 12))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[track_caller]
    fn check(members: Value, expected: Result<(), &str>) {
        let mut given = json!({"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"});
        given.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let found = statement(serde_json::from_value(given).unwrap());
        match (found, expected) {
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
        check(json!({"StatementId": "a b"}), Err("'statementId'"));
        check(json!({"StatementId": null}), Err("null at 'statementId'"));
        check(json!({"Action": "s3:GetObject"}), Err("'action'"));
        check(json!({"Action": "lambda:*"}), Ok(()));
        check(json!({"Principal": "nobody"}), Err("The provided principal was invalid."));
        check(json!({"Principal": format!("{}.com", "p".repeat(2_044))}), Ok(()));
        check(json!({"Principal": format!("{}.com", "p".repeat(2_045))}), Err("'principal'"));
        check(json!({"SourceArn": "arn:aws:s3:::bucket"}), Ok(()));
        check(json!({"SourceArn": "bucket"}), Err("'sourceArn'"));
        check(json!({"SourceAccount": "123456789012"}), Ok(()));
        check(json!({"SourceAccount": "12345678901"}), Err("'sourceAccount'"));
        check(json!({"EventSourceToken": "t".repeat(256)}), Ok(()));
        check(json!({"EventSourceToken": "t".repeat(257)}), Err("'eventSourceToken'"));
        check(json!({"PrincipalOrgID": "o-1234567890"}), Ok(()));
        check(json!({"PrincipalOrgID": "o-123456789"}), Err("'principalOrgID'"));
        check(json!({"FunctionUrlAuthType": "NONE"}), Err("only supported for lambda:InvokeFunctionUrl"));
        check(json!({"FunctionUrlAuthType": "NONE", "Action": "lambda:InvokeFunctionUrl"}), Ok(()));
        check(json!({"FunctionUrlAuthType": "ANY", "Action": "lambda:InvokeFunctionUrl"}), Err("[NONE, AWS_IAM]"));
        check(json!({"InvokedViaFunctionUrl": true}), Ok(()));
        check(json!({"InvokedViaFunctionUrl": true, "Action": "*"}), Err("only supported for lambda:InvokeFunction"));
    }
}
