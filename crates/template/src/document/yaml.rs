//! YAML as CloudFormation reads it: version 1.1's booleans, short tags (`!Ref`) become the long form
//! (`{"Ref": …}`), no aliases, no merges, no dates. Numbers that other readers would change (`0123`) stay texts.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Number, Value, json};

use crate::Invalid;
use crate::document::too_deep;
use crate::limits::NESTING_MAX;

/// Reads the one document of a text.
pub(super) fn parse(text: &str) -> Result<Value, Invalid> {
    Reader { parser: Parser::new_from_str(text) }.document()
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Value, Invalid> {
        let mut value = Value::Null;
        loop {
            match self.event()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::DocumentEnd, _) => break,
                (Event::StreamEnd, _) => return Ok(value),
                (event, span) => value = self.node(event, span, 0)?,
            }
        }
        match self.event()? {
            (Event::StreamEnd, _) => Ok(value),
            (_, span) => Err(malformed(span.start)),
        }
    }

    fn node(&mut self, event: Event<'_>, span: Span, depth: usize) -> Result<Value, Invalid> {
        let nests = matches!(event, Event::SequenceStart(..) | Event::MappingStart(..));
        if nests && depth >= NESTING_MAX {
            return Err(too_deep(&place(span.start)));
        }
        match event {
            Event::Scalar(text, style, _, tag) => {
                let text = text.into_owned();
                match tag.as_deref() {
                    Some(tag) => tagged(tag, |plain| if plain { scalar(&text, style) } else { json!(text) }, span),
                    None => Ok(scalar(&text, style)),
                }
            }
            Event::SequenceStart(_, tag) => {
                let mut items = vec![];
                loop {
                    match self.event()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                }
                let items = Value::Array(items);
                tag.map_or(Ok(items.clone()), |tag| tagged(&tag, |_| items, span))
            }
            Event::MappingStart(_, tag) => {
                let members = Value::Object(self.members(depth)?);
                tag.map_or(Ok(members.clone()), |tag| tagged(&tag, |_| members, span))
            }
            Event::Alias(_) => Err(Invalid::error(format!(
                "YAML aliases are not allowed in CloudFormation templates {}",
                place(span.start)
            ))),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Err(malformed(span.start)),
        }
    }

    fn members(&mut self, depth: usize) -> Result<Map<String, Value>, Invalid> {
        let mut members = Map::new();
        let mut keys = BTreeSet::new();
        loop {
            let (key, span) = match self.event()? {
                (Event::MappingEnd, _) => return Ok(members),
                (Event::Scalar(key, style, _, None), span) => {
                    if key == "<<" && style == ScalarStyle::Plain {
                        let place = place(span.start);
                        return Err(Invalid::error(format!(
                            "YAML merges are not allowed in CloudFormation templates {place}"
                        )));
                    }
                    (key.into_owned(), span)
                }
                (_, span) => return Err(malformed(span.start)),
            };
            if !keys.insert(key.clone()) {
                return Err(Invalid::format(format!("Duplicate key '{key}' {}", place(span.start))));
            }
            let (event, span) = self.event()?;
            let value = self.node(event, span, depth + 1)?;
            members.insert(key, value);
        }
    }

    fn event(&mut self) -> Result<(Event<'static>, Span), Invalid> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((owned(event), span)),
            Some(Err(error)) => Err(malformed(*error.marker())),
            None => Err(Invalid::format("YAML not well-formed.")),
        }
    }
}

/// Applies a tag. The content tells whether it is wanted as if it had none, or as a text.
fn tagged(tag: &Tag, content: impl FnOnce(bool) -> Value, span: Span) -> Result<Value, Invalid> {
    if tag.is_yaml_core_schema() {
        return match tag.suffix.as_str() {
            "str" => Ok(content(false)),
            "int" | "float" | "bool" | "null" | "map" | "seq" => Ok(content(true)),
            other => Err(Invalid::format(format!("unsupported tag !!{other} {}", place(span.start)))),
        };
    }
    match tag.suffix.as_str() {
        "" | "!" => Ok(content(false)),
        "Ref" => Ok(json!({ "Ref": content(false) })),
        "Condition" => Ok(json!({ "Condition": content(false) })),
        "GetAtt" => match content(false) {
            Value::String(path) => Ok(json!({ "Fn::GetAtt": attribute_path(&path) })),
            other => Ok(json!({ "Fn::GetAtt": other })),
        },
        name => Ok(json!({ format!("Fn::{name}"): content(true) })),
    }
}

/// `Resource.Attribute.With.Dots` as the two members of the long form.
fn attribute_path(path: &str) -> Vec<&str> {
    path.splitn(2, '.').collect()
}

/// A scalar without a tag: quoted ones are texts, and plain ones are what YAML 1.1 says, as far as a template has it.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return json!(text);
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => json!(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => json!(false),
        _ => number(text).map_or_else(|| json!(text), Value::Number),
    }
}

/// A number that is written as JSON writes it. Others, such as `0123`, `1_000` and `.5`, stay what somebody wrote.
fn number(text: &str) -> Option<Number> {
    let first = text.strip_prefix('-').unwrap_or(text).chars().next()?;
    first.is_ascii_digit().then(|| serde_json::from_str(text).ok()).flatten()
}

fn malformed(marker: Marker) -> Invalid {
    Invalid::format(format!("YAML not well-formed. {}", place(marker)))
}

fn place(marker: Marker) -> String {
    format!("(line {}, column {})", marker.line(), marker.col() + 1)
}

fn owned(event: Event<'_>) -> Event<'static> {
    let tag = |tag: Option<std::borrow::Cow<'_, Tag>>| tag.map(|tag| std::borrow::Cow::Owned(tag.into_owned()));
    match event {
        Event::Nothing => Event::Nothing,
        Event::StreamStart => Event::StreamStart,
        Event::StreamEnd => Event::StreamEnd,
        Event::DocumentStart(explicit) => Event::DocumentStart(explicit),
        Event::DocumentEnd => Event::DocumentEnd,
        Event::Alias(anchor) => Event::Alias(anchor),
        Event::Scalar(text, style, anchor, given) => Event::Scalar(text.into_owned().into(), style, anchor, tag(given)),
        Event::SequenceStart(anchor, given) => Event::SequenceStart(anchor, tag(given)),
        Event::SequenceEnd => Event::SequenceEnd,
        Event::MappingStart(anchor, given) => Event::MappingStart(anchor, tag(given)),
        Event::MappingEnd => Event::MappingEnd,
    }
}
