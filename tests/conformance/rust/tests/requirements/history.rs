//! How a history differs from what is expected of it. What is not listed is free, and events are known by their number.

use serde_json::Value;

use crate::placeholders::Placeholders;
use crate::requirement::pattern;

/// Returns the differences.
pub fn differences(expected: &Value, actual: &[Value], placeholders: &mut Placeholders) -> Vec<String> {
    let mut found = Vec::new();
    for expected in expected.as_array().into_iter().flatten() {
        let number = &expected["EventId"];
        match actual.iter().find(|event| event["EventId"] == *number) {
            Some(actual) => compare(&format!("event {number}"), expected, actual, placeholders, &mut found),
            None => found.push(format!("there is no event {number}")),
        }
    }
    found
}

fn compare(place: &str, expected: &Value, actual: &Value, placeholders: &mut Placeholders, found: &mut Vec<String>) {
    let mut differs = |expected: &Value| found.push(format!("{place}: expected {expected}, got {actual}"));
    match (expected, actual) {
        (Value::Object(fields), _) if fields.is_empty() => {}
        (Value::String(text), _) if text == "*" => {}
        (Value::String(text), _) if text.starts_with("${") && text.ends_with('}') => match pattern(text) {
            Some(pattern) => {
                let actual = actual.as_str().map_or_else(|| actual.to_string(), str::to_owned);
                if !pattern.is_match(&actual) {
                    differs(expected);
                }
            }
            None => {
                let bound = placeholders.bind(&text[2..text.len() - 1], actual);
                if bound != actual {
                    differs(bound);
                }
            }
        },
        (Value::Object(fields), Value::Object(known)) => {
            for (name, expected) in fields {
                let place = format!("{place}.{name}");
                match known.get(name) {
                    Some(actual) => compare(&place, expected, actual, placeholders, found),
                    None => found.push(format!("{place} is missing")),
                }
            }
        }
        (Value::Array(items), Value::Array(known)) if items.len() == known.len() => {
            for (index, (expected, actual)) in items.iter().zip(known).enumerate() {
                compare(&format!("{place}[{index}]"), expected, actual, placeholders, found);
            }
        }
        (_, _) => {
            let expected = placeholders.fill(expected);
            if expected != *actual {
                differs(&expected);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_history_is_told_from_another() {
        let check = |expected: Value, differences_expected: usize| {
            let actual = [
                json!({"EventId": 1, "Id": "a", "Name": "n", "Details": {"Payload": "\"x\"", "Number": 2}}),
                json!({"EventId": 2, "Id": "a", "List": [1, 2]}),
            ];
            let found = differences(&expected, &actual, &mut Placeholders::new(&json!({"X": "${GEN_STR:8}"})));
            assert_eq!(found.len(), differences_expected, "{expected}: {found:?}");
        };
        check(json!([{"EventId": 1, "Id": "${A}", "Details": {}}, {"EventId": 2, "Id": "${A}"}]), 0);
        check(json!([{"EventId": 1, "Id": "${A}", "Name": "${A}"}]), 1);
        check(json!([{"EventId": 1, "Details": {"Payload": "*", "Number": 2}}]), 0);
        check(json!([{"EventId": 1, "Details": {"Payload": "\"y\"", "Number": 3}}]), 2);
        check(json!([{"EventId": 1, "Name": "${X}"}]), 1);
        check(json!([{"EventId": 1, "Details": {"Number": "${/^[1-9]$/}"}}]), 0);
        check(json!([{"EventId": 1, "Details": {"Number": "${/^0$/}"}}]), 1);
        check(json!([{"EventId": 1, "Parent": "*"}]), 1);
        check(json!([{"EventId": 2, "List": [1, "*"]}]), 0);
        check(json!([{"EventId": 2, "List": [1]}]), 1);
        check(json!([{"EventId": 3}]), 1);
    }
}
