//! `Globals`: properties that all resources of a type have in common. Source: `aws-sam-translator`, `Globals`.

use serde_json::{Map, Value};

use super::intrinsic::{is_given, is_intrinsic};
use super::problem::{Problem, listed};

/// What `Globals` may hold: the last part of a type, and properties of it.
const SECTIONS: [(&str, &str); 10] = [
    (
        "Api",
        "Auth Name DefinitionUri CacheClusterEnabled CacheClusterSize MergeDefinitions Variables \
         EndpointConfiguration MethodSettings BinaryMediaTypes MinimumCompressionSize Cors GatewayResponses \
         AccessLogSetting CanarySetting TracingEnabled OpenApiVersion Domain AlwaysDeploy PropagateTags \
         SecurityPolicy EndpointAccessMode",
    ),
    (
        "CapacityProvider",
        "VpcConfig OperatorRole Tags InstanceRequirements ScalingConfig KmsKeyArn PropagateTags LoggingConfig \
         ManagedResourceTags",
    ),
    (
        "Function",
        "Handler Runtime CodeUri DeadLetterQueue Description MemorySize Timeout VpcConfig Environment Tags \
         PropagateTags Tracing KmsKeyArn AutoPublishAlias AutoPublishAliasAllProperties Layers \
         DeploymentPreference RolePath PermissionsBoundary ReservedConcurrentExecutions \
         ProvisionedConcurrencyConfig AssumeRolePolicyDocument EventInvokeConfig FileSystemConfigs \
         CodeSigningConfigArn Architectures SnapStart EphemeralStorage FunctionUrlConfig \
         RuntimeManagementConfig LoggingConfig RecursiveLoop SourceKMSKeyArn TenancyConfig DurableConfig \
         CapacityProviderConfig FunctionScalingConfig PublishToLatestPublished VersionDeletionPolicy",
    ),
    (
        "HttpApi",
        "Auth AccessLogSettings StageVariables Tags CorsConfiguration DefaultRouteSettings Domain \
         RouteSettings FailOnWarnings PropagateTags",
    ),
    ("LayerVersion", "PublishLambdaVersion"),
    (
        "MicrovmImage",
        "BuildRoleArn BaseImageArn BaseImageVersion Logging EgressNetworkConnectors CpuConfigurations \
         Resources AdditionalOsCapabilities Hooks EnvironmentVariables Tags PropagateTags",
    ),
    ("NetworkConnector", "OperatorRole Tags PropagateTags"),
    ("SimpleTable", "SSESpecification"),
    ("StateMachine", "PropagateTags"),
    (
        "WebSocketApi",
        "AccessLogSettings ApiKeySelectionExpression DefaultRouteSettings DisableExecuteApiEndpoint \
         DisableSchemaValidation Domain FailOnWarnings IpAddressType PropagateTags RouteSelectionExpression \
         RouteSettings StageVariables Tags",
    ),
];

/// The list that replaces the global one.
const REPLACED: &str = "Architectures";

/// Moves the section `Globals` of a template into its resources.
///
/// # Errors
/// [`Problem::Globals`] if the section holds what it may not, or the resource whose `IgnoreGlobals` is wrong.
pub fn spread(template: &mut Map<String, Value>) -> Result<(), Problem> {
    let Some(globals) = template.remove("Globals") else { return Ok(()) };
    let globals = checked(globals)?;
    let resources = template.get_mut("Resources").and_then(Value::as_object_mut).into_iter().flatten();
    for (id, resource) in resources {
        let section = resource["Type"].as_str().and_then(|kind| kind.strip_prefix(super::PREFIX));
        if let Some(common) = section.and_then(|section| globals.get(section)) {
            let common = without_ignored(id, common, &resource["IgnoreGlobals"])?;
            resource["Properties"] = match resource.get("Properties") {
                Some(own) => merged(&common, own),
                None => common,
            };
        }
    }
    Ok(())
}

fn checked(globals: Value) -> Result<Map<String, Value>, Problem> {
    let Value::Object(globals) = globals else {
        return Err(Problem::Globals("It must be a non-empty dictionary".to_owned()));
    };
    for (section, properties) in &globals {
        let Some((_, known)) = SECTIONS.iter().find(|(name, _)| name == section) else {
            let names = listed(&SECTIONS.map(|(name, _)| name));
            return Err(Problem::Globals(format!(
                "'{section}' is not supported. Must be one of the following values - {names}"
            )));
        };
        let Some(properties) = properties.as_object() else {
            return Err(Problem::Globals("Value of ${section} must be a dictionary".to_owned()));
        };
        let known: Vec<&str> = known.split_whitespace().collect();
        if let Some(name) = properties.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(Problem::Globals(format!(
                "'{name}' is not a supported property of '{section}'. Must be one of the following values - {}",
                listed(&known)
            )));
        }
    }
    Ok(globals)
}

fn without_ignored(id: &str, common: &Value, ignored: &Value) -> Result<Value, Problem> {
    let refused = |on: String| {
        Err(Problem::resource(id, format!("Resource {id} has invalid resource attribute 'IgnoreGlobals'{on}.")))
    };
    match ignored {
        ignored if !is_given(ignored) => Ok(common.clone()),
        Value::String(all) if all == "*" => Ok(Value::Object(Map::new())),
        Value::Array(names) => {
            let mut left = common.as_object().cloned().unwrap_or_default();
            for name in names {
                let text = name.as_str().unwrap_or_default();
                if left.remove(text).is_none() {
                    return refused(format!(
                        " on item '{}'",
                        name.as_str().map_or_else(|| name.to_string(), str::to_owned)
                    ));
                }
            }
            Ok(left.into())
        }
        _ => refused(String::new()),
    }
}

/// Merges objects member by member and lists end to end; of everything else the resource's own value stands.
fn merged(common: &Value, own: &Value) -> Value {
    match (common, own) {
        (Value::Object(common_members), Value::Object(own_members)) if !is_intrinsic(common) && !is_intrinsic(own) => {
            let mut members = common_members.clone();
            for (name, own) in own_members {
                let value = match common_members.get(name) {
                    Some(common) if name != REPLACED => merged(common, own),
                    Some(_) | None => own.clone(),
                };
                members.insert(name.clone(), value);
            }
            members.into()
        }
        (Value::Array(common), Value::Array(own)) => common.iter().chain(own).cloned().collect::<Vec<_>>().into(),
        _ => own.clone(),
    }
}
