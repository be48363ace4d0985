//! The service `everstep`: what an operator needs and AWS has no API for. Its paths begin with `/everstep/`.
//!
//! Only the operator may ask. Shapes are JSON with AWS's spelling of members.

mod backup;
mod clock;
mod keys;

use super::Services;
use super::error::Error;
use super::request::{Request, Response};

/// An operation of Everstep's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `ListKeys`
    ListKeys,
    /// `CreateKey`
    CreateKey,
    /// `RevokeKey`
    RevokeKey,
    /// `GetClock`
    GetClock,
    /// `AdvanceClock`
    AdvanceClock,
    /// `AdvanceClockToNextWakeUp`
    AdvanceClockToNextWakeUp,
    /// `GetBackup`
    GetBackup,
}

impl Operation {
    /// Every operation.
    #[cfg(test)]
    pub const ALL: [Self; 7] = [
        Self::ListKeys,
        Self::CreateKey,
        Self::RevokeKey,
        Self::GetClock,
        Self::AdvanceClock,
        Self::AdvanceClockToNextWakeUp,
        Self::GetBackup,
    ];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ListKeys => "ListKeys",
            Self::CreateKey => "CreateKey",
            Self::RevokeKey => "RevokeKey",
            Self::GetClock => "GetClock",
            Self::AdvanceClock => "AdvanceClock",
            Self::AdvanceClockToNextWakeUp => "AdvanceClockToNextWakeUp",
            Self::GetBackup => "GetBackup",
        }
    }

    /// Finds the operation of a method and a path. Returns the parameters of the path too.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(method: &str, path: &str) -> Result<(Self, Vec<String>), Error> {
        let rest = path.strip_prefix("/everstep/").unwrap_or_default();
        let found = match (method, rest) {
            ("GET", "keys") => Self::ListKeys,
            ("POST", "keys") => Self::CreateKey,
            ("GET", "clock") => Self::GetClock,
            ("POST", "clock/advance") => Self::AdvanceClock,
            ("POST", "clock/next") => Self::AdvanceClockToNextWakeUp,
            ("GET", "backup") => Self::GetBackup,
            ("DELETE", key) if key.strip_prefix("keys/").is_some_and(|id| !id.is_empty()) => {
                return Ok((Self::RevokeKey, vec![key["keys/".len()..].into()]));
            }
            _ => return Err(Error::unknown_operation(format!("There is no operation {method} {path}."))),
        };
        Ok((found, Vec::new()))
    }
}

/// Carries out an operation.
pub async fn serve(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    match operation {
        Operation::ListKeys => keys::list(services),
        Operation::CreateKey => keys::create(services, request).await,
        Operation::RevokeKey => keys::revoke(services, request).await,
        Operation::GetClock => Ok(clock::get(services)),
        Operation::AdvanceClock => clock::advance(services, request).await,
        Operation::AdvanceClockToNextWakeUp => clock::next(services).await,
        Operation::GetBackup => Ok(backup::get(services)),
    }
}
