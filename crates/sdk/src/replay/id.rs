//! Names of operations on the wire, made from their place in the handler.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::{hex, sha256};

/// The scheme by which ids are made. Another one would not find the records of executions in flight, so a change of
/// it is a change of the major version.
pub(crate) const ID_SCHEME: u32 = 1;

/// The id of an operation, as the service keeps it: opaque, and unique in its execution.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(String);

impl OperationId {
    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<&str> for OperationId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

/// The place of an operation: its position in its context, behind that context's own place. `2-1` is the first
/// operation in the context that is the handler's second operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path(String);

impl Path {
    /// Returns the place of the operation at `position`, from 1, in the context that is here.
    pub(crate) fn child(&self, position: u32) -> Self {
        if self.0.is_empty() { Self(position.to_string()) } else { Self(format!("{}-{position}", self.0)) }
    }

    /// Returns the id of the operation that is here: 128 bits of SHA-256 of the place, as hexadecimal digits.
    pub(crate) fn id(&self) -> OperationId {
        const _: () = assert!(ID_SCHEME == 1, "another scheme needs another function");
        OperationId(hex(&sha256(self.0.as_bytes())[..16]))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_never_change() {
        let check = |path: &[u32], text: &str, id: &str| {
            let path = path.iter().fold(Path::default(), |path, position| path.child(*position));
            assert_eq!((path.to_string().as_str(), path.id().as_str()), (text, id));
        };
        check(&[1], "1", "6b86b273ff34fce19d6b804eff5a3f57");
        check(&[2, 1, 3], "2-1-3", "c00876d4d917a061ad5a377270e05999");
    }
}
