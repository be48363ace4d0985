//! AWS's decisions: `decisions.json` says which policies there are, what is asked for, and what AWS's documentation says
//! comes of it. Policies are as short there as they can be: a statement stands for a document of version 2012-10-17.

use everstep_iam::{Caller, Denied, Kind, Policies, Policy, Request};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    source: String,
    #[serde(default)]
    identity: Vec<Value>,
    boundary: Option<Value>,
    session: Option<Vec<Value>>,
    resource: Option<Value>,
    #[serde(default)]
    trust: bool,
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default = "user")]
    by: String,
    action: String,
    #[serde(default = "everything")]
    resource: String,
    #[serde(default)]
    context: Map<String, Value>,
    decision: String,
}

fn user() -> String {
    "arn:aws:iam::123456789012:user/ann".into()
}

fn everything() -> String {
    "*".into()
}

/// Reads who asks from an ARN, the name of a service, or `anonymous`.
fn caller(text: &str) -> Caller {
    let account = text.split(':').nth(4).unwrap_or_default().to_string();
    match text.rsplit(':').next().unwrap_or_default().split('/').collect::<Vec<_>>()[..] {
        ["anonymous"] => Caller::Anonymous,
        ["root"] => Caller::Root { account },
        ["user", ..] => Caller::User { arn: text.into(), account },
        ["assumed-role", role, _] => {
            let role_arn = format!("arn:aws:iam::{account}:role/{role}");
            Caller::Session { arn: text.into(), role_arn, account }
        }
        _ => Caller::Service(text.into()),
    }
}

fn policy(statements: &Value, kind: Kind) -> Policy {
    let document = match statements.get("Statement") {
        Some(_) => statements.clone(),
        None => json!({"Version": "2012-10-17", "Statement": statements}),
    };
    Policy::of(&document, kind).unwrap_or_else(|error| panic!("{error}: {statements}"))
}

fn values(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), Into::into);
    value.as_array().map_or_else(|| vec![text(value)], |values| values.iter().map(text).collect())
}

fn check(group: &Group) {
    let all = |statements: &[Value]| -> Vec<Policy> {
        statements.iter().map(|statements| policy(statements, Kind::Identity)).collect()
    };
    let identity = all(&group.identity);
    let session = group.session.as_deref().map(all);
    let boundary = group.boundary.as_ref().map(|statements| policy(statements, Kind::Identity));
    let kind = if group.trust { Kind::Trust } else { Kind::Resource };
    let resource = group.resource.as_ref().map(|statements| policy(statements, kind));
    let identity: Vec<&Policy> = identity.iter().collect();
    let session: Option<Vec<&Policy>> = session.as_ref().map(|policies| policies.iter().collect());
    let policies = Policies {
        identity: &identity,
        boundary: boundary.as_ref(),
        session: session.as_deref(),
        resource: resource.as_ref(),
        is_trust: group.trust,
    };
    for Asked { by, action, resource, context, decision } in &group.requests {
        let found = policies.decide(&Request {
            caller: &caller(by),
            action,
            resource,
            context: &|key| {
                assert_eq!(key, key.to_lowercase());
                let found = context.iter().find(|(name, _)| name.to_lowercase() == key);
                found.map(|(_, value)| values(value))
            },
        });
        let found = match found {
            Ok(()) => "allowed".to_string(),
            Err(Denied { explicit, why, .. }) => {
                format!("{} {}", format!("{why:?}").to_lowercase(), if explicit { "denies" } else { "is silent" })
            }
        };
        assert_eq!(found, *decision, "{}: {action} on {resource} by {by}", group.source);
    }
}

#[test]
fn decisions_are_those_of_aws() {
    let groups: Vec<Group> = serde_json::from_str(include_str!("decisions.json")).unwrap();
    groups.iter().for_each(check);
    assert!(groups.iter().map(|group| group.requests.len()).sum::<usize>() > 120);
}

#[test]
fn refusals_are_worded_as_aws_does() {
    let deny = json!({"Effect": "Deny", "Action": "s3:*", "Resource": "*"});
    let deny = policy(&deny, Kind::Identity);
    let allow = policy(&json!({"Effect": "Allow", "Action": "*", "Resource": "*"}), Kind::Identity);
    let nothing = policy(&json!({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}), Kind::Identity);
    let principal = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"});
    let trust = policy(&principal, Kind::Trust);
    let check = |policies: Policies<'_>, expected: &str| {
        let action = if policies.is_trust { "sts:AssumeRole" } else { "s3:GetObject" };
        let caller = caller(&user());
        let request = Request { caller: &caller, action, resource: "*", context: &|_| None };
        assert_eq!(policies.decide(&request).unwrap_err().to_string(), expected);
    };
    let of = Policies::default();
    check(of, "because no identity-based policy allows the s3:GetObject action");
    check(Policies { identity: &[&deny], ..of }, "with an explicit deny in an identity-based policy");
    let allowed = Policies { identity: &[&allow], ..of };
    check(
        Policies { boundary: Some(&nothing), ..allowed },
        "because no permissions boundary allows the s3:GetObject action",
    );
    check(Policies { boundary: Some(&deny), ..allowed }, "with an explicit deny in a permissions boundary");
    check(
        Policies { session: Some(&[&nothing]), ..allowed },
        "because no session policy allows the s3:GetObject action",
    );
    check(Policies { session: Some(&[&deny]), ..allowed }, "with an explicit deny in a session policy");
    check(
        Policies { resource: Some(&trust), is_trust: true, ..allowed },
        "with an explicit deny in the role trust policy",
    );
}

/// A decision is made at every checkpoint, so it must be cheap. `cargo test -p everstep-iam --release -- --nocapture` shows what it costs.
#[test]
fn decision_at_a_checkpoint_looks_up_no_key() {
    let managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicDurableExecutionRolePolicy";
    let managed = &everstep_iam::managed::find(managed).unwrap().policy;
    let inline = policy(
        &json!({"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:*:*:function:order-*"}),
        Kind::Identity,
    );
    let caller = caller("arn:aws:sts::123456789012:assumed-role/everstep/orders");
    let request = Request {
        caller: &caller,
        action: "lambda:CheckpointDurableExecution",
        resource: "arn:aws:lambda:us-east-1:123456789012:function:orders:$LATEST/durable-execution/name/id",
        context: &|_| unreachable!("no policy asks for a key"),
    };
    let policies = Policies { identity: &[managed, &inline], ..Policies::default() };
    let start = std::time::Instant::now();
    for _ in 0..10_000 {
        policies.decide(&request).unwrap();
    }
    println!("{:?} a decision", start.elapsed() / 10_000);
}
