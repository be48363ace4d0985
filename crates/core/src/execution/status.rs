//! How an execution stands, in AWS's words.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The status of an execution. Source: Lambda API, `ExecutionStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExecutionStatus {
    /// Under way: running or asleep.
    Running,
    /// Over, with a result.
    Succeeded,
    /// Over, with an error.
    Failed,
    /// Over: it took too long.
    TimedOut,
    /// Over: stopped from outside.
    Stopped,
    /// Over, and about to be forgotten.
    Deleting,
    /// Its pause takes hold when the running invocation lets go.
    Pausing,
    /// Nothing runs until it is resumed.
    Paused,
}

impl ExecutionStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Stopped,
        Self::Deleting,
        Self::Pausing,
        Self::Paused,
    ];

    /// Returns AWS's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
            Self::Deleting => "DELETING",
            Self::Pausing => "PAUSING",
            Self::Paused => "PAUSED",
        }
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text is not the name of an execution status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the status of an execution")]
pub struct UnknownStatus(String);

impl FromStr for ExecutionStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| UnknownStatus(text.into()))
    }
}
