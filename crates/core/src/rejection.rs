//! What a caller did wrong.

/// A refusal: the caller's fault, nothing was changed.
///
/// The message is what the caller reads; where AWS words one, it is AWS's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// Which kind of mistake.
    pub kind: RejectionKind,
    /// What is wrong, for the caller.
    pub message: String,
}

/// The kinds of mistakes that callers act on differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionKind {
    /// A parameter makes no sense in the present state.
    InvalidParameter,
    /// A parameter breaks a constraint of the API's model.
    Validation,
    /// The checkpoint token is not the current one.
    CheckpointToken,
    /// The callback is over: completed, timed out, or its execution closed.
    CallbackClosed,
    /// The state forbids the request.
    Conflict,
    /// There is no such execution.
    NotFound,
}

impl Rejection {
    /// Makes a rejection of `kind` that says `message`.
    pub fn new(kind: RejectionKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The parameter makes no sense: `message` says which and why.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(RejectionKind::InvalidParameter, message)
    }

    /// The checkpoint token is stale, foreign or forged. AWS's SDKs know this text by heart.
    pub fn checkpoint_token() -> Self {
        Self::new(RejectionKind::CheckpointToken, "Invalid checkpoint token")
    }

    /// The callback cannot be completed any more.
    pub fn callback_closed() -> Self {
        Self::new(RejectionKind::CallbackClosed, "The callback is either timed out or already completed")
    }

    /// There is no such execution (any more).
    pub fn execution_not_found() -> Self {
        Self::new(RejectionKind::NotFound, "Durable Execution does not exist")
    }

    /// The execution is over, which the request does not allow for.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(RejectionKind::Conflict, message)
    }
}
