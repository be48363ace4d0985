//! How a log differs from what is expected of it: how many lines have certain fields, and before or after which others.

use regex::Regex;
use serde_json::{Map, Value, json};

/// Returns the differences.
pub fn differences(expected: &Value, lines: &[String]) -> Vec<String> {
    let lines: Vec<Map<String, Value>> = lines.iter().map(|line| fields(line)).collect();
    let mut found = Vec::new();
    for expected in expected.as_array().into_iter().flatten() {
        let wanted = &expected["match"];
        let own = matching(wanted, &lines);
        let limit = |name: &str| expected[name].as_u64();
        let least = limit("count").or(limit("min_count")).unwrap_or(u64::from(limit("max_count").is_none()));
        let most = limit("count").or(limit("max_count")).unwrap_or(u64::MAX);
        let count = own.len() as u64;
        if !(least..=most).contains(&count) {
            let expected = match most {
                _ if most == least => most.to_string(),
                u64::MAX => format!("at least {least}"),
                _ => format!("{least} to {most}"),
            };
            found.push(format!("expected {expected} lines with {wanted}, got {count}"));
        }
        for (direction, is_after) in [("after", true), ("before", false)] {
            for anchor in expected[direction].as_array().into_iter().flatten() {
                let others = matching(anchor, &lines);
                let in_order = match (own.first(), own.last(), others.first(), others.last()) {
                    (Some(first), _, _, Some(other)) if is_after => first >= other,
                    (_, Some(last), Some(other), _) => last <= other,
                    (_, _, anchor, _) => anchor.is_some(),
                };
                if !in_order {
                    found.push(format!("expected lines with {wanted} {direction} those with {anchor}"));
                }
            }
        }
    }
    found
}

/// Returns the fields of a line; one that is not JSON has a message.
fn fields(line: &str) -> Map<String, Value> {
    match serde_json::from_str(line) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => Map::from_iter([("message".to_owned(), json!(line))]),
    }
}

/// Returns the indexes of the lines that have all of the fields.
fn matching(wanted: &Value, lines: &[Map<String, Value>]) -> Vec<usize> {
    let wanted = wanted.as_object().expect("fields are wanted");
    let has = |line: &Map<String, Value>| {
        wanted.iter().all(|(name, wanted)| line.get(name).is_some_and(|value| is_match(wanted, value)))
    };
    lines.iter().enumerate().filter(|(_, line)| has(line)).map(|(index, _)| index).collect()
}

fn is_match(wanted: &Value, value: &Value) -> bool {
    let Value::String(wanted) = wanted else { return wanted == value };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match wanted.strip_prefix('/').and_then(|wanted| wanted.strip_suffix('/')) {
        Some(pattern) => Regex::new(pattern).expect("a requirement's pattern is one").is_match(text.trim()),
        None => text.trim() == wanted.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_told_from_another() {
        let check = |expected: Value, differences_expected: usize| {
            let lines = [r#"{"hook":"start","n":1}"#, r#"{"hook":"end","n":1,"first":true}"#, "plain text"];
            let found = differences(&json!([expected]), &lines.map(str::to_owned));
            assert_eq!(found.len(), differences_expected, "{expected}: {found:?}");
        };
        check(json!({"match": {"hook": "start", "n": 1}}), 0);
        check(json!({"match": {"hook": "start", "n": 2}}), 1);
        check(json!({"match": {"n": 1}, "count": 2}), 0);
        check(json!({"match": {"n": 1}, "count": 1}), 1);
        check(json!({"match": {"n": 1}, "min_count": 3}), 1);
        check(json!({"match": {"n": 1}, "max_count": 1}), 1);
        check(json!({"match": {"n": 3}, "max_count": 1}), 0);
        check(json!({"match": {"first": true}, "count": 1}), 0);
        check(json!({"match": {"message": "/^plain/"}, "count": 1}), 0);
        check(json!({"match": {"hook": "end"}, "after": [{"hook": "start"}]}), 0);
        check(json!({"match": {"hook": "end"}, "before": [{"hook": "start"}]}), 1);
        check(json!({"match": {"hook": "start"}, "before": [{"hook": "end"}]}), 0);
        check(json!({"match": {"hook": "start"}, "after": [{"hook": "end"}]}), 1);
        check(json!({"match": {"hook": "start"}, "after": [{"hook": "typo"}]}), 1);
    }
}
