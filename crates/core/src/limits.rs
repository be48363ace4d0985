//! Every limit and quota of the durable service, each with its unit and source.
//!
//! "Lambda API" is AWS's service model `lambda/2015-03-31` as published with botocore; "Lambda quotas" is the
//! quota page of the AWS Lambda Developer Guide; "SDK for Go" is the durable execution SDK's description of
//! service limits. Limits of Everstep itself say so.

/// Longest `ExecutionTimeout`, wait and retry delay: 366 days, in seconds. Source: Lambda API, `DurableConfig`.
pub const DURATION_SECONDS_MAX: u64 = 31_622_400;

/// Longest `ExecutionTimeout` of an execution that is invoked synchronously, in seconds. Source: Lambda Developer Guide, invoking durable functions.
pub const SYNC_EXECUTION_TIMEOUT_SECONDS_MAX: u64 = 900;

/// Longest function `Timeout`, in seconds. Source: Lambda quotas.
pub const FUNCTION_TIMEOUT_SECONDS_MAX: u32 = 900;

/// Longest `RetentionPeriodInDays`, in days. Source: Lambda API, `DurableConfig`.
pub const RETENTION_DAYS_MAX: u32 = 90;

/// `RetentionPeriodInDays` when none is given, in days. Source: durable execution documentation, CloudFormation.
pub const RETENTION_DAYS_DEFAULT: u32 = 14;

/// Longest callback `TimeoutSeconds` and `HeartbeatTimeoutSeconds`, in seconds. Source: Lambda API, `CallbackOptions`.
pub const CALLBACK_TIMEOUT_SECONDS_MAX: u64 = 99_999_999;

/// Largest input and output of a synchronously invoked function or execution, in bytes. Source: Lambda quotas.
pub const SYNC_PAYLOAD_BYTES_MAX: u64 = 6_291_456;

/// Largest input and output of an asynchronously started execution, in bytes. Source: Lambda quotas.
pub const ASYNC_PAYLOAD_BYTES_MAX: u64 = 1_048_576;

/// Largest payload of a STEP update, in bytes. Source: SDK for Go.
pub const STEP_PAYLOAD_BYTES_MAX: u64 = 262_144;

/// Largest payload of a CONTEXT update, in bytes. Source: durable execution documentation.
pub const CONTEXT_PAYLOAD_BYTES_MAX: u64 = 262_144;

/// Largest input of a CHAINED_INVOKE, in bytes. Source: SDK for Go.
pub const CHAINED_INVOKE_PAYLOAD_BYTES_MAX: u64 = 1_048_576;

/// Largest error object, serialised as JSON, in bytes. Source: SDK for Go.
pub const ERROR_BYTES_MAX: u64 = 262_144;

/// Largest result or error that completes a callback, in bytes. Source: Lambda API.
pub const CALLBACK_PAYLOAD_BYTES_MAX: u64 = 1_048_576;

/// Most operations of one execution, retries and invocation retries counted. Source: Lambda quotas.
pub const OPERATIONS_MAX: u32 = 3_000;

/// Most payload bytes written by one execution. Source: Lambda quotas (100 MB).
pub const STORED_BYTES_MAX: u64 = 104_857_600;

/// Most updates in one checkpoint request: no source names one, so it is the operation quota, START and close counted. Everstep's own.
pub const UPDATES_MAX: usize = 2 * OPERATIONS_MAX as usize;

/// Longest execution name, in characters. Source: Lambda API, `DurableExecutionName`.
pub const EXECUTION_NAME_CHARACTERS_MAX: usize = 64;

/// Longest operation id, in characters. Source: Lambda API, `OperationId`.
pub const OPERATION_ID_CHARACTERS_MAX: usize = 64;

/// Longest operation name, in characters. Source: Lambda API, `OperationName`.
pub const OPERATION_NAME_CHARACTERS_MAX: usize = 256;

/// Longest operation sub type, in characters. Source: Lambda API, `OperationSubType`.
pub const OPERATION_SUB_TYPE_CHARACTERS_MAX: usize = 32;

/// Longest client token, in characters. Source: Lambda API, `ClientToken`.
pub const CLIENT_TOKEN_CHARACTERS_MAX: usize = 64;

/// Longest checkpoint token, in characters. Source: Lambda API, `CheckpointToken`.
pub const CHECKPOINT_TOKEN_CHARACTERS_MAX: usize = 2_048;

/// Longest callback id, in characters. Source: Lambda API, `CallbackId`.
pub const CALLBACK_ID_CHARACTERS_MAX: usize = 1_024;

/// Longest durable execution ARN, in characters. Source: Lambda API, `DurableExecutionArn`.
pub const EXECUTION_ARN_CHARACTERS_MAX: usize = 1_024;

/// Longest function reference, in characters. Source: Lambda API, `NamespacedFunctionName`.
pub const FUNCTION_REFERENCE_CHARACTERS_MAX: usize = 256;

/// Longest qualifier, in characters. Source: Lambda API, `Qualifier`.
pub const QUALIFIER_CHARACTERS_MAX: usize = 128;

/// Longest tenant id, in characters. Source: Lambda API, `TenantId`.
pub const TENANT_ID_CHARACTERS_MAX: usize = 256;

/// Longest trace header, in characters. Source: Lambda API, `XAmznTraceId`.
pub const TRACE_ID_CHARACTERS_MAX: usize = 8_192;

/// Longest reason of a pause or resume, in characters. Source: Lambda API.
pub const REASON_CHARACTERS_MAX: usize = 1_024;

/// How long a repeated request with the same client token gets the first answer, in seconds. Source: Lambda API (15 minutes).
pub const CLIENT_TOKEN_WINDOW_SECONDS: u64 = 900;

/// Page size when `MaxItems` is absent or 0. Source: Lambda API.
pub const PAGE_ITEMS_DEFAULT: usize = 100;

/// Largest page. Source: Lambda API.
pub const PAGE_ITEMS_MAX: usize = 1_000;

/// How long a list marker is good for, in seconds. Source: Lambda API (24 hours).
pub const MARKER_SECONDS_MAX: u64 = 86_400;

/// Largest first page of operations in an invocation's event, in bytes. Source: durable execution testing library (5 MiB).
pub const ENVELOPE_PAGE_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Failed invocations in a row after which an execution fails, for failures of the runtime. Source: SDK for Go, language SDK specification.
pub const INVOCATION_FAILURES_MAX: u32 = 4;

/// First delay before an invocation whose handler failed is tried again, in milliseconds. Everstep's own; AWS says "exponential backoff".
pub const RETRY_DELAY_MILLIS_FIRST: u64 = 1_000;

/// Longest delay between two tries of an invocation whose handler failed, in milliseconds. Everstep's own.
pub const RETRY_DELAY_MILLIS_MAX: u64 = 300_000;

/// How long an invocation whose handler fails is tried again, in seconds. Everstep's own; AWS says "several hours".
pub const RETRY_BUDGET_SECONDS: u64 = 6 * 3_600;

/// Delays before an asynchronous invocation of a plain function that failed is tried again, in seconds; there are no more tries. Source: Lambda Developer Guide, asynchronous invocation (one minute, then two).
pub const ASYNC_RETRY_DELAY_SECONDS: [u64; 2] = [60, 120];

/// Shortest `MaximumEventAgeInSeconds`. Source: Lambda API, `FunctionEventInvokeConfig`.
pub const ASYNC_EVENT_AGE_SECONDS_MIN: u64 = 60;

/// Longest `MaximumEventAgeInSeconds`, and what holds if none is given. Source: Lambda API, `FunctionEventInvokeConfig` (six hours).
pub const ASYNC_EVENT_AGE_SECONDS_MAX: u64 = 21_600;

/// Longest pause before an asynchronous invocation that got no process is tried again, in seconds. Source: Lambda Developer Guide, asynchronous invocation (one second, doubled up to five minutes).
pub const ASYNC_BACKOFF_SECONDS_MAX: u64 = 300;

/// How many destinations in a row tell the next one. Source: Lambda Developer Guide, recursive loop detection (about 16).
pub const DESTINATION_HOPS_MAX: u32 = 16;

/// How long a durable execution, or an invoke of one, leaves a function alone that has no concurrency left, in seconds; nothing is counted as tried. Everstep's own: Lambda waits between one second and five minutes.
pub const THROTTLE_DELAY_SECONDS: u64 = 5;

/// Largest payload that stays inside the event record, in bytes. Everstep's own: larger ones get a row of their own.
pub const INLINE_PAYLOAD_BYTES_MAX: usize = 4_096;
