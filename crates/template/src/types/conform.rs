//! Properties against their types. What CloudFormation turns into another type is turned (`"30"` into 30), what it
//! refuses is refused, and what is not known yet (a function) is left alone.

use serde_json::{Map, Value};

use super::ResourceType;
use crate::Invalid;
use crate::expression::sole;
use crate::reduce::text_of;

/// What is wrong with a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `#/Environment/Variables`, say.
    pub path: String,
    /// In the words of AWS's validation.
    pub reason: String,
}

/// Makes properties what their type wants, as far as they are known.
pub(crate) fn conform(resource_type: ResourceType, properties: &mut Map<String, Value>) -> Result<(), Vec<Problem>> {
    let mut problems = vec![];
    members(&resource_type.schema().properties, properties, "#", &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The error that a change set or a resource fails with.
pub(crate) fn invalid(logical_id: &str, problems: &[Problem]) -> Invalid {
    let lines: Vec<String> = problems.iter().map(|problem| format!("\n{}: {}", problem.path, problem.reason)).collect();
    Invalid::new(format!("Properties validation failed for resource {logical_id} with message:{}", lines.concat()))
}

fn members(shape: &Value, found: &mut Map<String, Value>, path: &str, problems: &mut Vec<Problem>) {
    let mut problem = |path: &str, reason: String| problems.push(Problem { path: path.into(), reason });
    let shapes = shape.as_object().expect("an object has a shape that is one");
    if let Some(any) = shapes.get("*") {
        for (name, member) in found {
            value(any, member, &format!("{path}/{name}"), problems);
        }
        return;
    }
    let of = |name: &str| shapes.get(name).or_else(|| shapes.get(&format!("{name}!")));
    for name in shapes.keys().filter_map(|name| name.strip_suffix('!')) {
        if !found.contains_key(name) {
            problem(path, format!("required key [{name}] not found"));
        }
    }
    for name in found.keys().filter(|name| of(name).is_none()) {
        problem(path, format!("extraneous key [{name}] is not permitted"));
    }
    for (name, member) in found {
        if let Some(shape) = of(name) {
            value(shape, member, &format!("{path}/{name}"), problems);
        }
    }
}

fn value(shape: &Value, found: &mut Value, path: &str, problems: &mut Vec<Problem>) {
    if is_function(found) {
        return;
    }
    let expected = match (shape, &mut *found) {
        (Value::Array(items), Value::Array(found)) => {
            let shape = items.first().expect("a list has the shape of its items");
            for (index, item) in found.iter_mut().enumerate() {
                value(shape, item, &format!("{path}/{index}"), problems);
            }
            return;
        }
        (Value::Object(_), Value::Object(found)) => return members(shape, found, path, problems),
        (Value::Array(_), _) => "JSONArray",
        (Value::Object(_), _) => "JSONObject",
        (Value::String(name), found) => match scalar(name, found) {
            Ok(()) => return,
            Err(expected) => expected,
        },
        (Value::Null | Value::Bool(_) | Value::Number(_), _) => unreachable!("no shape is written like this"),
    };
    let reason = format!("expected type: {expected}, found: {}", type_name(found));
    problems.push(Problem { path: path.into(), reason });
}

/// Turns a value into a scalar type, or says which one it is not.
fn scalar(name: &str, found: &mut Value) -> Result<(), &'static str> {
    match name {
        "json" => Ok(()),
        "string" => text_of(found).map(|text| *found = text.into()).ok_or("String"),
        "integer" => {
            let number = match &*found {
                Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
                Value::String(text) => text.trim().parse().ok(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            };
            number.map(|number| *found = number.into()).ok_or("Integer")
        }
        "number" => {
            let number = match &*found {
                Value::Number(_) => return Ok(()),
                Value::String(text) => text.trim().parse().ok().and_then(serde_json::Number::from_f64),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            };
            number.map(|number| *found = number.into()).ok_or("Number")
        }
        "boolean" => {
            let truth = match &*found {
                Value::Bool(truth) => Some(*truth),
                Value::String(text) => text.to_ascii_lowercase().parse().ok(),
                Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
            };
            truth.map(|truth| *found = truth.into()).ok_or("Boolean")
        }
        other => unreachable!("types.json has no type `{other}`, as a test checks"),
    }
}

/// A number such as 3.0 as the whole one that it is.
fn whole(number: f64) -> Option<i64> {
    let exact = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
    exact.then(|| format!("{number:.0}").parse().ok()).flatten()
}

/// Whether a value is a function of a template, which is not known yet.
fn is_function(value: &Value) -> bool {
    let name = value.as_object().and_then(sole).map(|(name, _)| name);
    name.is_some_and(|name| name == "Ref" || name.starts_with("Fn::"))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Number",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    }
}
