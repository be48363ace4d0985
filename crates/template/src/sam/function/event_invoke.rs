//! `EventInvokeConfig`: how a function is invoked asynchronously, with a queue or topic for a destination that
//! names a type and nothing more.

use serde_json::{Map, Value, json};

use super::version::Published;
use crate::sam::intrinsic::{self, attribute, is_given, is_no_value, reference};
use crate::sam::problem::{Problem, listed};
use crate::sam::property::should_be;
use crate::sam::resource::{Resource, Source};
use crate::sam::{Context, Made};

/// What a destination may be.
const TYPES: [&str; 5] = ["SQS", "SNS", "EventBridge", "Lambda", "S3Bucket"];

/// What is made if it is not there.
const MADE_TYPES: [&str; 2] = ["SQS", "SNS"];

/// Adds the configuration, if the function has one. Returns the policies that the function's role needs for it.
///
/// # Errors
/// A destination is wrong.
pub fn add(
    context: &Context,
    source: &Source,
    published: Option<&Published>,
    made: &mut Made,
) -> Result<Vec<Value>, Problem> {
    let Some(config) = source.given("EventInvokeConfig") else { return Ok(Vec::new()) };
    let config = context.parameters.resolve(config);
    if !config.is_object() {
        return Err(source.problem(should_be("EventInvokeConfig", "map")));
    }
    let id = format!("{}EventInvokeConfig", source.id);
    let mut policies = Vec::new();
    let mut destinations = Map::new();
    let given = &config["DestinationConfig"];
    if is_given(given) {
        let Some(given) = given.as_object() else {
            return Err(source.problem(should_be("EventInvokeConfig.DestinationConfig", "map")));
        };
        for outcome in ["OnSuccess", "OnFailure"] {
            let Some(destination) = given.get(outcome).filter(|destination| !destination.is_null()) else { continue };
            if !destination.is_object() {
                return Err(source.problem(should_be(&format!("EventInvokeConfig.DestinationConfig.{outcome}"), "map")));
            }
            let arn = add_destination(source, &format!("{id}{outcome}"), destination, made, &mut policies)?;
            destinations.insert(outcome.to_owned(), json!({ "Destination": arn }));
        }
    }
    let depends_on = published.map(|published| json!([published.alias.id]));
    let qualifier = published.map_or("$LATEST", |published| &published.name);
    made.resources.push(
        Resource::new(id, "AWS::Lambda::EventInvokeConfig", source.attributes())
            .depending_on(depends_on)
            .with("FunctionName", reference(&source.id))
            .with("Qualifier", Value::from(qualifier))
            .with("DestinationConfig", Value::Object(destinations))
            .with("MaximumEventAgeInSeconds", config.get("MaximumEventAgeInSeconds").cloned())
            .with("MaximumRetryAttempts", config.get("MaximumRetryAttempts").cloned()),
    );
    Ok(policies)
}

/// Adds what a destination needs. Returns its ARN.
fn add_destination(
    source: &Source,
    id: &str,
    config: &Value,
    made: &mut Made,
    policies: &mut Vec<Value>,
) -> Result<Value, Problem> {
    let Some(kind) = TYPES.into_iter().find(|kind| config["Type"] == *kind) else {
        let given = match &config["Type"] {
            Value::Null => "None".to_owned(),
            Value::String(kind) => kind.clone(),
            other => other.to_string(),
        };
        return Err(source.problem(format!("'Type: {given}' must be one of {}", listed(&TYPES))));
    };
    let given = config.get("Destination").filter(|destination| !destination.is_null());
    let (condition, own) = match given {
        Some(destination) => only_if(id, destination, made)?,
        None => (None, None),
    };
    let arn = match given {
        Some(destination) if condition.is_none() => destination.clone(),
        Some(_) | None if !MADE_TYPES.contains(&kind) => {
            return Err(source.problem(format!("Destination is required if Type is not {}", listed(&MADE_TYPES))));
        }
        Some(_) | None => {
            let (outcome, mut resource) = match kind {
                "SQS" => {
                    ("DestinationQueue", Resource::new(format!("{id}Queue"), "AWS::SQS::Queue", source.inherited()))
                }
                _ => ("DestinationTopic", Resource::new(format!("{id}Topic"), "AWS::SNS::Topic", source.inherited())),
            };
            made.named(outcome, &resource.id);
            if let Some(condition) = both(source, resource.attributes.get("Condition"), condition.as_ref(), made) {
                resource.attributes.insert("Condition".to_owned(), condition);
            }
            let arn = if kind == "SQS" { attribute(&resource.id, "Arn") } else { reference(&resource.id) };
            made.resources.push(resource);
            match (condition, own) {
                (Some(condition), Some(own)) => intrinsic::conditional(&condition, &arn, &own),
                _ => arn,
            }
        }
    };
    policies.push(policy(id, kind, &arn));
    Ok(arn)
}

/// Reads a destination that is there under a condition only: an `Fn::If` with `AWS::NoValue`. Returns the condition
/// under which one must be made, and the destination that is there otherwise.
fn only_if(id: &str, destination: &Value, made: &mut Made) -> Result<(Option<Value>, Option<Value>), Problem> {
    let Some(argument) = intrinsic::condition(destination) else { return Ok((None, None)) };
    let config = id.trim_end_matches("OnSuccess").trim_end_matches("OnFailure");
    let (condition, then, otherwise) = intrinsic::branches(argument)
        .map_err(|message| Problem::resource(config, format!("Malformed 'Destination' property: {message}.")))?;
    Ok(match (is_no_value(then), is_no_value(otherwise)) {
        (true, false) => (Some(condition.clone()), Some(otherwise.clone())),
        (false, true) => {
            let name = generated(&format!("NOT{}", condition.as_str().unwrap_or_default()), config);
            (Some(made.negated(condition, &name)), Some(then.clone()))
        }
        (true, true) | (false, false) => (None, None),
    })
}

/// Returns the condition that holds when two conditions hold.
fn both(source: &Source, of_function: Option<&Value>, of_property: Option<&Value>, made: &mut Made) -> Option<Value> {
    let (Some(of_function), Some(of_property)) = (of_function, of_property) else {
        return of_function.or(of_property).cloned();
    };
    let text = |condition: &Value| condition.as_str().unwrap_or_default().to_owned();
    let name = generated(&format!("{}AND{}", text(of_function), text(of_property)), &source.id);
    let both = json!({ "Fn::And": [{ "Condition": of_function }, { "Condition": of_property }] });
    made.conditions.insert(name.clone(), both);
    Some(name.into())
}

/// Makes the name of a condition. Source of its greatest length: CloudFormation quotas.
fn generated(name: &str, salt: &str) -> String {
    const CHARACTERS_MAX: usize = 255;
    (name.to_owned() + &crate::sam::fingerprint::of_text(salt)).chars().take(CHARACTERS_MAX).collect()
}

/// Allows a function to send to a destination.
fn policy(id: &str, kind: &str, arn: &Value) -> Value {
    let allow = |action: &str, arn: &Value| json!({ "Action": action, "Effect": "Allow", "Resource": arn });
    let (name, statements) = match kind {
        "SQS" => ("SQS", vec![allow("sqs:SendMessage", arn)]),
        "SNS" => ("SNS", vec![allow("sns:publish", arn)]),
        "EventBridge" => ("EventBridge", vec![allow("events:PutEvents", arn)]),
        "Lambda" => ("Lambda", vec![allow("lambda:InvokeFunction", arn)]),
        _ => {
            let objects = json!({ "Fn::Join": ["/", [arn, "*"]] });
            ("S3", vec![allow("s3:PutObject", &objects), allow("s3:ListBucket", arn)])
        }
    };
    json!({ "PolicyName": format!("{id}{name}Policy"), "PolicyDocument": { "Statement": statements } })
}
