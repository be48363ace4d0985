//! What the driver asks of the durable service: checkpoints, and pages of what it knows.

use std::fmt;
use std::pin::Pin;
use std::time::SystemTime;

use crate::clock::Clock;
use crate::error::with_causes;
use crate::wire::{CheckpointRequest, CheckpointResponse, Page};

pub(crate) type ServiceFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, ServiceError>> + Send + 'a>>;

/// The durable service. Over HTTP it is Lambda's API; the test kit has it in the process.
pub(crate) trait Service: Send + Sync {
    /// Takes updates, and says what changed.
    fn checkpoint<'a>(&'a self, arn: &'a str, request: &'a CheckpointRequest) -> ServiceFuture<'a, CheckpointResponse>;

    /// Reads a page of what is known.
    fn state<'a>(&'a self, arn: &'a str, token: &'a str, marker: &'a str) -> ServiceFuture<'a, Page>;

    /// Returns the time that timers go by.
    fn now(&self) -> SystemTime {
        self.clock().now()
    }

    /// Returns what tells that time.
    fn clock(&self) -> Clock {
        Clock::default()
    }
}

/// Why the service did not do what it was asked, after it was asked again where that helps.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// Another invocation may have more luck: the network, the service's own trouble, too many requests, or a token that
    /// another invocation has made void.
    #[error("{0}")]
    Transient(String),
    /// It will never do that.
    #[error("{message}")]
    Refused {
        /// The exception.
        error_type: String,
        /// What it said.
        message: String,
    },
}

impl ServiceError {
    /// Reads what the API answered instead of a result.
    pub(crate) fn of_answer(status: u16, error_type: &str, message: &str) -> Self {
        // AWS writes `Invalid checkpoint token`; some of its SDKs expect capitals.
        let token_is_void = message.to_ascii_lowercase().starts_with("invalid checkpoint token");
        let is_key_trouble = error_type.starts_with("KMS");
        if token_is_void || status == 429 || (status >= 500 && !is_key_trouble) {
            return Self::Transient(format!("{error_type}: {message}"));
        }
        Self::Refused { error_type: error_type.to_owned(), message: message.to_owned() }
    }

    /// Says why there is no answer, with the causes.
    pub(crate) fn of_failure(error: &dyn std::error::Error) -> Self {
        Self::Transient(with_causes(error))
    }

    /// Says what is wrong with an answer.
    pub(crate) fn unreadable(what: impl fmt::Display) -> Self {
        Self::Transient(format!("the service answered what cannot be read: {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_asks_for_another_invocation() {
        let check = |status, error_type: &str, message: &str, transient: bool| {
            let error = ServiceError::of_answer(status, error_type, message);
            assert_eq!(matches!(error, ServiceError::Transient(_)), transient, "{status} {error_type} {message}");
        };
        check(400, "InvalidParameterValueException", "Invalid checkpoint token", true);
        check(400, "InvalidParameterValueException", "Invalid Checkpoint Token: spent", true);
        check(400, "InvalidParameterValueException", "Invalid current STEP state", false);
        check(429, "TooManyRequestsException", "", true);
        check(500, "ServiceException", "", true);
        check(502, "KMSDisabledException", "", false);
        check(404, "ResourceNotFoundException", "", false);
    }
}
