//! What `CreateFunction` and `UpdateFunctionConfiguration` check and take over alike.

use std::collections::BTreeMap;

use everstep_api::DurableConfig;
use everstep_api::function::{DeadLetterConfig, LoggingConfig, Settings, TenancyConfig};
use everstep_api::validation::Violations;
use everstep_core::limits::{DURATION_SECONDS_MAX, FUNCTION_TIMEOUT_SECONDS_MAX, RETENTION_DAYS_MAX};
use everstep_worker::Runtime;
use serde_json::{Value, json};

use crate::functions::Configuration;
use crate::http::error::Error;
use crate::limits::{
    DESCRIPTION_CHARACTERS_MAX, ENVIRONMENT_BYTES_MAX, HANDLER_CHARACTERS_MAX, MEMORY_MB_MAX, MEMORY_MB_MIN,
    TMP_MB_MAX, TMP_MB_MIN,
};

/// Environment variables that the runtime sets. Source: Lambda Developer Guide, defined runtime environment variables.
const RESERVED_VARIABLES: [&str; 20] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_METADATA_API",
];

/// Checks settings against the model and against what Everstep serves.
pub(super) fn check(settings: &Settings) -> Result<(), Error> {
    let mut violations = Violations::default();
    if let Some(seconds) = settings.timeout {
        violations.range(seconds, "timeout", 1, FUNCTION_TIMEOUT_SECONDS_MAX.into());
    }
    if let Some(megabytes) = settings.memory_size {
        violations.range(megabytes, "memorySize", MEMORY_MB_MIN, MEMORY_MB_MAX);
    }
    if let Some(storage) = &settings.ephemeral_storage {
        violations.range(storage.size, "ephemeralStorage.size", TMP_MB_MIN, TMP_MB_MAX);
    }
    if let Some(description) = &settings.description {
        violations.length(description, "description", 0, DESCRIPTION_CHARACTERS_MAX);
    }
    if let Some(handler) = &settings.handler {
        violations.length(handler, "handler", 0, HANDLER_CHARACTERS_MAX);
    }
    if let Some(DurableConfig { execution_timeout, retention_period_in_days, .. }) = &settings.durable_config {
        if let Some(seconds) = execution_timeout {
            violations.range(*seconds, "durableConfig.executionTimeout", 1, DURATION_SECONDS_MAX as i64);
        }
        if let Some(days) = retention_period_in_days {
            violations.range(*days, "durableConfig.retentionPeriodInDays", 1, RETENTION_DAYS_MAX.into());
        }
    }
    if let Some(LoggingConfig { log_format: Some(format), .. }) = &settings.logging_config {
        violations.one_of(format, "loggingConfig.logFormat", &[("JSON", ()), ("Text", ())]);
    }
    if let Some(TenancyConfig { tenant_isolation_mode }) = &settings.tenancy_config {
        let mode = tenant_isolation_mode.as_deref();
        if let Some(mode) = violations.present(mode, "tenancyConfig.tenantIsolationMode") {
            violations.one_of(mode, "tenancyConfig.tenantIsolationMode", &[("PER_TENANT", ())]);
        }
    }
    violations.finish().map_err(Error::validation)?;

    if let Some(runtime) = &settings.runtime {
        runtime.parse::<Runtime>().map_err(|error| Error::invalid_parameter(error.to_string()))?;
    }
    if settings.package_type.as_deref().is_some_and(|package_type| package_type != "Zip") {
        return Err(Error::invalid_parameter("Everstep runs no container images: use PackageType Zip."));
    }
    if let Some(DeadLetterConfig { target_arn: Some(arn) }) = &settings.dead_letter_config {
        let service = arn.split(':').nth(2);
        if !arn.is_empty() && !matches!(service, Some("sqs" | "sns")) {
            return Err(Error::invalid_parameter(format!(
                "The provided dead letter target {arn} is invalid: it must be the ARN of an SQS queue or an SNS topic. To have a function told, name it as the OnFailure destination of PutFunctionEventInvokeConfig."
            )));
        }
    }
    check_environment(variables(settings).into_iter().flatten())
}

fn check_environment<'a>(variables: impl Iterator<Item = (&'a String, &'a String)>) -> Result<(), Error> {
    let mut bytes = 0;
    for (name, value) in variables {
        bytes += name.len() + value.len();
        let well_formed = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.len() > 1
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if RESERVED_VARIABLES.contains(&name.as_str()) {
            return Err(Error::invalid_parameter(format!(
                "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {name}"
            )));
        }
        if !well_formed {
            return Err(Error::validation(format!(
                "1 validation error detected: Value '{name}' at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]"
            )));
        }
    }
    if bytes > ENVIRONMENT_BYTES_MAX {
        return Err(Error::invalid_parameter(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the {ENVIRONMENT_BYTES_MAX} bytes limit."
        )));
    }
    Ok(())
}

fn variables(settings: &Settings) -> Option<&BTreeMap<String, String>> {
    settings.environment.as_ref().and_then(|environment| environment.variables.as_ref())
}

/// Takes settings that were checked over into a configuration; what they leave out stays.
pub(super) fn take_over(settings: &Settings, configuration: &mut Configuration) {
    let take = |from: &Option<String>, to: &mut String| {
        if let Some(value) = from {
            to.clone_from(value);
        }
    };
    take(&settings.description, &mut configuration.description);
    take(&settings.runtime, &mut configuration.runtime);
    take(&settings.handler, &mut configuration.handler);
    take(&settings.role, &mut configuration.role);
    if let Some(seconds) = settings.timeout {
        configuration.timeout_seconds = u32::try_from(seconds).expect("the range was checked");
    }
    if let Some(megabytes) = settings.memory_size {
        configuration.memory_mb = u32::try_from(megabytes).expect("the range was checked");
    }
    if settings.environment.is_some() {
        configuration.environment = variables(settings).cloned().unwrap_or_default();
    }
    if let Some(given) = &settings.durable_config {
        let config = configuration.durable_config.get_or_insert_default();
        config.execution_timeout = given.execution_timeout.or(config.execution_timeout);
        config.retention_period_in_days = given.retention_period_in_days.or(config.retention_period_in_days);
        config.kms_key_arn = given.kms_key_arn.clone().or(config.kms_key_arn.take());
    }
    if let Some(logging) = &settings.logging_config {
        configuration.logging_config = logging.clone();
    }
    if let Some(config) = &settings.dead_letter_config {
        match config.target_arn.as_deref() {
            Some("") | None => configuration.kept.remove("DeadLetterConfig"),
            Some(_) => configuration.kept.insert("DeadLetterConfig".into(), json!(config)),
        };
    }
    let kept: [(&str, Option<Value>); 4] = [
        ("TracingConfig", settings.tracing_config.clone()),
        ("TenancyConfig", settings.tenancy_config.as_ref().map(|tenancy| json!(tenancy))),
        ("Architectures", settings.architectures.as_ref().map(|architectures| json!(architectures))),
        ("EphemeralStorage", settings.ephemeral_storage.as_ref().map(|storage| json!(storage))),
    ];
    configuration.kept.extend(kept.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_settings(settings: Value, expected: Result<(), &str>) {
        let read: Settings = serde_json::from_value(settings.clone()).unwrap();
        let found = check(&read).map_err(|error| error.message);
        match expected {
            Ok(()) => assert_eq!(found, Ok(()), "{settings}"),
            Err(part) => assert!(found.clone().is_err_and(|message| message.contains(part)), "{settings}: {found:?}"),
        }
    }

    #[test]
    fn settings_hold_their_limits() {
        check_settings(json!({"Timeout": 900}), Ok(()));
        check_settings(json!({"Timeout": 901}), Err("'timeout'"));
        check_settings(json!({"Timeout": 0}), Err("'timeout'"));
        check_settings(json!({"MemorySize": 128}), Ok(()));
        check_settings(json!({"MemorySize": 127}), Err("'memorySize'"));
        check_settings(json!({"MemorySize": 10240}), Ok(()));
        check_settings(json!({"MemorySize": 10241}), Err("'memorySize'"));
        check_settings(json!({"EphemeralStorage": {"Size": 512}}), Ok(()));
        check_settings(json!({"EphemeralStorage": {"Size": 511}}), Err("'ephemeralStorage.size'"));
        check_settings(json!({"EphemeralStorage": {"Size": 10240}}), Ok(()));
        check_settings(json!({"EphemeralStorage": {"Size": 10241}}), Err("'ephemeralStorage.size'"));
        check_settings(json!({"Description": "d".repeat(256)}), Ok(()));
        check_settings(json!({"Description": "d".repeat(257)}), Err("'description'"));
        check_settings(json!({"Handler": "h".repeat(128)}), Ok(()));
        check_settings(json!({"Handler": "h".repeat(129)}), Err("'handler'"));
        check_settings(json!({"DurableConfig": {"ExecutionTimeout": 31_622_400}}), Ok(()));
        check_settings(
            json!({"DurableConfig": {"ExecutionTimeout": 31_622_401}}),
            Err("'durableConfig.executionTimeout'"),
        );
        check_settings(json!({"DurableConfig": {"RetentionPeriodInDays": 90}}), Ok(()));
        check_settings(
            json!({"DurableConfig": {"RetentionPeriodInDays": 91}}),
            Err("'durableConfig.retentionPeriodInDays'"),
        );
        check_settings(json!({"Environment": {"Variables": {"KEY": "v".repeat(4_093)}}}), Ok(()));
        check_settings(json!({"Environment": {"Variables": {"KEY": "v".repeat(4_094)}}}), Err("4096 bytes"));
    }

    #[test]
    fn tenants_are_kept_apart_or_not() {
        check_settings(json!({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}), Ok(()));
        check_settings(json!({"TenancyConfig": {"TenantIsolationMode": "NONE"}}), Err("[PER_TENANT]"));
        check_settings(json!({"TenancyConfig": {}}), Err("null at 'tenancyConfig.tenantIsolationMode'"));
    }

    #[test]
    fn what_is_not_served_is_refused_with_the_way_out() {
        check_settings(json!({"Runtime": "ruby3.4"}), Err("this server has python3.11"));
        check_settings(json!({"PackageType": "Image"}), Err("use PackageType Zip"));
        check_settings(json!({"DeadLetterConfig": {"TargetArn": "arn:aws:lambda:r:1:function:f"}}), Err("OnFailure"));
        check_settings(json!({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:q"}}), Ok(()));
        check_settings(json!({"DeadLetterConfig": {"TargetArn": ""}}), Ok(()));
        check_settings(json!({"Environment": {"Variables": {"AWS_REGION": "x"}}}), Err("reserved keys"));
        check_settings(json!({"Environment": {"Variables": {"1X": "x"}}}), Err("Map keys"));
    }
}
