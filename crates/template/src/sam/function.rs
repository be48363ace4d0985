//! `AWS::Serverless::Function`: the function, and what SAM makes beside it. One file per thing that is made.

mod event_invoke;
pub mod role;
mod url;
mod version;

use serde_json::{Map, Value, json};

use super::intrinsic::{attribute, is_given, reference};
use super::problem::{Problem, listed};
use super::property::{Property, Shape, optional};
use super::resource::{Resource, Source, tag_list};
use super::{Context, Made, code, event, policies};

/// The type that this is about.
pub const KIND: &str = "AWS::Serverless::Function";

/// The tag that SAM gives functions and their roles.
const CREATED_BY: (&str, &str) = ("lambda:createdBy", "SAM");

/// Keys of tags that are kept for SAM. The others are of the Serverless Application Repository.
const RESERVED_TAGS: [&str; 3] = [CREATED_BY.0, "serverlessrepo:applicationId", "serverlessrepo:semanticVersion"];

/// The properties. Source: `aws-sam-translator`, `SamFunction`.
const PROPERTIES: [Property; 49] = [
    optional("FunctionName", Shape::TextOrMap),
    optional("Handler", Shape::Any),
    optional("Runtime", Shape::Any),
    optional("CodeUri", Shape::Any),
    optional("ImageUri", Shape::Any),
    optional("PackageType", Shape::Any),
    optional("InlineCode", Shape::Any),
    optional("DeadLetterQueue", Shape::Map),
    optional("Description", Shape::Any),
    optional("MemorySize", Shape::Any),
    optional("Timeout", Shape::Any),
    optional("VpcConfig", Shape::Any),
    optional("Role", Shape::Text),
    optional("AssumeRolePolicyDocument", Shape::Map),
    optional("Policies", Shape::OneOrMoreTextsOrMaps),
    optional("RolePath", Shape::Any),
    optional("PermissionsBoundary", Shape::Text),
    optional("Environment", Shape::Maps),
    optional("Events", Shape::Maps),
    optional("Tags", Shape::Map),
    optional("PropagateTags", Shape::Boolean),
    optional("Tracing", Shape::TextOrMap),
    optional("KmsKeyArn", Shape::Any),
    optional("DeploymentPreference", Shape::Map),
    optional("ReservedConcurrentExecutions", Shape::Any),
    optional("Layers", Shape::TextsAndMaps),
    optional("EventInvokeConfig", Shape::Map),
    optional("EphemeralStorage", Shape::Any),
    optional("AutoPublishAlias", Shape::Name),
    optional("AutoPublishCodeSha256", Shape::Name),
    optional("AutoPublishAliasAllProperties", Shape::Flag),
    optional("VersionDescription", Shape::Any),
    optional("ProvisionedConcurrencyConfig", Shape::Any),
    optional("FileSystemConfigs", Shape::Any),
    optional("ImageConfig", Shape::Any),
    optional("CodeSigningConfigArn", Shape::Any),
    optional("Architectures", Shape::Any),
    optional("SnapStart", Shape::Map),
    optional("FunctionUrlConfig", Shape::Map),
    optional("RuntimeManagementConfig", Shape::Any),
    optional("LoggingConfig", Shape::Any),
    optional("RecursiveLoop", Shape::Any),
    optional("SourceKMSKeyArn", Shape::Any),
    optional("CapacityProviderConfig", Shape::Map),
    optional("FunctionScalingConfig", Shape::Map),
    optional("VersionDeletionPolicy", Shape::Choice(&["Delete", "Retain"])),
    optional("PublishToLatestPublished", Shape::Any),
    optional("TenancyConfig", Shape::Any),
    optional("DurableConfig", Shape::Map),
];

/// Properties that the plain function has under the same name.
const PASSED_ON: [&str; 25] = [
    "PackageType",
    "Description",
    "Handler",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "VpcConfig",
    "Environment",
    "KmsKeyArn",
    "Layers",
    "ReservedConcurrentExecutions",
    "FileSystemConfigs",
    "CodeSigningConfigArn",
    "ImageConfig",
    "Architectures",
    "SnapStart",
    "EphemeralStorage",
    "RuntimeManagementConfig",
    "LoggingConfig",
    "RecursiveLoop",
    "PublishToLatestPublished",
    "TenancyConfig",
    "DurableConfig",
    "FunctionScalingConfig",
];

/// What invokes a function: the function itself, or the alias that SAM publishes.
pub struct Target {
    /// The `Ref` of it: a function's name, or an alias' ARN.
    pub reference: Value,
    /// Its ARN.
    pub arn: Value,
}

/// Makes plain resources of a function.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn translate(context: &Context, id: &str, resource: &Value) -> Result<Made, Problem> {
    let policies = policies::read(id, &resource["Properties"]["Policies"])?;
    let source = Source::read(id, resource, KIND, &PROPERTIES)?;
    let events = event::read(&source)?;
    check(&source)?;

    let mut made = Made::default();
    let mut function = plain_function(context, &source)?;
    if source.given("ProvisionedConcurrencyConfig").is_some() && source.given("AutoPublishAlias").is_none() {
        return Err(
            source.problem("To set ProvisionedConcurrencyConfig AutoPublishALias must be defined on the function")
        );
    }
    let mut target = Target { reference: reference(id), arn: attribute(id, "Arn") };
    let published = version::publish(context, &source, &mut function)?;
    if let Some(published) = &published {
        target = Target { reference: reference(&published.alias.id), arn: reference(&published.alias.id) };
    }
    url::add(&source, &target, &mut made)?;
    check_deployment_preference(context, &source, &mut made)?;
    let destinations = event_invoke::add(context, &source, published.as_ref(), &mut made)?;
    let mut role = role::Role::new(context, &source, policies, destinations)?;
    event::add(context, events, &target, &mut role, &mut made)?;
    role.attach(context, &source, &mut function, &mut made)?;

    if let Some(published) = published {
        made.named("Version", &published.version.id);
        made.named("Alias", &published.alias.id);
        made.resources.extend([published.version, published.alias]);
    }
    made.resources.push(function);
    if source.given("PropagateTags").is_some() {
        propagate(source.given("Tags"), &mut made.resources);
    }
    Ok(made)
}

/// Returns the tags that the function and its role have.
fn tags(source: &Source) -> Result<Value, Problem> {
    let tags = source.given("Tags");
    for reserved in RESERVED_TAGS {
        if tags.is_some_and(|tags| tags.get(reserved).is_some()) {
            return Err(source.problem(format!(
                "{reserved} is a reserved Tag key name and cannot be set on your resource. Please change the tag key in the input."
            )));
        }
    }
    let mut list = vec![json!({ "Key": CREATED_BY.0, "Value": CREATED_BY.1 })];
    list.extend(tag_list(tags));
    Ok(list.into())
}

/// Tells whether the function is traced. `Disabled` is as good as nothing.
fn is_traced(context: &Context, source: &Source) -> bool {
    source.given("Tracing").is_some_and(|tracing| context.parameters.resolve(tracing) != "Disabled")
}

fn check(source: &Source) -> Result<(), Problem> {
    let has = |name: &str| source.get(name).is_some();
    let mut wrong = Vec::new();
    for other in ["ProvisionedConcurrencyConfig", "VpcConfig"] {
        if has("CapacityProviderConfig") && has(other) {
            wrong.push(format!("Cannot specify 'CapacityProviderConfig' and '{other}' together."));
        }
    }
    for (name, needed) in
        [("FunctionScalingConfig", "CapacityProviderConfig"), ("VersionDeletionPolicy", "AutoPublishAlias")]
    {
        if has(name) && !has(needed) {
            wrong.push(format!("'{name}' requires '{needed}'."));
        }
    }
    if !wrong.is_empty() {
        return Err(source.problem(wrong.join("\n")));
    }
    check_dead_letter_queue(source)?;
    check_tenancy(source)
}

/// What a function may do with its dead letter queue, by the type of it.
const DEAD_LETTER_ACTIONS: [(&str, &str); 2] = [("SQS", "sqs:SendMessage"), ("SNS", "sns:Publish")];

fn check_dead_letter_queue(source: &Source) -> Result<(), Problem> {
    let Some(queue) = source.given("DeadLetterQueue") else { return Ok(()) };
    if !is_given(&queue["Type"]) || !is_given(&queue["TargetArn"]) {
        return Err(source.problem("'DeadLetterQueue' requires Type and TargetArn properties to be specified."));
    }
    match queue["Type"].as_str() {
        None => Err(source.problem(super::property::should_be("DeadLetterQueue.Type", "string"))),
        Some(kind) if DEAD_LETTER_ACTIONS.iter().any(|(known, _)| *known == kind) => Ok(()),
        Some(_) => {
            let known = listed(&DEAD_LETTER_ACTIONS.map(|(kind, _)| kind));
            Err(source.problem(format!("'DeadLetterQueue' requires Type of {known}")))
        }
    }
}

fn check_tenancy(source: &Source) -> Result<(), Problem> {
    if source.given("TenancyConfig").is_none() {
        return Ok(());
    }
    let without = [
        ("ProvisionedConcurrencyConfig", "Provisioned concurrency"),
        ("FunctionUrlConfig", "Function URL"),
        ("SnapStart", "SnapStart"),
    ];
    for (name, what) in without {
        if source.given(name).is_some() {
            return Err(
                source.problem(format!("{what} is not supported for functions enabled with tenancy configuration."))
            );
        }
    }
    for event in source.get("Events").and_then(Value::as_object).into_iter().flat_map(Map::values) {
        if !["Api", "HttpApi"].iter().any(|kind| event["Type"] == *kind) {
            let kind = event["Type"].as_str().unwrap_or("None");
            return Err(source.problem(format!(
                "Event source '{kind}' is not supported for functions enabled with tenancy configuration. \
                 Only Api and HttpApi event sources are supported."
            )));
        }
    }
    Ok(())
}

fn plain_function(context: &Context, source: &Source) -> Result<Resource, Problem> {
    let mut function = Resource::new(&source.id, "AWS::Lambda::Function", source.attributes())
        .depending_on(source.depends_on.clone())
        .with("Code", Value::Object(code::of_function(source)?))
        .with("FunctionName", source.given("FunctionName").cloned())
        .with("Tags", tags(source)?);
    for name in PASSED_ON {
        function.set(name, source.get(name).cloned());
    }
    if is_traced(context, source) {
        let mode = source.get("Tracing").map(|tracing| context.parameters.resolve_within(tracing));
        function.set("TracingConfig", json!({ "Mode": mode }));
    }
    if let Some(queue) = source.given("DeadLetterQueue") {
        function.set("DeadLetterConfig", json!({ "TargetArn": queue["TargetArn"] }));
    }
    if let Some(provider) = source.given("CapacityProviderConfig") {
        let names = [
            ("Arn", "CapacityProviderArn"),
            ("PerExecutionEnvironmentMaxConcurrency", "PerExecutionEnvironmentMaxConcurrency"),
            ("ExecutionEnvironmentMemoryGiBPerVCpu", "ExecutionEnvironmentMemoryGiBPerVCpu"),
        ];
        let given = names.into_iter().filter_map(|(name, plain)| Some((plain.to_owned(), provider.get(name)?.clone())));
        let provider: Map<_, _> = given.collect();
        function.set("CapacityProviderConfig", json!({ "LambdaManagedInstancesCapacityProviderConfig": provider }));
    }
    Ok(function)
}

/// Gives back a deployment in steps as what is not served: CodeDeploy would do it.
fn check_deployment_preference(context: &Context, source: &Source, made: &mut Made) -> Result<(), Problem> {
    let Some(preference) = source.given("DeploymentPreference") else { return Ok(()) };
    let enabled = context.resolve_with_mappings(&preference["Enabled"]);
    if [json!(false), json!("false"), json!("False")].contains(&enabled) {
        return Ok(());
    }
    if source.given("AutoPublishAlias").is_none() {
        return Err(source.problem("'DeploymentPreference' requires AutoPublishAlias property to be specified."));
    }
    let members = preference.as_object().cloned().unwrap_or_default();
    made.not_served(source, "DeploymentPreference", "DeploymentPreference", members);
    Ok(())
}

/// Gives the function's tags, and no others, to all that can have tags.
fn propagate(tags: Option<&Value>, resources: &mut [Resource]) {
    const TAGGED: [&str; 4] = ["AWS::Lambda::Function", "AWS::IAM::Role", "AWS::SQS::Queue", "AWS::SNS::Topic"];
    for resource in resources.iter_mut().filter(|resource| TAGGED.contains(&&*resource.kind)) {
        resource.set("Tags", tags.map(|tags| tag_list(Some(tags)).into()));
    }
}
