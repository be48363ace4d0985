//! The little language of AWS's requirements: `${NAME}` stands for a value that is the same wherever the name is used,
//! `${/regex/}` for a text that matches, `*` for anything.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

/// What names stand for.
#[derive(Debug, Default)]
pub struct Placeholders(BTreeMap<String, Value>);

impl Placeholders {
    pub fn bind(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Puts in values for names that stand alone or in a text.
    pub fn fill(&self, template: &Value) -> Value {
        match template {
            Value::String(text) => match name(text).and_then(|name| self.get(name)) {
                Some(value) => value.clone(),
                None => self.0.iter().fold(text.clone(), |text, (name, value)| replaced(&text, name, value)).into(),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(key, value)| (key.clone(), self.fill(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
        }
    }

    /// Compares events with those that a history has to have, by their ids; names get their values here.
    pub fn match_history(&mut self, expected: &Value, events: &[Value]) -> Vec<String> {
        let mut errors = Vec::new();
        for expected in expected.as_array().expect("a list of events") {
            let id = &expected["EventId"];
            match events.iter().find(|event| event["EventId"] == *id) {
                Some(event) => self.match_value(expected, event, &format!("event {id}"), &mut errors),
                None => errors.push(format!("there is no event {id}")),
            }
        }
        errors
    }

    fn match_value(&mut self, expected: &Value, actual: &Value, path: &str, errors: &mut Vec<String>) {
        if let Some(name) = expected.as_str().and_then(name) {
            let known = self.0.entry(name.to_owned()).or_insert_with(|| actual.clone());
            if known != actual {
                errors.push(format!("{path}: `{name}` is {known} elsewhere and {actual} here"));
            }
            return;
        }
        if let (Value::Object(expected), Value::Object(actual)) = (expected, actual) {
            for (key, expected) in expected {
                let path = format!("{path}.{key}");
                self.match_value(expected, actual.get(key).unwrap_or(&Value::Null), &path, errors);
            }
        } else if !matches_one(expected, actual) {
            errors.push(format!("{path} is {actual} and not {expected}"));
        }
    }
}

/// Tells whether a value is as expected, if it has no parts.
pub fn matches_one(expected: &Value, actual: &Value) -> bool {
    match expected.as_str() {
        Some("*") => true,
        Some(text) => match regex(text) {
            Some(regex) => regex.is_match(actual.as_str().unwrap_or_default()),
            None => expected == actual,
        },
        None => expected == actual,
    }
}

/// Returns the pattern of `${/pattern/}`.
fn regex(text: &str) -> Option<Regex> {
    let pattern = text.strip_prefix("${/")?.strip_suffix("/}")?;
    Some(Regex::new(pattern).expect("a regular expression"))
}

/// Returns the name in a text that is one and nothing else.
fn name(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then_some(name)
}

fn replaced(text: &str, name: &str, value: &Value) -> String {
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.replace(&format!("${{{name}}}"), &value)
}
