//! Logical ids that change with what a resource is made of, so that CloudFormation makes a new one.

use std::fmt::Write;

use serde_json::Value;
use sha1::{Digest, Sha1};

/// How much of a digest goes into a logical id, in characters. Source: `aws-sam-translator`, `LogicalIdGenerator`.
const CHARACTERS: usize = 10;

/// Returns the part of a logical id that stands for a value: of the SHA-1 of its compact JSON in ASCII, with keys in order.
pub fn of_value(value: &Value) -> String {
    let mut text = String::new();
    write_json(value, &mut text);
    of_text(&text)
}

/// Returns the part of a logical id that stands for a text.
pub fn of_text(text: &str) -> String {
    let mut digest = String::new();
    for byte in Sha1::digest(text) {
        write!(digest, "{byte:02x}").expect("a string takes all that is written to it");
    }
    shortened(&digest).to_owned()
}

/// Returns the part of a digest that goes into a logical id.
pub fn shortened(digest: &str) -> &str {
    match digest.char_indices().nth(CHARACTERS) {
        Some((end, _)) => &digest[..end],
        None => digest,
    }
}

fn write_json(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_string(name, text);
                text.push(':');
                write_json(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_json(item, text);
            }
            text.push(']');
        }
        Value::String(string) => write_string(string, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
    }
}

/// Writes a string as JSON in ASCII: what is beyond it as UTF-16 in `\u` escapes.
fn write_string(string: &str, text: &mut String) {
    for character in Value::from(string).to_string().chars() {
        if matches!(character, ' '..='~') {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{unit:04x}").expect("a string takes all that is written to it");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_written_as_aws_digests_it() {
        let check = |value: Value, expected: &str| {
            let mut text = String::new();
            write_json(&value, &mut text);
            assert_eq!(text, expected);
        };
        check(
            json!({ "b": [1, "x", null, true, 1.5], "a": { "d": {}, "c": [] } }),
            r#"{"a":{"c":[],"d":{}},"b":[1,"x",null,true,1.5]}"#,
        );
        check(json!("\"\\\n\u{1}\u{7f}é😀"), r#""\"\\\n\u0001\u007f\u00e9\ud83d\ude00""#);
    }

    #[test]
    fn a_digest_is_shortened() {
        assert_eq!(of_text("abc"), "a9993e3647");
        assert_eq!(shortened("0123456789abcdef"), "0123456789");
        assert_eq!(shortened("ab"), "ab");
    }
}
