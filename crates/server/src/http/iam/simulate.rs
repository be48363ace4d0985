//! What policies would decide, without anything being done.

use everstep_iam::{Caller, Denied, Kind, Policies, Policy, Request as Asked};
use serde::Deserialize;
use serde_json::{Value, json};

use super::entity::{missing_role, missing_user};
use crate::access::Principal;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::identities::Wish;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Simulate {
    policy_source_arn: Option<String>,
    policy_input_list: Vec<String>,
    permissions_boundary_policy_input_list: Vec<String>,
    resource_policy: Option<String>,
    caller_arn: Option<String>,
    action_names: Vec<String>,
    resource_arns: Vec<String>,
    context_entries: Vec<ContextEntry>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ContextEntry {
    context_key_name: String,
    context_key_values: Vec<String>,
    #[serde(rename = "ContextKeyType")]
    _context_key_type: Option<String>,
}

/// Says what policies that come along would decide.
pub fn custom(services: &Services, request: &Request) -> Result<Value, Error> {
    let asked: Simulate = request.form()?;
    let identity = policies(&asked.policy_input_list, Kind::Identity)?;
    let boundary = policies(&asked.permissions_boundary_policy_input_list, Kind::Identity)?;
    let resource = policies(asked.resource_policy.as_slice(), Kind::Resource)?;
    let account = services.identities.place().account.to_string();
    let arn = asked.caller_arn.clone().unwrap_or_else(|| format!("arn:aws:iam::{account}:user/simulated"));
    let caller = Caller::User { arn, account };
    let identity: Vec<&Policy> = identity.iter().collect();
    let policies = Policies {
        identity: &identity,
        boundary: boundary.first(),
        session: None,
        resource: resource.first(),
        is_trust: false,
    };
    Ok(results(&asked, |action, resource, context| {
        policies.decide(&Asked { caller: &caller, action, resource, context })
    }))
}

/// Says what the policies of a user or a role would decide.
pub fn principal(services: &Services, request: &Request) -> Result<Value, Error> {
    let asked: Simulate = request.form()?;
    let source = asked.policy_source_arn.clone().ok_or_else(|| Error::missing("policySourceArn"))?;
    let identities = &services.identities;
    let name = source.rsplit('/').next().unwrap_or_default();
    let principal = if source.contains(":user/") {
        identities.users.get(name).ok_or_else(|| missing_user(name))?;
        Principal::User { name: name.into() }
    } else if source.contains(":role/") {
        identities.role(&source).ok_or_else(|| missing_role(name))?;
        identities.session_of_service(&source, "simulated")
    } else {
        return Err(Error::invalid_input(format!(
            "Invalid Entity Arn: {source} does not clearly define entity type and name."
        )));
    };
    let resource_policy = policies(asked.resource_policy.as_slice(), Kind::Resource)?;
    Ok(results(&asked, |action, resource, context| {
        let resource_policy = resource_policy.first();
        identities.judge(&principal, Wish { action, resource, resource_policy, is_trust: false, context })
    }))
}

type Context<'a> = &'a (dyn Fn(&str) -> Option<Vec<String>> + Sync);

fn results(asked: &Simulate, decide: impl Fn(&str, &str, Context<'_>) -> Result<(), Denied>) -> Value {
    let context = |key: &str| {
        let entry = asked.context_entries.iter().find(|entry| entry.context_key_name.to_lowercase() == key)?;
        Some(entry.context_key_values.clone())
    };
    let everything = ["*".to_string()];
    let resources = if asked.resource_arns.is_empty() { &everything[..] } else { &asked.resource_arns };
    let pairs = asked.action_names.iter().flat_map(|action| resources.iter().map(move |resource| (action, resource)));
    let results: Vec<Value> = pairs
        .map(|(action, resource)| {
            let decision = match decide(action, resource, &context) {
                Ok(()) => "allowed",
                Err(Denied { explicit: true, .. }) => "explicitDeny",
                Err(Denied { explicit: false, .. }) => "implicitDeny",
            };
            json!({
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": decision,
                "MatchedStatements": [],
                "MissingContextValues": [],
            })
        })
        .collect();
    json!({"EvaluationResults": results, "IsTruncated": false})
}

fn policies(texts: &[String], kind: Kind) -> Result<Vec<Policy>, Error> {
    let read = |text: &String| Policy::read(text, kind).map_err(|malformed| Error::invalid_input(malformed.0));
    texts.iter().map(read).collect()
}
