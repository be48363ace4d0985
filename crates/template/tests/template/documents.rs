//! From text to JSON.

use everstep_template::document;
use serde_json::{Value, json};

fn check(text: &str, expected: Value) {
    assert_eq!(document::parse(text).unwrap(), expected, "{text}");
}

fn check_refused(text: &str, message: &str) {
    assert_eq!(document::parse(text).unwrap_err().to_string(), message, "{text}");
}

#[test]
fn yaml_and_json_are_the_same_document() {
    let expected = json!({ "A": { "B": [1, "x", true, 1.5] } });
    check("A:\n  B: [1, x, true, 1.5]\n", expected.clone());
    check(r#"  {"A": {"B": [1, "x", true, 1.5]}}"#, expected);
    check("\u{feff}A: \"\\u00e9\"", json!({ "A": "é" }));
    check(r#"{"A": "\ud83d\ude00\/"}"#, json!({ "A": "😀/" }));
}

#[test]
fn short_tags_become_the_long_form() {
    for (text, expected) in [
        ("!Ref Name", json!({ "Ref": "Name" })),
        ("!Condition Name", json!({ "Condition": "Name" })),
        ("!GetAtt One.Two.Three", json!({ "Fn::GetAtt": ["One", "Two.Three"] })),
        ("!GetAtt [One, Two]", json!({ "Fn::GetAtt": ["One", "Two"] })),
        ("!Sub '${A}'", json!({ "Fn::Sub": "${A}" })),
        ("!Join ['-', [a, !Ref B]]", json!({ "Fn::Join": ["-", ["a", { "Ref": "B" }]] })),
        ("!If [C, {x: 1}, !Ref 'AWS::NoValue']", json!({ "Fn::If": ["C", { "x": 1 }, { "Ref": "AWS::NoValue" }] })),
        ("!Base64\n  Fn::Sub: x", json!({ "Fn::Base64": { "Fn::Sub": "x" } })),
        ("!!str 12", json!("12")),
        ("! 12", json!("12")),
    ] {
        check(&format!("A: {text}"), json!({ "A": expected }));
    }
}

#[test]
fn plain_scalars_are_what_cloudformation_takes_them_for() {
    for (text, expected) in [
        ("yes", json!(true)),
        ("Off", json!(false)),
        ("'yes'", json!("yes")),
        ("2012-10-17", json!("2012-10-17")),
        ("012345678901", json!("012345678901")),
        ("0x1F", json!("0x1F")),
        ("-3", json!(-3)),
        ("1e3", json!(1000.0)),
        (".5", json!(".5")),
        ("1_000", json!("1_000")),
        ("~", json!(null)),
        ("\"\"", json!("")),
        ("|\n  a\n  b\n", json!("a\nb\n")),
        (">-\n  a\n  b\n", json!("a b")),
    ] {
        check(&format!("A: {text}"), json!({ "A": expected }));
    }
}

#[test]
fn what_is_no_template_says_where() {
    check_refused("", "Template format error: unsupported structure.");
    check_refused("just words", "Template format error: unsupported structure.");
    check_refused("[1]", "Template format error: unsupported structure.");
    check_refused("{\"A\": 1,\n}", "Template format error: JSON not well-formed. (line 2, column 1)");
    check_refused("A:\n  B: [1\nC: 2", "Template format error: YAML not well-formed. (line 3, column 2)");
    check_refused("A: 1\n---\nB: 2", "Template format error: YAML not well-formed. (line 2, column 1)");
    check_refused("A: 1\nB: 2\nA: 3", "Template format error: Duplicate key 'A' (line 3, column 1)");
    check_refused("{\"A\": {\"B\": 1, \"B\": 2}}", "Template format error: Duplicate key 'B' (line 1, column 18)");
    check_refused("A: !!binary x", "Template format error: unsupported tag !!binary (line 1, column 4)");
    check_refused("? [a]\n: b", "Template format error: YAML not well-formed. (line 1, column 3)");
}

#[test]
fn aliases_and_merges_are_refused_as_on_aws() {
    let message = "Template error: YAML aliases are not allowed in CloudFormation templates (line 2, column 4)";
    check_refused("A: &a 1\nB: *a", message);
    let message = "Template error: YAML merges are not allowed in CloudFormation templates (line 2, column 3)";
    check_refused("A:\n  <<: {B: 1}", message);
}

#[test]
fn nesting_has_a_limit() {
    let yaml = |levels: usize| format!("A: {}1{}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    let most = everstep_template::limits::NESTING_MAX;
    assert!(document::parse(&yaml(most)).is_ok());
    let refused = document::parse(&yaml(most + 1)).unwrap_err().to_string();
    assert!(refused.starts_with("Template format error: templates may be nested 64 levels deep (line 1"), "{refused}");
    let json = |levels: usize| format!("{{\"A\": {}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert!(document::parse(&json(most)).is_ok());
    assert!(document::parse(&json(most + 1)).is_err());
    assert!(document::parse(&json(100_000)).is_err());
    assert!(document::parse(&yaml(100_000)).is_err());
}

#[test]
fn transforms_are_named_in_both_forms() {
    let check = |transform: Value, expected: &[&str]| {
        assert_eq!(document::transforms(&json!({ "Transform": transform })).unwrap(), expected);
    };
    check(json!(null), &[]);
    check(json!("AWS::Serverless-2016-10-31"), &["AWS::Serverless-2016-10-31"]);
    check(json!(["A", "B"]), &["A", "B"]);
    assert!(document::transforms(&json!({ "Transform": [{ "Name": "AWS::Include" }] })).is_err());
}
