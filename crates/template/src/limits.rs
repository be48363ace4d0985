//! Every limit of templates, each with its unit and source.
//!
//! "CloudFormation quotas" is the quota page of the AWS CloudFormation User Guide.

/// Largest `TemplateBody`, in bytes. Source: CloudFormation quotas.
pub const TEMPLATE_BODY_BYTES_MAX: usize = 51_200;

/// Largest template behind a `TemplateURL`, in bytes. Source: CloudFormation quotas.
pub const TEMPLATE_URL_BYTES_MAX: usize = 1_000_000;

/// Deepest nesting of a template, in lists and objects within each other. Everstep's own.
pub const NESTING_MAX: usize = 64;

/// Most resources of a template. Source: CloudFormation quotas.
pub const RESOURCES_MAX: usize = 500;

/// Most parameters of a template. Source: CloudFormation quotas.
pub const PARAMETERS_MAX: usize = 200;

/// Most outputs of a template. Source: CloudFormation quotas.
pub const OUTPUTS_MAX: usize = 200;

/// Most mappings of a template. Source: CloudFormation quotas.
pub const MAPPINGS_MAX: usize = 200;

/// Largest value of a parameter, in bytes. Source: CloudFormation quotas.
pub const PARAMETER_VALUE_BYTES_MAX: usize = 4_096;

/// Longest name of a parameter, a resource, an output, in characters. Source: CloudFormation quotas.
pub const NAME_CHARACTERS_MAX: usize = 255;

/// Longest `Description`, in bytes. Source: CloudFormation quotas.
pub const DESCRIPTION_BYTES_MAX: usize = 1_024;

/// Most conditions of one `Fn::And` or `Fn::Or`. Source: CloudFormation User Guide, condition functions.
pub const CONDITIONS_MAX: usize = 10;

/// Most text that the functions of one template may make, in bytes: a short template can ask for very much. Everstep's own.
pub const EVALUATED_BYTES_MAX: usize = 16_777_216;
