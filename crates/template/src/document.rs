//! Text to JSON: a template is YAML or JSON, and what follows wants only the long form of JSON.
//!
//! This module knows nothing of what a template means, except for the names of its transforms.

mod json;
mod yaml;

use serde_json::Value;

use crate::Invalid;
use crate::limits::NESTING_MAX;

/// Reads a template's text, YAML or JSON, into its long form.
///
/// # Errors
/// [`Invalid`] with AWS's words and the place, if the text is neither, is nested too deep, or has a key twice.
pub fn parse(text: &str) -> Result<Value, Invalid> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value = if text.trim_start().starts_with('{') { json::parse(text)? } else { yaml::parse(text)? };
    if value.is_object() { Ok(value) } else { Err(Invalid::format("unsupported structure.")) }
}

/// Returns the names of the transforms that a template declares, in their order.
///
/// # Errors
/// [`Invalid`] if `Transform` is neither a name nor a list of names.
pub fn transforms(template: &Value) -> Result<Vec<String>, Invalid> {
    let name = |value: &Value| match value {
        Value::String(name) => Ok(name.clone()),
        _ => {
            Err(Invalid::format("Transform must be a name or a list of names; macros with parameters are not served."))
        }
    };
    match &template["Transform"] {
        Value::Null => Ok(vec![]),
        Value::Array(names) => names.iter().map(name).collect(),
        one => Ok(vec![name(one)?]),
    }
}

fn too_deep(place: &str) -> Invalid {
    Invalid::format(format!("templates may be nested {NESTING_MAX} levels deep {place}").trim_end())
}
