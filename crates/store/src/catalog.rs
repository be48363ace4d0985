//! The catalog trait: documents by kind and key, guarded by revisions.

use async_trait::async_trait;

use crate::error::Error;

/// Keeps documents: few, small, read often, written rarely. What is in them is the writer's business.
///
/// Guarantees: a `put` or `delete` that returned `Ok` is on disk and is seen by every later read; of two writers
/// who saw the same revision one succeeds and the other gets [`Error::Conflict`].
#[async_trait]
pub trait Catalog: Send + Sync + 'static {
    /// Returns a document.
    async fn get(&self, kind: Kind, key: &str) -> Result<Option<Document>, Error>;

    /// Writes a document over the one that has revision `seen`, or creates it if `seen` is `None`.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the document is not at `seen`.
    async fn put(&self, kind: Kind, key: &str, seen: Option<Revision>, body: String) -> Result<Revision, Error>;

    /// Writes several documents in one commit: all of them or none.
    ///
    /// # Errors
    /// [`Error::Conflict`] if one of the documents is not as its write has seen it.
    async fn put_all(&self, puts: Vec<Put>) -> Result<(), Error>;

    /// Removes the document that has revision `seen`.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the document is not at `seen`.
    async fn delete(&self, kind: Kind, key: &str, seen: Revision) -> Result<(), Error>;

    /// Returns documents of a kind whose keys follow `after`, in the order of their keys, at most `limit`.
    async fn list(&self, kind: Kind, after: Option<&str>, limit: usize) -> Result<Vec<(String, Document)>, Error>;

    /// Returns when every write that was asked for before is done or refused, also those whose callers have gone away.
    async fn settle(&self) -> Result<(), Error>;
}

/// What a document is about. Stored by name: never rename one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A function with its versions and aliases.
    Function,
    /// A layer with its versions.
    Layer,
    /// An access key that signs requests.
    AccessKey,
    /// A key that authenticates checkpoint tokens and callback ids.
    TokenKey,
    /// How far the durable clock was moved.
    Clock,
    /// Where a function URL leads.
    FunctionUrl,
    /// A stack.
    Stack,
    /// A resource of a stack.
    StackResource,
    /// A template that a stack is made of.
    StackTemplate,
    /// What a template would change.
    ChangeSet,
    /// What happened to a stack.
    StackEvent,
    /// A value that a stack exports.
    StackExport,
    /// A role.
    Role,
    /// A user.
    User,
    /// A key of a user.
    UserKey,
    /// A key that authenticates sessions of roles.
    SessionKey,
    /// A policy that roles and users share.
    ManagedPolicy,
    /// A parameter with its versions.
    Parameter,
    /// What a server was born with, so that it is made once.
    Birth,
    /// A bucket.
    Bucket,
    /// An object in a bucket, with its versions.
    Object,
    /// An upload to a bucket in several parts.
    Upload,
    /// A part of such an upload.
    Part,
    /// What is known of a log group.
    LogGroup,
    /// A repository of images that was asked for.
    Repository,
    /// A key of KMS that was asked for.
    EncryptionKey,
    /// Another name of such a key.
    EncryptionKeyAlias,
    /// Where the function of an execution is, if it is not one of the server.
    Endpoint,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 28] = [
        Self::Function,
        Self::Layer,
        Self::AccessKey,
        Self::TokenKey,
        Self::Clock,
        Self::FunctionUrl,
        Self::Stack,
        Self::StackResource,
        Self::StackTemplate,
        Self::ChangeSet,
        Self::StackEvent,
        Self::StackExport,
        Self::Role,
        Self::User,
        Self::UserKey,
        Self::SessionKey,
        Self::ManagedPolicy,
        Self::Parameter,
        Self::Birth,
        Self::Bucket,
        Self::Object,
        Self::Upload,
        Self::Part,
        Self::LogGroup,
        Self::Repository,
        Self::EncryptionKey,
        Self::EncryptionKeyAlias,
        Self::Endpoint,
    ];

    /// Returns the name that it is stored by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Layer => "layer",
            Self::AccessKey => "access_key",
            Self::TokenKey => "token_key",
            Self::Clock => "clock",
            Self::FunctionUrl => "function_url",
            Self::Stack => "stack",
            Self::StackResource => "stack_resource",
            Self::StackTemplate => "stack_template",
            Self::ChangeSet => "change_set",
            Self::StackEvent => "stack_event",
            Self::StackExport => "stack_export",
            Self::Role => "role",
            Self::User => "user",
            Self::UserKey => "user_key",
            Self::SessionKey => "session_key",
            Self::ManagedPolicy => "managed_policy",
            Self::Parameter => "parameter",
            Self::Birth => "birth",
            Self::Bucket => "bucket",
            Self::Object => "object",
            Self::Upload => "upload",
            Self::Part => "part",
            Self::LogGroup => "log_group",
            Self::Repository => "repository",
            Self::EncryptionKey => "encryption_key",
            Self::EncryptionKeyAlias => "encryption_key_alias",
            Self::Endpoint => "endpoint",
        }
    }
}

/// Counts the writes of a document; never reused, also not by a later document of the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub i64);

/// A document that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// What it is about.
    pub kind: Kind,
    /// Its key.
    pub key: String,
    /// The revision that it is written over; `None` creates it.
    pub seen: Option<Revision>,
    /// What it says, as JSON.
    pub body: String,
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Which write of it this is.
    pub revision: Revision,
    /// What it says, as JSON.
    pub body: String,
}
