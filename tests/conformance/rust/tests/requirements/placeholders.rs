//! What `${NAME}` stands for in a requirement.

use std::collections::HashMap;

use serde_json::Value;

/// Names and values: those that a requirement begins with, and those that its history shows.
pub struct Placeholders(HashMap<String, Value>);

impl Placeholders {
    /// Makes up values for the variables of a requirement.
    pub fn new(variables: &Value) -> Self {
        let variables = variables.as_object().into_iter().flatten();
        // What is asked for is text by chance; that no two are alike is enough.
        let made_up = variables.enumerate().map(|(index, (name, _))| (name.clone(), format!("value{index}").into()));
        Self(made_up.collect())
    }

    /// Returns the value of a name; the first that is seen under it is its value.
    pub fn bind(&mut self, name: &str, value: &Value) -> &Value {
        self.0.entry(name.to_owned()).or_insert_with(|| value.clone())
    }

    /// Puts values in the place of names, wherever they stand. Names without a value stay.
    pub fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.fill_text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), self.fill(value))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// Puts values in the place of names in a text.
    pub fn fill_text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.replace(&format!("${{{name}}}"), &value)
        })
    }
}
