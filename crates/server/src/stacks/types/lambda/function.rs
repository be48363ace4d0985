//! `AWS::Lambda::Function`.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::{Made, ResourceType, Site, Tags, members, tags, text};
use crate::http::error::Error;
use crate::http::lambda::Operation;
use crate::http::on_behalf::Call;
use crate::limits::{FUNCTION_NAME_CHARACTERS_MAX, INLINE_CODE_BYTES_MAX, MEMORY_MB_DEFAULT, TIMEOUT_SECONDS_DEFAULT};

/// A function.
pub struct Function;

/// Properties that are members of `CreateFunction` and `UpdateFunctionConfiguration` alike.
const SETTINGS: &[&str] = &[
    "DeadLetterConfig",
    "Description",
    "DurableConfig",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "TracingConfig",
];

#[async_trait]
impl ResourceType for Function {
    fn name(&self) -> &'static str {
        "AWS::Lambda::Function"
    }

    fn tags(&self) -> Tags {
        Tags::List
    }

    async fn identify(&self, site: &Site, properties: &Value) -> Result<String, Error> {
        let Some(name) = text(properties, "FunctionName") else {
            return Ok(site.generated_name(FUNCTION_NAME_CHARACTERS_MAX));
        };
        let reference = site.services.functions.parse(name, None)?;
        if site.services.functions.load(&reference.function).await?.is_some() {
            return Err(Error::conflict(format!("Function already exist: {}", reference.function)));
        }
        Ok(reference.function.to_string())
    }

    async fn create(&self, site: &Site, physical_id: &str, properties: &Value) -> Result<Made, Error> {
        let mut create = members(properties, &["Architectures", "PackageType", "TenancyConfig"]);
        create.extend(settings(properties));
        create.insert("FunctionName".into(), physical_id.into());
        create.insert("Code".into(), code(properties)?.into());
        let mut all = tags(properties);
        all.extend(site.system_tags());
        create.insert("Tags".into(), json!(all));
        let created = site.call(Call::new(Operation::CreateFunction, &[]).body(create.into())).await?;
        if let Some(reserved) = reserved(properties) {
            let call = Call::new(Operation::PutFunctionConcurrency, &[physical_id]).body(reserved);
            if let Err(error) = site.call(call).await {
                self.delete(site, physical_id, properties).await?;
                return Err(error);
            }
        }
        Ok(Made::with([("Arn", created["FunctionArn"].clone())]))
    }

    async fn update(&self, site: &Site, physical_id: &str, former: &Value, properties: &Value) -> Result<Made, Error> {
        let differs = |names: &[&str]| members(former, names) != members(properties, names);
        if differs(&["Code", "Architectures", "Runtime"]) {
            let mut update = code(properties)?;
            update
                .insert("Architectures".into(), properties.get("Architectures").cloned().unwrap_or(json!(["x86_64"])));
            site.call(Call::new(Operation::UpdateFunctionCode, &[physical_id]).body(update.into())).await?;
        }
        if differs(SETTINGS) {
            let mut update = defaults();
            update.extend(settings(properties));
            site.call(Call::new(Operation::UpdateFunctionConfiguration, &[physical_id]).body(update.into())).await?;
        }
        if differs(&["ReservedConcurrentExecutions"]) {
            let call = match reserved(properties) {
                Some(reserved) => Call::new(Operation::PutFunctionConcurrency, &[physical_id]).body(reserved),
                None => Call::new(Operation::DeleteFunctionConcurrency, &[physical_id]),
            };
            site.call(call).await?;
        }
        let arn = super::function_arn(site, physical_id)?;
        change_tags(site, &arn, &tags(former), &tags(properties)).await?;
        Ok(Made::with([("Arn", arn.into())]))
    }

    async fn delete(&self, site: &Site, physical_id: &str, _properties: &Value) -> Result<(), Error> {
        site.call(Call::new(Operation::DeleteFunction, &[physical_id])).await.map(drop)
    }
}

/// Returns the settings as members of a request.
fn settings(properties: &Value) -> Map<String, Value> {
    let mut settings = members(properties, SETTINGS);
    // Templates may give numbers and booleans, variables are texts.
    if let Some(variables) =
        settings.get_mut("Environment").and_then(|environment| environment["Variables"].as_object_mut())
    {
        for value in variables.values_mut() {
            *value = super::super::text_of(value).map_or(value.take(), Value::String);
        }
    }
    settings
}

/// Returns what a function has that a template says nothing of, so that an update takes back what was said before.
fn defaults() -> Map<String, Value> {
    let defaults = json!({
        "DeadLetterConfig": {"TargetArn": ""},
        "Description": "",
        "Environment": {"Variables": {}},
        "EphemeralStorage": {"Size": 512},
        "Layers": [],
        "LoggingConfig": {},
        "MemorySize": MEMORY_MB_DEFAULT,
        "Timeout": TIMEOUT_SECONDS_DEFAULT,
        "TracingConfig": {"Mode": "PassThrough"},
    });
    let Value::Object(defaults) = defaults else { unreachable!("it is written as an object") };
    defaults
}

/// Returns the code as a member of a request. What a template writes as `ZipFile` is the text of one source file.
fn code(properties: &Value) -> Result<Map<String, Value>, Error> {
    let mut code = members(&properties["Code"], &["S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri"]);
    if let Some(source) = text(&properties["Code"], "ZipFile") {
        let runtime = text(properties, "Runtime").unwrap_or_default();
        code.insert("ZipFile".into(), inline(runtime, source)?.into());
    }
    Ok(code)
}

fn inline(runtime: &str, source: &str) -> Result<String, Error> {
    if source.len() > INLINE_CODE_BYTES_MAX {
        return Err(Error::invalid_parameter(format!(
            "The inline code has {} bytes, at most {INLINE_CODE_BYTES_MAX} are allowed: put it into a bucket.",
            source.len()
        )));
    }
    let name = match runtime {
        python if python.starts_with("python") => "index.py",
        node if node.starts_with("nodejs") => "index.js",
        other => {
            return Err(Error::invalid_parameter(format!(
                "ZipFile can only be used when Runtime is set to either of nodejs or python, not {other}."
            )));
        }
    };
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // Always the same time, so that the same source is the same code.
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default()).unix_permissions(0o644);
    let write = |zip: &mut ZipWriter<Cursor<Vec<u8>>>| -> zip::result::ZipResult<()> {
        zip.start_file(name, options)?;
        Ok(zip.write_all(source.as_bytes())?)
    };
    write(&mut zip).expect("memory can be written");
    Ok(STANDARD.encode(zip.finish().expect("memory can be written").into_inner()))
}

fn reserved(properties: &Value) -> Option<Value> {
    let reserved = properties.get("ReservedConcurrentExecutions")?.clone();
    Some(json!({"ReservedConcurrentExecutions": reserved}))
}

/// Makes tags what they are to be, and leaves alone what somebody else added.
async fn change_tags(
    site: &Site,
    arn: &str,
    former: &BTreeMap<String, String>,
    tags: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let gone = former.keys().filter(|key| !tags.contains_key(*key));
    let untag = gone.fold(Call::new(Operation::UntagResource, &[arn]), |call, key| call.query("tagKeys", Some(key)));
    if former.keys().any(|key| !tags.contains_key(key)) {
        site.call(untag).await?;
    }
    if tags != former && !tags.is_empty() {
        site.call(Call::new(Operation::TagResource, &[arn]).body(json!({"Tags": tags}))).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_code_is_the_same_code_each_time_and_has_its_limit() {
        assert_eq!(inline("python3.13", "x = 1").unwrap(), inline("python3.14", "x = 1").unwrap());
        assert_ne!(inline("nodejs22.x", "x = 1").unwrap(), inline("python3.14", "x = 1").unwrap());
        assert!(inline("java21", "x").unwrap_err().message.contains("nodejs or python"));
        assert!(inline("python3.13", &"x".repeat(INLINE_CODE_BYTES_MAX)).is_ok());
        assert!(inline("python3.13", &"x".repeat(INLINE_CODE_BYTES_MAX + 1)).unwrap_err().message.contains("bucket"));
    }

    #[test]
    fn settings_are_what_the_api_takes() {
        let properties = json!({
            "Timeout": 30, "Environment": {"Variables": {"A": 1, "B": true, "C": "x"}}, "Code": {}, "Tags": [],
        });
        let expected = json!({"Timeout": 30, "Environment": {"Variables": {"A": "1", "B": "true", "C": "x"}}});
        assert_eq!(Value::from(settings(&properties)), expected);
    }
}
