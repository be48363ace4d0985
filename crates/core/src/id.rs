//! Names and identifiers, each a type of its own, and the ARN of an execution.
//!
//! Formats: Lambda API, shapes of the same names. Lengths are in [`crate::limits`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits;

/// Why a text is not the identifier it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}")]
pub struct ParseError {
    text: String,
    what: &'static str,
}

impl ParseError {
    fn new(text: &str, what: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), what }
    }
}

/// Letters, digits, hyphen and underscore: what most of AWS's names are made of.
pub fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Declares text identifiers: cheap to clone, checked when parsed, trusted afterwards.
macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident, $max:expr, $valid:expr, $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                let valid: fn(&str) -> bool = $valid;
                if text.is_empty() || text.chars().count() > $max || !valid(text) {
                    return Err(ParseError::new(text, $what));
                }
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, formatter)
            }
        }
    )*};
}

text_ids! {
    /// The name of an execution, unique within its function.
    ExecutionName, limits::EXECUTION_NAME_CHARACTERS_MAX, is_word, "an execution name: letters, digits, `-` and `_`, at most 64";
    /// The id of an operation, chosen by the SDK, unique within its execution.
    OperationId, limits::OPERATION_ID_CHARACTERS_MAX, is_word, "an operation id: letters, digits, `-` and `_`, at most 64";
    /// The name of an operation: printable ASCII.
    OperationName, limits::OPERATION_NAME_CHARACTERS_MAX, |text| text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "an operation name: printable ASCII, at most 256";
    /// What kind of step, wait or context an operation is, in the SDK's words.
    SubType, limits::OPERATION_SUB_TYPE_CHARACTERS_MAX, is_word, "an operation sub type: letters, digits, `-` and `_`, at most 32";
    /// The name of a function.
    FunctionName, 64, is_word, "a function name: letters, digits, `-` and `_`, at most 64";
    /// What makes a repeated request recognisable.
    ClientToken, limits::CLIENT_TOKEN_CHARACTERS_MAX, |text| text.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "a client token: printable ASCII without spaces, at most 64";
    /// The tenant that an invocation belongs to.
    TenantId, limits::TENANT_ID_CHARACTERS_MAX, |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/=+-@ ".contains(&byte)), "a tenant id: letters, digits and `._:/=+-@ `, at most 256";
}

/// The id of an execution: the last part of its ARN, and the id of its EXECUTION operation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionId(Uuid);

impl ExecutionId {
    /// Makes an id of 16 bytes, random ones in real life.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Returns the 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl FromStr for ExecutionId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let what = "an execution id: a UUID in lower case with hyphens";
        let id = Uuid::try_parse(text).map(Self).map_err(|_| ParseError::new(text, what))?;
        if id.to_string() == text { Ok(id) } else { Err(ParseError::new(text, what)) }
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl fmt::Debug for ExecutionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// The id of one invocation of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Makes an id of 16 bytes, random ones in real life.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// A version of a function: the one that can still change, or a published one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `$LATEST`.
    Latest,
    /// A published version, counted from 1.
    Number(u64),
}

impl FromStr for Version {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == "$LATEST" {
            return Ok(Self::Latest);
        }
        match text.parse() {
            Ok(number) if number > 0 && !text.starts_with(['0', '+']) => Ok(Self::Number(number)),
            Ok(_) | Err(_) => Err(ParseError::new(text, "a version: `$LATEST` or a number")),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => formatter.write_str("$LATEST"),
            Self::Number(number) => write!(formatter, "{number}"),
        }
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a server stands in the world of ARNs: its Region and account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The Region, such as `us-east-1`.
    pub region: Arc<str>,
    /// The account, twelve digits.
    pub account: Arc<str>,
}

impl Place {
    /// Returns the ARN of a function in this place, without a qualifier.
    pub fn function_arn(&self, function: &FunctionName) -> String {
        format!("arn:aws:lambda:{}:{}:function:{function}", self.region, self.account)
    }
}

/// The ARN of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecutionArn {
    /// Region and account.
    pub place: Place,
    /// The function.
    pub function: FunctionName,
    /// The version that the execution is pinned to.
    pub version: Version,
    /// The execution's name.
    pub name: ExecutionName,
    /// The execution's id, as written: it may belong to no execution.
    pub id: String,
}

impl fmt::Display for ExecutionArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, function, version, name, id } = self;
        write!(formatter, "{}:{version}/durable-execution/{name}/{id}", place.function_arn(function))
    }
}

impl FromStr for ExecutionArn {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_execution_arn(text).ok_or_else(|| ParseError::new(text, "the ARN of a durable execution"))
    }
}

fn parse_execution_arn(text: &str) -> Option<ExecutionArn> {
    if text.len() > limits::EXECUTION_ARN_CHARACTERS_MAX {
        return None;
    }
    let mut slashes = text.split('/');
    let (function, kind, name, id) = (slashes.next()?, slashes.next()?, slashes.next()?, slashes.next()?);
    let colons: Vec<&str> = function.split(':').collect();
    let ["arn", partition, "lambda", region, account, "function", function, version] = colons[..] else {
        return None;
    };
    let well_formed = kind == "durable-execution"
        && slashes.next().is_none()
        && !partition.is_empty()
        && !region.is_empty()
        && [partition, region].iter().all(|part| is_word(part) && !part.contains('_'))
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && !id.is_empty()
        && is_word(id);
    if !well_formed {
        return None;
    }
    Some(ExecutionArn {
        place: Place { region: region.into(), account: account.into() },
        function: function.parse().ok()?,
        version: version.parse().ok()?,
        name: name.parse().ok()?,
        id: id.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn execution_arn_survives_a_round_trip() {
        for text in [
            "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/n/00000000-0000-0000-0000-000000000001",
            "arn:aws:lambda:us-east-1:123456789012:function:f_1:7/durable-execution/n-1/abc",
        ] {
            assert_eq!(text.parse::<ExecutionArn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn execution_arn_holds_its_length() {
        let arn = |id: usize| {
            let function = "arn:aws:lambda:us-east-1:123456789012:function:f:1";
            format!("{function}/durable-execution/n/{}", "i".repeat(id))
        };
        let fill = 1_024 - arn(0).len();
        assert!(arn(fill).parse::<ExecutionArn>().is_ok());
        assert!(arn(fill + 1).parse::<ExecutionArn>().is_err());
    }

    #[test]
    fn nonsense_is_no_execution_arn() {
        for text in [
            "",
            "arn:aws:lambda:us-east-1:123456789012:function:f",
            "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/n",
            "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/n/i/more",
            "arn:aws:lambda:us-east-1:12345678901:function:f:$LATEST/durable-execution/n/i",
            "arn:aws:lambda:us-east-1:123456789012:function:f:live/durable-execution/n/i",
            "arn:aws:lambda:us-east-1:123456789012:function:f.g:1/durable-execution/n/i",
        ] {
            assert!(text.parse::<ExecutionArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_hold_their_length_and_alphabet() {
        assert!("n".repeat(64).parse::<ExecutionName>().is_ok());
        assert!("n".repeat(65).parse::<ExecutionName>().is_err());
        assert!("i".repeat(64).parse::<OperationId>().is_ok());
        assert!("i".repeat(65).parse::<OperationId>().is_err());
        assert!("n".repeat(256).parse::<OperationName>().is_ok());
        assert!("n".repeat(257).parse::<OperationName>().is_err());
        assert!("s".repeat(32).parse::<SubType>().is_ok());
        assert!("s".repeat(33).parse::<SubType>().is_err());
        assert!("c".repeat(64).parse::<ClientToken>().is_ok());
        assert!("c".repeat(65).parse::<ClientToken>().is_err());
        assert!("t".repeat(256).parse::<TenantId>().is_ok());
        assert!("t".repeat(257).parse::<TenantId>().is_err());
        assert!("naïve".parse::<OperationName>().is_err());
        assert!("".parse::<OperationId>().is_err());
        assert!("0".parse::<Version>().is_err());
        assert!("01".parse::<Version>().is_err());
    }
}
