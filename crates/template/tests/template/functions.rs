//! What functions give, once resources exist.

use serde_json::{Value, json};

use crate::support::{Existing, bind};

/// A template whose only property of interest is `Value`.
fn template(value: &str) -> String {
    format!(
        "
Parameters:
  Name: {{Type: String, Default: orders}}
  Names: {{Type: CommaDelimitedList, Default: 'a, b,c'}}
Mappings:
  Sizes: {{eu-west-1: {{small: 1, all: [1, 2]}}}}
Conditions:
  Holds: !Equals [!Ref Name, orders]
  Fails: !Not [!Condition Holds]
Resources:
  Other: {{Type: 'AWS::SQS::Queue'}}
  Here:
    Type: Custom::Anything
    Properties:
      Value: {value}
"
    )
}

fn check(value: &str, expected: Value) {
    let properties = bind(&template(value), &[]).unwrap().properties("Here", &Existing).unwrap().unwrap();
    assert_eq!(properties.get("Value").cloned().unwrap_or_default(), expected, "{value}");
}

fn check_refused(value: &str, message: &str) {
    let bound = bind(&template(value), &[]);
    let refused = bound.and_then(|bound| bound.properties("Here", &Existing).unwrap()).unwrap_err();
    assert_eq!(refused.to_string(), message, "{value}");
}

#[test]
fn references() {
    check("!Ref Name", json!("orders"));
    check("!Ref Names", json!(["a", "b", "c"]));
    check("!Ref Other", json!("other-id"));
    check("!Ref AWS::Region", json!("eu-west-1"));
    check("[1, !Ref AWS::NoValue, {a: !Ref AWS::NoValue}]", json!([1, {}]));
    check("!Ref AWS::NoValue", json!(null));
    check("!GetAtt Other.Arn", json!("other-id/Arn"));
    check("{Fn::GetAtt: Other.Arn}", json!("other-id/Arn"));
    check("{Fn::GetAtt: [Other, !Ref Name]}", json!("other-id/orders"));
}

#[test]
fn texts() {
    check("!Sub '${Name}-${AWS::Region}-${Other}-${Other.Arn}'", json!("orders-eu-west-1-other-id-other-id/Arn"));
    check("!Sub ['${Name}/${x}', {x: !Select [1, !Ref Names]}]", json!("orders/b"));
    check("!Sub '${!Name} $Name $ {} ${'", json!("${Name} $Name $ {} ${"));
    check("!Sub '${Other.Arn}:$LATEST'", json!("other-id/Arn:$LATEST"));
    check("!Join ['-', [a, 1, true, !Ref Other]]", json!("a-1-true-other-id"));
    check("!Join ['', !Ref Names]", json!("abc"));
    check("!Split ['-', !Ref Other]", json!(["other", "id"]));
    check("!Select [1, !Split ['-', !Ref Other]]", json!("id"));
    check("!Select ['0', [!Ref Other, x]]", json!("other-id"));
    check("!Base64 hello", json!("aGVsbG8="));
    check("{Fn::Base64: !Ref Other}", json!("b3RoZXItaWQ="));
}

#[test]
fn choices() {
    check("!If [Holds, 1, 2]", json!(1));
    check("!If [Fails, 1, !If [Holds, {a: !Ref Other}, 3]]", json!({ "a": "other-id" }));
    check("!If [Fails, 1, !Ref AWS::NoValue]", json!(null));
    check("!FindInMap [Sizes, !Ref AWS::Region, small]", json!(1));
    check("!FindInMap [Sizes, !Ref AWS::Region, all]", json!([1, 2]));
    check("{Fn::FindInMap: [Sizes, nowhere, small, {DefaultValue: !Ref Name}]}", json!("orders"));
    check("!Cidr [10.0.0.0/16, 2, 8]", json!(["10.0.0.0/24", "10.0.1.0/24"]));
    check("!GetAZs ''", json!(["eu-west-1a", "eu-west-1b", "eu-west-1c"]));
    // What looks like a condition in a policy is none.
    check("{Condition: {StringEquals: {a: b}}}", json!({ "Condition": { "StringEquals": { "a": "b" } } }));
}

#[test]
fn dynamic_references_are_looked_up_once_all_else_is_known() {
    check("'{{resolve:ssm:/a/b:2}}!'", json!("value of /a/b:2!"));
    check("!Sub '{{resolve:ssm:${Name}}}'", json!("value of orders"));
    check_refused(
        "'{{resolve:secretsmanager:x}}'",
        "Could not resolve the dynamic reference {{resolve:secretsmanager:x}}",
    );
}

#[test]
fn wrong_use_is_refused_in_the_words_of_aws() {
    for (value, message) in [
        ("{Ref: [a]}", "Template format error: Every Ref object must have a single String value."),
        (
            "!Ref Nobody",
            "Template format error: Unresolved resource dependencies [Nobody] in the Resources block of the template",
        ),
        ("!GetAtt Nobody.Arn", "Template error: instance of Fn::GetAtt references undefined resource Nobody"),
        (
            "!GetAtt Other",
            "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
        ),
        (
            "!Sub [x]",
            "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first \
             argument, and an optional second argument to specify a mapping of values to replace in the string",
        ),
        (
            "!Sub '${a b}'",
            "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons",
        ),
        (
            "!Join [[a], b]",
            "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be \
             joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.",
        ),
        (
            "!Split [',', !Ref AWS::NoValue]",
            r#"Template error: {"Fn::Split":[",",{"Ref":"AWS::NoValue"}]} has no value"#,
        ),
        ("!Cidr [!Ref AWS::NoValue, 1]", r#"Template error: {"Fn::Cidr":[{"Ref":"AWS::NoValue"},1]} has no value"#),
        ("!Select [3, [a]]", "Template error: Fn::Select cannot select nonexistent value at index 3"),
        (
            "!Select a",
            "Template error: Fn::Select requires a list argument with two elements: an integer index and a list",
        ),
        ("!If [Unknown, 1, 2]", "Template error: unresolved condition dependency Unknown in Fn::If"),
        ("!If [Holds, 1]", "Template error: Fn::If requires a list argument with three elements"),
        ("!FindInMap [Sizes, x, small]", "Template error: Unable to get mapping for Sizes::x::small"),
        (
            "!FindInMap [Missing, x, y]",
            "Template error: Mapping named 'Missing' is not present in the 'Mappings' section of template.",
        ),
        ("!ImportValue gone", "No export named gone found"),
        (
            "!ToJsonString {a: 1}",
            "Template error: Fn::ToJsonString needs the transform AWS::LanguageExtensions, which Everstep does not serve",
        ),
        ("!Transform {Name: x}", "Template error: Fn::Transform calls a macro, and Everstep serves none"),
        (
            "!Foo x",
            "Template error: Encountered unsupported function: Fn::Foo Supported functions are: [Fn::Base64, Fn::GetAtt, Fn::GetAZs, \
             Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::If, Fn::Sub, Fn::Cidr]",
        ),
        ("~", "Template format error: [/Resources/Here/Properties/Value] 'null' values are not allowed in templates"),
        ("{Fn::If: [Holds, 1, 2], Other: x}", "Template error: Fn::If must be the only member of its object"),
    ] {
        check_refused(value, message);
    }
}
