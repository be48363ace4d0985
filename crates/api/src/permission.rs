//! Resource policies on the wire. Source: Lambda API, `AddPermission`.

use serde::Deserialize;

/// `AddLayerVersionPermission`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddLayerVersionPermission {
    /// The statement's name within the policy.
    pub statement_id: Option<String>,
    /// What is allowed.
    pub action: Option<String>,
    /// To whom.
    pub principal: Option<String>,
    /// Only to accounts of this organization.
    pub organization_id: Option<String>,
}

/// `AddPermission`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddPermission {
    /// The statement's name within the policy.
    pub statement_id: Option<String>,
    /// What is allowed.
    pub action: Option<String>,
    /// To whom.
    pub principal: Option<String>,
    /// Only on behalf of this resource.
    pub source_arn: Option<String>,
    /// Only on behalf of this account.
    pub source_account: Option<String>,
    /// Only an Alexa skill that shows this token.
    pub event_source_token: Option<String>,
    /// Only callers of this organization.
    #[serde(rename = "PrincipalOrgID")]
    pub principal_org_id: Option<String>,
    /// Only by a function URL with this `AuthType`.
    pub function_url_auth_type: Option<String>,
    /// Only by a function URL, or only by other ways.
    pub invoked_via_function_url: Option<bool>,
    /// Go on only if this is still the policy's revision.
    pub revision_id: Option<String>,
}
