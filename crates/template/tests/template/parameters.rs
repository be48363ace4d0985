//! Parameters: what may be declared, and what values they take.

use std::collections::BTreeMap;

use everstep_template::{Given, GivenValue, Parameters, document, limits};
use serde_json::{Value, json};

use crate::support::given;

fn declared(declaration: &str) -> Result<Parameters, everstep_template::Invalid> {
    Parameters::read(&document::parse(&format!("Parameters: {{P: {declaration}}}"))?)
}

/// The value of `P` that comes out of a declaration and what is given for it.
fn check(declaration: &str, value: Option<&str>, expected: Value) {
    let values = value.map(|value| ("P", value));
    let values = declared(declaration).unwrap().values(&given(values.as_slice())).unwrap();
    assert_eq!(values["P"], expected, "{declaration} {value:?}");
}

fn check_refused(declaration: &str, value: Option<&str>, message: &str) {
    let values = value.map(|value| ("P", value));
    let refused = declared(declaration).and_then(|declared| declared.values(&given(values.as_slice()))).unwrap_err();
    assert_eq!(refused.to_string(), message, "{declaration} {value:?}");
}

#[test]
fn values_are_texts_or_lists_of_texts() {
    check("{Type: String}", Some("x"), json!("x"));
    check("{Type: String, Default: 7}", None, json!("7"));
    check("{Type: String, Default: true}", None, json!("true"));
    check("{Type: String, Default: ''}", None, json!(""));
    check("{Type: Number}", Some("007"), json!("007"));
    check("{Type: Number, Default: -1.5}", None, json!("-1.5"));
    check("{Type: CommaDelimitedList}", Some("a, b ,c"), json!(["a", "b", "c"]));
    check("{Type: CommaDelimitedList}", Some(""), json!([]));
    check("{Type: List<Number>}", Some("1,2"), json!(["1", "2"]));
    check("{Type: 'List<AWS::EC2::Subnet::Id>'}", Some("subnet-1,subnet-2"), json!(["subnet-1", "subnet-2"]));
    check("{Type: 'AWS::EC2::VPC::Id'}", Some("vpc-1"), json!("vpc-1"));
    check("{Type: 'AWS::SSM::Parameter::Name'}", Some("/a"), json!("/a"));
}

#[test]
fn constraints_hold() {
    let pattern = "{Type: String, AllowedPattern: '[a-z]+'}";
    check(pattern, Some("abc"), json!("abc"));
    check_refused(pattern, Some("abc1"), "Parameter 'P' must match pattern [a-z]+");
    let around = "{Type: String, AllowedPattern: '(?!x).*'}";
    check(around, Some("yx"), json!("yx"));
    check_refused(around, Some("xy"), "Parameter 'P' must match pattern (?!x).*");
    let described = "{Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: only letters}";
    check_refused(described, Some("1"), "Parameter 'P' failed to satisfy constraint: only letters");
    let values = "{Type: String, AllowedValues: [a, 1]}";
    check(values, Some("1"), json!("1"));
    check_refused(values, Some("b"), "Parameter 'P' must be one of AllowedValues: [a, 1]");
    check_refused(
        "{Type: CommaDelimitedList, AllowedValues: [a]}",
        Some("a,b"),
        "Parameter 'P' must be one of AllowedValues: [a]",
    );
    let length = "{Type: String, MinLength: 2, MaxLength: '3'}";
    check(length, Some("éé"), json!("éé"));
    check(length, Some("ééé"), json!("ééé"));
    check_refused(length, Some("é"), "Parameter 'P' must contain at least 2 characters");
    check_refused(length, Some("éééé"), "Parameter 'P' must contain at most 3 characters");
    let range = "{Type: Number, MinValue: 1, MaxValue: 2.5}";
    check(range, Some("1"), json!("1"));
    check(range, Some("2.5"), json!("2.5"));
    check_refused(range, Some("0.9"), "Parameter 'P' must be a number not less than 1");
    check_refused(range, Some("2.6"), "Parameter 'P' must be a number not greater than 2.5");
    check_refused("{Type: Number}", Some("one"), "Parameter 'P' must be a number");
    check_refused("{Type: Number}", Some("inf"), "Parameter 'P' must be a number");
    check_refused("{Type: List<Number>}", Some("1,x"), "Parameter 'P' must be a number");
    check_refused("{Type: String, MaxLength: 1, Default: ab}", None, "Parameter 'P' must contain at most 1 characters");
}

#[test]
fn a_pattern_that_takes_too_long_refuses_the_value() {
    check_refused(
        "{Type: String, AllowedPattern: '(?=(x+x+)+y)x*'}",
        Some(&"x".repeat(64)),
        "Parameter 'P' must match pattern (?=(x+x+)+y)x*",
    );
}

#[test]
fn declarations_are_read_strictly() {
    check_refused("{Default: x}", None, "Template format error: Every Parameters object must contain a Type member.");
    check_refused("{Type: Text}", None, "Template format error: Unrecognized parameter type: Text");
    check_refused(
        "{Type: List<List<String>>}",
        None,
        "Template format error: Unrecognized parameter type: List<List<String>>",
    );
    check_refused(
        "{Type: String, Default: [a]}",
        None,
        "Template format error: Every Default member must be a string.",
    );
    check_refused("{Type: String, Value: a}", None, "Invalid template parameter property 'Value'");
    check_refused(
        "{Type: String, MinLength: a}",
        None,
        "Template format error: MinLength of parameter P must be a number",
    );
    check_refused(
        "{Type: String, AllowedValues: a}",
        None,
        "Template format error: Every AllowedValues member must be a list of strings.",
    );
    check_refused(
        "{Type: String, AllowedPattern: '['}",
        None,
        "Template format error: AllowedPattern of parameter P is no regular expression: [",
    );
    check_refused("x", None, "Template format error: Every Parameters object must be an object: [P]");
}

#[test]
fn what_is_given_must_be_what_is_declared() {
    check_refused("{Type: String}", None, "Parameters: [P] must have values");
    let refused = declared("{Type: String}").unwrap().raw(&given(&[("P", "x"), ("Q", "y"), ("R", "z")])).unwrap_err();
    assert_eq!(refused.to_string(), "Parameters: [Q, R] do not exist in the template");
}

#[test]
fn the_previous_value_is_used_only_if_asked_for() {
    let declared = declared("{Type: String, Default: default}").unwrap();
    let previous: BTreeMap<String, String> = [("P".to_owned(), "previous".to_owned())].into();
    let asked = |values| Given { values, previous: previous.clone(), ..Given::default() };
    assert_eq!(declared.raw(&asked([("P".to_owned(), GivenValue::Previous)].into())).unwrap()["P"], "previous");
    assert_eq!(declared.raw(&asked([].into())).unwrap()["P"], "default");
    let nothing = Given { values: [("P".to_owned(), GivenValue::Previous)].into(), ..Given::default() };
    assert_eq!(declared.raw(&nothing).unwrap_err().to_string(), "Parameters: [P] must have values");
}

#[test]
fn ssm_parameters_have_the_value_that_ssm_has() {
    let text = declared("{Type: 'AWS::SSM::Parameter::Value<String>', Default: /a}").unwrap();
    let list = declared("{Type: 'AWS::SSM::Parameter::Value<List<String>>', Default: /a}").unwrap();
    let mut given = Given::default();
    assert_eq!(text.ssm_names(&given).unwrap(), ["/a".to_owned()].into());
    let refused = text.values(&given).unwrap_err().to_string();
    assert_eq!(refused, "Unable to fetch parameters [/a] from parameter store for this account.");
    given.ssm.insert("/a".into(), "x,y".into());
    assert_eq!(text.values(&given).unwrap()["P"], json!("x,y"));
    assert_eq!(text.raw(&given).unwrap()["P"], "/a");
    assert_eq!(list.values(&given).unwrap()["P"], json!(["x", "y"]));
}

#[test]
fn a_value_may_be_so_long() {
    let longest = "x".repeat(limits::PARAMETER_VALUE_BYTES_MAX);
    check("{Type: String}", Some(&longest), json!(longest));
    check_refused("{Type: String}", Some(&format!("{longest}x")), "Parameter 'P' must contain at most 4096 bytes");
}
