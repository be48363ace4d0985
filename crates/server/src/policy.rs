//! Resource policies: who besides the operator may invoke a function, as AWS stores and shows it.
//!
//! A policy belongs to a function, or to one version or alias of it. Its statements are kept as `AddPermission` was
//! asked for them, and written as AWS writes policies when somebody reads them. Whoever lets somebody in asks
//! [`Policies::allow_anyone_by_url`]; nothing else is decided by a policy so far, because every other request is signed
//! with a key of this server.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The policies of a function: its own, and those of its versions and aliases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Policies {
    /// The function's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<Policy>,
    /// By version or alias.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    qualified: BTreeMap<String, Policy>,
}

/// The policy of one resource; it has at least one statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Changes with every change.
    pub revision_id: String,
    /// In the order in which they were added.
    pub statements: Vec<Statement>,
}

/// One permission.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Its name within the policy, the `Sid`.
    pub id: String,
    /// `lambda:InvokeFunction`, say.
    pub action: String,
    /// Who may: `*`, an account, an ARN or an AWS service.
    pub principal: String,
    /// Only on behalf of this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
    /// Only on behalf of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_account: Option<String>,
    /// Only an Alexa skill that shows this token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_source_token: Option<String>,
    /// Only callers of this organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_org_id: Option<String>,
    /// Only by a function URL with this `AuthType`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_url_auth_type: Option<String>,
    /// Only by a function URL, or only by other ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoked_via_function_url: Option<bool>,
}

impl Policies {
    /// Returns the policy of the function, or of a version or alias.
    pub fn of(&self, qualifier: Option<&str>) -> Option<&Policy> {
        match qualifier {
            Some(qualifier) => self.qualified.get(qualifier),
            None => self.own.as_ref(),
        }
    }

    /// Sets the policy of the function, or of a version or alias. One without statements is none.
    pub fn set(&mut self, qualifier: Option<&str>, policy: Policy) {
        let policy = Some(policy).filter(|policy| !policy.statements.is_empty());
        match (qualifier, policy) {
            (None, policy) => self.own = policy,
            (Some(qualifier), Some(policy)) => {
                self.qualified.insert(qualifier.into(), policy);
            }
            (Some(qualifier), None) => self.forget(qualifier),
        }
    }

    /// Forgets the policy of a version or alias that is no more.
    pub fn forget(&mut self, qualifier: &str) {
        self.qualified.remove(qualifier);
    }

    /// Tells whether anyone may invoke the function, or a version or alias of it, by a function URL with `AuthType`
    /// `NONE`: whether a statement gives `lambda:InvokeFunctionUrl` to `*` and asks for nothing more.
    pub fn allow_anyone_by_url(&self, qualifier: Option<&str>) -> bool {
        let statements = self.of(qualifier).into_iter().flat_map(|policy| &policy.statements);
        statements.into_iter().any(Statement::allows_anyone_by_url)
    }
}

impl Policy {
    /// Writes the policy for `resource`, an ARN. Source: Lambda API, `GetPolicy`.
    pub fn document(&self, resource: &str) -> Value {
        let statements: Vec<Value> = self.statements.iter().map(|statement| statement.document(resource)).collect();
        json!({"Version": "2012-10-17", "Id": "default", "Statement": statements})
    }
}

impl Statement {
    /// Writes the statement for `resource`, an ARN.
    pub fn document(&self, resource: &str) -> Value {
        let mut document = json!({
            "Sid": self.id,
            "Effect": "Allow",
            "Principal": principal(&self.principal),
            "Action": self.action,
            "Resource": resource,
        });
        let conditions = self.conditions();
        if !conditions.is_empty() {
            document["Condition"] = conditions.into();
        }
        document
    }

    fn conditions(&self) -> Map<String, Value> {
        let mut conditions = Map::new();
        let mut add = |operator: &str, key: &str, value: Option<String>| {
            if let Some(value) = value {
                let keys = conditions.entry(operator).or_insert_with(|| json!({}));
                keys[key] = value.into();
            }
        };
        add("StringEquals", "AWS:SourceAccount", self.source_account.clone());
        add("StringEquals", "aws:PrincipalOrgID", self.principal_org_id.clone());
        add("StringEquals", "lambda:EventSourceToken", self.event_source_token.clone());
        add("StringEquals", "lambda:FunctionUrlAuthType", self.function_url_auth_type.clone());
        add("Bool", "lambda:InvokedViaFunctionUrl", self.invoked_via_function_url.map(|via| via.to_string()));
        add("ArnLike", "AWS:SourceArn", self.source_arn.clone());
        conditions
    }

    fn allows_anyone_by_url(&self) -> bool {
        let Self {
            id: _,
            action,
            principal,
            source_arn,
            source_account,
            event_source_token,
            principal_org_id,
            function_url_auth_type,
            invoked_via_function_url,
        } = self;
        // A caller from the street has no account, no organization and no source.
        let of_someone =
            [source_arn, source_account, event_source_token, principal_org_id].into_iter().flatten().count();
        ["lambda:InvokeFunctionUrl", "lambda:*", "*"].contains(&action.as_str())
            && principal == "*"
            && of_someone == 0
            && function_url_auth_type.as_deref().is_none_or(|auth_type| auth_type == "NONE")
            && *invoked_via_function_url != Some(false)
    }
}

/// Writes a principal as AWS does: accounts as their root, services by themselves.
fn principal(text: &str) -> Value {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text {
        "*" => "*".into(),
        account if is_account => json!({"AWS": format!("arn:aws:iam::{account}:root")}),
        arn if arn.starts_with("arn:") => json!({"AWS": arn}),
        service => json!({"Service": service}),
    }
}

/// Tells whether a text can be a principal.
pub fn is_principal(text: &str) -> bool {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_service = text.contains('.') && !text.starts_with('.') && !text.ends_with('.');
    text == "*" || is_account || text.starts_with("arn:") || is_service
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public() -> Statement {
        Statement {
            id: "url".into(),
            action: "lambda:InvokeFunctionUrl".into(),
            principal: "*".into(),
            function_url_auth_type: Some("NONE".into()),
            ..Statement::default()
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Statement), expected: bool) {
        let mut statement = public();
        change(&mut statement);
        let mut policies = Policies::default();
        let policy = Policy { revision_id: "1".into(), statements: vec![statement.clone()] };
        policies.set(Some("live"), policy);
        assert_eq!(policies.allow_anyone_by_url(Some("live")), expected, "{statement:?}");
        assert!(!policies.allow_anyone_by_url(None), "the policy of an alias is not the function's");
    }

    #[test]
    fn anyone_may_use_a_url_only_by_a_statement_that_asks_for_nothing_more() {
        check(|_| {}, true);
        check(|statement| statement.function_url_auth_type = None, true);
        check(|statement| statement.action = "lambda:*".into(), true);
        check(|statement| statement.invoked_via_function_url = Some(true), true);
        check(|statement| statement.action = "lambda:InvokeFunction".into(), false);
        check(|statement| statement.principal = "123456789012".into(), false);
        check(|statement| statement.function_url_auth_type = Some("AWS_IAM".into()), false);
        check(|statement| statement.invoked_via_function_url = Some(false), false);
        check(|statement| statement.source_account = Some("123456789012".into()), false);
        check(|statement| statement.source_arn = Some("arn:aws:s3:::bucket".into()), false);
        check(|statement| statement.principal_org_id = Some("o-1234567890".into()), false);
        check(|statement| statement.event_source_token = Some("token".into()), false);
    }

    #[test]
    fn principals_are_written_as_aws_does() {
        assert_eq!(principal("*"), json!("*"));
        assert_eq!(principal("123456789012"), json!({"AWS": "arn:aws:iam::123456789012:root"}));
        assert_eq!(principal("arn:aws:iam::1:user/u"), json!({"AWS": "arn:aws:iam::1:user/u"}));
        assert_eq!(principal("s3.amazonaws.com"), json!({"Service": "s3.amazonaws.com"}));
        for (text, expected) in [("*", true), ("s3.amazonaws.com", true), ("s3", false), ("12345678901", false)] {
            assert_eq!(is_principal(text), expected, "{text}");
        }
    }

    #[test]
    fn policy_without_statements_is_none() {
        let mut policies = Policies::default();
        for qualifier in [None, Some("1")] {
            policies.set(qualifier, Policy { revision_id: "1".into(), statements: vec![public()] });
            assert!(policies.of(qualifier).is_some());
            policies.set(qualifier, Policy::default());
        }
        assert_eq!(policies, Policies::default());
    }
}
