//! The key pair each process signs its calls with.

use crate::Function;

/// Issues and revokes the credentials of processes. Called from async code: must not block.
pub trait CredentialSource: Send + Sync {
    /// Returns new credentials for a process of this function that is about to start.
    fn issue(&self, function: &Function) -> Credentials;

    /// Makes credentials worthless; their process is gone. Called once per key issued.
    fn revoke(&self, access_key_id: &str);
}

/// A key pair with its session token.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: String,
}
