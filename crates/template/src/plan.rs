//! The way from what a stack is to what it shall be.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Invalid;
use crate::bound::{Bound, Resource};
use crate::graph::Graph;
use crate::template::Policy;
use crate::types::{self, Recreation, ResourceType};

/// AWS's reason for a change set without changes.
pub const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

/// What a stack is, as far as plans need it. Whoever executes a plan keeps it up to date, and stores it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    /// By logical id.
    #[serde(default)]
    pub resources: BTreeMap<String, Planned>,
    /// By key, with what was not known when they were planned as functions.
    #[serde(default)]
    pub outputs: Map<String, Value>,
}

/// A resource as it was planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// `AWS::Lambda::Function`, say.
    pub resource_type: String,
    /// With what other resources answer still as functions.
    pub properties: Map<String, Value>,
    /// The resources that it needs.
    pub dependencies: BTreeSet<String>,
    /// What happens to it when it leaves the stack.
    #[serde(default)]
    pub deletion_policy: Policy,
    /// What happens to it when another takes its place.
    #[serde(default)]
    pub update_replace_policy: Policy,
    /// As written.
    #[serde(default)]
    pub metadata: Value,
}

/// The changes to a stack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In an order in which they can be made one after the other: each after those in its `after`.
    pub changes: Vec<Change>,
    /// Resources, by logical id, of types that are known and not served, with the type.
    pub not_served: BTreeMap<String, String>,
    /// Whether outputs change.
    pub outputs_change: bool,
}

/// A change to one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The resource.
    pub logical_id: String,
    /// `AWS::Lambda::Function`, say.
    pub resource_type: String,
    /// What is to be done.
    pub action: Action,
    /// The logical ids of other changes that must be finished before. Those without can run at the same time.
    pub after: BTreeSet<String>,
}

/// What is to be done with a resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// It is made.
    Add,
    /// It is changed, or another takes its place; `Details` say why.
    Modify {
        /// Whether another takes its place.
        replacement: Replacement,
        /// What changes, sorted.
        details: Vec<Detail>,
    },
    /// It leaves the stack, and what happens to it.
    Remove(Policy),
}

/// Whether a change needs another resource in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replacement {
    /// No.
    False,
    /// It depends on values that are not known yet.
    Conditional,
    /// Yes.
    True,
}

/// One thing that changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Detail {
    /// What part of the resource.
    pub target: Target,
    /// Whether it changes for certain; if not, it may by a value that is not known yet.
    pub certain: bool,
    /// The other resource it may change by, with its attribute, as `Resource` or `Resource.Attribute`.
    pub cause: Option<String>,
    /// What it takes.
    pub recreation: Replacement,
}

/// A part of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A property.
    Property(String),
    /// Its `Metadata`.
    Metadata,
    /// Its `DeletionPolicy`.
    DeletionPolicy,
    /// Its `UpdateReplacePolicy`.
    UpdateReplacePolicy,
}

impl Bound {
    /// Compares with what is deployed. `serves` tells which types the server serves.
    ///
    /// # Errors
    /// [`Invalid`] if a type does not exist or changed, an attribute does not exist, or properties are wrong.
    pub fn plan(&self, before: &Deployed, serves: impl Fn(&str) -> bool) -> Result<Plan, Invalid> {
        types::refuse_unrecognized(self.resources().values().map(|resource| resource.resource_type.as_str()))?;
        self.refuse_other_types(before)?;
        self.check_attributes()?;
        let after = self.deployed();
        for (id, resource) in self.resources() {
            check_properties(id, resource)?;
        }
        let mut modified: BTreeMap<&str, Replacement> = BTreeMap::new();
        let mut actions: BTreeMap<String, Action> = BTreeMap::new();
        let graph = Graph::new(after.resources.iter().map(|(id, planned)| (id.as_str(), &planned.dependencies)));
        for id in graph.order() {
            let action = match before.resources.get(id) {
                None => Some(Action::Add),
                Some(old) => modification(old, &after.resources[id], &self.resources()[id], &modified),
            };
            if let Some(Action::Modify { replacement, .. }) = &action {
                modified.insert(id, *replacement);
            }
            actions.extend(action.map(|action| (id.to_owned(), action)));
        }
        let is_served = |planned: &Planned| serves(&planned.resource_type);
        let not_served = after.resources.iter().filter(|(_, planned)| !is_served(planned));
        let not_served = not_served.map(|(id, planned)| (id.clone(), planned.resource_type.clone())).collect();
        let outputs_change = before.outputs != after.outputs;
        let changes = in_order(&after, actions).chain(removals(before, &after)).collect();
        Ok(Plan { changes, not_served, outputs_change })
    }

    fn refuse_other_types(&self, before: &Deployed) -> Result<(), Invalid> {
        let changed = |(id, resource): &(&String, &Resource)| {
            before.resources.get(*id).is_some_and(|old| old.resource_type != resource.resource_type)
        };
        let changed: Vec<&str> = self.resources().iter().filter(changed).map(|(id, _)| id.as_str()).collect();
        if changed.is_empty() {
            return Ok(());
        }
        Err(Invalid::new(format!(
            "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{}]",
            changed.join(", ")
        )))
    }

    fn check_attributes(&self) -> Result<(), Invalid> {
        for (id, attribute) in self.attributes() {
            let known = ResourceType::find(&self.resources()[id].resource_type);
            if known.is_some_and(|known| !known.has_attribute(attribute)) {
                return Err(Invalid::error(format!(
                    "resource {id} does not support attribute type {attribute} in Fn::GetAtt"
                )));
            }
        }
        Ok(())
    }
}

impl Plan {
    /// Returns the plan that takes away everything.
    pub fn removal(before: &Deployed) -> Self {
        Self { changes: removals(before, &Deployed::default()).collect(), ..Self::default() }
    }

    /// Tells whether there is nothing to do. A change set then fails with [`NO_CHANGES`].
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.outputs_change
    }
}

fn check_properties(id: &str, resource: &Resource) -> Result<(), Invalid> {
    let Some(known) = ResourceType::find(&resource.resource_type) else { return Ok(()) };
    let mut properties =
        resource.properties.iter().map(|(name, property)| (name.clone(), property.to_value())).collect();
    types::conform(known, &mut properties).map_err(|problems| types::invalid(id, &problems))
}

/// Additions and modifications in order.
fn in_order(after: &Deployed, mut actions: BTreeMap<String, Action>) -> impl Iterator<Item = Change> {
    let graph = Graph::new(after.resources.iter().map(|(id, planned)| (id.as_str(), &planned.dependencies)));
    let ids: BTreeSet<String> = actions.keys().cloned().collect();
    let changes = graph.order().into_iter().filter_map(|id| {
        let before = graph.all_before(id).into_iter().filter(|before| ids.contains(*before)).map(str::to_owned);
        Some(Change {
            action: actions.remove(id)?,
            logical_id: id.to_owned(),
            resource_type: after.resources[id].resource_type.clone(),
            after: before.collect(),
        })
    });
    changes.collect::<Vec<_>>().into_iter()
}

/// What is not there any more, each after those that needed it.
fn removals(before: &Deployed, after: &Deployed) -> impl Iterator<Item = Change> {
    let graph = Graph::new(before.resources.iter().map(|(id, planned)| (id.as_str(), &planned.dependencies)));
    let gone: BTreeSet<&str> =
        before.resources.keys().filter(|id| !after.resources.contains_key(*id)).map(String::as_str).collect();
    let needs: BTreeMap<&str, BTreeSet<&str>> = gone.iter().map(|id| (*id, graph.all_before(id))).collect();
    let order = graph.order().into_iter().rev().filter(|id| gone.contains(id));
    let changes = order.map(|id| {
        let dependents = needs.iter().filter(|(dependent, needed)| **dependent != id && needed.contains(id));
        let planned = &before.resources[id];
        Change {
            logical_id: id.to_owned(),
            resource_type: planned.resource_type.clone(),
            action: Action::Remove(planned.deletion_policy),
            after: dependents.map(|(dependent, _)| (*dependent).to_owned()).collect(),
        }
    });
    changes.collect::<Vec<_>>().into_iter()
}

/// What changes in a resource that is there before and after, if anything does.
fn modification(
    old: &Planned,
    new: &Planned,
    resource: &Resource,
    modified: &BTreeMap<&str, Replacement>,
) -> Option<Action> {
    let known = ResourceType::find(&new.resource_type);
    let mut details = vec![];
    let names: BTreeSet<&String> = old.properties.keys().chain(new.properties.keys()).collect();
    for name in names {
        let (before, after) = (old.properties.get(name), new.properties.get(name));
        let recreation = |certain: bool| match known.map_or(Recreation::Never, |known| known.recreation(name)) {
            Recreation::Never => Replacement::False,
            Recreation::ByPresence if before.is_some() != after.is_some() => Replacement::True,
            Recreation::ByPresence => Replacement::False,
            Recreation::Always if certain => Replacement::True,
            Recreation::Always => Replacement::Conditional,
        };
        if before != after {
            let target = Target::Property(name.clone());
            details.push(Detail { target, certain: true, cause: None, recreation: recreation(true) });
        } else if let Some(expression) = resource.properties.get(name) {
            expression.each_reference(&mut |reference| {
                let cause = match (reference.attribute, modified.get(reference.name)) {
                    (None, Some(Replacement::True | Replacement::Conditional)) => reference.name.to_owned(),
                    (Some(attribute), Some(_)) => format!("{}.{attribute}", reference.name),
                    (None, Some(Replacement::False)) | (_, None) => return,
                };
                let target = Target::Property(name.clone());
                details.push(Detail { target, certain: false, cause: Some(cause), recreation: recreation(false) });
            });
        }
    }
    let attributes = [
        (Target::Metadata, old.metadata != new.metadata),
        (Target::DeletionPolicy, old.deletion_policy != new.deletion_policy),
        (Target::UpdateReplacePolicy, old.update_replace_policy != new.update_replace_policy),
    ];
    for (target, _) in attributes.into_iter().filter(|(_, changed)| *changed) {
        details.push(Detail { target, certain: true, cause: None, recreation: Replacement::False });
    }
    details.sort();
    details.dedup();
    let replacement = details.iter().map(|detail| detail.recreation).max()?;
    Some(Action::Modify { replacement, details })
}
