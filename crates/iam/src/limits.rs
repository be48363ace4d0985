//! Limits of policy documents, each with its unit and source. White space does not count, as on AWS.

/// Largest managed policy, in characters. Source: IAM quotas.
pub const MANAGED_POLICY_CHARACTERS_MAX: usize = 6_144;

/// Largest sum of a role's inline policies, in characters. Source: IAM quotas.
pub const ROLE_INLINE_CHARACTERS_MAX: usize = 10_240;

/// Largest sum of a user's inline policies, in characters. Source: IAM quotas.
pub const USER_INLINE_CHARACTERS_MAX: usize = 2_048;

/// Largest trust policy of a role, in characters. Source: IAM quotas.
pub const TRUST_POLICY_CHARACTERS_MAX: usize = 2_048;

/// Largest session policy, in characters. Source: STS API, `AssumeRole`.
pub const SESSION_POLICY_CHARACTERS_MAX: usize = 2_048;

/// Largest document that is read at all, in characters. Source: IAM API, `policyDocumentType`.
pub const DOCUMENT_CHARACTERS_MAX: usize = 131_072;

/// Counts the characters of a document as AWS does.
pub fn characters(document: &str) -> usize {
    document.chars().filter(|character| !character.is_whitespace()).count()
}
