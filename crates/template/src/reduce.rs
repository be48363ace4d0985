//! Evaluation: an expression becomes what is known of it so far.
//!
//! The same function serves twice. Without a [`Lookup`] parameters, conditions and mappings become values, and what
//! only resources can answer stays an expression: that is what plans compare. With one, everything becomes a value.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use crate::expression::{Expression, Piece};
use crate::limits::EVALUATED_BYTES_MAX;
use crate::{Invalid, cidr};

/// What resources that exist answer. `None` says "not known", which fails the evaluation.
pub trait Lookup {
    /// Returns what `Ref` gives for a resource: its physical id, mostly.
    fn reference(&self, logical_id: &str) -> Option<Value>;

    /// Returns an attribute of a resource, for `Fn::GetAtt`.
    fn attribute(&self, logical_id: &str, name: &str) -> Option<Value>;

    /// Returns the value of a dynamic reference: `service` and `key` of `{{resolve:service:key}}`.
    fn dynamic(&self, service: &str, key: &str) -> Option<String>;
}

/// What is known when an expression is evaluated.
pub(crate) struct Scope<'a> {
    /// Parameters and pseudo parameters.
    pub values: &'a BTreeMap<String, Value>,
    /// By name, as far as they are evaluated.
    pub conditions: BTreeMap<String, bool>,
    /// The section of that name.
    pub mappings: &'a Map<String, Value>,
    /// Values by the name of their export.
    pub imports: &'a BTreeMap<String, String>,
    /// The exports that were asked for.
    pub imported: &'a RefCell<BTreeSet<String>>,
    /// The bytes that were made.
    pub bytes: Cell<usize>,
    /// The resources, once there are any.
    pub lookup: Option<&'a dyn Lookup>,
}

impl Scope<'_> {
    /// Evaluates as far as possible. What comes out holds no parameter, no condition, no mapping, no `AWS::NoValue`
    /// within; with a [`Lookup`], it is a value.
    pub fn reduce(&self, expression: &Expression) -> Result<Expression, Invalid> {
        match expression {
            Expression::Value(value) => self.known(value.clone()),
            Expression::NoValue => Ok(Expression::NoValue),
            Expression::List(items) => {
                let items =
                    items.iter().map(|item| self.reduce(item)).filter(|item| !matches!(item, Ok(Expression::NoValue)));
                Ok(Expression::list(items.collect::<Result<_, _>>()?))
            }
            Expression::Map(members) => {
                let reduce = |(name, member): (&String, &Expression)| Ok((name.clone(), self.reduce(member)?));
                let members = members.iter().map(reduce);
                let present = members.filter(|member| !matches!(member, Ok((_, Expression::NoValue))));
                Ok(Expression::map(present.collect::<Result<_, _>>()?))
            }
            Expression::Ref(name) => self.reference(name),
            Expression::GetAtt(resource, attribute) => self.attribute(resource, attribute),
            Expression::Sub(pieces, values) => self.sub(pieces, values),
            Expression::Join(delimiter, items) => self.join(delimiter, items),
            Expression::Select(index, items) => self.select(index, items),
            Expression::Split(delimiter, text) => match self.reduce(text)? {
                Expression::Value(text) => {
                    let text = text_of(&text).ok_or_else(|| {
                        Invalid::error(
                            "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be \
                             split or a function that returns a string to be split.",
                        )
                    })?;
                    self.known(text.split(delimiter.as_str()).map(Value::from).collect())
                }
                unknown => Ok(Expression::Split(delimiter.clone(), Box::new(unknown))),
            },
            Expression::FindInMap(keys, default) => self.find_in_map(keys, default.as_deref()),
            Expression::ImportValue(name) => {
                let name = self.text(name, "the attribute in Fn::ImportValue must not depend on any resources")?;
                self.imported.borrow_mut().insert(name.clone());
                let value = self.imports.get(&name);
                self.known(value.ok_or_else(|| Invalid::new(format!("No export named {name} found")))?.clone().into())
            }
            Expression::If(condition, then, otherwise) => {
                let holds = self.conditions.get(condition).copied();
                let holds = holds
                    .ok_or_else(|| Invalid::error(format!("unresolved condition dependency {condition} in Fn::If")))?;
                self.reduce(if holds { then } else { otherwise })
            }
            Expression::Base64(text) => match self.reduce(text)? {
                Expression::Value(text) => {
                    let text = text_of(&text)
                        .ok_or_else(|| Invalid::error("every Fn::Base64 object must have a String-typed value."))?;
                    self.known(BASE64_STANDARD.encode(text).into())
                }
                unknown => Ok(Expression::Base64(Box::new(unknown))),
            },
            Expression::Cidr(arguments) => {
                match Expression::list(self.each(arguments)?) {
                    Expression::Value(Value::Array(arguments)) => {
                        let texts: Option<Vec<String>> = arguments.iter().map(text_of).collect();
                        let blocks = texts.and_then(|texts| cidr::blocks(&texts));
                        let blocks = blocks.ok_or_else(|| {
                        Invalid::error("Fn::Cidr needs a block, a count of 1 to 256, and bits that leave room for so many subnets")
                    })?;
                        self.known(blocks.into_iter().map(Value::from).collect())
                    }
                    Expression::List(arguments) => Ok(Expression::Cidr(arguments)),
                    _ => unreachable!("a list is a list, known or not"),
                }
            }
            Expression::GetAzs(region) => {
                let region = self.text(region, "Fn::GetAZs cannot depend on any resources")?;
                let own = || self.values.get("AWS::Region").and_then(Value::as_str).unwrap_or_default().to_owned();
                let region = if region.is_empty() { own() } else { region };
                self.known(["a", "b", "c"].map(|zone| Value::from(format!("{region}{zone}"))).into_iter().collect())
            }
        }
    }

    fn each(&self, expressions: &[Expression]) -> Result<Vec<Expression>, Invalid> {
        expressions.iter().map(|expression| self.reduce(expression)).collect()
    }

    fn reference(&self, name: &str) -> Result<Expression, Invalid> {
        match (self.values.get(name), self.lookup) {
            (Some(value), _) => self.known(value.clone()),
            (None, None) => Ok(Expression::Ref(name.into())),
            (None, Some(lookup)) => {
                let value = lookup.reference(name);
                self.known(
                    value.ok_or_else(|| {
                        Invalid::new(format!("Unable to retrieve the physical id of resource {name}"))
                    })?,
                )
            }
        }
    }

    fn attribute(&self, resource: &str, attribute: &Expression) -> Result<Expression, Invalid> {
        let attribute = self.text(attribute, "the attribute in Fn::GetAtt must not depend on any resources")?;
        match self.lookup {
            None => Ok(Expression::GetAtt(resource.into(), Box::new(Expression::Value(attribute.into())))),
            Some(lookup) => {
                let value = lookup.attribute(resource, &attribute);
                let missing =
                    || Invalid::new(format!("Unable to retrieve {attribute} attribute for resource {resource}"));
                self.known(value.ok_or_else(missing)?)
            }
        }
    }

    fn sub(&self, pieces: &[Piece], values: &[Expression]) -> Result<Expression, Invalid> {
        let values = self.each(values)?;
        let mut merged = vec![];
        for piece in pieces {
            let text = match piece {
                Piece::Text(text) => text.clone(),
                Piece::Value(position) => match &values[*position] {
                    Expression::Value(value) => text_of(value).ok_or_else(|| not_a_text(&values[*position]))?,
                    value @ (Expression::List(_) | Expression::Map(_) | Expression::NoValue) => {
                        return Err(not_a_text(value));
                    }
                    _ => {
                        merged.push(piece.clone());
                        continue;
                    }
                },
            };
            self.charge(text.len())?;
            match merged.last_mut() {
                Some(Piece::Text(before)) => before.push_str(&text),
                Some(Piece::Value(_)) | None => merged.push(Piece::Text(text)),
            }
        }
        match merged.as_slice() {
            [Piece::Text(text)] => self.known(text.as_str().into()),
            _ => Ok(Expression::Sub(merged, values)),
        }
    }

    fn join(&self, delimiter: &str, items: &Expression) -> Result<Expression, Invalid> {
        match self.reduce(items)? {
            Expression::Value(Value::Array(items)) => {
                let texts: Option<Vec<String>> = items.iter().map(text_of).collect();
                self.known(texts.ok_or_else(not_joinable)?.join(delimiter).into())
            }
            Expression::Value(_) | Expression::Map(_) | Expression::NoValue => Err(not_joinable()),
            unknown => Ok(Expression::Join(delimiter.into(), Box::new(unknown))),
        }
    }

    fn select(&self, index: &Expression, items: &Expression) -> Result<Expression, Invalid> {
        let index = self.text(index, "the index of Fn::Select must not depend on any resources")?;
        let missing = || Invalid::error(format!("Fn::Select cannot select nonexistent value at index {index}"));
        let position: usize = index.parse().map_err(|_| missing())?;
        match self.reduce(items)? {
            Expression::Value(Value::Array(items)) => self.known(items.get(position).ok_or_else(missing)?.clone()),
            Expression::List(items) => items.get(position).cloned().ok_or_else(missing),
            Expression::Value(_) | Expression::Map(_) | Expression::NoValue => Err(Invalid::error(
                "Fn::Select requires a list argument with two elements: an integer index and a list",
            )),
            unknown => Ok(Expression::Select(Box::new(Expression::Value(index.into())), Box::new(unknown))),
        }
    }

    fn find_in_map(&self, keys: &[Expression; 3], default: Option<&Expression>) -> Result<Expression, Invalid> {
        let [map, first, second] = keys;
        let text = |key| self.text(key, "the parameters of Fn::FindInMap must not depend on any resources");
        let (map, first, second) = (text(map)?, text(first)?, text(second)?);
        let found = self.mappings.get(&map).and_then(|map| map.get(&first)).and_then(|keys| keys.get(&second));
        match (found, default) {
            (Some(found), _) => self.known(found.clone()),
            (None, Some(default)) => self.reduce(default),
            (None, None) if !self.mappings.contains_key(&map) => Err(Invalid::error(format!(
                "Mapping named '{map}' is not present in the 'Mappings' section of template."
            ))),
            (None, None) => Err(Invalid::error(format!("Unable to get mapping for {map}::{first}::{second}"))),
        }
    }

    /// A text that must be known before there are resources.
    fn text(&self, expression: &Expression, otherwise: &str) -> Result<String, Invalid> {
        self.reduce(expression)?.value().and_then(text_of).ok_or_else(|| Invalid::error(otherwise))
    }

    /// A value that was made: it counts.
    fn known(&self, value: Value) -> Result<Expression, Invalid> {
        self.charge(weight(&value))?;
        Ok(Expression::Value(value))
    }

    /// Fails if too much is made.
    fn charge(&self, bytes: usize) -> Result<(), Invalid> {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        if self.bytes.get() <= EVALUATED_BYTES_MAX {
            return Ok(());
        }
        Err(Invalid::error(format!("the functions of the template make more than {EVALUATED_BYTES_MAX} bytes")))
    }
}

/// A scalar as text, as CloudFormation writes it.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn not_joinable() -> Invalid {
    Invalid::error(
        "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a \
         function that returns a list of strings (such as Fn::GetAZs) to be joined.",
    )
}

fn not_a_text(part: &Expression) -> Invalid {
    Invalid::error(format!("a variable in Fn::Sub expression does not resolve to a string: {}", part.to_value()))
}

/// About how many bytes a value takes.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => 8 + text.len(),
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + 8,
        Value::Object(members) => members.iter().map(|(name, member)| name.len() + weight(member)).sum::<usize>() + 8,
    }
}

/// Replaces `{{resolve:service:key}}` in all texts of a value; what comes out is not looked at again.
pub(crate) fn resolve_dynamic(value: &mut Value, lookup: &dyn Lookup) -> Result<(), Invalid> {
    match value {
        Value::String(text) if text.contains("{{resolve:") => *text = resolve_text(text, lookup)?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        Value::Array(items) => items.iter_mut().try_for_each(|item| resolve_dynamic(item, lookup))?,
        Value::Object(members) => members.values_mut().try_for_each(|member| resolve_dynamic(member, lookup))?,
    }
    Ok(())
}

fn resolve_text(text: &str, lookup: &dyn Lookup) -> Result<String, Invalid> {
    let mut resolved = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{resolve:") {
        let Some((reference, after)) = after.split_once("}}") else { break };
        let (service, key) = reference.split_once(':').unwrap_or((reference, ""));
        let value = lookup.dynamic(service, key);
        let missing = || Invalid::new(format!("Could not resolve the dynamic reference {{{{resolve:{reference}}}}}"));
        resolved.push_str(before);
        resolved.push_str(&value.ok_or_else(missing)?);
        rest = after;
    }
    resolved.push_str(rest);
    Ok(resolved)
}
