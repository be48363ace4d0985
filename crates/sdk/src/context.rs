//! What a handler calls durable operations on.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use crate::digest::sha256;
use crate::limits::NAME_CHARACTERS_MAX;
use crate::scope::Scope;

/// The durable context of a handler, of a child context, or of a branch.
///
/// It is owned and cannot be cloned: which operation comes first is said by the code, and the compiler sees to it that
/// two pieces of code do not call operations on one context at the same time. The operations themselves do not borrow
/// it: they may be awaited in any order, together, or never.
pub struct Context {
    pub(crate) scope: Arc<Scope>,
    uuids: u32,
}

impl Context {
    pub(crate) fn new(scope: Arc<Scope>) -> Self {
        Self { scope, uuids: 0 }
    }

    /// Returns the ARN of the execution.
    pub fn execution_arn(&self) -> &str {
        &self.scope.journal.invocation.execution_arn
    }

    /// Returns the time at which the last operation of this context ended, or else the execution began: the same on
    /// every replay. Operations that are contexts themselves, such as [`child`](Self::child) or [`map`](Self::map), do
    /// not count: the handler goes on before the service has recorded their end.
    pub fn now(&self) -> SystemTime {
        self.scope.now()
    }

    /// Returns an id that nobody else has, and that is the same on every replay.
    pub fn uuid(&mut self) -> Uuid {
        self.uuids += 1;
        let name = format!("{} {} {}", self.execution_arn(), self.scope.path(), self.uuids);
        let bytes = sha256(name.as_bytes())[..16].try_into().expect("SHA-256 gives 32 bytes");
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// Tells whether the code that runs now ran before, in an earlier invocation.
    pub fn is_replaying(&self) -> bool {
        self.scope.is_replaying()
    }

    /// Returns when Lambda ends this invocation.
    pub fn deadline(&self) -> SystemTime {
        self.scope.journal.invocation.deadline
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Context({})", self.scope.path())
    }
}

/// The name of an operation: text, or nothing.
///
/// Names are checked on replay, and are what histories, traces and errors show. At most 256 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Option<String>);

impl Name {
    /// No name.
    pub const NONE: Self = Self(None);

    /// Returns the name, if there is one.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Returns what is wrong with it.
    pub(crate) fn problem(&self) -> Option<String> {
        let name = self.as_str()?;
        let is_good = (1..=NAME_CHARACTERS_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        (!is_good).then(|| {
            format!("the name `{name}` of an operation must be 1 to {NAME_CHARACTERS_MAX} printable ASCII characters")
        })
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(Some(name.to_owned()))
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(Some(name))
    }
}

impl From<&String> for Name {
    fn from(name: &String) -> Self {
        Self(Some(name.clone()))
    }
}

impl From<Option<&str>> for Name {
    fn from(name: Option<&str>) -> Self {
        Self(name.map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_limits() {
        let check = |name: &str, is_good: bool| assert_eq!(Name::from(name).problem().is_none(), is_good, "{name}");
        check("charge the card", true);
        check(&"x".repeat(NAME_CHARACTERS_MAX), true);
        check(&"x".repeat(NAME_CHARACTERS_MAX + 1), false);
        check("", false);
        check("naïve", false);
        check("a\nb", false);
        assert_eq!(Name::NONE.problem(), None);
    }
}
