//! How stacks, resources, events and change sets are written.

use serde_json::{Value, json};

use crate::stacks::document::{ChangeSet, Event, OnFailure, Output, Parameter, Resource, Settings, Stack};
use crate::stacks::events::STACK_TYPE;
use crate::stacks::status::{ChangeSetStatus, StackStatus};
use crate::stacks::{Stacks, iso};

/// What is shown of a value that is not.
const HIDDEN: &str = "****";

/// Writes a stack. Source: CloudFormation API, `Stack`.
pub fn stack(stacks: &Stacks, stack: &Stack) -> Value {
    let Settings { description, parameters: given, capabilities, role_arn, notification_arns, .. } = &stack.settings;
    let disable_rollback =
        stack.operation.as_ref().is_some_and(|operation| operation.on_failure == OnFailure::DoNothing);
    json!({
        "StackId": stacks.arn(&stack.id),
        "StackName": stack.id.name,
        "ChangeSetId": stack.change_set,
        "Description": description,
        "Parameters": parameters(given),
        "CreationTime": iso(stack.created_millis),
        "LastUpdatedTime": stack.updated_millis.map(iso),
        "DeletionTime": stack.deleted_millis.map(iso),
        "RollbackConfiguration": {},
        "StackStatus": stack.status.as_str(),
        "StackStatusReason": stack.status_reason,
        "DisableRollback": disable_rollback,
        "NotificationARNs": notification_arns,
        "Capabilities": capabilities,
        "Outputs": stack.outputs.iter().map(output).collect::<Vec<_>>(),
        "RoleARN": role_arn,
        "Tags": tags(&stack.settings),
        "EnableTerminationProtection": stack.termination_protection,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    })
}

/// Writes a stack for a list. Source: CloudFormation API, `StackSummary`.
pub fn summary(stacks: &Stacks, stack: &Stack) -> Value {
    json!({
        "StackId": stacks.arn(&stack.id),
        "StackName": stack.id.name,
        "TemplateDescription": stack.settings.description,
        "CreationTime": iso(stack.created_millis),
        "LastUpdatedTime": stack.updated_millis.map(iso),
        "DeletionTime": stack.deleted_millis.map(iso),
        "StackStatus": stack.status.as_str(),
        "StackStatusReason": stack.status_reason,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    })
}

/// Writes parameters; those that are not to be seen are not.
pub fn parameters(parameters: &[Parameter]) -> Value {
    let shape = |parameter: &Parameter| {
        let shown = |text: &String| if parameter.no_echo { HIDDEN.to_string() } else { text.clone() };
        json!({
            "ParameterKey": parameter.key,
            "ParameterValue": shown(&parameter.value),
            "ResolvedValue": parameter.resolved.as_ref().map(shown),
        })
    };
    parameters.iter().map(shape).collect()
}

/// Writes tags.
pub fn tags(settings: &Settings) -> Value {
    settings.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

fn output(output: &Output) -> Value {
    json!({
        "OutputKey": output.key,
        "OutputValue": output.value,
        "Description": output.description,
        "ExportName": output.export_name,
    })
}

/// Writes a resource. `time` is how the operation calls the time of its last change.
pub fn resource(resource: &Resource, time: &str) -> Value {
    let mut shape = json!({
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.thing.as_ref().map(|thing| &thing.physical_id),
        "ResourceType": resource.resource_type,
        "ResourceStatus": resource.status.as_str(),
        "ResourceStatusReason": resource.status_reason,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    });
    shape[time] = iso(resource.updated_millis).into();
    shape
}

/// Writes a resource, and of which stack it is.
pub fn resource_of(stacks: &Stacks, stack: &Stack, found: &Resource, time: &str) -> Value {
    let mut shape = resource(found, time);
    shape["StackId"] = stacks.arn(&stack.id).into();
    shape["StackName"] = stack.id.name.as_str().into();
    shape
}

/// Writes an event. Source: CloudFormation API, `StackEvent`.
pub fn event(stacks: &Stacks, stack: &Stack, event: &Event) -> Value {
    json!({
        "StackId": stacks.arn(&stack.id),
        "EventId": event.id,
        "StackName": stack.id.name,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id.as_deref().unwrap_or_default(),
        "ResourceType": event.resource_type,
        "Timestamp": iso(event.at_millis),
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
        "ClientRequestToken": event.client_request_token,
    })
}

/// Writes an event as newer clients want it. Source: CloudFormation API, `OperationEvent`.
pub fn operation_event(stacks: &Stacks, stack: &Stack, found: &Event) -> Value {
    let mut shape = event(stacks, stack, found);
    let members = shape.as_object_mut().expect("it is written as an object");
    members.remove("StackName");
    let kind = if found.resource_type == STACK_TYPE { "STACK_EVENT" } else { "PROVISIONING_STATUS" };
    members.insert("EventType".into(), kind.into());
    shape
}

/// Writes what is known of a change set beside its changes. Source: CloudFormation API, `DescribeChangeSet`.
pub fn change_set(stacks: &Stacks, change_set: &ChangeSet) -> Value {
    json!({
        "ChangeSetName": change_set.name,
        "ChangeSetId": stacks.change_set_arn(change_set),
        "StackId": stacks.arn(&change_set.stack),
        "StackName": change_set.stack.name,
        "Description": change_set.description,
        "CreationTime": iso(change_set.created_millis),
        "ExecutionStatus": match change_set.status {
            ChangeSetStatus::CreateComplete => "AVAILABLE",
            ChangeSetStatus::Failed => "UNAVAILABLE",
        },
        "Status": change_set.status.as_str(),
        "StatusReason": change_set.status_reason,
        "IncludeNestedStacks": false,
    })
}

/// Returns what a stack in this state says when it cannot be updated.
pub fn cannot_be_updated(stacks: &Stacks, found: &Stack, status: StackStatus) -> String {
    format!("Stack:{} is in {} state and can not be updated.", stacks.arn(&found.id), status.as_str())
}
