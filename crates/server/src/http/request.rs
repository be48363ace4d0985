//! A request that was routed and authenticated, and how operations read it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::body::Body;
use bytes::Bytes;
use everstep_api::validation::Violations;
use everstep_core::id::RequestId;
use everstep_core::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::warn;

use super::error::Error;
use crate::access::Principal;
use crate::limits::{MEMBER_CHARACTERS_SHOWN, MEMBERS_SHOWN};

/// A request whose sender is known.
#[derive(Debug)]
pub struct Request {
    /// Its id, which the invocation of a function has too.
    pub id: RequestId,
    /// The name of the operation that it asks for.
    pub operation: &'static str,
    /// The parameters of the path, decoded.
    pub parameters: Vec<String>,
    /// Who asks.
    pub principal: Principal,
    /// Whether the server asks for somebody, and may give names that are reserved for it.
    pub on_behalf: bool,
    /// Where it comes from, if it comes by the network.
    pub source_ip: Option<IpAddr>,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What is answered.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// Headers beside the ones that every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

impl Response {
    /// Answers with a JSON document.
    pub fn json(status: u16, document: &impl serde::Serialize) -> Self {
        Self::bytes(status, serde_json::to_vec(document).expect("shapes serialise"))
    }

    /// Answers without a body.
    pub fn empty(status: u16) -> Self {
        Self::bytes(status, Bytes::new())
    }

    /// Answers with a body that is JSON already, or of the type that a header says.
    pub fn bytes(status: u16, body: impl Into<Body>) -> Self {
        Self { status: status_code(status), headers: Vec::new(), body: body.into() }
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("status codes are written by hand")
}

impl Request {
    /// Returns a parameter of the path.
    pub fn parameter(&self, position: usize) -> &str {
        &self.parameters[position]
    }

    /// Returns the first value of a query parameter, `None` if it is absent or empty.
    pub fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Returns every value of a query parameter.
    pub fn query_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a query parameter that is `true` or `false`.
    ///
    /// # Errors
    /// A `SerializationException`-like error if it is neither.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Error> {
        match self.query(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(Error::serialization(format!("`{other}` is not `true` or `false`, in {name}"))),
        }
    }

    /// Returns how many items a page may have.
    ///
    /// # Errors
    /// A `ValidationException` if it is out of range.
    pub fn max_items(&self) -> Result<usize, Error> {
        let Some(text) = self.query("MaxItems") else { return Ok(PAGE_ITEMS_DEFAULT) };
        let number: i64 =
            text.parse().map_err(|_| Error::serialization(format!("`{text}` is not a number, in MaxItems")))?;
        let mut violations = Violations::default();
        violations.range(number, "maxItems", 0, PAGE_ITEMS_MAX as i64);
        violations.finish().map_err(Error::validation)?;
        Ok(if number == 0 { PAGE_ITEMS_DEFAULT } else { number as usize })
    }

    /// Returns a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads the body as a JSON document; an empty one counts as `{}`. Members that are unknown are logged.
    ///
    /// # Errors
    /// A `SerializationException` if it is not what it should be.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let (document, ignored) = self.read()?;
        self.warn_of(&ignored);
        Ok(document)
    }

    /// Reads the body as two documents whose members stand side by side.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn json_pair<A: DeserializeOwned, B: DeserializeOwned>(&self) -> Result<(A, B), Error> {
        let (first, ignored_by_first) = self.read()?;
        let (second, ignored_by_second) = self.read()?;
        self.warn_of(&ignored_by_first.intersection(&ignored_by_second).cloned().collect());
        Ok((first, second))
    }

    fn read<T: DeserializeOwned>(&self) -> Result<(T, BTreeSet<String>), Error> {
        let body = if self.body.is_empty() { b"{}" } else { &self.body[..] };
        // Shapes can be read from arrays as well, which nobody means.
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err(Error::serialization("Could not parse request body: it must be a JSON object"));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let read = read_noting_ignored(&mut deserializer);
        let read = read.and_then(|read| deserializer.end().map(|()| read));
        read.map_err(|error| Error::serialization(format!("Could not parse request body: {error}")))
    }

    /// Logs which members of the request were ignored.
    pub(super) fn warn_of(&self, ignored: &BTreeSet<String>) {
        if !ignored.is_empty() {
            // Names are the sender's, and may be of any number and length.
            let shown = |name: &String| name.chars().take(MEMBER_CHARACTERS_SHOWN).collect::<String>();
            let members: Vec<String> = ignored.iter().take(MEMBERS_SHOWN).map(shown).collect();
            warn!(operation = self.operation, ?members, "members of a request are unknown here and ignored");
        }
    }
}

/// Reads a shape. Returns the members that it does not have as well.
pub(super) fn read_noting_ignored<'de, T, D>(deserializer: D) -> Result<(T, BTreeSet<String>), D::Error>
where
    T: serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    let mut ignored = BTreeSet::new();
    let shape = serde_ignored::deserialize(deserializer, |path| {
        ignored.insert(path.to_string());
    })?;
    Ok((shape, ignored))
}

/// Reads a query string.
pub fn parse_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

/// Writes a page of a list, with the marker of the next one if there is one.
pub fn page(name: &str, items: Vec<Value>, next_marker: Option<String>) -> Value {
    let mut shape = serde_json::Map::new();
    shape.insert(name.into(), items.into());
    shape.extend(next_marker.map(|marker| ("NextMarker".to_string(), marker.into())));
    Value::Object(shape)
}
