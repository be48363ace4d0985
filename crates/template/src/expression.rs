//! What a value of a template is: JSON with functions in it. Reading checks the form of each function;
//! `reduce` gives it a value.
//!
//! A function to add: a variant here, its arms in `read_function`, `to_value`, `each_part`, and in `reduce`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::Invalid;

/// A value of a template, with the functions that are not evaluated yet.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// Fully known, without any function.
    Value(Value),
    /// `AWS::NoValue`: what holds it goes without.
    NoValue,
    /// A list with functions in it.
    List(Vec<Expression>),
    /// An object with functions in it.
    Map(BTreeMap<String, Expression>),
    /// `Ref`: a parameter or a resource.
    Ref(String),
    /// `Fn::GetAtt`: a resource and the name of its attribute.
    GetAtt(String, Box<Expression>),
    /// `Fn::Sub`: texts and values one after the other. A value that is used twice is there once: who nests such
    /// uses must not get the product of them.
    Sub(Vec<Piece>, Vec<Expression>),
    /// `Fn::Join`: the delimiter and the list.
    Join(String, Box<Expression>),
    /// `Fn::Select`: the index and the list.
    Select(Box<Expression>, Box<Expression>),
    /// `Fn::Split`: the delimiter and the text.
    Split(String, Box<Expression>),
    /// `Fn::FindInMap`: map, first and second key, and the value if they are not there.
    FindInMap(Box<[Expression; 3]>, Option<Box<Expression>>),
    /// `Fn::ImportValue`: the name of an export.
    ImportValue(Box<Expression>),
    /// `Fn::If`: the condition, the value if it holds, the value if it does not.
    If(String, Box<Expression>, Box<Expression>),
    /// `Fn::Base64`.
    Base64(Box<Expression>),
    /// `Fn::Cidr`: block, count and bits.
    Cidr(Vec<Expression>),
    /// `Fn::GetAZs`: the region, or an empty text for the stack's.
    GetAzs(Box<Expression>),
}

/// A piece of a `Fn::Sub`.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// As it is.
    Text(String),
    /// The value at this position of the list that comes with it.
    Value(usize),
}

/// What one part of a template needs of a resource (or a parameter, by `Ref`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference<'a> {
    /// The logical id, or the name of a parameter.
    pub name: &'a str,
    /// The attribute, as far as it is known; `None` is a `Ref`.
    pub attribute: Option<&'a str>,
}

/// The functions that CloudFormation has in values, as its messages list them.
const SUPPORTED: &str = "[Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, \
    Fn::Select, Ref, Fn::If, Fn::Sub, Fn::Cidr]";

impl Expression {
    /// Reads a value of a template.
    ///
    /// # Errors
    /// [`Invalid`] if a function is used in a form that it does not have, or is none.
    pub fn read(value: &Value) -> Result<Self, Invalid> {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(Self::Value(value.clone())),
            Value::Array(items) => Ok(Self::list(items.iter().map(Self::read).collect::<Result<_, _>>()?)),
            Value::Object(members) => match sole(members) {
                Some(("Ref", name)) => match name {
                    Value::String(name) if name == "AWS::NoValue" => Ok(Self::NoValue),
                    Value::String(name) => Ok(Self::Ref(name.clone())),
                    _ => Err(Invalid::format("Every Ref object must have a single String value.")),
                },
                Some((function, arguments)) if function.starts_with("Fn::") => read_function(function, arguments),
                Some(_) | None => Self::read_map(members),
            },
        }
    }

    /// Reads an object whose members are values, and which is no function itself.
    pub(crate) fn read_map(members: &Map<String, Value>) -> Result<Self, Invalid> {
        if let Some(function) = members.keys().find(|key| key.starts_with("Fn::")) {
            return Err(Invalid::error(format!("{function} must be the only member of its object")));
        }
        let read = |(name, value): (&String, &Value)| Ok((name.clone(), Self::read(value)?));
        Ok(Self::map(members.iter().map(read).collect::<Result<_, _>>()?))
    }

    /// Returns the value, if nothing is left to evaluate.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }

    /// Writes the long form, as somebody might have written it.
    pub fn to_value(&self) -> Value {
        let list = |items: &[Self]| items.iter().map(Self::to_value).collect::<Vec<_>>();
        match self {
            Self::Value(value) => value.clone(),
            Self::NoValue => json!({ "Ref": "AWS::NoValue" }),
            Self::List(items) => Value::Array(list(items)),
            Self::Map(members) => members.iter().map(|(name, member)| (name.clone(), member.to_value())).collect(),
            Self::Ref(name) => json!({ "Ref": name }),
            Self::GetAtt(resource, attribute) => json!({ "Fn::GetAtt": [resource, attribute.to_value()] }),
            Self::Sub(pieces, values) => write_sub(pieces, values),
            Self::Join(delimiter, items) => json!({ "Fn::Join": [delimiter, items.to_value()] }),
            Self::Select(index, items) => json!({ "Fn::Select": [index.to_value(), items.to_value()] }),
            Self::Split(delimiter, text) => json!({ "Fn::Split": [delimiter, text.to_value()] }),
            Self::FindInMap(keys, default) => {
                let mut arguments = list(&keys[..]);
                arguments.extend(default.iter().map(|default| json!({ "DefaultValue": default.to_value() })));
                json!({ "Fn::FindInMap": arguments })
            }
            Self::ImportValue(name) => json!({ "Fn::ImportValue": name.to_value() }),
            Self::If(condition, then, otherwise) => {
                json!({ "Fn::If": [condition, then.to_value(), otherwise.to_value()] })
            }
            Self::Base64(text) => json!({ "Fn::Base64": text.to_value() }),
            Self::Cidr(arguments) => json!({ "Fn::Cidr": list(arguments) }),
            Self::GetAzs(region) => json!({ "Fn::GetAZs": region.to_value() }),
        }
    }

    /// Calls `visit` for each `Ref` and `Fn::GetAtt`, however deep.
    pub fn each_reference<'a>(&'a self, visit: &mut impl FnMut(Reference<'a>)) {
        self.each(&mut |expression| match expression {
            Self::Ref(name) => visit(Reference { name, attribute: None }),
            Self::GetAtt(name, attribute) => {
                let attribute = attribute.value().and_then(Value::as_str).unwrap_or_default();
                visit(Reference { name, attribute: Some(attribute) });
            }
            _ => {}
        });
    }

    /// Calls `visit` for the name of each condition, however deep.
    pub(crate) fn each_condition<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        self.each(&mut |expression| {
            if let Self::If(condition, _, _) = expression {
                visit(condition);
            }
        });
    }

    /// Calls `visit` for the resource and the attribute of each `${Resource.Attribute}`, however deep.
    pub(crate) fn each_attribute_in_sub<'a>(&'a self, visit: &mut impl FnMut(&'a str, &'a str)) {
        self.each(&mut |expression| {
            let Self::Sub(_, values) = expression else { return };
            for value in values {
                if let Self::GetAtt(resource, attribute) = value {
                    visit(resource, attribute.value().and_then(Value::as_str).unwrap_or_default());
                }
            }
        });
    }

    /// Calls `visit` for the name of each map that is written in the template, however deep.
    pub(crate) fn each_mapping<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        self.each(&mut |expression| {
            if let Self::FindInMap(keys, None) = expression
                && let Some(Value::String(name)) = keys[0].value()
            {
                visit(name);
            }
        });
    }

    /// A list, which is a plain value if its items are.
    pub(crate) fn list(items: Vec<Self>) -> Self {
        match items.iter().map(|item| item.value().cloned()).collect() {
            Some(items) => Self::Value(Value::Array(items)),
            None => Self::List(items),
        }
    }

    /// An object, which is a plain value if its members are.
    pub(crate) fn map(members: BTreeMap<String, Self>) -> Self {
        match members.iter().map(|(name, member)| Some((name.clone(), member.value()?.clone()))).collect() {
            Some(members) => Self::Value(Value::Object(members)),
            None => Self::Map(members),
        }
    }

    /// Calls `visit` for this and all in it.
    fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::Value(_) | Self::NoValue | Self::Ref(_) => {}
            Self::List(parts) | Self::Sub(_, parts) | Self::Cidr(parts) => {
                parts.iter().for_each(|part| part.each(visit))
            }
            Self::Map(members) => members.values().for_each(|part| part.each(visit)),
            Self::GetAtt(_, part)
            | Self::Join(_, part)
            | Self::Split(_, part)
            | Self::ImportValue(part)
            | Self::Base64(part)
            | Self::GetAzs(part) => part.each(visit),
            Self::Select(one, other) | Self::If(_, one, other) => {
                one.each(visit);
                other.each(visit);
            }
            Self::FindInMap(keys, default) => {
                keys.iter().for_each(|part| part.each(visit));
                default.iter().for_each(|part| part.each(visit));
            }
        }
    }
}

/// The name and value of an object's only member.
pub(crate) fn sole(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut members = members.iter();
    let (name, value) = members.next()?;
    members.next().is_none().then_some((name, value))
}

fn read_function(function: &str, arguments: &Value) -> Result<Expression, Invalid> {
    let items = arguments.as_array().map(Vec::as_slice);
    let boxed = |value: &Value| Expression::read(value).map(Box::new);
    match (function, items) {
        ("Fn::GetAtt", items) => {
            const FORM: &str = "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute";
            let (resource, attribute) = match (arguments, items) {
                (Value::String(path), _) => {
                    let (resource, attribute) = path.split_once('.').ok_or_else(|| Invalid::error(FORM))?;
                    (resource, Value::from(attribute))
                }
                (_, Some([Value::String(resource), attribute])) => (resource.as_str(), attribute.clone()),
                // Attributes with dots may come in pieces.
                (_, Some([Value::String(resource), pieces @ ..])) if pieces.len() > 1 => {
                    let pieces: Option<Vec<&str>> = pieces.iter().map(Value::as_str).collect();
                    (resource.as_str(), Value::from(pieces.ok_or_else(|| Invalid::error(FORM))?.join(".")))
                }
                _ => return Err(Invalid::error(FORM)),
            };
            let empty = resource.is_empty()
                || attribute.as_str() == Some("")
                || !(attribute.is_string() || attribute.is_object());
            if empty { Err(Invalid::error(FORM)) } else { Ok(Expression::GetAtt(resource.into(), boxed(&attribute)?)) }
        }
        ("Fn::Sub", items) => match (arguments, items) {
            (Value::String(text), _) => read_sub(text, BTreeMap::new()),
            (_, Some([Value::String(text), Value::Object(variables)])) => {
                let read = |(name, value): (&String, &Value)| Ok((name.clone(), Expression::read(value)?));
                read_sub(text, variables.iter().map(read).collect::<Result<_, _>>()?)
            }
            _ => Err(Invalid::error(
                "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first \
                 argument, and an optional second argument to specify a mapping of values to replace in the string",
            )),
        },
        ("Fn::Join", Some([Value::String(delimiter), items @ (Value::Array(_) | Value::Object(_))])) => {
            Ok(Expression::Join(delimiter.clone(), boxed(items)?))
        }
        ("Fn::Join", _) => Err(Invalid::error(
            "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined \
             or a function that returns a list of strings (such as Fn::GetAZs) to be joined.",
        )),
        ("Fn::Select", Some([index, items @ (Value::Array(_) | Value::Object(_))]))
            if !index.is_array() && !index.is_boolean() && !index.is_null() =>
        {
            Ok(Expression::Select(boxed(index)?, boxed(items)?))
        }
        ("Fn::Select", _) => {
            Err(Invalid::error("Fn::Select requires a list argument with two elements: an integer index and a list"))
        }
        ("Fn::Split", Some([Value::String(delimiter), text])) if !delimiter.is_empty() && !text.is_array() => {
            Ok(Expression::Split(delimiter.clone(), boxed(text)?))
        }
        ("Fn::Split", _) => Err(Invalid::error(
            "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a \
             function that returns a string to be split.",
        )),
        ("Fn::FindInMap", Some([map, first, second, rest @ ..])) if rest.len() < 2 => {
            let default = match rest {
                [] => None,
                [default, ..] => match default.as_object().and_then(sole) {
                    Some(("DefaultValue", default)) => Some(boxed(default)?),
                    Some(_) | None => {
                        return Err(Invalid::error(
                            "the fourth parameter of Fn::FindInMap must be an object with a DefaultValue",
                        ));
                    }
                },
            };
            let keys = [Expression::read(map)?, Expression::read(first)?, Expression::read(second)?];
            Ok(Expression::FindInMap(Box::new(keys), default))
        }
        ("Fn::FindInMap", _) => Err(Invalid::error(
            "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value",
        )),
        ("Fn::If", Some([Value::String(condition), then, otherwise])) => {
            Ok(Expression::If(condition.clone(), boxed(then)?, boxed(otherwise)?))
        }
        ("Fn::If", _) => Err(Invalid::error("Fn::If requires a list argument with three elements")),
        ("Fn::ImportValue", None) => Ok(Expression::ImportValue(boxed(arguments)?)),
        ("Fn::ImportValue", Some(_)) => Err(Invalid::error("the attribute in Fn::ImportValue must not be a list")),
        ("Fn::Base64", None) => Ok(Expression::Base64(boxed(arguments)?)),
        ("Fn::Base64", Some(_)) => Err(Invalid::error("every Fn::Base64 object must have a String-typed value.")),
        ("Fn::GetAZs", None) => Ok(Expression::GetAzs(boxed(arguments)?)),
        ("Fn::GetAZs", Some(_)) => Err(Invalid::error("Fn::GetAZs must have a String-typed value.")),
        ("Fn::Cidr", Some(items @ ([_, _] | [_, _, _]))) => {
            Ok(Expression::Cidr(items.iter().map(Expression::read).collect::<Result<_, _>>()?))
        }
        ("Fn::Cidr", _) => Err(Invalid::error(
            "every Fn::Cidr object requires two or three parameters, the block, the count and the bits of a subnet",
        )),
        ("Fn::Length" | "Fn::ToJsonString", _) => Err(Invalid::error(format!(
            "{function} needs the transform AWS::LanguageExtensions, which Everstep does not serve"
        ))),
        (function, _) if function.starts_with("Fn::ForEach::") => Err(Invalid::error(format!(
            "{function} needs the transform AWS::LanguageExtensions, which Everstep does not serve"
        ))),
        ("Fn::Transform", _) => Err(Invalid::error("Fn::Transform calls a macro, and Everstep serves none")),
        (function, _) => Err(Invalid::error(format!(
            "Encountered unsupported function: {function} Supported functions are: {SUPPORTED}"
        ))),
    }
}

/// `text ${Name} text ${Name.Attribute} ${!Literal}`.
fn read_sub(text: &str, mut variables: BTreeMap<String, Expression>) -> Result<Expression, Invalid> {
    let mut pieces = vec![];
    let mut values = vec![];
    let mut positions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        literal.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            literal.push_str("${");
            rest = after;
            continue;
        };
        rest = after;
        if let Some(escaped) = name.strip_prefix('!') {
            literal.push_str(&format!("${{{escaped}}}"));
            continue;
        }
        if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.:".contains(letter)) {
            return Err(Invalid::error(
                "variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons",
            ));
        }
        pieces.push(Piece::Text(std::mem::take(&mut literal)));
        let position = *positions.entry(name).or_insert_with(|| {
            values.push(match (variables.remove(name), name.split_once('.')) {
                (Some(variable), _) => variable,
                (None, Some((resource, attribute))) => {
                    Expression::GetAtt(resource.into(), Box::new(Expression::Value(attribute.into())))
                }
                (None, None) => Expression::Ref(name.into()),
            });
            values.len() - 1
        });
        pieces.push(Piece::Value(position));
    }
    literal.push_str(rest);
    pieces.push(Piece::Text(literal));
    pieces.retain(|piece| *piece != Piece::Text(String::new()));
    Ok(match pieces.as_slice() {
        [] => Expression::Value("".into()),
        [Piece::Text(text)] => Expression::Value(text.as_str().into()),
        _ => Expression::Sub(pieces, values),
    })
}

fn write_sub(pieces: &[Piece], values: &[Expression]) -> Value {
    let mut text = String::new();
    let mut variables = Map::new();
    for piece in pieces {
        match piece {
            Piece::Text(piece) => text.push_str(&piece.replace("${", "${!")),
            Piece::Value(position) => {
                let value = &values[*position];
                let name = match value {
                    Expression::Ref(name) => name.clone(),
                    Expression::GetAtt(resource, attribute) if attribute.value().is_some_and(Value::is_string) => {
                        format!("{resource}.{}", attribute.to_value().as_str().unwrap_or_default())
                    }
                    _ => {
                        let name = format!("Value{position}");
                        variables.entry(name.clone()).or_insert_with(|| value.to_value());
                        name
                    }
                };
                text.push_str(&format!("${{{name}}}"));
            }
        }
    }
    if variables.is_empty() { json!({ "Fn::Sub": text }) } else { json!({ "Fn::Sub": [text, variables] }) }
}
