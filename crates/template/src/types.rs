//! Resource types: which there are, and what properties and attributes those have that Everstep knows.
//!
//! What is known of each is data (`types.json`, facts from AWS's resource provider schemas): a property's type by its
//! name, `!` behind the names of required ones. `json` is anything, `["string"]` a list, `{"*": "string"}` a map.
//! Whether a type is served, and by what, is for the server to say.

mod conform;
mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Invalid, sam};

pub use conform::Problem;
pub(crate) use conform::{conform, invalid};

macro_rules! resource_types {
    ($($variant:ident = $name:literal,)*) => {
        /// A resource type whose properties are known.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ResourceType {
            $(#[doc = concat!("`", $name, "`.")] $variant,)*
        }

        impl ResourceType {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in templates.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

// A list of pairs; as two matches and an array it would have to be kept the same in three places.
resource_types! {
    CdkMetadata = "AWS::CDK::Metadata",
    DynamoDbTable = "AWS::DynamoDB::Table",
    EcrRepository = "AWS::ECR::Repository",
    IamManagedPolicy = "AWS::IAM::ManagedPolicy",
    IamPolicy = "AWS::IAM::Policy",
    IamRole = "AWS::IAM::Role",
    KmsAlias = "AWS::KMS::Alias",
    KmsKey = "AWS::KMS::Key",
    LambdaAlias = "AWS::Lambda::Alias",
    LambdaEventInvokeConfig = "AWS::Lambda::EventInvokeConfig",
    LambdaFunction = "AWS::Lambda::Function",
    LambdaLayerVersion = "AWS::Lambda::LayerVersion",
    LambdaPermission = "AWS::Lambda::Permission",
    LambdaUrl = "AWS::Lambda::Url",
    LambdaVersion = "AWS::Lambda::Version",
    LogsLogGroup = "AWS::Logs::LogGroup",
    S3Bucket = "AWS::S3::Bucket",
    S3BucketPolicy = "AWS::S3::BucketPolicy",
    SqsQueue = "AWS::SQS::Queue",
    SsmParameter = "AWS::SSM::Parameter",
}

/// What a difference between two states of a resource asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Nothing.
    None,
    /// The resource is changed as it is.
    Update,
    /// Another one takes its place.
    Replace,
}

/// How a change of a property can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recreation {
    Never,
    /// Only if the property comes or goes.
    ByPresence,
    Always,
}

impl ResourceType {
    /// Finds a type by its name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.name() == name)
    }

    /// Returns what to do with a resource that has some properties, all known, and shall have others.
    pub fn difference(self, before: &Map<String, Value>, after: &Map<String, Value>) -> Difference {
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
        changed.fold(Difference::None, |difference, name| {
            let replace = match self.recreation(name) {
                Recreation::Never => false,
                Recreation::ByPresence => before.contains_key(name) != after.contains_key(name),
                Recreation::Always => true,
            };
            if replace || difference == Difference::Replace { Difference::Replace } else { Difference::Update }
        })
    }

    /// Tells whether `Fn::GetAtt` has an attribute.
    pub(crate) fn has_attribute(self, name: &str) -> bool {
        self.schema().attributes.contains(name)
    }

    pub(crate) fn recreation(self, property: &str) -> Recreation {
        let schema = self.schema();
        if schema.replaced_by.contains(property) {
            Recreation::Always
        } else if schema.replaced_by_presence.contains(property) {
            Recreation::ByPresence
        } else {
            Recreation::Never
        }
    }

    fn schema(self) -> &'static Schema {
        SCHEMAS.get(self.name()).expect("every variant has its entry in types.json, as a test checks")
    }
}

/// Tells whether AWS may have a type, known here or not: by the name of its service.
pub fn is_recognized(name: &str) -> bool {
    let part = |part: &&str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric());
    match name.split("::").collect::<Vec<_>>().as_slice() {
        _ if sam::is_not_served(name) => true,
        // What the SAM transform leaves.
        ["AWS", "Serverless", kind] => sam::LEFT.contains(kind),
        ["Everstep", "NotServed", kind] => part(kind),
        ["AWS", service, kind] => services::SERVICES.split_whitespace().any(|known| known == *service) && part(kind),
        ["Alexa", "ASK", "Skill"] => true,
        ["Custom", name] => {
            (1..=60).contains(&name.len())
                && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_@-".contains(letter))
        }
        _ => false,
    }
}

/// Fails with the names of types that AWS does not have.
pub(crate) fn refuse_unrecognized<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), Invalid> {
    let unrecognized: BTreeSet<&str> = names.into_iter().filter(|name| !is_recognized(name)).collect();
    if unrecognized.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = unrecognized.into_iter().collect();
    Err(Invalid::format(format!("Unrecognized resource types: [{}]", names.join(", "))))
}

static SCHEMAS: LazyLock<BTreeMap<String, Schema>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("types.json")).expect("types.json is in order, as a test checks")
});

/// What is known of a type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Schema {
    /// What `Fn::GetAtt` gives.
    attributes: BTreeSet<String>,
    /// The properties whose change needs a new resource.
    replaced_by: BTreeSet<String>,
    /// Those that need one only if they come or go.
    #[serde(default)]
    replaced_by_presence: BTreeSet<String>,
    /// By name.
    properties: Value,
}
