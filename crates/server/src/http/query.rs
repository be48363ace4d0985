//! AWS's query protocol, which CloudFormation, IAM and STS speak: a form comes in, XML goes out.
//!
//! The members of a request are the names of a form: `Tags.member.1.Key=a` is the member `Key` of the first of `Tags`.
//! An operation reads them into its shape by [`Request::form`], and answers with JSON, which [`answer`] writes as XML.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::Writer;
use quick_xml::events::{BytesText, Event};
use serde::de::value::{MapDeserializer, SeqDeserializer, StringDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};
use serde_json::Value;

use super::error::Error;
use super::request::{Request, Response, parse_query, read_noting_ignored};
use crate::limits::FORM_DEPTH_MAX;

/// A service that speaks the query protocol.
#[derive(Clone, Copy, Debug)]
pub struct Api {
    /// The namespace of its answers.
    pub namespace: &'static str,
}

/// The name of the operation in a form.
const ACTION: &str = "Action";

impl Request {
    /// Reads the body as a form into two shapes whose members stand side by side.
    ///
    /// # Errors
    /// As [`Self::form`].
    pub fn form_pair<A: DeserializeOwned, B: DeserializeOwned>(&self) -> Result<(A, B), Error> {
        if self.on_behalf {
            return self.json_pair();
        }
        let (first, ignored_by_first) = self.read_form()?;
        let (second, ignored_by_second) = self.read_form()?;
        self.warn_of(&ignored_by_first.intersection(&ignored_by_second).cloned().collect());
        Ok((first, second))
    }

    /// Reads the body as a form into a shape. Members that are unknown are logged.
    ///
    /// # Errors
    /// A `MalformedInput` or a `ValidationError` if it is not what it should be.
    pub fn form<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if self.on_behalf {
            return self.json();
        }
        let (shape, ignored) = self.read_form()?;
        self.warn_of(&ignored);
        Ok(shape)
    }

    /// Returns a member of the form that is a text, if it is there and not empty.
    pub fn member(&self, name: &str) -> Option<String> {
        if self.on_behalf {
            let body: Value = serde_json::from_slice(&self.body).ok()?;
            return body[name].as_str().map(Into::into);
        }
        let found = parse_query(&String::from_utf8_lossy(&self.body)).into_iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    fn read_form<T: DeserializeOwned>(&self) -> Result<(T, BTreeSet<String>), Error> {
        let mut form = Node::read(&self.body)?;
        // They say which operation is meant, and are no members of it.
        form.members.remove(ACTION);
        form.members.remove("Version");
        read_noting_ignored(form).map_err(|error| Error::validation(format!("The request could not be read: {error}")))
    }
}

/// Returns which operation a form asks for.
///
/// # Errors
/// If it names none.
pub fn action(body: &[u8]) -> Result<String, Error> {
    let pairs = parse_query(&String::from_utf8_lossy(body));
    let action = pairs.into_iter().find(|(name, value)| name == ACTION && !value.is_empty());
    action.map(|(_, action)| action).ok_or_else(|| {
        Error::named(
            400,
            "MissingAction",
            "The request is missing an Action: it must be a form with a member `Action`.",
        )
    })
}

/// Writes what an operation answers: `<NameResponse><NameResult>…`, or without a result if it has none.
///
/// What the server asks for on somebody's behalf comes and goes as JSON.
pub fn answer(api: Api, request: &Request, result: &Value) -> Response {
    if request.on_behalf {
        return Response::json(200, result);
    }
    let operation = request.operation;
    let text = document(&format!("{operation}Response"), Some(api.namespace), |writer| {
        if !result.is_null() {
            element(writer, &format!("{operation}Result"), result)?;
        }
        let metadata = serde_json::json!({"RequestId": request.id.to_string()});
        element(writer, "ResponseMetadata", &metadata)
    });
    Response::bytes(200, text)
}

/// Writes an error.
pub fn error(error: &Error, request_id: &str) -> Response {
    let kind = if error.status >= 500 { "Receiver" } else { "Sender" };
    let shape = serde_json::json!({"Type": kind, "Code": code(error.code), "Message": error.message});
    let text = document("ErrorResponse", None, |writer| {
        element(writer, "Error", &shape)?;
        element(writer, "RequestId", &request_id.into())
    });
    Response::bytes(error.status, text)
}

/// Returns how services of this protocol name an exception that every service has. Source: CloudFormation API, common errors.
fn code(code: &'static str) -> &'static str {
    match code {
        "AccessDeniedException" => "AccessDenied",
        "ExpiredTokenException" => "ExpiredToken",
        "IncompleteSignatureException" => "IncompleteSignature",
        "InvalidSignatureException" => "SignatureDoesNotMatch",
        "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
        "NotImplementedException" => "NotImplemented",
        "ServiceException" => "InternalFailure",
        "UnknownOperationException" => "InvalidAction",
        "UnrecognizedClientException" => "InvalidClientTokenId",
        "ValidationException" => "ValidationError",
        other => other,
    }
}

type Xml = Writer<Vec<u8>>;

fn document(root: &str, namespace: Option<&str>, content: impl FnOnce(&mut Xml) -> std::io::Result<()>) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let element = writer.create_element(root).with_attributes(namespace.map(|namespace| ("xmlns", namespace)));
    element.write_inner_content(content).expect("memory can be written");
    writer.into_inner()
}

/// Writes a value as an element: members of an object inside it, items of a list as `member`; what is null not at all.
fn element(writer: &mut Xml, name: &str, value: &Value) -> std::io::Result<()> {
    let text = match value {
        Value::Null => return Ok(()),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.chars().map(|letter| if allowed(letter) { letter } else { '\u{fffd}' }).collect(),
        Value::Array(items) => {
            let members = |writer: &mut Xml| items.iter().try_for_each(|item| element(writer, "member", item));
            return writer.create_element(name).write_inner_content(members).map(drop);
        }
        Value::Object(members) => {
            let members = |writer: &mut Xml| members.iter().try_for_each(|(name, value)| element(writer, name, value));
            return writer.create_element(name).write_inner_content(members).map(drop);
        }
    };
    let content = |writer: &mut Xml| writer.write_event(Event::Text(BytesText::new(&text)));
    writer.create_element(name).write_inner_content(content).map(drop)
}

/// Tells whether XML can hold a character. Source: XML 1.0, `Char`.
fn allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// A member of a form: a text, or members below it, or both as nobody should send them.
#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    members: BTreeMap<String, Node>,
}

impl Node {
    fn read(body: &[u8]) -> Result<Self, Error> {
        let text =
            std::str::from_utf8(body).map_err(|_| Error::named(400, "MalformedInput", "The form is not UTF-8."))?;
        let mut root = Self::default();
        for (name, value) in parse_query(text) {
            if name.split('.').count() > FORM_DEPTH_MAX {
                let message = format!("The name of a member has more than {FORM_DEPTH_MAX} parts.");
                return Err(Error::named(400, "MalformedInput", message));
            }
            let node = name.split('.').fold(&mut root, |node, part| node.members.entry(part.into()).or_default());
            node.text = Some(value);
        }
        Ok(root)
    }

    /// Returns the items of a list, in the order of their numbers. A list that is empty is sent as an empty text.
    fn items(mut self) -> Vec<Self> {
        let numbered = self.members.remove("member").map_or(self.members, |list| list.members);
        let mut items: Vec<(u64, Self)> = numbered
            .into_iter()
            .filter_map(|(number, item)| number.parse().ok().map(|number| (number, item)))
            .collect();
        items.sort_by_key(|(number, _)| *number);
        items.into_iter().map(|(_, item)| item).collect()
    }

    fn text(self) -> Result<String, NotRead> {
        let Self { text, members } = self;
        match text {
            Some(text) if members.is_empty() => Ok(text),
            Some(_) | None => Err(serde::de::Error::custom("a text was expected, and members came")),
        }
    }
}

/// Why a form is not the shape that was expected.
type NotRead = serde::de::value::Error;

impl<'de> IntoDeserializer<'de, NotRead> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads the text as what is expected.
macro_rules! parsed {
    ($($method:ident $visit:ident $kind:ty,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotRead> {
            let text = self.text()?;
            let value: $kind = text.parse().map_err(|_| {
                serde::de::Error::custom(format!("`{text}` is not a {}", stringify!($kind)))
            })?;
            visitor.$visit(value)
        })*
    };
}

impl<'de> Deserializer<'de> for Node {
    type Error = NotRead;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotRead> {
        if self.members.is_empty() { visitor.visit_string(self.text()?) } else { self.deserialize_map(visitor) }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotRead> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotRead> {
        visitor.visit_seq(SeqDeserializer::new(self.items().into_iter()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotRead> {
        visitor.visit_map(MapDeserializer::new(self.members.into_iter()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NotRead> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NotRead> {
        StringDeserializer::new(self.text()?).deserialize_enum(name, variants, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, NotRead> {
        visitor.visit_newtype_struct(self)
    }

    parsed! {
        deserialize_bool visit_bool bool,
        deserialize_i64 visit_i64 i64,
        deserialize_u64 visit_u64 u64,
        deserialize_i32 visit_i32 i32,
        deserialize_u32 visit_u32 u32,
        deserialize_f64 visit_f64 f64,
    }

    forward_to_deserialize_any! {
        i8 i16 u8 u16 f32 char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "PascalCase")]
    struct Shape {
        name: Option<String>,
        #[serde(default)]
        tags: Vec<Tag>,
        #[serde(default)]
        names: Vec<String>,
        #[serde(default)]
        flag: bool,
        count: Option<i64>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "PascalCase")]
    struct Tag {
        key: String,
        value: String,
    }

    fn check(form: &str, expected: &Result<Shape, &str>) {
        let read = Node::read(form.as_bytes()).map_err(|error| error.message);
        let shape = read.and_then(|node| Shape::deserialize(node).map_err(|error| error.to_string()));
        assert_eq!(shape.as_ref().map_err(String::as_str), expected.as_ref().map_err(|message| *message), "{form}");
    }

    #[test]
    fn forms_are_read_into_shapes() {
        let empty = || Shape { name: None, tags: Vec::new(), names: Vec::new(), flag: false, count: None };
        let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
        check("", &Ok(empty()));
        check("Name=a%20b+c&Other=1&Deep.er=2", &Ok(Shape { name: Some("a b c".into()), ..empty() }));
        check("Names=&Tags=", &Ok(empty()));
        check(
            "Names.member.10=c&Names.member.2=b&Names.member.1=a",
            &Ok(Shape { names: vec!["a".into(), "b".into(), "c".into()], ..empty() }),
        );
        // Flat lists have no `member`.
        check("Names.1=a&Names.2=b", &Ok(Shape { names: vec!["a".into(), "b".into()], ..empty() }));
        check(
            "Tags.member.1.Key=k&Tags.member.1.Value=&Tags.member.2.Key=l&Tags.member.2.Value=v",
            &Ok(Shape { tags: vec![tag("k", ""), tag("l", "v")], ..empty() }),
        );
        check("Flag=true&Count=-5", &Ok(Shape { flag: true, count: Some(-5), ..empty() }));
        check("Flag=yes", &Err("`yes` is not a bool"));
        check("Count=", &Err("`` is not a i64"));
        check("Name.member.1=a", &Err("invalid type: map, expected a string"));
        check("Count.member.1=5", &Err("a text was expected, and members came"));
        check("Tags.member.1.Key=k", &Err("missing field `Value`"));
    }

    #[test]
    fn names_have_so_many_parts_at_most() {
        let deepest = vec!["a"; FORM_DEPTH_MAX].join(".");
        check(&deepest, &Ok(Shape { name: None, tags: Vec::new(), names: Vec::new(), flag: false, count: None }));
        check(&format!("{deepest}.a"), &Err("The name of a member has more than 16 parts."));
    }

    #[test]
    fn json_is_written_as_xml() {
        let value = json!({
            "List": [{"A": 1}, {"B": true}], "None": [], "Text": "<&>\"' \u{1}", "Null": null, "Object": {},
        });
        let text = document("R", Some("urn:n"), |writer| element(writer, "V", &value));
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "<R xmlns=\"urn:n\"><V><List><member><A>1</A></member><member><B>true</B></member></List><None></None>\
             <Object></Object><Text>&lt;&amp;&gt;&quot;&apos; \u{fffd}</Text></V></R>"
        );
    }
}
