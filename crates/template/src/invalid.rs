//! What is wrong with a template or what it is given, in AWS's words.

/// A template, or what it is given, that CloudFormation refuses: always the caller's fault, a `ValidationError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    /// Something that has words of its own.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A template whose form is wrong.
    pub(crate) fn format(message: impl AsRef<str>) -> Self {
        Self(format!("Template format error: {}", message.as_ref()))
    }

    /// A function that is used wrongly.
    pub(crate) fn error(message: impl AsRef<str>) -> Self {
        Self(format!("Template error: {}", message.as_ref()))
    }
}
