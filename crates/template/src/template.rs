//! A template, read: its sections, each in the form that CloudFormation asks for, and no name that leads nowhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::condition::{self, Condition, Rule};
use crate::expression::Expression;
use crate::limits::{DESCRIPTION_BYTES_MAX, MAPPINGS_MAX, NAME_CHARACTERS_MAX, OUTPUTS_MAX, RESOURCES_MAX};
use crate::parameter::Parameters;
use crate::{Invalid, pseudo};

/// A template without transforms: what [`crate::document::parse`] gives, and a transform after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// What it is for.
    pub description: Option<String>,
    /// The `Metadata` section, as written.
    pub metadata: Value,
    /// The `Parameters` section.
    pub parameters: Parameters,
    /// By logical id.
    pub resources: BTreeMap<String, Resource>,
    pub(crate) rules: BTreeMap<String, Rule>,
    pub(crate) mappings: Map<String, Value>,
    /// Each one comes after those it names.
    pub(crate) conditions: Vec<(String, Condition)>,
    pub(crate) outputs: BTreeMap<String, Output>,
}

/// A resource as it is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// `AWS::Lambda::Function`, say.
    pub resource_type: String,
    /// By name.
    pub properties: BTreeMap<String, Expression>,
    /// Its `DependsOn`.
    pub depends_on: BTreeSet<String>,
    /// The condition under which it is there.
    pub condition: Option<String>,
    /// What happens to it when it leaves the stack.
    pub deletion_policy: Policy,
    /// What happens to it when another takes its place.
    pub update_replace_policy: Policy,
    /// As written.
    pub metadata: Value,
}

/// What becomes of a resource that the stack has no use for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// It is deleted.
    #[default]
    Delete,
    /// It stays.
    Retain,
    /// It stays, unless the operation that made it is rolled back.
    RetainExceptOnCreate,
    /// It is deleted once a snapshot is made, where the type has snapshots.
    Snapshot,
}

/// An output as it is declared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    pub value: Expression,
    pub description: Option<String>,
    pub export: Option<Expression>,
    pub condition: Option<String>,
}

const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Resources",
    "Outputs",
    "Hooks",
];

const ATTRIBUTES: [&str; 9] = [
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
    "CreationPolicy",
    "UpdatePolicy",
];

impl Template {
    /// Reads a template whose transforms were applied.
    ///
    /// # Errors
    /// [`Invalid`] with the first thing that CloudFormation would refuse.
    pub fn read(template: &Value) -> Result<Self, Invalid> {
        let members = template.as_object().ok_or_else(|| Invalid::format("unsupported structure."))?;
        let unknown: Vec<&str> = members.keys().map(String::as_str).filter(|name| !SECTIONS.contains(name)).collect();
        if !unknown.is_empty() {
            return Err(Invalid::new(format!("Invalid template property or properties [{}]", unknown.join(", "))));
        }
        refuse_null(template, &mut String::new())?;
        let template = Self {
            description: description(template)?,
            metadata: Value::Object(object(template, "Metadata")?),
            parameters: Parameters::read(template)?,
            resources: resources(template)?,
            rules: each(&object(template, "Rules")?, Rule::read)?,
            mappings: mappings(template)?,
            conditions: condition::read_all(&object(template, "Conditions")?)?,
            outputs: outputs(template)?,
        };
        template.check_conditions()?;
        template.check_references()?;
        Ok(template)
    }

    /// No condition may need a resource.
    fn check_conditions(&self) -> Result<(), Invalid> {
        let mut unresolved = BTreeSet::new();
        let mut undefined = None;
        let names: BTreeSet<&str> = self.conditions.iter().map(|(name, _)| name.as_str()).collect();
        let asserted = self.rules.values().flat_map(|rule| {
            let assertions = rule.assertions.iter().map(|(condition, _)| condition);
            rule.condition.iter().chain(assertions)
        });
        for condition in self.conditions.iter().map(|(_, condition)| condition).chain(asserted) {
            condition.each_name(&mut |name| {
                if !names.contains(name) {
                    undefined = Some(name);
                }
            });
            condition.each_expression(&mut |expression| {
                expression.each_reference(&mut |reference| {
                    if reference.attribute.is_some() || !self.has_value(reference.name) {
                        unresolved.insert(reference.name);
                    }
                });
            });
        }
        if let Some(name) = undefined {
            return Err(Invalid::format(format!(
                "Unresolved condition dependency {name} in the Conditions block of the template"
            )));
        }
        if unresolved.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = unresolved.into_iter().collect();
        Err(Invalid::format(format!(
            "Unresolved dependencies [{}]. Cannot reference resources in the Conditions block of the template",
            names.join(", ")
        )))
    }

    /// Every name in resources and outputs must be one of the template.
    fn check_references(&self) -> Result<(), Invalid> {
        for resource in self.resources.values() {
            let expressions = resource.properties.values();
            let depends_on = resource.depends_on.iter().map(String::as_str);
            self.check_block("Resources", resource.condition.as_deref(), expressions, depends_on)?;
        }
        for output in self.outputs.values() {
            let expressions = [&output.value].into_iter().chain(&output.export);
            self.check_block("Outputs", output.condition.as_deref(), expressions, [])?;
        }
        Ok(())
    }

    fn check_block<'a>(
        &'a self,
        block: &str,
        condition: Option<&'a str>,
        expressions: impl IntoIterator<Item = &'a Expression>,
        depends_on: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Invalid> {
        let has_condition = |name: &str| self.conditions.iter().any(|(known, _)| known == name);
        if let Some(name) = condition.filter(|name| !has_condition(name)) {
            return Err(Invalid::format(format!(
                "Unresolved condition dependency {name} in the {block} block of the template"
            )));
        }
        let mut unresolved: BTreeSet<&str> =
            depends_on.into_iter().filter(|name| !self.resources.contains_key(*name)).collect();
        let mut undefined = None;
        let mut undefined_in_sub = None;
        let mut conditions = BTreeSet::new();
        let mut mappings = BTreeSet::new();
        for expression in expressions {
            expression.each_reference(&mut |reference| match reference.attribute {
                None if !self.resources.contains_key(reference.name) && !self.has_value(reference.name) => {
                    unresolved.insert(reference.name);
                }
                Some(_) if !self.resources.contains_key(reference.name) => undefined = Some(reference.name),
                None | Some(_) => {}
            });
            expression.each_attribute_in_sub(&mut |name, attribute| {
                if !self.resources.contains_key(name) {
                    undefined_in_sub = Some(format!("{name}.{attribute}"));
                }
            });
            expression.each_condition(&mut |name| {
                conditions.insert(name);
            });
            expression.each_mapping(&mut |name| {
                mappings.insert(name);
            });
        }
        if let Some(path) = undefined_in_sub {
            return Err(Invalid::error(format!("instance of Fn::Sub references invalid resource attribute {path}")));
        }
        if let Some(name) = undefined {
            return Err(Invalid::error(format!("instance of Fn::GetAtt references undefined resource {name}")));
        }
        if let Some(name) = conditions.into_iter().find(|name| !has_condition(name)) {
            return Err(Invalid::error(format!("unresolved condition dependency {name} in Fn::If")));
        }
        if let Some(name) = mappings.into_iter().find(|name| !self.mappings.contains_key(*name)) {
            return Err(Invalid::error(format!(
                "Mapping named '{name}' is not present in the 'Mappings' section of template."
            )));
        }
        unresolved_in(block, unresolved)
    }

    fn has_value(&self, name: &str) -> bool {
        pseudo::is_pseudo(name) || self.parameters.iter().any(|(known, _)| known == name)
    }
}

/// Fails with the names of resources that are not there, if there are any.
pub(crate) fn unresolved_in(block: &str, names: BTreeSet<&str>) -> Result<(), Invalid> {
    if names.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = names.into_iter().collect();
    Err(Invalid::format(format!(
        "Unresolved resource dependencies [{}] in the {block} block of the template",
        names.join(", ")
    )))
}

/// Returns a section, empty if it is not there.
pub(crate) fn object(template: &Value, section: &str) -> Result<Map<String, Value>, Invalid> {
    match template.get(section) {
        None => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members.clone()),
        Some(_) => Err(Invalid::format(format!("'{section}' must be an object."))),
    }
}

/// Fails if a name has other characters than letters and digits, or too many.
pub(crate) fn check_names(section: &Map<String, Value>, what: &str) -> Result<(), Invalid> {
    for name in section.keys() {
        if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric()) {
            return Err(Invalid::format(format!("{what} name {name} is non alphanumeric.")));
        }
        if name.chars().count() > NAME_CHARACTERS_MAX {
            let message = format!("{what} name {name} must not be longer than {NAME_CHARACTERS_MAX} characters.");
            return Err(Invalid::format(message));
        }
    }
    Ok(())
}

fn each<T>(
    section: &Map<String, Value>,
    read: impl Fn(&str, &Value) -> Result<T, Invalid>,
) -> Result<BTreeMap<String, T>, Invalid> {
    section.iter().map(|(name, value)| Ok((name.clone(), read(name, value)?))).collect()
}

fn check_count(section: &Map<String, Value>, what: &str, most: usize) -> Result<(), Invalid> {
    let found = section.len();
    if found <= most {
        return Ok(());
    }
    Err(Invalid::format(format!("Number of {what}, {found}, is greater than maximum allowed, {most}")))
}

/// Fails with the place of a value that somebody forgot.
fn refuse_null(value: &Value, path: &mut String) -> Result<(), Invalid> {
    let mut inside = |name: &str, value: &Value| {
        let length = path.len();
        path.push('/');
        path.push_str(name);
        refuse_null(value, path)?;
        path.truncate(length);
        Ok(())
    };
    match value {
        Value::Null => Err(Invalid::format(format!("[{path}] 'null' values are not allowed in templates"))),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| inside(&index.to_string(), item)),
        Value::Object(members) => members.iter().try_for_each(|(name, member)| inside(name, member)),
    }
}

fn description(template: &Value) -> Result<Option<String>, Invalid> {
    if let Some(version) = template.get("AWSTemplateFormatVersion")
        && version.as_str() != Some("2010-09-09")
    {
        let version = version.as_str().map_or_else(|| version.to_string(), str::to_owned);
        return Err(Invalid::format(format!("{version} is not a supported value for AWSTemplateFormatVersion.")));
    }
    match template.get("Description") {
        None => Ok(None),
        Some(Value::String(text)) if text.len() > DESCRIPTION_BYTES_MAX => {
            Err(Invalid::format(format!("'Description' length is greater than {DESCRIPTION_BYTES_MAX}.")))
        }
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Invalid::format("Every Description member must be a string.")),
    }
}

fn mappings(template: &Value) -> Result<Map<String, Value>, Invalid> {
    let section = object(template, "Mappings")?;
    check_names(&section, "Mappings")?;
    check_count(&section, "mappings", MAPPINGS_MAX)?;
    let scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    for (name, map) in &section {
        let well_formed = map.as_object().is_some_and(|map| {
            map.values().all(|keys| {
                keys.as_object().is_some_and(|keys| {
                    keys.values()
                        .all(|value| scalar(value) || value.as_array().is_some_and(|items| items.iter().all(scalar)))
                })
            })
        });
        if !well_formed {
            return Err(Invalid::format(format!("Every Mappings attribute must be a String or a List: [{name}]")));
        }
    }
    Ok(section)
}

fn resources(template: &Value) -> Result<BTreeMap<String, Resource>, Invalid> {
    let section = object(template, "Resources")?;
    if section.is_empty() {
        return Err(Invalid::format("At least one Resources member must be defined."));
    }
    if let Some(name) = section.keys().find(|name| name.starts_with("Fn::")) {
        // The message of the function is better than one about names.
        Expression::read(&serde_json::json!({ name: section[name] }))?;
    }
    check_names(&section, "Resource")?;
    check_count(&section, "resources", RESOURCES_MAX)?;
    each(&section, resource)
}

fn resource(name: &str, value: &Value) -> Result<Resource, Invalid> {
    let members = value.as_object();
    let members = members
        .ok_or_else(|| Invalid::format(format!("[/Resources/{name}] Every Resources member must be an object.")))?;
    if let Some(unknown) = members.keys().find(|key| !ATTRIBUTES.contains(&key.as_str())) {
        return Err(Invalid::new(format!("Invalid template resource property '{unknown}'")));
    }
    let untyped = || Invalid::format(format!("[/Resources/{name}] Every Resources object must contain a Type member."));
    let resource_type = members.get("Type").ok_or_else(untyped)?.as_str();
    let resource_type = resource_type
        .ok_or_else(|| Invalid::format(format!("[/Resources/{name}/Type] Every Type member must be a string.")))?;
    let depends_on = match members.get("DependsOn") {
        None => Some(BTreeSet::new()),
        Some(Value::String(one)) => Some([one.clone()].into()),
        Some(Value::Array(all)) => all.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        Some(_) => None,
    };
    let condition = match members.get("Condition") {
        None => None,
        Some(Value::String(name)) => Some(name.clone()),
        Some(_) => return Err(Invalid::format("Every Condition member must be a string.")),
    };
    let properties = match object(value, "Properties") {
        Ok(properties) => {
            for key in properties.keys() {
                if key.starts_with("Fn::") {
                    Expression::read(&serde_json::json!({ key: properties[key] }))?;
                    return Err(Invalid::format(format!(
                        "[/Resources/{name}/Properties] must name its properties, found {key}"
                    )));
                }
            }
            each(&properties, |_, value| Expression::read(value))?
        }
        Err(_) => {
            return Err(Invalid::format(format!(
                "[/Resources/{name}/Properties] Every Properties member must be an object."
            )));
        }
    };
    Ok(Resource {
        resource_type: resource_type.to_owned(),
        properties,
        depends_on: depends_on
            .ok_or_else(|| Invalid::format("Every DependsOn value must be a string or a list of strings."))?,
        condition,
        deletion_policy: policy(name, members, "DeletionPolicy")?,
        update_replace_policy: policy(name, members, "UpdateReplacePolicy")?,
        metadata: members.get("Metadata").cloned().unwrap_or_default(),
    })
}

fn policy(name: &str, members: &Map<String, Value>, attribute: &str) -> Result<Policy, Invalid> {
    let Some(value) = members.get(attribute) else { return Ok(Policy::default()) };
    let policy: Option<Policy> = serde_json::from_value(value.clone()).ok();
    policy
        .filter(|policy| *policy != Policy::RetainExceptOnCreate || attribute == "DeletionPolicy")
        .ok_or_else(|| Invalid::format(format!("Unrecognized {attribute} {value} for resource {name}")))
}

fn outputs(template: &Value) -> Result<BTreeMap<String, Output>, Invalid> {
    let section = object(template, "Outputs")?;
    check_names(&section, "Outputs")?;
    check_count(&section, "outputs", OUTPUTS_MAX)?;
    each(&section, output)
}

fn output(name: &str, value: &Value) -> Result<Output, Invalid> {
    let malformed = |reason: &str| Invalid::format(format!("Output {name} is malformed. {reason}"));
    let members = value.as_object().ok_or_else(|| malformed("It must be an object."))?;
    if let Some(unknown) =
        members.keys().find(|key| !["Value", "Description", "Export", "Condition"].contains(&key.as_str()))
    {
        return Err(malformed(&format!("It has no property '{unknown}'.")));
    }
    let text = |key: &str| match members.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(malformed(&format!("Every {key} member must be a string."))),
    };
    let output =
        members.get("Value").ok_or_else(|| Invalid::format("Every Outputs member must contain a Value object"))?;
    let export = members.get("Export").map(|export| {
        let name =
            export.get("Name").ok_or_else(|| malformed("The Name field of every Export member must be specified"))?;
        Expression::read(name)
    });
    Ok(Output {
        value: Expression::read(output)?,
        description: text("Description")?,
        export: export.transpose()?,
        condition: text("Condition")?,
    })
}
