//! What the catalog keeps of stacks: a document for each stack, resource, template, change set, event and export.
//!
//! A stack's document is small and says what is under way; a resource's says what there is in the world because of
//! it. Fields are only ever added, with a default.

use std::collections::{BTreeMap, BTreeSet};

use everstep_template::Policy;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status::{ChangeSetStatus, ResourceStatus, StackStatus};
use crate::access::Principal;

/// Which stack: its name, and the id that tells it from others of that name before and after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StackId {
    /// The name.
    pub name: String,
    /// A UUID.
    pub unique: String,
}

impl StackId {
    /// Returns what the documents of the stack are kept by.
    pub fn key(&self) -> String {
        format!("{}/{}", self.name, self.unique)
    }
}

/// A stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    /// Which one.
    pub id: StackId,
    /// Where it is in its life.
    pub status: StackStatus,
    /// Why it is there.
    pub status_reason: Option<String>,
    /// When it was made, in milliseconds since the epoch.
    pub created_millis: i64,
    /// When it was updated last.
    pub updated_millis: Option<i64>,
    /// When it was deleted.
    pub deleted_millis: Option<i64>,
    /// What was asked for last.
    pub settings: Settings,
    /// The number of the template that is deployed.
    pub template: Option<u64>,
    /// The ARN of the change set that was executed last.
    pub change_set: Option<String>,
    /// The outputs of the deployed template.
    pub outputs: Vec<Output>,
    /// The exports of other stacks that it uses.
    pub imports: BTreeSet<String>,
    /// Whether it may not be deleted.
    pub termination_protection: bool,
    /// What is being done, or was done last.
    pub operation: Option<Operation>,
    /// How many operations there were: they number templates too.
    pub operations: u64,
    /// The last operation after which there was nothing to undo any more.
    pub settled: u64,
}

/// What somebody asks of a stack beside its template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The template's words for people.
    pub description: Option<String>,
    /// The values of its parameters.
    pub parameters: Vec<Parameter>,
    /// Its tags, which its resources get as well.
    pub tags: BTreeMap<String, String>,
    /// What the sender knows that the template may do.
    pub capabilities: Vec<String>,
    /// Whose permissions resources are made with, instead of the sender's.
    pub role_arn: Option<String>,
    /// Kept and returned.
    pub notification_arns: Vec<String>,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub key: String,
    /// The value as it was given: of an SSM parameter its name.
    pub value: String,
    /// What the name stood for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<String>,
    /// Whether it is not shown.
    #[serde(default)]
    pub no_echo: bool,
}

/// An output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Words for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The name by which other stacks can import it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_name: Option<String>,
}

/// What is being done with a stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its number.
    pub number: u64,
    /// The number of the template to deploy, if it deploys one.
    pub template: Option<u64>,
    /// The number of the template that was deployed before.
    pub former_template: Option<u64>,
    /// What the settings were before.
    pub former: Option<Settings>,
    /// What happens if a resource cannot be made.
    pub on_failure: OnFailure,
    /// Who asked.
    pub deployer: Principal,
    /// What the sender calls it.
    pub client_request_token: Option<String>,
    /// Whether somebody asked to go back.
    #[serde(default)]
    pub cancelled: bool,
    /// Resources that a deletion leaves alone.
    #[serde(default)]
    pub retained: BTreeSet<String>,
}

/// What happens if a resource cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// Everything is as before.
    Rollback,
    /// Everything stays as it has become.
    DoNothing,
    /// The stack is deleted.
    Delete,
}

/// A template, as it was sent and as it is deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// As it was sent.
    pub original: String,
    /// After its transforms.
    pub processed: Value,
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its type.
    pub resource_type: String,
    /// Where it is in its life.
    pub status: ResourceStatus,
    /// Why it is there.
    pub status_reason: Option<String>,
    /// When that was, in milliseconds since the epoch.
    pub updated_millis: i64,
    /// What there is in the world because of it.
    pub thing: Option<Thing>,
    /// What an operation has done with it.
    pub change: Option<Change>,
    /// Which operation.
    pub changed_by: u64,
}

impl Resource {
    /// Returns what was done with it that can still be undone.
    pub fn change(&self, settled: u64) -> Option<&Change> {
        self.change.as_ref().filter(|_| self.changed_by > settled)
    }
}

/// Something in the world that belongs to a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thing {
    /// Its type.
    pub resource_type: String,
    /// What AWS calls its physical id.
    pub physical_id: String,
    /// What it was made with.
    pub properties: Value,
    /// What templates can ask of it.
    pub attributes: BTreeMap<String, Value>,
    /// The resources that were there before it.
    pub needs: BTreeSet<String>,
    /// What happens to it when it is not needed any more.
    pub deletion_policy: Policy,
    /// What happens to it when another takes its place.
    pub replace_policy: Policy,
    /// Whether it is only noted down, because its type is not served.
    #[serde(default)]
    pub not_served: bool,
}

/// What an operation has done with a resource, so that it can be undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// It was not there before.
    Created,
    /// It was another way before.
    Updated {
        /// What it was.
        former: Thing,
    },
    /// Another one was there before, and still is.
    Replaced {
        /// The other one.
        former: Thing,
    },
    /// It is the former one again, and the one that was to replace it still is there.
    Reverted {
        /// The one that is not needed.
        discarded: Thing,
    },
}

/// What was prepared for a stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// Its name.
    pub name: String,
    /// A UUID.
    pub unique: String,
    /// The stack.
    pub stack: StackId,
    /// Whether it can be used.
    pub status: ChangeSetStatus,
    /// Why not.
    pub status_reason: Option<String>,
    /// When it was made, in milliseconds since the epoch.
    pub created_millis: i64,
    /// Words for people.
    pub description: Option<String>,
    /// Who made it may ask twice.
    #[serde(default)]
    pub client_token: Option<String>,
    /// What the stack would be asked for.
    pub settings: Settings,
    /// The template that would be deployed.
    pub template: Template,
    /// The exports of other stacks that it uses.
    #[serde(default)]
    pub imports: BTreeSet<String>,
    /// What would change, as AWS's `Change`s.
    pub changes: Vec<Value>,
    /// What happens if a resource cannot be made.
    #[serde(default)]
    pub on_failure: Option<OnFailure>,
    /// Whether it makes the stack.
    pub creates: bool,
}

/// Something that happened to a stack or one of its resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// When, in milliseconds since the epoch: later than every event of the stack before it.
    pub at_millis: i64,
    /// Whom it happened to.
    pub logical_id: String,
    /// What is in the world because of it.
    pub physical_id: Option<String>,
    /// The type of the resource.
    pub resource_type: String,
    /// AWS's name of the state.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// What the sender of the operation calls it.
    pub client_request_token: Option<String>,
}

/// A value that other stacks can import, by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The stack that has it.
    pub stack: StackId,
    /// Its value.
    pub value: String,
}
