//! The `Conditions` and `Rules` sections: what holds, by what the parameters say.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::Invalid;
use crate::expression::{Expression, sole};
use crate::limits::CONDITIONS_MAX;
use crate::reduce::Scope;

/// Something that holds or does not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// `Fn::Equals`.
    Equals(Expression, Expression),
    /// `Fn::And`.
    And(Vec<Condition>),
    /// `Fn::Or`.
    Or(Vec<Condition>),
    /// `Fn::Not`.
    Not(Box<Condition>),
    /// `Condition`: another one, by its name.
    Named(String),
    /// `Fn::Contains`, for rules: the list has the text.
    Contains(Expression, Expression),
    /// `Fn::EachMemberEquals`, for rules.
    EachMemberEquals(Expression, Expression),
    /// `Fn::EachMemberIn`, for rules.
    EachMemberIn(Expression, Expression),
}

/// One of the `Rules`: what must hold, if the rule applies.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    /// When it applies; always, if there is none.
    pub condition: Option<Condition>,
    /// What must hold, and the words if it does not.
    pub assertions: Vec<(Condition, String)>,
}

impl Condition {
    /// Reads a condition; `section` is for messages.
    pub fn read(value: &Value, section: &str) -> Result<Self, Invalid> {
        let malformed = || {
            Invalid::format(format!(
                "Conditions can only be boolean operations on parameters and other conditions, in {section}"
            ))
        };
        let (function, arguments) = value.as_object().and_then(sole).ok_or_else(malformed)?;
        let items = arguments.as_array().map(Vec::as_slice);
        let all = |items: &[Value]| items.iter().map(|item| Self::read(item, section)).collect::<Result<Vec<_>, _>>();
        match (function, items) {
            ("Condition", None) => Ok(Self::Named(arguments.as_str().ok_or_else(malformed)?.into())),
            ("Fn::Equals", Some([one, other])) => Ok(Self::Equals(Expression::read(one)?, Expression::read(other)?)),
            ("Fn::Equals", _) => Err(Invalid::error("every Fn::Equals object requires a list of 2 string parameters.")),
            ("Fn::Not", Some([one])) => Ok(Self::Not(Box::new(Self::read(one, section)?))),
            ("Fn::Not", _) => Err(Invalid::error("every Fn::Not object requires one boolean parameter.")),
            ("Fn::And", Some(items)) if (2..=CONDITIONS_MAX).contains(&items.len()) => Ok(Self::And(all(items)?)),
            ("Fn::Or", Some(items)) if (2..=CONDITIONS_MAX).contains(&items.len()) => Ok(Self::Or(all(items)?)),
            ("Fn::And" | "Fn::Or", _) => Err(Invalid::error(format!(
                "every {function} object requires a list of at least 2 and at most {CONDITIONS_MAX} boolean parameters."
            ))),
            ("Fn::Contains", Some([list, text])) => {
                Ok(Self::Contains(Expression::read(list)?, Expression::read(text)?))
            }
            ("Fn::EachMemberEquals", Some([list, text])) => {
                Ok(Self::EachMemberEquals(Expression::read(list)?, Expression::read(text)?))
            }
            ("Fn::EachMemberIn", Some([list, other])) => {
                Ok(Self::EachMemberIn(Expression::read(list)?, Expression::read(other)?))
            }
            _ => Err(malformed()),
        }
    }

    /// Calls `visit` for each expression.
    pub fn each_expression<'a>(&'a self, visit: &mut impl FnMut(&'a Expression)) {
        match self {
            Self::Equals(one, other)
            | Self::Contains(one, other)
            | Self::EachMemberEquals(one, other)
            | Self::EachMemberIn(one, other) => {
                visit(one);
                visit(other);
            }
            Self::And(all) | Self::Or(all) => all.iter().for_each(|one| one.each_expression(visit)),
            Self::Not(one) => one.each_expression(visit),
            Self::Named(_) => {}
        }
    }

    /// Calls `visit` for the name of each other condition.
    pub fn each_name<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().for_each(|one| one.each_name(visit)),
            Self::Not(one) => one.each_name(visit),
            Self::Named(name) => visit(name),
            Self::Equals(..) | Self::Contains(..) | Self::EachMemberEquals(..) | Self::EachMemberIn(..) => {
                self.each_expression(&mut |expression| expression.each_condition(visit));
            }
        }
    }

    /// Tells whether it holds.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, Invalid> {
        let value = |expression: &Expression| match scope.reduce(expression)? {
            Expression::Value(value) => Ok(value),
            _ => Err(Invalid::error("conditions must not depend on any resources")),
        };
        let list = |expression: &Expression| match value(expression)? {
            Value::Array(items) => Ok(items),
            one => Ok(vec![one]),
        };
        match self {
            Self::Equals(one, other) => Ok(same(&value(one)?, &value(other)?)),
            Self::And(all) => all.iter().try_fold(true, |holds, one| Ok(holds & one.holds(scope)?)),
            Self::Or(all) => all.iter().try_fold(false, |holds, one| Ok(holds | one.holds(scope)?)),
            Self::Not(one) => Ok(!one.holds(scope)?),
            Self::Named(name) => scope.conditions.get(name).copied().ok_or_else(|| {
                Invalid::format(format!(
                    "Unresolved condition dependency {name} in the Conditions block of the template"
                ))
            }),
            Self::Contains(items, text) => {
                let text = value(text)?;
                Ok(list(items)?.iter().any(|item| same(item, &text)))
            }
            Self::EachMemberEquals(items, text) => {
                let text = value(text)?;
                Ok(list(items)?.iter().all(|item| same(item, &text)))
            }
            Self::EachMemberIn(items, others) => {
                let others = list(others)?;
                Ok(list(items)?.iter().all(|item| others.iter().any(|other| same(item, other))))
            }
        }
    }
}

impl Rule {
    /// Reads a rule.
    pub fn read(name: &str, rule: &Value) -> Result<Self, Invalid> {
        let malformed =
            || Invalid::format(format!("Rule {name} must have Assertions, a list of objects with an Assert"));
        let section = format!("rule {name}");
        let condition = rule.get("RuleCondition").map(|condition| Condition::read(condition, &section)).transpose()?;
        let assertion = |assertion: &Value| {
            let condition = Condition::read(assertion.get("Assert").ok_or_else(malformed)?, &section)?;
            Ok((condition, assertion["AssertDescription"].as_str().unwrap_or("an assertion failed").to_owned()))
        };
        let assertions = rule.get("Assertions").and_then(Value::as_array).ok_or_else(malformed)?;
        Ok(Self { condition, assertions: assertions.iter().map(assertion).collect::<Result<_, _>>()? })
    }

    /// Fails with the rule's words if it applies and something does not hold.
    pub fn assert(&self, name: &str, scope: &Scope<'_>) -> Result<(), Invalid> {
        if let Some(condition) = &self.condition
            && !condition.holds(scope)?
        {
            return Ok(());
        }
        for (condition, words) in &self.assertions {
            if !condition.holds(scope)? {
                return Err(Invalid::new(format!("Template validation error: rule {name} failed: {words}")));
            }
        }
        Ok(())
    }
}

/// Reads the `Conditions` section, and puts it into an order in which each one comes after those it names.
pub(crate) fn read_all(section: &Map<String, Value>) -> Result<Vec<(String, Condition)>, Invalid> {
    let read =
        |(name, value): (&String, &Value)| Ok((name.clone(), Condition::read(value, &format!("condition {name}"))?));
    let mut waiting: BTreeMap<String, Condition> = section.iter().map(read).collect::<Result<_, _>>()?;
    for condition in waiting.values() {
        let mut missing = None;
        condition.each_name(&mut |name| missing = missing.or(Some(name).filter(|name| !waiting.contains_key(*name))));
        if let Some(name) = missing {
            let message = format!("Unresolved condition dependency {name} in the Conditions block of the template");
            return Err(Invalid::format(message));
        }
    }
    let mut ordered = vec![];
    while !waiting.is_empty() {
        let ready = waiting.iter().filter(|(_, condition)| {
            let mut ready = true;
            condition.each_name(&mut |name| ready &= !waiting.contains_key(name));
            ready
        });
        let ready: Vec<String> = ready.map(|(name, _)| name.clone()).collect();
        if ready.is_empty() {
            let names: Vec<&str> = waiting.keys().map(String::as_str).collect();
            return Err(Invalid::error(format!("Found circular condition dependency: {}", names.join(", "))));
        }
        ordered.extend(ready.into_iter().filter_map(|name| waiting.remove_entry(&name)));
    }
    Ok(ordered)
}

/// Equal as CloudFormation compares: scalars by their text.
fn same(one: &Value, other: &Value) -> bool {
    use crate::reduce::text_of;
    match (text_of(one), text_of(other)) {
        (Some(one), Some(other)) => one == other,
        (Some(_), None) | (None, Some(_)) => false,
        (None, None) => one == other,
    }
}
