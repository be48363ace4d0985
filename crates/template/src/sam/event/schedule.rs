//! Events that are schedules of EventBridge Scheduler: `ScheduleV2`.

use serde_json::{Value, json};

use super::Event;
use super::rule::dead_letter_queue;
use crate::sam::Made;
use crate::sam::function::Target;
use crate::sam::intrinsic::attribute;
use crate::sam::problem::Problem;
use crate::sam::property::{Property, Shape, optional, required};
use crate::sam::resource::Resource;

/// The properties. Source: `aws-sam-translator`, `SchedulerEventSource`.
pub const PROPERTIES: [Property; 16] = [
    optional("PermissionsBoundary", Shape::Text),
    required("ScheduleExpression", Shape::Text),
    optional("FlexibleTimeWindow", Shape::Map),
    optional("Name", Shape::Text),
    optional("State", Shape::Text),
    optional("Description", Shape::Text),
    optional("StartDate", Shape::Text),
    optional("EndDate", Shape::Text),
    optional("ScheduleExpressionTimezone", Shape::Text),
    optional("GroupName", Shape::Text),
    optional("KmsKeyArn", Shape::Text),
    optional("Input", Shape::Text),
    optional("RoleArn", Shape::Text),
    optional("DeadLetterConfig", Shape::Map),
    optional("RetryPolicy", Shape::Map),
    optional("OmitName", Shape::Flag),
];

/// Properties that the schedule has under the same name.
const PASSED_ON: [&str; 7] = [
    "ScheduleExpression",
    "Description",
    "StartDate",
    "EndDate",
    "ScheduleExpressionTimezone",
    "GroupName",
    "KmsKeyArn",
];

/// Adds the schedule, and the role that it invokes the function with.
///
/// # Errors
/// Its name or dead letter queue is wrong.
pub fn add(event: &Event, target: &Target, made: &mut Made) -> Result<(), Problem> {
    let inherited = event.function.inherited();
    let omitted = event.given("OmitName").is_some();
    if omitted && event.given("Name").is_some() {
        return Err(event.problem_by_id("Name cannot be set when OmitName is True"));
    }
    let name = event.given("Name").cloned().unwrap_or_else(|| event.id.as_str().into());
    let window = event.given("FlexibleTimeWindow").cloned().unwrap_or_else(|| json!({ "Mode": "OFF" }));
    let mut schedule = Resource::new(&event.id, "AWS::Scheduler::Schedule", inherited.clone())
        .with("State", event.given("State").cloned())
        .with("Name", (!omitted).then_some(name))
        .with("FlexibleTimeWindow", window);
    for name in PASSED_ON {
        schedule.set(name, event.get(name).cloned());
    }
    let queue = dead_letter_queue(event, made)?;
    let role_arn = match event.given("RoleArn") {
        Some(arn) => arn.clone(),
        None => {
            let id = format!("{}Role", event.id);
            let mut policies = vec![policy(event, "Lambda", "lambda:InvokeFunction", &target.arn)];
            policies.extend(queue.as_ref().map(|queue| policy(event, "SQS", "sqs:SendMessage", &queue.arn)));
            made.resources.push(
                Resource::new(&id, "AWS::IAM::Role", inherited)
                    .with("AssumeRolePolicyDocument", trust())
                    .with("Policies", Value::Array(policies))
                    .with("PermissionsBoundary", event.given("PermissionsBoundary").cloned()),
            );
            attribute(&id, "Arn")
        }
    };
    let mut schedule_target = json!({ "Arn": target.arn, "RoleArn": role_arn });
    for name in ["Input", "RetryPolicy"] {
        if let Some(value) = event.get(name) {
            schedule_target[name] = value.clone();
        }
    }
    if let Some(queue) = queue {
        schedule_target["DeadLetterConfig"] = json!({ "Arn": queue.arn });
    }
    made.resources.push(schedule.with("Target", schedule_target));
    Ok(())
}

fn policy(event: &Event, name: &str, action: &str, resource: &Value) -> Value {
    json!({
        "PolicyName": format!("{}{name}Policy", event.id),
        "PolicyDocument": { "Statement": [{ "Action": action, "Effect": "Allow", "Resource": resource }] },
    })
}

fn trust() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": { "Service": ["scheduler.amazonaws.com"] } }],
    })
}
