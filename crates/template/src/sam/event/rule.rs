//! Events that are rules of EventBridge: `Schedule`, `EventBridgeRule`, and its old name `CloudWatchEvent`.

use serde_json::{Value, json};

use super::Event;
use crate::sam::Made;
use crate::sam::function::Target;
use crate::sam::intrinsic::{attribute, is_given, reference};
use crate::sam::problem::Problem;
use crate::sam::property::{Property, Shape, optional, required};
use crate::sam::resource::Resource;

/// What makes the rule fire.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Time.
    Schedule,
    /// Events that match a pattern.
    Pattern,
}

const SCHEDULE: [Property; 9] = [
    required("Schedule", Shape::Text),
    optional("RuleName", Shape::Text),
    optional("Input", Shape::Text),
    optional("Enabled", Shape::Boolean),
    optional("State", Shape::Text),
    optional("Name", Shape::Text),
    optional("Description", Shape::Text),
    optional("DeadLetterConfig", Shape::Map),
    optional("RetryPolicy", Shape::Map),
];

const PATTERN: [Property; 11] = [
    optional("EventBusName", Shape::Text),
    optional("RuleName", Shape::Text),
    optional("Pattern", Shape::Map),
    optional("DeadLetterConfig", Shape::Map),
    optional("RetryPolicy", Shape::Map),
    optional("Input", Shape::Text),
    optional("InputPath", Shape::Text),
    optional("Target", Shape::Map),
    optional("Enabled", Shape::Boolean),
    optional("State", Shape::Text),
    optional("InputTransformer", Shape::Map),
];

impl Kind {
    /// Returns the properties of such an event. Source: `aws-sam-translator`.
    pub fn properties(self) -> &'static [Property] {
        match self {
            Kind::Schedule => &SCHEDULE,
            Kind::Pattern => &PATTERN,
        }
    }
}

/// Adds the rule, and the permission for it.
///
/// # Errors
/// Its state or dead letter queue is wrong.
pub fn add(event: &Event, kind: Kind, target: &Target, made: &mut Made) -> Result<(), Problem> {
    let inherited = event.function.inherited();
    let arn = attribute(&event.id, "Arn");
    if event.given("State").is_some() && event.get("Enabled").is_some() {
        return Err(event.problem("State and Enabled Properties cannot both be specified."));
    }
    let enabled = event.get("Enabled").map(|enabled| if is_given(enabled) { "ENABLED" } else { "DISABLED" });
    let state = event.given("State").cloned().or_else(|| enabled.map(Value::from));
    let mut rule = Resource::new(&event.id, "AWS::Events::Rule", inherited.clone()).with("State", state);
    for (name, from) in match kind {
        Kind::Schedule => [("ScheduleExpression", "Schedule"), ("Name", "Name"), ("Description", "Description")],
        Kind::Pattern => [("EventPattern", "Pattern"), ("Name", "RuleName"), ("EventBusName", "EventBusName")],
    } {
        rule.set(name, event.get(from).cloned());
    }
    let mut rule_target = json!({ "Arn": target.arn, "Id": target_id(event) });
    for name in ["Input", "InputPath", "RetryPolicy", "InputTransformer"] {
        if let Some(value) = event.get(name) {
            rule_target[name] = value.clone();
        }
    }
    if let Some(queue) = dead_letter_queue(event, made)? {
        rule_target["DeadLetterConfig"] = json!({ "Arn": queue.arn });
        if let Some(id) = queue.made {
            made.resources.push(
                Resource::new(format!("{}QueuePolicy", event.id), "AWS::SQS::QueuePolicy", inherited.clone())
                    .with("Queues", json!([reference(&id)]))
                    .with("PolicyDocument", queue_policy(&queue.arn, &arn)),
            );
        }
    }
    made.resources.push(rule.with("Targets", json!([rule_target])));
    made.resources.push(
        Resource::new(format!("{}Permission", event.id), "AWS::Lambda::Permission", inherited)
            .with("Action", Value::from("lambda:InvokeFunction"))
            .with("FunctionName", target.reference.clone())
            .with("Principal", Value::from("events.amazonaws.com"))
            .with("SourceArn", arn),
    );
    Ok(())
}

/// A queue for what could not be delivered.
pub struct DeadLetterQueue {
    /// Its ARN.
    pub arn: Value,
    /// Its logical id, if it was made.
    pub made: Option<String>,
}

/// Reads `DeadLetterConfig`, and adds the queue if it names a type only.
///
/// # Errors
/// It names neither a queue nor a type, or both.
pub fn dead_letter_queue(event: &Event, made: &mut Made) -> Result<Option<DeadLetterQueue>, Problem> {
    let Some(config) = event.get("DeadLetterConfig") else { return Ok(None) };
    let wrong = match (config.get("Arn"), config.get("Type")) {
        (Some(_), Some(_)) => Some("You can either define 'Arn' or 'Type' property of DeadLetterConfig."),
        (None, Some(kind)) if kind != "SQS" => {
            Some("The only valid value for 'Type' property of DeadLetterConfig is 'SQS'.")
        }
        (None, None) => Some("No 'Arn' or 'Type' property provided for DeadLetterConfig."),
        (Some(_), None) | (None, Some(_)) => None,
    };
    if let Some(wrong) = wrong {
        return Err(event.problem_by_id(wrong));
    }
    if let Some(arn) = config.get("Arn").filter(|arn| !arn.is_null()) {
        return Ok(Some(DeadLetterQueue { arn: arn.clone(), made: None }));
    }
    let id = match &config["QueueLogicalId"] {
        Value::String(id) if !id.is_empty() => id.clone(),
        Value::Null | Value::String(_) => format!("{}Queue", event.id),
        _ => return Err(event.problem_by_id("QueueLogicalId must be a string")),
    };
    made.resources.push(Resource::new(&id, "AWS::SQS::Queue", event.function.inherited()));
    Ok(Some(DeadLetterQueue { arn: attribute(&id, "Arn"), made: Some(id) }))
}

/// Returns the id of a rule's target. Source of its greatest length: EventBridge API, `Target`.
fn target_id(event: &Event) -> Value {
    const CHARACTERS_MAX: usize = 64;
    const SUFFIX: &str = "LambdaTarget";
    match event.get("Target").and_then(|target| target.get("Id")) {
        Some(id) => id.clone(),
        None => {
            let id: String = event.id.chars().take(CHARACTERS_MAX - SUFFIX.len()).collect();
            (id + SUFFIX).into()
        }
    }
}

fn queue_policy(queue: &Value, rule: &Value) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Action": "sqs:SendMessage",
            "Effect": "Allow",
            "Principal": { "Service": "events.amazonaws.com" },
            "Resource": queue,
            "Condition": { "ArnEquals": { "aws:SourceArn": rule } },
        }],
    })
}
