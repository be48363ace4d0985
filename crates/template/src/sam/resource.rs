//! Resources on both sides of the transform: the SAM resource that is read, and the plain ones that are made of it.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::intrinsic::is_given;
use super::problem::Problem;
use super::property::{self, Property};

/// Attributes of a SAM resource that the plain resource of the same purpose gets.
const KEPT_ATTRIBUTES: [&str; 5] = ["DeletionPolicy", "UpdatePolicy", "Condition", "UpdateReplacePolicy", "Metadata"];

/// Attributes of a SAM resource that all resources get that are made of it.
const INHERITED_ATTRIBUTES: [&str; 3] = ["Condition", "DeletionPolicy", "UpdateReplacePolicy"];

/// A SAM resource, its properties checked. Attributes that AWS does not know are not in it.
pub struct Source {
    /// Its logical id.
    pub id: String,
    /// What it says in `DependsOn`.
    pub depends_on: Option<Value>,
    attributes: Map<String, Value>,
    properties: Map<String, Value>,
}

impl Source {
    /// Reads a resource of the template. A property that is `null` counts as missing.
    ///
    /// # Errors
    /// What is wrong with a property.
    pub fn read(id: &str, resource: &Value, kind: &str, known: &[Property]) -> Result<Source, Problem> {
        check_id(id)?;
        let properties = resource["Properties"].as_object().cloned().unwrap_or_default();
        property::check(known, &properties, kind).map_err(|message| Problem::resource(id, message))?;
        let properties = properties.into_iter().filter(|(_, value)| !value.is_null()).collect();
        Ok(Source {
            id: id.to_owned(),
            depends_on: resource.get("DependsOn").cloned(),
            attributes: some_of(resource, &KEPT_ATTRIBUTES),
            properties,
        })
    }

    /// Returns a property, if it is there.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.properties.get(name)
    }

    /// Returns a property, if it is there and says something: `{}`, `""` and `false` do not.
    pub fn given(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| is_given(value))
    }

    /// Sets a property.
    pub fn set(&mut self, name: &str, value: Value) {
        self.properties.insert(name.to_owned(), value);
    }

    /// Returns the properties.
    pub fn properties(&self) -> &Map<String, Value> {
        &self.properties
    }

    /// Returns the attributes that the resource of the same purpose gets.
    pub fn attributes(&self) -> Map<String, Value> {
        self.attributes.clone()
    }

    /// Returns the attributes that all resources get.
    pub fn inherited(&self) -> Map<String, Value> {
        let mut attributes = self.attributes();
        attributes.retain(|name, _| INHERITED_ATTRIBUTES.contains(&name.as_str()));
        attributes
    }

    /// Makes a problem of this resource.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::resource(&self.id, message)
    }
}

/// A plain CloudFormation resource.
pub struct Resource {
    /// Its logical id.
    pub id: String,
    /// Its type.
    pub kind: Cow<'static, str>,
    /// Its attributes besides its type and properties.
    pub attributes: Map<String, Value>,
    /// Its properties.
    pub properties: Map<String, Value>,
}

impl Resource {
    /// Makes one without properties.
    pub fn new(id: impl Into<String>, kind: impl Into<Cow<'static, str>>, attributes: Map<String, Value>) -> Resource {
        Resource { id: id.into(), kind: kind.into(), attributes, properties: Map::new() }
    }

    /// Sets a property, unless the value is missing.
    pub fn with(mut self, name: &str, value: impl Into<Option<Value>>) -> Resource {
        self.set(name, value);
        self
    }

    /// Sets a property, unless the value is missing.
    pub fn set(&mut self, name: &str, value: impl Into<Option<Value>>) {
        if let Some(value) = value.into() {
            self.properties.insert(name.to_owned(), value);
        }
    }

    /// Sets what it depends on.
    pub fn depending_on(mut self, ids: Option<Value>) -> Resource {
        if let Some(ids) = ids.filter(is_given) {
            self.attributes.insert("DependsOn".to_owned(), ids);
        }
        self
    }

    /// Returns it as it stands in a template, without its logical id.
    pub fn into_json(self) -> Value {
        let mut resource = self.attributes;
        resource.insert("Type".to_owned(), self.kind.into_owned().into());
        resource.insert("Properties".to_owned(), self.properties.into());
        resource.into()
    }
}

/// Returns tags as CloudFormation lists them.
pub fn tag_list(tags: Option<&Value>) -> Vec<Value> {
    let tag = |(key, value): (&String, &Value)| match value {
        Value::Null => json!({ "Key": key, "Value": "" }),
        value => json!({ "Key": key, "Value": value }),
    };
    tags.and_then(Value::as_object).into_iter().flatten().map(tag).collect()
}

/// Checks that a logical id is one.
fn check_id(id: &str) -> Result<(), Problem> {
    if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(Problem::resource(id, "Logical ids must be alphanumeric."))
    }
}

fn some_of(resource: &Value, names: &[&str]) -> Map<String, Value> {
    let members = resource.as_object().into_iter().flatten();
    members
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
