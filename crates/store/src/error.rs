//! What can go wrong with storage, by what a caller does about it.

use everstep_core::id::ExecutionId;

/// Why a storage request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else committed first: load again and decide again. Nothing was changed.
    #[error("the version is not the one that was decided on")]
    Conflict,
    /// An execution of that function has that name already. Nothing was changed.
    #[error("the name is taken by execution {0}")]
    NameTaken(ExecutionId),
    /// It is not known whether the commit happened: forget what is cached, load again and look.
    #[error("it is not known whether the commit happened")]
    Unknown(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store cannot serve the request, and nothing was changed: full disk, corrupt file, closed.
    #[error("{context}")]
    Failed {
        /// What was attempted, and what the operator can do.
        context: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}
