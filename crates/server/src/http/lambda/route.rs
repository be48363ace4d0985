//! Which operation a request asks for: one table.

use percent_encoding::percent_decode_str;

/// The operations that are served, with method and path as in the Lambda API model, and what each is about.
macro_rules! operations {
    ($($name:ident $method:literal $path:literal $target:ident;)*) => {
        /// An operation of the AWS Lambda API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation {
            $(#[doc = concat!("`", stringify!($name), "`")] $name,)*
        }

        impl Operation {
            /// Every operation that is served.
            #[cfg(test)]
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns AWS's name for it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Returns the action that its sender must be allowed.
            #[allow(unreachable_patterns, reason = "the names of two differ from their actions")]
            pub fn action(self) -> &'static str {
                match self {
                    Self::Invoke | Self::InvokeWithResponseStream => "lambda:InvokeFunction",
                    $(Self::$name => concat!("lambda:", stringify!($name)),)*
                }
            }

            /// Returns what it is about.
            pub fn target(self) -> Target {
                match self { $(Self::$name => Target::$target,)* }
            }
        }

        const SERVED: &[(&str, &str, Operation)] = &[$(($method, $path, Operation::$name),)*];
    };
}

/// What an operation is about, so that it can be told who may ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing in particular.
    Everything,
    /// A function that is to be made, which the body names.
    NewFunction,
    /// The function that the path names, or a version or alias of it.
    Function,
    /// The same, whose policy may allow it too.
    Invoked,
    /// What has the ARN in the path.
    Arn,
    /// The execution that the path names.
    Execution,
    /// The execution that waits for the callback in the path.
    Callback,
    /// The layer that the path names.
    Layer,
    /// The version of a layer that the path names.
    LayerVersion,
}

operations! {
    CreateFunction "POST" "/2015-03-31/functions" NewFunction;
    ListFunctions "GET" "/2015-03-31/functions" Everything;
    GetFunction "GET" "/2015-03-31/functions/{}" Function;
    DeleteFunction "DELETE" "/2015-03-31/functions/{}" Function;
    GetFunctionConfiguration "GET" "/2015-03-31/functions/{}/configuration" Function;
    UpdateFunctionConfiguration "PUT" "/2015-03-31/functions/{}/configuration" Function;
    UpdateFunctionCode "PUT" "/2015-03-31/functions/{}/code" Function;
    PublishVersion "POST" "/2015-03-31/functions/{}/versions" Function;
    ListVersionsByFunction "GET" "/2015-03-31/functions/{}/versions" Function;
    CreateAlias "POST" "/2015-03-31/functions/{}/aliases" Function;
    ListAliases "GET" "/2015-03-31/functions/{}/aliases" Function;
    GetAlias "GET" "/2015-03-31/functions/{}/aliases/{}" Function;
    UpdateAlias "PUT" "/2015-03-31/functions/{}/aliases/{}" Function;
    DeleteAlias "DELETE" "/2015-03-31/functions/{}/aliases/{}" Function;
    AddPermission "POST" "/2015-03-31/functions/{}/policy" Function;
    GetPolicy "GET" "/2015-03-31/functions/{}/policy" Function;
    RemovePermission "DELETE" "/2015-03-31/functions/{}/policy/{}" Function;
    TagResource "POST" "/2017-03-31/tags/{*}" Arn;
    UntagResource "DELETE" "/2017-03-31/tags/{*}" Arn;
    ListTags "GET" "/2017-03-31/tags/{*}" Arn;
    GetAccountSettings "GET" "/2016-08-19/account-settings" Everything;
    PutFunctionEventInvokeConfig "PUT" "/2019-09-25/functions/{}/event-invoke-config" Function;
    UpdateFunctionEventInvokeConfig "POST" "/2019-09-25/functions/{}/event-invoke-config" Function;
    GetFunctionEventInvokeConfig "GET" "/2019-09-25/functions/{}/event-invoke-config" Function;
    DeleteFunctionEventInvokeConfig "DELETE" "/2019-09-25/functions/{}/event-invoke-config" Function;
    ListFunctionEventInvokeConfigs "GET" "/2019-09-25/functions/{}/event-invoke-config/list" Function;
    PutFunctionConcurrency "PUT" "/2017-10-31/functions/{}/concurrency" Function;
    GetFunctionConcurrency "GET" "/2019-09-30/functions/{}/concurrency" Function;
    DeleteFunctionConcurrency "DELETE" "/2017-10-31/functions/{}/concurrency" Function;
    CreateFunctionUrlConfig "POST" "/2021-10-31/functions/{}/url" Function;
    GetFunctionUrlConfig "GET" "/2021-10-31/functions/{}/url" Function;
    UpdateFunctionUrlConfig "PUT" "/2021-10-31/functions/{}/url" Function;
    DeleteFunctionUrlConfig "DELETE" "/2021-10-31/functions/{}/url" Function;
    ListFunctionUrlConfigs "GET" "/2021-10-31/functions/{}/urls" Function;
    ListLayers "GET" "/2018-10-31/layers" Everything;
    PublishLayerVersion "POST" "/2018-10-31/layers/{}/versions" Layer;
    ListLayerVersions "GET" "/2018-10-31/layers/{}/versions" Layer;
    GetLayerVersion "GET" "/2018-10-31/layers/{}/versions/{}" LayerVersion;
    DeleteLayerVersion "DELETE" "/2018-10-31/layers/{}/versions/{}" LayerVersion;
    AddLayerVersionPermission "POST" "/2018-10-31/layers/{}/versions/{}/policy" LayerVersion;
    GetLayerVersionPolicy "GET" "/2018-10-31/layers/{}/versions/{}/policy" LayerVersion;
    RemoveLayerVersionPermission "DELETE" "/2018-10-31/layers/{}/versions/{}/policy/{}" LayerVersion;
    Invoke "POST" "/2015-03-31/functions/{}/invocations" Invoked;
    InvokeWithResponseStream "POST" "/2021-11-15/functions/{}/response-streaming-invocations" Invoked;
    ListDurableExecutionsByFunction "GET" "/2025-12-01/functions/{}/durable-executions" Function;
    CheckpointDurableExecution "POST" "/2025-12-01/durable-executions/{*}/checkpoint" Execution;
    GetDurableExecutionState "GET" "/2025-12-01/durable-executions/{*}/state" Execution;
    GetDurableExecutionHistory "GET" "/2025-12-01/durable-executions/{*}/history" Execution;
    StopDurableExecution "POST" "/2025-12-01/durable-executions/{*}/stop" Execution;
    PauseDurableExecution "POST" "/2025-12-01/durable-executions/{*}/pause" Execution;
    ResumeDurableExecution "POST" "/2025-12-01/durable-executions/{*}/resume" Execution;
    GetDurableExecution "GET" "/2025-12-01/durable-executions/{*}" Execution;
    DeleteDurableExecution "DELETE" "/2025-12-01/durable-executions/{*}" Execution;
    SendDurableExecutionCallbackSuccess "POST" "/2025-12-01/durable-execution-callbacks/{*}/succeed" Callback;
    SendDurableExecutionCallbackFailure "POST" "/2025-12-01/durable-execution-callbacks/{*}/fail" Callback;
    SendDurableExecutionCallbackHeartbeat "POST" "/2025-12-01/durable-execution-callbacks/{*}/heartbeat" Callback;
}

/// Operations that AWS has and Everstep does not serve yet, so that the answer can name them.
const NOT_SERVED: &[(&str, &str, &str)] = &[
    ("POST", "/2015-03-31/event-source-mappings", "CreateEventSourceMapping"),
    ("GET", "/2015-03-31/event-source-mappings", "ListEventSourceMappings"),
    ("GET", "/2015-03-31/event-source-mappings/{}", "GetEventSourceMapping"),
    ("PUT", "/2015-03-31/event-source-mappings/{}", "UpdateEventSourceMapping"),
    ("DELETE", "/2015-03-31/event-source-mappings/{}", "DeleteEventSourceMapping"),
    ("POST", "/2014-11-13/functions/{}/invoke-async", "InvokeAsync"),
];

/// A request whose operation is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The operation.
    pub operation: Operation,
    /// The path's parameters, decoded.
    pub parameters: Vec<String>,
}

/// Why a request has no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// AWS has it, by this name.
    NotServed(&'static str),
    /// Nobody has it.
    Unknown,
}

/// Finds the operation of a request. The path comes as it was sent: an ARN in it may be escaped or not.
///
/// # Errors
/// [`NoRoute`] if there is none.
pub fn route(method: &str, path: &str) -> Result<Route, NoRoute> {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    for (served_method, pattern, operation) in SERVED {
        if *served_method == method
            && let Some(parameters) = matches(pattern, path)
        {
            return Ok(Route { operation: *operation, parameters });
        }
    }
    let known = NOT_SERVED.iter().find(|(known, pattern, _)| *known == method && matches(pattern, path).is_some());
    Err(known.map_or(NoRoute::Unknown, |(_, _, name)| NoRoute::NotServed(name)))
}

/// Matches a path: `{}` takes one segment, `{*}` everything up to what follows it.
fn matches(pattern: &str, path: &str) -> Option<Vec<String>> {
    if let Some((before, after)) = pattern.split_once("{*}") {
        let rest = path.strip_prefix(before)?.strip_suffix(after)?;
        // A raw ARN may end in a segment that is a verb of another operation only if that verb was not asked for.
        return (!rest.is_empty()).then(|| vec![decode(rest)]);
    }
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    let mut parameters = Vec::new();
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(parameters),
            (Some("{}"), Some(segment)) if !segment.is_empty() => parameters.push(decode(segment)),
            (Some(expected), Some(segment)) if expected == segment => {}
            _ => return None,
        }
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, path: &str, expected: Result<(Operation, &[&str]), NoRoute>) {
        let found = route(method, path);
        let expected = expected.map(|(operation, parameters)| Route {
            operation,
            parameters: parameters.iter().map(ToString::to_string).collect(),
        });
        assert_eq!(found, expected, "{method} {path}");
    }

    #[test]
    fn execution_arns_are_taken_escaped_and_raw() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/n/i";
        let escaped =
            "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3A%24LATEST%2Fdurable-execution%2Fn%2Fi";
        for written in [arn, escaped] {
            let path = |tail: &str| format!("/2025-12-01/durable-executions/{written}{tail}");
            check("POST", &path("/checkpoint"), Ok((Operation::CheckpointDurableExecution, &[arn])));
            check("GET", &path(""), Ok((Operation::GetDurableExecution, &[arn])));
            check("GET", &path("/history"), Ok((Operation::GetDurableExecutionHistory, &[arn])));
            check("DELETE", &path(""), Ok((Operation::DeleteDurableExecution, &[arn])));
        }
    }

    #[test]
    fn callback_ids_may_hold_slashes() {
        let path = "/2025-12-01/durable-execution-callbacks/AB/C+D==/succeed";
        check("POST", path, Ok((Operation::SendDurableExecutionCallbackSuccess, &["AB/C+D=="])));
    }

    #[test]
    fn functions_are_found_with_and_without_a_trailing_slash() {
        check("GET", "/2015-03-31/functions/", Ok((Operation::ListFunctions, &[])));
        check("GET", "/2015-03-31/functions/f%3Alive", Ok((Operation::GetFunction, &["f:live"])));
    }

    #[test]
    fn what_is_not_served_is_named() {
        check("GET", "/2015-03-31/event-source-mappings", Err(NoRoute::NotServed("ListEventSourceMappings")));
        check("GET", "/nowhere", Err(NoRoute::Unknown));
        check("PATCH", "/2015-03-31/functions", Err(NoRoute::Unknown));
    }
}
