//! `AssumeRole`: keys for a while, with what a role may do.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use everstep_api::validation::Violations;
use everstep_iam::limits::{SESSION_POLICY_CHARACTERS_MAX, characters};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Operation, credentials};
use crate::access::{Principal, Session};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::identities::{Document, Wish};
use crate::limits::{
    SESSION_NAME_CHARACTERS_MAX, SESSION_NAME_CHARACTERS_MIN, SESSION_POLICIES_MAX, SESSION_SECONDS_CHAINED_MAX,
    SESSION_SECONDS_DEFAULT, SESSION_SECONDS_MAX, SESSION_SECONDS_MIN, TAG_KEY_CHARACTERS_MAX,
    TAG_VALUE_CHARACTERS_MAX, TAGS_MAX,
};
use crate::sessions;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct AssumeRole {
    role_arn: Option<String>,
    role_session_name: Option<String>,
    duration_seconds: Option<i64>,
    policy: Option<String>,
    policy_arns: Vec<PolicyArn>,
    tags: Vec<Tag>,
    external_id: Option<String>,
    source_identity: Option<String>,
    #[serde(rename = "TransitiveTagKeys")]
    _transitive_tag_keys: Vec<String>,
}

#[derive(Deserialize)]
struct PolicyArn {
    #[serde(default)]
    arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

/// Makes keys of a session, if the role lets the sender in.
pub fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let asked: AssumeRole = request.form()?;
    let (arn, name) = check(&asked)?;
    let identities = &services.identities;
    let tags: BTreeMap<String, String> = asked.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    let role = identities.role(&arn);
    let context = |key: &str| match key {
        "sts:externalid" => asked.external_id.clone().map(|id| vec![id]),
        "sts:rolesessionname" => Some(vec![name.clone()]),
        "sts:sourceidentity" => asked.source_identity.clone().map(|identity| vec![identity]),
        "aws:tagkeys" => (!tags.is_empty()).then(|| tags.keys().cloned().collect()),
        key => {
            let tag = key.strip_prefix("aws:requesttag/")?;
            let found = tags.iter().find(|(name, _)| name.to_lowercase() == tag);
            found.map(|(_, value)| vec![value.clone()])
        }
    };
    let actions = [Operation::AssumeRole.action()].into_iter().chain((!tags.is_empty()).then_some("sts:TagSession"));
    for action in actions {
        let refused = |reason: &str| {
            let who = identities.principal_arn(&request.principal);
            Error::access_denied(format!(
                "User: {who} is not authorized to perform: {action} on resource: {arn}{reason}"
            ))
        };
        // AWS does not tell whether the role is there.
        let role = role.as_ref().ok_or_else(|| refused(""))?;
        let trust = role.trust.policy();
        let wish = Wish { action, resource: &arn, resource_policy: Some(trust), is_trust: true, context: &context };
        identities.judge(&request.principal, wish).map_err(|denied| refused(&format!(" {denied}")))?;
    }
    let role = role.expect("it was just asked");
    let seconds = seconds(asked.duration_seconds, role.max_session_seconds, &request.principal)?;
    let policies = match asked.policy {
        Some(text) => vec![session_policy(text)?],
        None => Vec::new(),
    };
    let policy_arns: Vec<String> = asked.policy_arns.into_iter().map(|policy| policy.arn).collect();
    if let Some(missing) = policy_arns.iter().find(|arn| identities.attachable(arn).is_none()) {
        return Err(Error::validation(format!("The specified policy {missing} does not exist or is not attachable.")));
    }
    let session = Session { role: role.name.clone(), role_id: role.id.clone(), name, policies, policy_arns, tags };
    let principal = sessions::principal(session);
    let assumed = json!({
        "AssumedRoleId": identities.user_id(&principal),
        "Arn": identities.principal_arn(&principal),
    });
    let expires_at = SystemTime::now() + Duration::from_secs(seconds.into());
    let key = services.keys.sessions.make(principal, None, expires_at);
    Ok(json!({"Credentials": credentials(&key, expires_at), "AssumedRoleUser": assumed, "PackedPolicySize": 0}))
}

/// Checks what was asked for against the model. Returns the role's ARN and the session's name.
fn check(asked: &AssumeRole) -> Result<(String, String), Error> {
    let mut violations = Violations::default();
    let arn = violations.present(asked.role_arn.clone(), "roleArn");
    let name = violations.present(asked.role_session_name.clone(), "roleSessionName");
    if let Some(name) = &name {
        violations.length(name, "roleSessionName", SESSION_NAME_CHARACTERS_MIN, SESSION_NAME_CHARACTERS_MAX);
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        let pattern = "Member must satisfy regular expression pattern: [\\w+=,.@-]*";
        violations.require(name.bytes().all(known), name, "roleSessionName", pattern);
    }
    if let Some(seconds) = asked.duration_seconds {
        violations.range(seconds, "durationSeconds", SESSION_SECONDS_MIN.into(), SESSION_SECONDS_MAX.into());
    }
    let count = |violations: &mut Violations, count: usize, member: &str, max: usize| {
        let constraint = format!("Member must have length less than or equal to {max}");
        violations.require(count <= max, count, member, constraint);
    };
    count(&mut violations, asked.policy_arns.len(), "policyArns", SESSION_POLICIES_MAX);
    count(&mut violations, asked.tags.len(), "tags", TAGS_MAX);
    for Tag { key, value } in &asked.tags {
        violations.length(key, "tags.key", 1, TAG_KEY_CHARACTERS_MAX);
        violations.length(value, "tags.value", 0, TAG_VALUE_CHARACTERS_MAX);
    }
    violations.finish().map_err(Error::validation)?;
    Ok((arn.unwrap_or_default(), name.unwrap_or_default()))
}

/// Returns how long the session may be. One that comes from a session is short.
fn seconds(asked: Option<i64>, of_role_max: u32, principal: &Principal) -> Result<u32, Error> {
    let seconds = asked.map_or(SESSION_SECONDS_DEFAULT, |seconds| u32::try_from(seconds).expect("it is in range"));
    if seconds > of_role_max {
        return Err(Error::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    let chained = match principal {
        Principal::Session(_) | Principal::Process { .. } => true,
        Principal::Operator | Principal::User { .. } => false,
    };
    if chained && seconds > SESSION_SECONDS_CHAINED_MAX {
        return Err(Error::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    Ok(seconds)
}

fn session_policy(text: String) -> Result<Document, Error> {
    if characters(&text) > SESSION_POLICY_CHARACTERS_MAX {
        return Err(Error::named(
            400,
            "PackedPolicyTooLarge",
            format!("The session policy has more than {SESSION_POLICY_CHARACTERS_MAX} characters."),
        ));
    }
    Document::try_from(text).map_err(|malformed| Error::malformed_policy(malformed.0))
}
