//! What the properties of SAM resources look like, as far as the transform looks at them. CloudFormation checks the rest.

use serde_json::{Map, Value};

use super::problem::listed;

/// A property of a SAM resource: its name and what it may be.
#[derive(Clone, Copy)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
}

/// What a property may be. An object with one member passes for an intrinsic function everywhere but in `Flag`.
#[derive(Clone, Copy)]
pub enum Shape {
    /// Anything: it is passed on.
    Any,
    /// A text.
    Text,
    /// A text, of which AWS does not say so when it is not.
    Name,
    /// An object.
    Map,
    /// True or false.
    Boolean,
    /// True or false, and no intrinsic function.
    Flag,
    /// An integer.
    Integer,
    /// A list.
    List,
    /// A text or an object.
    TextOrMap,
    /// A list of texts and objects.
    TextsAndMaps,
    /// A text, an object, or a list of them.
    OneOrMoreTextsOrMaps,
    /// An object of objects.
    Maps,
    /// An object of texts.
    Texts,
    /// An object of integers and objects.
    IntegersAndMaps,
    /// One of some texts.
    Choice(&'static [&'static str]),
}

/// Describes a property that may be missing.
pub const fn optional(name: &'static str, shape: Shape) -> Property {
    Property { name, shape, required: false }
}

/// Describes a property that must be there.
pub const fn required(name: &'static str, shape: Shape) -> Property {
    Property { name, shape, required: true }
}

/// Checks that the properties of a resource or event of a type are known, and then what they are, in the order of their
/// description. A property that is `null` counts as missing.
///
/// # Errors
/// What is wrong with the first one that is wrong.
pub fn check(known: &[Property], given: &Map<String, Value>, kind: &str) -> Result<(), String> {
    if let Some(name) = given.keys().find(|name| known.iter().all(|property| property.name != **name)) {
        return Err(format!("property {name} not defined for resource of type {kind}"));
    }
    for property in known {
        match given.get(property.name).filter(|value| !value.is_null()) {
            None if property.required => return Err(format!("Missing required property '{}'.", property.name)),
            None => {}
            Some(value) if property.shape.admits(value) => {}
            Some(_) => return Err(property.shape.refusal(property.name)),
        }
    }
    Ok(())
}

/// Says that a property should be something else, as AWS does.
pub fn should_be(name: &str, what: &str) -> String {
    format!("Property '{name}' should be a {what}.")
}

impl Shape {
    fn admits(&self, value: &Value) -> bool {
        let text_or_map = |value: &Value| value.is_string() || value.is_object();
        let passes_for_an_intrinsic = value.as_object().is_some_and(|members| members.len() == 1);
        match self {
            Shape::Any => true,
            Shape::Flag => value.is_boolean(),
            _ if passes_for_an_intrinsic => true,
            Shape::Text | Shape::Name => value.is_string(),
            Shape::Map => value.is_object(),
            Shape::Boolean => value.is_boolean(),
            Shape::Integer => value.is_i64() || value.is_u64(),
            Shape::List => value.is_array(),
            Shape::TextOrMap => text_or_map(value),
            Shape::TextsAndMaps => value.as_array().is_some_and(|items| items.iter().all(text_or_map)),
            Shape::OneOrMoreTextsOrMaps => {
                text_or_map(value) || value.as_array().is_some_and(|items| items.iter().all(text_or_map))
            }
            Shape::Maps => value.as_object().is_some_and(|members| members.values().all(Value::is_object)),
            Shape::Texts => value.as_object().is_some_and(|members| members.values().all(Value::is_string)),
            Shape::IntegersAndMaps => value.as_object().is_some_and(|members| {
                members.values().all(|member| member.is_i64() || member.is_u64() || member.is_object())
            }),
            Shape::Choice(choices) => value.as_str().is_some_and(|text| choices.contains(&text)),
        }
    }

    fn refusal(&self, name: &str) -> String {
        match self {
            Shape::Text => should_be(name, "string"),
            Shape::Map => should_be(name, "map"),
            Shape::Choice([first, second]) => should_be(name, &format!("one of the strings: '{first}' or '{second}'")),
            Shape::Choice(choices) => should_be(name, &format!("one of the strings: {}", listed(choices))),
            Shape::Any
            | Shape::Name
            | Shape::Boolean
            | Shape::Flag
            | Shape::Integer
            | Shape::List
            | Shape::TextOrMap
            | Shape::TextsAndMaps
            | Shape::OneOrMoreTextsOrMaps
            | Shape::Maps
            | Shape::Texts
            | Shape::IntegersAndMaps => format!("Type of property '{name}' is invalid."),
        }
    }
}
