//! How values become text and back. JSON, unless an operation is told otherwise.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;

/// Writes values as text and reads them back.
///
/// What it returns is what a handler sees, live and on replay: a value is read back from its text before it is given
/// to the handler.
///
/// ```
/// use everstep::{Result, Serdes, SerdesInfo};
///
/// /// Keeps numbers in hexadecimal.
/// struct Hexadecimal;
///
/// impl Serdes<u64> for Hexadecimal {
///     fn serialize(&self, value: &u64, _: &SerdesInfo<'_>) -> Result<String> {
///         Ok(format!("{value:x}"))
///     }
///
///     fn deserialize(&self, text: &str, _: &SerdesInfo<'_>) -> Result<u64> {
///         Ok(u64::from_str_radix(text, 16)?)
///     }
/// }
/// ```
pub trait Serdes<T>: Send + Sync {
    /// Writes a value.
    ///
    /// # Errors
    /// If it cannot be written; the operation fails.
    fn serialize(&self, value: &T, info: &SerdesInfo<'_>) -> Result<String>;

    /// Reads a value.
    ///
    /// # Errors
    /// If the text cannot be read.
    fn deserialize(&self, text: &str, info: &SerdesInfo<'_>) -> Result<T>;

    /// Reads a value of which nothing was recorded, as of a callback that was completed without a payload: as JSON's
    /// null, unless somebody knows better.
    ///
    /// # Errors
    /// If there must be a text.
    fn deserialize_absent(&self, info: &SerdesInfo<'_>) -> Result<T> {
        self.deserialize("null", info)
    }
}

/// What a value belongs to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SerdesInfo<'a> {
    /// The execution.
    pub execution_arn: &'a str,
    /// The operation, if it is the value of one.
    pub operation_id: Option<&'a str>,
    /// Its name.
    pub operation_name: Option<&'a str>,
}

/// JSON by `serde_json`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<T: Serialize + DeserializeOwned> Serdes<T> for Json {
    fn serialize(&self, value: &T, _info: &SerdesInfo<'_>) -> Result<String> {
        Ok(serde_json::to_string(value)?)
    }

    fn deserialize(&self, text: &str, _info: &SerdesInfo<'_>) -> Result<T> {
        Ok(serde_json::from_str(text)?)
    }
}

/// Text as it is; nothing reads as the empty text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw;

impl Serdes<String> for Raw {
    fn serialize(&self, value: &String, _info: &SerdesInfo<'_>) -> Result<String> {
        Ok(value.clone())
    }

    fn deserialize(&self, text: &str, _info: &SerdesInfo<'_>) -> Result<String> {
        Ok(text.to_owned())
    }

    fn deserialize_absent(&self, _info: &SerdesInfo<'_>) -> Result<String> {
        Ok(String::new())
    }
}

/// How a value that is only read is read.
pub(crate) struct Read<'a, T>(Box<ReadText<'a, T>>);

type ReadText<'a, T> = dyn Fn(Option<&str>, &SerdesInfo<'_>) -> Result<T> + Send + Sync + 'a;

impl<'a, T> Read<'a, T> {
    /// Reads JSON; nothing reads as null.
    pub(crate) fn json() -> Self
    where
        T: DeserializeOwned,
    {
        Self(Box::new(|text, _| Ok(serde_json::from_str(text.unwrap_or("null"))?)))
    }

    pub(crate) fn by(serdes: impl Serdes<T> + 'a) -> Self {
        Self(Box::new(move |text, info| match text {
            Some(text) => serdes.deserialize(text, info),
            None => serdes.deserialize_absent(info),
        }))
    }

    pub(crate) fn read(&self, text: Option<&str>, info: &SerdesInfo<'_>) -> Result<T> {
        self.0(text, info)
    }
}
