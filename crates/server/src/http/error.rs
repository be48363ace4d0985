//! AWS's errors: the only place that knows status codes and exception names.

use everstep_core::{Rejection, RejectionKind};
use everstep_worker::Throttle;
use serde_json::{Map, Value};

/// A request that was not carried out, in AWS's terms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    /// The status code.
    pub status: u16,
    /// The name of the exception.
    pub code: &'static str,
    /// What is wrong, for the caller.
    pub message: String,
    /// How the exception's model spells the message member.
    member: &'static str,
    /// Why it is throttled, if it is: `Reason` of a `TooManyRequestsException`.
    reason: Option<&'static str>,
}

impl Error {
    const fn new(status: u16, code: &'static str, member: &'static str, message: String) -> Self {
        Self { status, code, message, member, reason: None }
    }

    /// An exception that only one service has.
    pub fn named(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, code, "message", message.into())
    }

    /// A parameter makes no sense.
    pub fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterValueException", "message", message.into())
    }

    /// A parameter breaks a constraint of the model.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationException", "message", message.into())
    }

    /// A member that the model requires is not there.
    pub fn missing(member: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    }

    /// The body is not the JSON it should be.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::new(400, "SerializationException", "message", message.into())
    }

    /// The payload of an invocation is not JSON.
    pub fn invalid_request_content(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidRequestContentException", "message", message.into())
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "ResourceNotFoundException", "Message", message.into())
    }

    /// The state forbids it.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "ResourceConflictException", "message", message.into())
    }

    /// The revision is another one by now; `operation` tells which one.
    pub fn precondition_failed(operation: &str) -> Self {
        let message = format!(
            "The Revision Id provided does not match the latest Revision Id. Call the {operation} API to retrieve the latest Revision Id"
        );
        Self::new(412, "PreconditionFailedException", "Message", message)
    }

    /// A resource policy would be too long.
    pub fn policy_too_long(bytes: usize, bytes_max: usize) -> Self {
        let message = format!("The final policy size ({bytes}) is bigger than the limit ({bytes_max}).");
        Self::new(400, "PolicyLengthExceededException", "message", message)
    }

    /// There are too many executions of `sam local`.
    pub fn too_many_executions(max: usize) -> Self {
        let message = format!("There are {max} executions of `sam local`: wait until some are forgotten.");
        Self::new(429, "TooManyRequestsException", "message", message)
    }

    /// An execution with that name was started with other input.
    pub fn already_started(arn: &str) -> Self {
        let message = format!("Execution already started: {arn}");
        Self::new(409, "DurableExecutionAlreadyStartedException", "Message", message)
    }

    /// The request is larger than the route takes.
    pub fn too_large(bytes_max: u64) -> Self {
        let message = format!("Request must be smaller than {bytes_max} bytes for the operation");
        Self::new(413, "RequestEntityTooLargeException", "message", message)
    }

    /// The payload of an invocation is too large.
    pub fn request_too_large(bytes: u64, bytes_max: u64) -> Self {
        let message = format!("{bytes} byte payload is too large for an invocation (limit {bytes_max} bytes)");
        Self::new(413, "RequestTooLargeException", "message", message)
    }

    /// A parameter of CloudWatch Logs makes no sense.
    pub fn logs_invalid_parameter(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterException", "message", message.into())
    }

    /// CloudWatch Logs has no such group or stream.
    pub fn logs_not_found(message: impl Into<String>) -> Self {
        Self::new(400, "ResourceNotFoundException", "message", message.into())
    }

    /// CloudWatch Logs has one of that name.
    pub fn logs_exists(message: impl Into<String>) -> Self {
        Self::new(400, "ResourceAlreadyExistsException", "message", message.into())
    }

    /// There would be too many of something of CloudWatch Logs.
    pub fn logs_limit_exceeded(message: impl Into<String>) -> Self {
        Self::new(400, "LimitExceededException", "message", message.into())
    }

    /// IAM has no such thing.
    pub fn no_such_entity(message: impl Into<String>) -> Self {
        Self::named(404, "NoSuchEntity", message)
    }

    /// IAM has one of that name.
    pub fn entity_exists(message: impl Into<String>) -> Self {
        Self::named(409, "EntityAlreadyExists", message)
    }

    /// Something of IAM is in use.
    pub fn delete_conflict(message: impl Into<String>) -> Self {
        Self::named(409, "DeleteConflict", message)
    }

    /// There would be too many or too much of something.
    pub fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::named(409, "LimitExceeded", message)
    }

    /// A document is no policy.
    pub fn malformed_policy(message: impl Into<String>) -> Self {
        Self::named(400, "MalformedPolicyDocument", message)
    }

    /// What IAM was given makes no sense.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::named(400, "InvalidInput", message)
    }

    /// There is no signature.
    pub fn missing_authentication() -> Self {
        let message = "Missing Authentication Token: sign the request with a key of this server";
        Self::new(403, "MissingAuthenticationTokenException", "message", message.into())
    }

    /// The signature's header makes no sense.
    pub fn incomplete_signature(message: impl Into<String>) -> Self {
        Self::new(403, "IncompleteSignatureException", "message", message.into())
    }

    /// The key is unknown here.
    pub fn unrecognized_client() -> Self {
        let message = "The security token included in the request is invalid.";
        Self::new(403, "UnrecognizedClientException", "message", message.into())
    }

    /// The key was good once.
    pub fn expired_token() -> Self {
        let message = "The security token included in the request is expired";
        Self::new(403, "ExpiredTokenException", "message", message.into())
    }

    /// The signature is wrong, or its time is too far off; AWS's SDKs correct their clock on the latter.
    pub fn invalid_signature(message: impl Into<String>) -> Self {
        Self::new(403, "InvalidSignatureException", "message", message.into())
    }

    /// The body is not the one that was signed.
    pub fn other_content() -> Self {
        Self::invalid_signature("The provided 'x-amz-content-sha256' header does not match what was computed.")
    }

    /// The key may not do that.
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::new(403, "AccessDeniedException", "Message", message.into())
    }

    /// Whoever asks may not use a function URL, whatever the reason.
    pub fn forbidden() -> Self {
        Self::new(403, "AccessDeniedException", "Message", "Forbidden".into())
    }

    /// A function behind a URL failed, or answered what is no HTTP response.
    pub fn bad_gateway() -> Self {
        Self::new(502, "InternalServerErrorException", "Message", "Internal Server Error".into())
    }

    /// There is no such operation here.
    pub fn unknown_operation(message: impl Into<String>) -> Self {
        Self::new(404, "UnknownOperationException", "message", message.into())
    }

    /// AWS has the operation, Everstep does not serve it.
    pub fn not_served(message: impl Into<String>) -> Self {
        Self::new(501, "NotImplementedException", "message", message.into())
    }

    /// There is no concurrency left for the function; the answer says when to come again.
    pub fn throttled(throttle: Throttle) -> Self {
        let reason = match throttle {
            Throttle::Reserved => "ReservedFunctionConcurrentInvocationLimitExceeded",
            Throttle::Unreserved => "ConcurrentInvocationLimitExceeded",
        };
        let error = Self::new(429, "TooManyRequestsException", "message", "Rate Exceeded.".into());
        Self { reason: Some(reason), ..error }
    }

    /// The server's fault, for the time being.
    pub fn service(message: impl Into<String>) -> Self {
        Self::new(500, "ServiceException", "Message", message.into())
    }

    /// A service that requests are passed on to cannot be reached.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", "message", message.into())
    }

    /// Returns the JSON body.
    pub fn body(&self) -> Value {
        let kind = if self.status >= 500 { "Service" } else { "User" };
        let members = [("Type", kind), (self.member, &self.message)];
        let members = members.into_iter().chain(self.reason.map(|reason| ("Reason", reason)));
        Value::Object(members.map(|(name, value)| (name.to_string(), value.into())).collect::<Map<_, _>>())
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        let Rejection { kind, message } = rejection;
        match kind {
            RejectionKind::InvalidParameter | RejectionKind::CheckpointToken => Self::invalid_parameter(message),
            RejectionKind::Validation => Self::validation(message),
            RejectionKind::CallbackClosed => Self::new(400, "CallbackTimeoutException", "Message", message),
            RejectionKind::Conflict => Self::conflict(message),
            RejectionKind::NotFound => Self::not_found(message),
        }
    }
}

impl From<everstep_engine::Error> for Error {
    fn from(error: everstep_engine::Error) -> Self {
        match error {
            everstep_engine::Error::Rejected(rejection) => rejection.into(),
            everstep_engine::Error::Store(error) => error.into(),
            everstep_engine::Error::NameTaken(id) => Self::already_started(&id.to_string()),
        }
    }
}

impl From<everstep_store::Error> for Error {
    fn from(error: everstep_store::Error) -> Self {
        match error {
            everstep_store::Error::Conflict => {
                Self::conflict("The operation cannot be performed at this time. An update is in progress for resource")
            }
            everstep_store::Error::NameTaken(id) => Self::already_started(&id.to_string()),
            everstep_store::Error::Unknown(_) | everstep_store::Error::Failed { .. } => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                Self::service("The store could not serve the request; the server's log says why.")
            }
        }
    }
}
