//! What users put in and get out: opaque text, kept apart from the state when it is large.
//!
//! The core never looks into a payload. A large one is known here by its digest and size only, so that the
//! cached state of an execution stays small; whoever shows it to a user fetches the text from the store.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::limits::INLINE_PAYLOAD_BYTES_MAX;

/// The SHA-256 digest of a payload's text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Computes the digest of `text`.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Returns the 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        let valid = text.is_ascii()
            && text.len() == 64
            && bytes
                .iter_mut()
                .enumerate()
                .all(|(i, byte)| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map(|value| *byte = value).is_ok());
        if valid { Ok(Self(bytes)) } else { Err(serde::de::Error::custom("a digest is 64 hexadecimal digits")) }
    }
}

/// Opaque UTF-8 text of a user: inside the record when small, by reference when large.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Payload {
    /// The text itself, at most [`INLINE_PAYLOAD_BYTES_MAX`] bytes.
    Inline(Arc<str>),
    /// The text's digest and size; the store has the text.
    Stored {
        /// Digest of the text.
        digest: Digest,
        /// Size of the text in bytes.
        bytes: u64,
    },
}

impl Payload {
    /// Takes `text` in: the payload, and the text to store beside it if it is large.
    pub fn intern(text: Arc<str>) -> (Self, Option<(Digest, Arc<str>)>) {
        if text.len() <= INLINE_PAYLOAD_BYTES_MAX {
            return (Self::Inline(text), None);
        }
        let digest = Digest::of(&text);
        (Self::Stored { digest, bytes: text.len() as u64 }, Some((digest, text)))
    }

    /// Returns the size of the text in bytes.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Inline(text) => text.len() as u64,
            Self::Stored { bytes, .. } => *bytes,
        }
    }
}

impl From<&str> for Payload {
    /// Makes an inline payload of a text that is known to be small.
    fn from(text: &str) -> Self {
        Self::Inline(text.into())
    }
}

/// Takes texts in on their way to a commit: hands out payloads, keeps what must be stored beside them.
#[derive(Debug, Default)]
pub struct Intake {
    texts: Vec<(Digest, Arc<str>)>,
}

impl Intake {
    /// Takes in a text.
    pub fn payload(&mut self, text: impl Into<Arc<str>>) -> Payload {
        let (payload, large) = Payload::intern(text.into());
        self.texts.extend(large);
        payload
    }

    /// Takes in an error.
    pub fn error(&mut self, error: &ErrorObject) -> ErrorDocument {
        ErrorDocument(self.payload(error.to_json()))
    }

    /// Returns the large texts taken in so far.
    pub fn texts(&self) -> &[(Digest, Arc<str>)] {
        &self.texts
    }

    /// Returns the large texts.
    pub fn into_texts(self) -> Vec<(Digest, Arc<str>)> {
        self.texts
    }
}

/// The texts of payloads that are about to be shown.
#[derive(Clone, Debug, Default)]
pub struct Texts(HashMap<Digest, Arc<str>>);

impl Texts {
    /// Adds the text of a large payload.
    pub fn insert(&mut self, digest: Digest, text: Arc<str>) {
        self.0.insert(digest, text);
    }

    /// Tells whether the text of `payload` is at hand.
    pub fn has(&self, payload: &Payload) -> bool {
        match payload {
            Payload::Inline(_) => true,
            Payload::Stored { digest, .. } => self.0.contains_key(digest),
        }
    }

    /// Returns the text of a payload.
    ///
    /// # Panics
    /// If a large text was not added before: whoever shows a payload fetches it first.
    pub fn get<'a>(&'a self, payload: &'a Payload) -> &'a str {
        match payload {
            Payload::Inline(text) => text,
            Payload::Stored { digest, .. } => {
                self.0.get(digest).expect("large texts are fetched before they are shown")
            }
        }
    }
}

/// An error as the Lambda API carries it. Source: Lambda API, `ErrorObject`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ErrorObject {
    /// What went wrong, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// What went wrong, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Data of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_data: Option<String>,
    /// Where it went wrong, one frame an entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<Vec<String>>,
}

impl ErrorObject {
    /// Makes an error of a type and a message.
    pub fn new(error_type: &str, error_message: impl Into<String>) -> Self {
        Self { error_type: Some(error_type.into()), error_message: Some(error_message.into()), ..Self::default() }
    }

    /// Reads an error that was written by [`Self::to_json`], or `None` if the text is none.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Returns the error as JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings serialise")
    }
}

/// An [`ErrorObject`] as JSON text, kept like any other payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorDocument(pub Payload);

impl From<&ErrorObject> for ErrorDocument {
    /// Makes an inline document of an error that the service itself words, which is small.
    fn from(error: &ErrorObject) -> Self {
        Self(Payload::Inline(error.to_json().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_over_the_limit_are_kept_apart() {
        for (bytes, apart) in [(4_096, false), (4_097, true)] {
            let (payload, large) = Payload::intern("x".repeat(bytes).into());
            assert_eq!((payload.bytes(), large.is_some()), (bytes as u64, apart));
        }
    }

    #[test]
    fn digests_survive_a_round_trip_and_nonsense_does_not() {
        let digest = Digest::of("x");
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        for nonsense in ["\"\"", "\"0\"", &format!("\"{}\"", "g".repeat(64)), &format!("\"{}\"", "ü".repeat(32))] {
            assert!(serde_json::from_str::<Digest>(nonsense).is_err(), "{nonsense}");
        }
    }
}
