//! The values of parameters, as far as the transform needs them: for logical ids that change with what they are made of.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Place;
use super::intrinsic;

/// How a value begins that CloudFormation puts in place of one that it does not know yet.
const NOT_KNOWN_YET: &str = "{{IntrinsicFunction:";

/// Parameters by name, with the defaults of the template and the pseudo parameters that say where a stack is.
pub struct Parameters(BTreeMap<String, Value>);

impl Parameters {
    /// Collects them.
    pub fn new(template: &Value, given: &BTreeMap<String, Value>, place: &Place) -> Parameters {
        let mut values = BTreeMap::from([
            ("AWS::Partition".to_owned(), Value::from(place.partition.as_str())),
            ("AWS::Region".to_owned(), Value::from(place.region.as_str())),
        ]);
        for (name, parameter) in template["Parameters"].as_object().into_iter().flatten() {
            if let Some(default) = parameter.get("Default") {
                values.insert(name.clone(), default.clone());
            }
        }
        values.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
        values.retain(|_, value| !value.as_str().is_some_and(|text| text.starts_with(NOT_KNOWN_YET)));
        Parameters(values)
    }

    /// Returns a value with references to parameters replaced. All other intrinsic functions stay.
    pub fn resolve(&self, value: &Value) -> Value {
        match intrinsic::name(value) {
            Some("Ref") => value["Ref"].as_str().and_then(|name| self.0.get(name)).unwrap_or(value).clone(),
            Some("Fn::Sub") => {
                let mut argument = self.resolve_members(&value["Fn::Sub"]);
                intrinsic::map_text(&mut argument, |text| intrinsic::substitute(text, |name| self.text(name)));
                serde_json::json!({ "Fn::Sub": argument })
            }
            _ => self.resolve_members(value),
        }
    }

    /// Returns a value as AWS puts it into the transformed template: parameters are resolved in it, but it stays a `Ref` if it is one.
    pub fn resolve_within(&self, value: &Value) -> Value {
        match intrinsic::name(value) {
            Some("Ref") => value.clone(),
            _ => self.resolve(value),
        }
    }

    fn resolve_members(&self, value: &Value) -> Value {
        match value {
            Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), self.resolve(value))).collect(),
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            _ => value.clone(),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}
