//! Intrinsic functions as values: what is one, and how the ones that the transform writes are made.

use serde_json::{Value, json};

/// The pseudo parameter that stands for a property that is not there.
const NO_VALUE: &str = "AWS::NoValue";

/// Tells whether a value is an intrinsic function: an object with one key that names one.
pub fn is_intrinsic(value: &Value) -> bool {
    name(value).is_some()
}

/// Tells whether a value is `Ref: AWS::NoValue`.
pub fn is_no_value(value: &Value) -> bool {
    name(value) == Some("Ref") && value["Ref"] == NO_VALUE
}

/// Returns the argument of an `Fn::If`.
pub fn condition(value: &Value) -> Option<&Value> {
    (name(value) == Some("Fn::If")).then(|| &value["Fn::If"])
}

/// Reads the argument of an `Fn::If`: the condition and its two values.
///
/// # Errors
/// What AWS says of an argument that is not a list of three.
pub fn branches(argument: &Value) -> Result<(&Value, &Value, &Value), &'static str> {
    match argument.as_array().map(Vec::as_slice) {
        Some([condition, then, otherwise]) => Ok((condition, then, otherwise)),
        Some(_) | None => Err("Fn::If requires 3 arguments"),
    }
}

/// Returns the logical id that a `Ref` or `Fn::GetAtt` names.
pub fn logical_id(value: &Value) -> Option<&str> {
    match name(value)? {
        "Ref" => value["Ref"].as_str(),
        "Fn::GetAtt" => match &value["Fn::GetAtt"] {
            Value::String(text) => {
                text.split_once('.').filter(|(_, attribute)| !attribute.contains('.')).map(|(id, _)| id)
            }
            Value::Array(parts) if parts.len() == 2 => parts[0].as_str(),
            _ => None,
        },
        _ => None,
    }
}

/// Tells whether a value counts as given: `null`, `false`, 0 and what is empty do not.
pub fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// Makes a `Ref`.
pub fn reference(id: &str) -> Value {
    json!({ "Ref": id })
}

/// Makes an `Fn::GetAtt`.
pub fn attribute(id: &str, name: &str) -> Value {
    json!({ "Fn::GetAtt": [id, name] })
}

/// Makes an `Fn::If`.
pub fn conditional(condition: &Value, then: &Value, otherwise: &Value) -> Value {
    json!({ "Fn::If": [condition, then, otherwise] })
}

/// Replaces the variables `${…}` of an `Fn::Sub` for which `value` gives a text; the others stay as they are.
pub fn substitute(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        result.push_str(&rest[..start]);
        let variable = &rest[start..];
        match variable.find('}') {
            Some(end) => {
                match value(&variable[2..end]) {
                    Some(text) => result.push_str(&text),
                    None => result.push_str(&variable[..=end]),
                }
                rest = &variable[end + 1..];
            }
            None => {
                result.push_str(variable);
                rest = "";
            }
        }
    }
    result.push_str(rest);
    result
}

/// Changes the text of an `Fn::Sub`, in either of its forms.
pub fn map_text(argument: &mut Value, change: impl FnOnce(&str) -> String) {
    let text = match argument {
        Value::Array(parts) => parts.first_mut(),
        Value::String(_) => Some(argument),
        _ => None,
    };
    if let Some(Value::String(text)) = text {
        *text = change(text);
    }
}

/// Returns the name of the intrinsic function that a value is.
pub fn name(value: &Value) -> Option<&str> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let name = members.keys().next()?.as_str();
    (matches!(name, "Ref" | "Condition") || name.starts_with("Fn::")).then_some(name)
}
