//! A template with its parameters: conditions are decided, and only what resources answer is left open.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::Invalid;
use crate::expression::Expression;
use crate::graph::Graph;
use crate::parameter::Given;
use crate::plan::{Deployed, Planned};
use crate::pseudo::Pseudo;
use crate::reduce::{Lookup, Scope, resolve_dynamic, text_of};
use crate::template::{Policy, Template, unresolved_in};
use crate::types::{self, ResourceType};

/// What a stack shall be.
#[derive(Clone, Debug)]
pub struct Bound {
    resources: BTreeMap<String, Resource>,
    outputs: BTreeMap<String, Output>,
    imports: BTreeSet<String>,
}

/// A resource that is to be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// `AWS::Lambda::Function`, say.
    pub resource_type: String,
    /// By name; what is left in them are references to resources.
    pub properties: BTreeMap<String, Expression>,
    /// The resources that must be there before: those it names, and its `DependsOn`.
    pub dependencies: BTreeSet<String>,
    /// What happens to it when it leaves the stack.
    pub deletion_policy: Policy,
    /// What happens to it when another takes its place.
    pub update_replace_policy: Policy,
    /// As written.
    pub metadata: Value,
}

/// An output that is to be there.
#[derive(Clone, Debug, PartialEq)]
struct Output {
    value: Expression,
    description: Option<String>,
    export: Option<String>,
}

/// An output with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputValue {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// For people.
    pub description: Option<String>,
    /// The name under which other stacks find it.
    pub export_name: Option<String>,
}

impl Template {
    /// Gives the parameters their values, decides conditions and rules, and evaluates what can be.
    /// `imports` has the value of every export of the account and region.
    ///
    /// # Errors
    /// [`Invalid`] if a value is missing or refused, a function cannot be evaluated, a resource that is needed is not
    /// there under these conditions, or resources need each other.
    pub fn bind(&self, given: &Given, pseudo: &Pseudo, imports: &BTreeMap<String, String>) -> Result<Bound, Invalid> {
        let mut values = pseudo.values();
        values.extend(self.parameters.values(given)?);
        let imported = RefCell::default();
        let mut scope = Scope {
            values: &values,
            conditions: BTreeMap::new(),
            mappings: &self.mappings,
            imports,
            imported: &imported,
            bytes: Cell::new(0),
            lookup: None,
        };
        for (name, condition) in &self.conditions {
            let holds = condition.holds(&scope)?;
            scope.conditions.insert(name.clone(), holds);
        }
        self.rules.iter().try_for_each(|(name, rule)| rule.assert(name, &scope))?;
        let present = |condition: &Option<String>| condition.as_ref().is_none_or(|name| scope.conditions[name]);

        let mut resources = BTreeMap::new();
        for (id, resource) in self.resources.iter().filter(|(_, resource)| present(&resource.condition)) {
            let mut properties = BTreeMap::new();
            for (name, property) in &resource.properties {
                match scope.reduce(property)? {
                    Expression::NoValue => {}
                    property => {
                        properties.insert(name.clone(), property);
                    }
                }
            }
            let mut dependencies = references(properties.values());
            let there = |id: &&String| self.resources.get(*id).is_some_and(|resource| present(&resource.condition));
            dependencies.extend(resource.depends_on.iter().filter(there).cloned());
            let resource = Resource {
                resource_type: resource.resource_type.clone(),
                properties,
                dependencies,
                deletion_policy: resource.deletion_policy,
                update_replace_policy: resource.update_replace_policy,
                metadata: resource.metadata.clone(),
            };
            resources.insert(id.clone(), resource);
        }
        let mut outputs = BTreeMap::new();
        for (key, output) in self.outputs.iter().filter(|(_, output)| present(&output.condition)) {
            let export = output.export.as_ref().map(|name| {
                let name = scope.reduce(name)?.value().and_then(text_of).filter(|name| is_export_name(name));
                name.ok_or_else(|| {
                    Invalid::format(format!(
                        "Output {key} is malformed. The Name field of every Export member must be specified and consist only of \
                         alphanumeric characters, colons, or hyphens."
                    ))
                })
            });
            let value = scope.reduce(&output.value)?;
            let output = Output { value, description: output.description.clone(), export: export.transpose()? };
            outputs.insert(key.clone(), output);
        }
        let bound = Bound { resources, outputs, imports: imported.into_inner() };
        bound.check_references()?;
        Ok(bound)
    }
}

impl Bound {
    /// The resources that are to be there, by logical id.
    pub fn resources(&self) -> &BTreeMap<String, Resource> {
        &self.resources
    }

    /// The names of the exports that the template imports.
    pub fn imports(&self) -> &BTreeSet<String> {
        &self.imports
    }

    /// Returns what to keep of a stack once it is like this: what the next plan is compared with.
    pub fn deployed(&self) -> Deployed {
        let resources = self.resources.iter().map(|(id, resource)| (id.clone(), resource.planned())).collect();
        let outputs = self.outputs.iter().map(|(key, output)| {
            let output = serde_json::json!({
                "Value": output.value.to_value(), "Description": output.description, "ExportName": output.export,
            });
            (key.clone(), output)
        });
        Deployed { resources, outputs: outputs.collect() }
    }

    /// Returns the properties of a resource with every value, as its type wants them.
    /// `None` if the template has no such resource under its conditions.
    ///
    /// # Errors
    /// [`Invalid`] if `lookup` does not know something, or a property has a wrong type now that it is known.
    pub fn properties(&self, logical_id: &str, lookup: &dyn Lookup) -> Option<Result<Map<String, Value>, Invalid>> {
        let resource = self.resources.get(logical_id)?;
        Some(resource.resolve(logical_id, lookup))
    }

    /// Returns the outputs with their values.
    ///
    /// # Errors
    /// [`Invalid`] if `lookup` does not know something, or a value is no text.
    pub fn outputs(&self, lookup: &dyn Lookup) -> Result<Vec<OutputValue>, Invalid> {
        let output = |(key, output): (&String, &Output)| {
            let value = evaluate(&output.value, lookup)?;
            let value = text_of(&value)
                .ok_or_else(|| Invalid::format("The Value field of every Outputs member must evaluate to a String."))?;
            let (description, export_name) = (output.description.clone(), output.export.clone());
            Ok(OutputValue { key: key.clone(), value, description, export_name })
        };
        self.outputs.iter().map(output).collect()
    }

    /// Every resource that is named must be there, and none may wait for itself.
    fn check_references(&self) -> Result<(), Invalid> {
        let missing = |names: BTreeSet<String>, block| {
            unresolved_in(
                block,
                names.iter().filter(|id| !self.resources.contains_key(*id)).map(String::as_str).collect(),
            )
        };
        for resource in self.resources.values() {
            missing(resource.dependencies.clone(), "Resources")?;
        }
        missing(references(self.outputs.values().map(|output| &output.value)), "Outputs")?;
        let cyclic =
            Graph::new(self.resources.iter().map(|(id, resource)| (id.as_str(), &resource.dependencies))).cyclic();
        if cyclic.is_empty() {
            return Ok(());
        }
        Err(Invalid::new(format!("Circular dependency between resources: [{}]", cyclic.join(", "))))
    }

    /// The attributes of other resources that resources and outputs need.
    pub(crate) fn attributes(&self) -> BTreeSet<(&str, &str)> {
        let expressions = self.resources.values().flat_map(|resource| resource.properties.values());
        let expressions = expressions.chain(self.outputs.values().map(|output| &output.value));
        let mut attributes = BTreeSet::new();
        for expression in expressions {
            expression.each_reference(&mut |reference| {
                attributes.extend(reference.attribute.map(|attribute| (reference.name, attribute)));
            });
        }
        attributes
    }
}

impl Resource {
    fn planned(&self) -> Planned {
        let mut properties: Map<String, Value> =
            self.properties.iter().map(|(name, property)| (name.clone(), property.to_value())).collect();
        if let Some(known) = ResourceType::find(&self.resource_type) {
            // What is wrong with them is told when they are planned.
            let _ = types::conform(known, &mut properties);
        }
        Planned {
            resource_type: self.resource_type.clone(),
            properties,
            dependencies: self.dependencies.clone(),
            deletion_policy: self.deletion_policy,
            update_replace_policy: self.update_replace_policy,
            metadata: self.metadata.clone(),
        }
    }

    fn resolve(&self, logical_id: &str, lookup: &dyn Lookup) -> Result<Map<String, Value>, Invalid> {
        let evaluate = |(name, property): (&String, &Expression)| Ok((name.clone(), evaluate(property, lookup)?));
        let mut properties = self.properties.iter().map(evaluate).collect::<Result<_, Invalid>>()?;
        if let Some(known) = ResourceType::find(&self.resource_type) {
            types::conform(known, &mut properties).map_err(|problems| types::invalid(logical_id, &problems))?;
        }
        Ok(properties)
    }
}

/// Gives an expression of a bound template its value.
fn evaluate(expression: &Expression, lookup: &dyn Lookup) -> Result<Value, Invalid> {
    let scope = Scope {
        values: &BTreeMap::new(),
        conditions: BTreeMap::new(),
        mappings: &Map::new(),
        imports: &BTreeMap::new(),
        imported: &RefCell::default(),
        bytes: Cell::new(0),
        lookup: Some(lookup),
    };
    match scope.reduce(expression)? {
        Expression::Value(mut value) => {
            resolve_dynamic(&mut value, lookup)?;
            Ok(value)
        }
        // With a lookup everything has a value, but for what is made of `AWS::NoValue`.
        unknown => Err(Invalid::error(format!("{} has no value", unknown.to_value()))),
    }
}

fn references<'a>(expressions: impl IntoIterator<Item = &'a Expression>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for expression in expressions {
        expression.each_reference(&mut |reference| {
            names.insert(reference.name.to_owned());
        });
    }
    names
}

fn is_export_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || ":-".contains(letter))
}
