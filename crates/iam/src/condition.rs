//! Conditions: what a request must be like beside its action and resource.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::Value;

use crate::arn::Resources;
use crate::decide::Context;
use crate::document::Malformed;
use crate::pattern::Pattern;

/// One key of a condition block, with the values that it may have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    test: Test,
    /// Whether it is the opposite of the test, such as `StringNotEquals`.
    negated: bool,
    quantifier: Quantifier,
    /// Whether a request without the key passes: `…IfExists`.
    if_exists: bool,
    /// In lower case.
    key: Box<str>,
    values: Vec<Pattern>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    /// Keys that have one value.
    One,
    ForAllValues,
    ForAnyValue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Comparison),
    Date(Comparison),
    Bool,
    Binary,
    IpAddress,
    Arn,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

impl Condition {
    /// Reads a condition block. All of its keys must hold.
    pub(crate) fn read_all(block: &Value, variables: bool) -> Result<Vec<Self>, Malformed> {
        let mut conditions = Vec::new();
        for (operator, keys) in block.as_object().ok_or_else(Malformed::syntax)? {
            let keys = keys.as_object().ok_or_else(Malformed::syntax)?;
            let (test, negated, quantifier, if_exists) =
                operator_of(operator).ok_or_else(|| Malformed(format!("Invalid Condition type : {operator}.")))?;
            for (key, values) in keys {
                if !key.contains(':') {
                    return Err(Malformed::new(
                        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                    ));
                }
                let wildcards = matches!(test, Test::StringLike | Test::Arn);
                let read = |text: String| Pattern::read(&text, variables, wildcards);
                let values = texts(values)?.into_iter().map(read).collect();
                conditions.push(Self { test, negated, quantifier, if_exists, key: key.to_lowercase().into(), values });
            }
        }
        Ok(conditions)
    }

    /// Tells whether a request is as the condition wants it.
    pub(crate) fn holds(&self, context: Context<'_>) -> bool {
        let given = context(&self.key);
        if self.test == Test::Null {
            let absent = given.is_none_or(|values| values.is_empty());
            return self.values.iter().any(|value| value.matches(&absent.to_string(), true, context));
        }
        let any = |given: &String| self.values.iter().any(|value| self.is_like(value, given, context));
        let passes = |given: &String| any(given) != self.negated;
        let given = given.unwrap_or_default();
        match self.quantifier {
            Quantifier::ForAllValues => given.iter().all(passes),
            Quantifier::ForAnyValue | Quantifier::One if given.is_empty() => {
                self.if_exists || self.negated && self.quantifier == Quantifier::One
            }
            Quantifier::ForAnyValue => given.iter().any(passes),
            // Of a key that has several values although one was expected, none may be among those that are not wanted.
            Quantifier::One => given.iter().any(any) != self.negated,
        }
    }

    fn is_like(&self, wanted: &Pattern, given: &str, context: Context<'_>) -> bool {
        let compare = |compared: fn(&str, &str) -> Option<std::cmp::Ordering>, comparison: Comparison| {
            let wanted = wanted.text(context);
            let ordering = wanted.and_then(|wanted| compared(given, &wanted));
            ordering.is_some_and(|ordering| comparison.holds(ordering))
        };
        match self.test {
            Test::StringEquals | Test::StringLike | Test::Binary => wanted.matches(given, false, context),
            Test::StringEqualsIgnoreCase | Test::Bool | Test::Null => wanted.matches(given, true, context),
            Test::Numeric(comparison) => compare(numbers, comparison),
            Test::Date(comparison) => compare(dates, comparison),
            Test::IpAddress => wanted.text(context).is_some_and(|wanted| is_within(given, &wanted)),
            Test::Arn => {
                let wanted = wanted.text(context).and_then(|wanted| Resources::read(&wanted, false));
                wanted.is_some_and(|wanted| wanted.matches(given, context))
            }
        }
    }
}

impl Comparison {
    fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Equals => ordering.is_eq(),
            Self::LessThan => ordering.is_lt(),
            Self::LessThanEquals => ordering.is_le(),
            Self::GreaterThan => ordering.is_gt(),
            Self::GreaterThanEquals => ordering.is_ge(),
        }
    }
}

fn operator_of(text: &str) -> Option<(Test, bool, Quantifier, bool)> {
    let (quantifier, name) = match text.split_once(':') {
        Some(("ForAllValues", name)) => (Quantifier::ForAllValues, name),
        Some(("ForAnyValue", name)) => (Quantifier::ForAnyValue, name),
        Some(_) => return None,
        None => (Quantifier::One, text),
    };
    let (name, if_exists) = match name.strip_suffix("IfExists") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let comparison = |name: &str| match name {
        "Equals" => Some((Comparison::Equals, false)),
        "NotEquals" => Some((Comparison::Equals, true)),
        "LessThan" => Some((Comparison::LessThan, false)),
        "LessThanEquals" => Some((Comparison::LessThanEquals, false)),
        "GreaterThan" => Some((Comparison::GreaterThan, false)),
        "GreaterThanEquals" => Some((Comparison::GreaterThanEquals, false)),
        _ => None,
    };
    let (test, negated) = match name {
        "StringEquals" => (Test::StringEquals, false),
        "StringNotEquals" => (Test::StringEquals, true),
        "StringEqualsIgnoreCase" => (Test::StringEqualsIgnoreCase, false),
        "StringNotEqualsIgnoreCase" => (Test::StringEqualsIgnoreCase, true),
        "StringLike" => (Test::StringLike, false),
        "StringNotLike" => (Test::StringLike, true),
        "Bool" => (Test::Bool, false),
        "BinaryEquals" => (Test::Binary, false),
        "IpAddress" => (Test::IpAddress, false),
        "NotIpAddress" => (Test::IpAddress, true),
        "ArnEquals" | "ArnLike" => (Test::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
        "Null" if !if_exists => (Test::Null, false),
        name => {
            if let Some((comparison, negated)) = name.strip_prefix("Numeric").and_then(comparison) {
                (Test::Numeric(comparison), negated)
            } else {
                let (comparison, negated) = name.strip_prefix("Date").and_then(comparison)?;
                (Test::Date(comparison), negated)
            }
        }
    };
    Some((test, negated, quantifier, if_exists))
}

/// Values may be written as texts, numbers or booleans, one or several.
fn texts(value: &Value) -> Result<Vec<String>, Malformed> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(Malformed::syntax()),
    };
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        one => Ok(vec![text(one)?]),
    }
}

fn numbers(left: &str, right: &str) -> Option<std::cmp::Ordering> {
    left.parse::<f64>().ok()?.partial_cmp(&right.parse().ok()?)
}

fn dates(left: &str, right: &str) -> Option<std::cmp::Ordering> {
    Some(date(left)?.cmp(&date(right)?))
}

/// Reads a point in time: ISO 8601, with or without a time of day, or seconds since the epoch.
fn date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    text.parse::<Timestamp>().ok().or_else(|| day().map(|day| day.timestamp()))
}

fn is_within(address: &str, range: &str) -> bool {
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let range = range.parse::<IpNet>().ok().or_else(|| range.parse::<IpAddr>().ok().map(IpNet::from));
    range.is_some_and(|range| range.contains(&address))
}
