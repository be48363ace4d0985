//! The transforms that a template names: which are served.

use serde_json::Value;

use super::{Problem, TRANSFORM};
use crate::document;

/// The transform of language extensions. It is accepted as long as nothing of it is used.
const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";

/// How the functions begin that only language extensions have.
const EXTENSIONS: [&str; 3] = ["Fn::ForEach", "Fn::Length", "Fn::ToJsonString"];

/// Tells whether a template names the SAM transform.
///
/// # Errors
/// The first transform that is not served.
pub fn include_sam(template: &Value) -> Result<bool, Problem> {
    let mut is_sam = false;
    for name in document::transforms(template)? {
        match name.as_str() {
            TRANSFORM => is_sam = true,
            LANGUAGE_EXTENSIONS => {
                if let Some(name) = extension(template) {
                    return Err(Problem::LanguageExtension(name.to_owned()));
                }
            }
            _ => return Err(Problem::Transform(name)),
        }
    }
    Ok(is_sam)
}

/// Finds a function of language extensions.
fn extension(value: &Value) -> Option<&str> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let is_extension = EXTENSIONS.iter().any(|extension| name.starts_with(extension));
            if is_extension { Some(name.as_str()) } else { extension(member) }
        }),
        Value::Array(items) => items.iter().find_map(extension),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
