//! The environment variables of a function's process. Nothing of the server's own environment is among them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::LAMBDA_ENDPOINT;
use crate::language::Toolchain;
use crate::sandbox::Paths;
use crate::{Config, Credentials, Function, LogFormat, Runtime};

/// What differs between two processes of one function.
pub(crate) struct Place<'a> {
    pub(crate) runtime_api: SocketAddr,
    pub(crate) log_stream: &'a str,
    pub(crate) paths: &'a Paths,
    pub(crate) credentials: &'a Credentials,
}

/// Returns every variable of a process.
///
/// The function's own variables win over defaults such as `TZ` or `PATH`, and lose against what Lambda reserves;
/// search paths are joined instead, so that the runtime's packages stay reachable behind the function's.
pub(crate) fn variables(
    config: &Config,
    function: &Function,
    toolchain: &Toolchain,
    place: &Place<'_>,
) -> BTreeMap<OsString, OsString> {
    let paths = place.paths;
    let defaults = search_layers(&paths.layers, function.runtime, &toolchain.environment);
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: OsString| {
        variables.insert(OsString::from(name), value);
    };

    // Defaults.
    set("PATH", path(paths, toolchain));
    set("LD_LIBRARY_PATH", joined([&paths.code.join("lib"), &paths.layers.join("lib")]));
    set("LANG", "en_US.UTF-8".into());
    set("TZ", ":UTC".into());
    set("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".into());
    set("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000".into());
    // One for each service: AWS_ENDPOINT_URL would capture the function's calls to every other one. A function that sets
    // it has an endpoint of its own for all but Lambda.
    let has_own = function.environment.contains_key("AWS_ENDPOINT_URL");
    for name in config.endpoint_variables.iter().filter(|name| !has_own || *name == LAMBDA_ENDPOINT) {
        set(name, config.endpoint.clone().into());
    }
    // Without it SDKs ask the machine's metadata service, and wait for it where there is none.
    set("AWS_EC2_METADATA_DISABLED", "true".into());
    // The home directory is private too: SDKs would read the operator's ~/.aws/config.
    set("HOME", paths.temp.clone().into());
    set("TMPDIR", paths.temp.clone().into());
    for (name, value) in &defaults {
        // A place to keep what was compiled is of no use where nothing can be kept, and would hide what is there.
        if !(paths.read_only && *name == "PYTHONPYCACHEPREFIX") {
            set(name, value.clone());
        }
    }

    // The function's own.
    for (name, value) in &function.environment {
        match defaults.iter().find(|(default, _)| default == name && default.ends_with("PATH")) {
            Some((_, ours)) => {
                let mut joined = OsString::from(value);
                joined.push(":");
                joined.push(ours);
                set(name, joined);
            }
            None => set(name, value.into()),
        }
    }

    // Reserved.
    set("AWS_LAMBDA_RUNTIME_API", place.runtime_api.to_string().into());
    set("_HANDLER", function.handler.clone().into());
    set("LAMBDA_TASK_ROOT", paths.code.clone().into());
    set("LAMBDA_RUNTIME_DIR", paths.runtime.clone().into());
    set("AWS_LAMBDA_FUNCTION_NAME", function.name.clone().into());
    set("AWS_LAMBDA_FUNCTION_VERSION", function.version.clone().into());
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string().into());
    set("AWS_LAMBDA_LOG_GROUP_NAME", function.log_group.clone().into());
    set("AWS_LAMBDA_LOG_STREAM_NAME", place.log_stream.into());
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into());
    set("AWS_REGION", function.region.clone().into());
    set("AWS_DEFAULT_REGION", function.region.clone().into());
    set("AWS_ACCESS_KEY_ID", place.credentials.access_key_id.clone().into());
    set("AWS_SECRET_ACCESS_KEY", place.credentials.secret_access_key.clone().into());
    set("AWS_SESSION_TOKEN", place.credentials.session_token.clone().into());
    if toolchain.writes_frames(function) {
        // To the output, so that records and prints are in the order of writes.
        set("_LAMBDA_TELEMETRY_LOG_FD", "1".into());
    }
    match function.log_format {
        LogFormat::Text => set("AWS_LAMBDA_LOG_FORMAT", "Text".into()),
        LogFormat::Json => set("AWS_LAMBDA_LOG_FORMAT", "JSON".into()),
    }
    if let Some(log_level) = &function.log_level {
        set("AWS_LAMBDA_LOG_LEVEL", log_level.clone().into());
    }
    if let Some(name) = &toolchain.execution_env {
        set("AWS_EXECUTION_ENV", name.clone().into());
    }
    // Spawning fails on these; the function's configuration can hold any string.
    variables.retain(|name, value| {
        let bytes = (name.as_encoded_bytes(), value.as_encoded_bytes());
        !bytes.0.is_empty() && !bytes.0.contains(&b'=') && !bytes.0.contains(&0) && !bytes.1.contains(&0)
    });
    variables
}

/// Adds the layers to where the language looks for packages: before the runtime's own, so that they can replace them.
fn search_layers(
    layers_dir: &Path,
    runtime: Runtime,
    defaults: &[(&'static str, OsString)],
) -> Vec<(&'static str, OsString)> {
    let (name, directories) = match runtime {
        Runtime::Python311 | Runtime::Python312 | Runtime::Python313 | Runtime::Python314 => {
            let packages = format!("python/lib/{runtime}/site-packages");
            ("PYTHONPATH", [layers_dir.join(packages), layers_dir.join("python")])
        }
        Runtime::Nodejs22 | Runtime::Nodejs24 => {
            let major = runtime.id().trim_start_matches("nodejs").trim_end_matches(".x");
            let packages = format!("nodejs/node{major}/node_modules");
            ("NODE_PATH", [layers_dir.join(packages), layers_dir.join("nodejs/node_modules")])
        }
        // Java's client finds layers by itself.
        Runtime::Java17 | Runtime::Java21 | Runtime::Java25 | Runtime::ProvidedAl2023 | Runtime::ProvidedAl2 => {
            return defaults.to_vec();
        }
    };
    let (own, mut others): (Vec<_>, Vec<_>) = defaults.iter().cloned().partition(|(default, _)| *default == name);
    let own = own.iter().map(|(_, value)| Path::new(value));
    others.push((name, joined(directories.iter().map(PathBuf::as_path).chain(own))));
    others
}

/// Writes a search path.
fn joined<'a>(directories: impl IntoIterator<Item = impl AsRef<Path> + 'a>) -> OsString {
    let mut path = OsString::new();
    for directory in directories {
        if !path.is_empty() {
            path.push(":");
        }
        path.push(directory.as_ref());
    }
    path
}

fn path(paths: &Paths, toolchain: &Toolchain) -> OsString {
    let mut path = paths.code.join("bin").into_os_string();
    for directory in &toolchain.path {
        path.push(":");
        path.push(directory);
    }
    path.push(":/usr/local/bin:/usr/bin:/bin:");
    path.push(paths.layers.join("bin"));
    path
}
