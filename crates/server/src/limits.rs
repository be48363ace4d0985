//! Limits of the HTTP edge and of function configurations, each with its unit and source.
//!
//! Limits of executions are in `everstep_core::limits`, limits of processes and code in `everstep_worker::limits`.

use std::time::Duration;

use everstep_core::limits::SYNC_PAYLOAD_BYTES_MAX;

/// Largest body of an ordinary request, in bytes. Everstep's own: a payload of 6 MB may double when it is escaped.
pub(crate) const BODY_BYTES_MAX: u64 = 2 * SYNC_PAYLOAD_BYTES_MAX + 1_048_576;

/// Largest body of a request that carries code, in bytes: 50 MB in base64, and the rest of the request. Source: Lambda quotas.
pub(crate) const CODE_BODY_BYTES_MAX: u64 = 70 * 1_048_576;

/// How far a signature's time may be off. Source: AWS General Reference, Signature Version 4 (five minutes).
pub(crate) const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);

/// How long a presigned URL may be good for, in seconds. Source: AWS General Reference, Signature Version 4 (seven days).
pub(crate) const PRESIGNED_SECONDS_MAX: u64 = 7 * 86_400;

/// Smallest `MemorySize`, in MB. Source: Lambda quotas.
pub(crate) const MEMORY_MB_MIN: i64 = 128;

/// Largest `MemorySize`, in MB. Source: Lambda quotas.
pub(crate) const MEMORY_MB_MAX: i64 = 10_240;

/// Smallest `EphemeralStorage`, in MB. Source: Lambda quotas.
pub(crate) const TMP_MB_MIN: i64 = 512;

/// Largest `EphemeralStorage`, in MB. Source: Lambda quotas.
pub(crate) const TMP_MB_MAX: i64 = 10_240;

/// Largest environment, names and values together, in bytes. Source: Lambda quotas (4 KB).
pub(crate) const ENVIRONMENT_BYTES_MAX: usize = 4_096;

/// Longest description, in characters. Source: Lambda API, `Description`.
pub(crate) const DESCRIPTION_CHARACTERS_MAX: usize = 256;

/// Longest handler, in characters. Source: Lambda API, `Handler`.
pub(crate) const HANDLER_CHARACTERS_MAX: usize = 128;

/// `Timeout` when none is given, in seconds. Source: Lambda API.
pub(crate) const TIMEOUT_SECONDS_DEFAULT: u32 = 3;

/// `MemorySize` when none is given, in MB. Source: Lambda API.
pub(crate) const MEMORY_MB_DEFAULT: u32 = 128;

/// Longest name of an alias, in characters. Source: Lambda API, `Alias`.
pub(crate) const ALIAS_CHARACTERS_MAX: usize = 128;

/// Longest client context, in bytes of base64. Source: Lambda API, `ClientContext`.
pub(crate) const CLIENT_CONTEXT_BYTES_MAX: usize = 3_583;

/// How far the durable clock may be moved ahead of the system's. Everstep's own: a hundred years, far from the end of time.
pub(crate) const CLOCK_AHEAD_MAX: Duration = Duration::from_secs(100 * 31_622_400);

/// How long a client may take to begin TLS. Everstep's own.
pub(crate) const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How many clients of one address may begin TLS at the same time. Everstep's own.
pub(crate) const HANDSHAKES_MAX: usize = 256;

/// Largest manifest of a backup, in bytes. Everstep's own: room for half a million pieces of code.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 128 * 1_048_576;

/// Largest page of log events. Source: CloudWatch Logs API, `FilterLogEvents` and `GetLogEvents`.
pub(crate) const LOG_EVENTS_MAX: usize = 10_000;

/// Bytes of log events that are looked at for one page. Everstep's own.
pub(crate) const LOG_PAGE_BYTES_MAX: usize = 16 * 1_048_576;

/// Log events that are read from the store at once. Everstep's own; they may have 256 KB each.
pub(crate) const LOG_EVENTS_READ: usize = 100;

/// Longest filter pattern, in characters. Source: CloudWatch Logs API, `FilterPattern`.
pub(crate) const FILTER_PATTERN_CHARACTERS_MAX: usize = 1_024;

/// Most regular expressions of a filter pattern. Source: CloudWatch Logs User Guide, filter pattern syntax.
pub(crate) const FILTER_PATTERN_REGEXES_MAX: usize = 2;

/// Memory that a regular expression of a filter pattern may take, in bytes. Everstep's own.
pub(crate) const FILTER_PATTERN_REGEX_BYTES_MAX: usize = 1_048_576;

/// How deep parentheses of a filter pattern may be nested. Everstep's own.
pub(crate) const FILTER_PATTERN_DEPTH_MAX: usize = 32;

/// Largest page of log groups. Source: CloudWatch Logs API, `DescribeLogGroups`.
pub(crate) const LOG_GROUPS_MAX: usize = 50;

/// Most log groups that somebody created. Everstep's own: what is known of them is held in memory.
pub(crate) const LOG_GROUPS_KEPT_MAX: usize = 10_000;

/// Longest name of a log group, in characters. Source: CloudWatch Logs API, `LogGroupName`.
pub(crate) const LOG_GROUP_NAME_CHARACTERS_MAX: usize = 512;

/// How long to wait between two looks for code that nobody needs any more. Everstep's own: a stack that is deleted is one look.
pub(crate) const CODE_SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// How long to wait before old log lines are looked for again. Everstep's own.
pub(crate) const LOG_RETENTION_PAUSE: Duration = Duration::from_secs(3_600);

/// Largest page of log streams. Source: CloudWatch Logs API, `DescribeLogStreams`.
pub(crate) const LOG_STREAMS_MAX: usize = 50;
/// Largest page of event invoke configurations. Source: Lambda API, `MaxFunctionEventInvokeConfigListItems`.
pub(crate) const EVENT_INVOKE_CONFIGS_MAX: usize = 50;

/// Length of the id of a function URL, in characters. Source: Lambda Developer Guide, function URLs.
pub(crate) const URL_ID_CHARACTERS: usize = 32;

/// Largest page of function URLs. Source: Lambda API, `MaxItems` (50 are returned at most).
pub(crate) const FUNCTION_URLS_MAX: usize = 50;

/// Most headers or origins in a CORS setting. Source: Lambda API, `Cors`.
pub(crate) const CORS_ITEMS_MAX: usize = 100;

/// Most methods in a CORS setting. Source: Lambda API, `Cors`.
pub(crate) const CORS_METHODS_MAX: usize = 6;

/// Longest `MaxAge` of a CORS setting, in seconds. Source: Lambda API, `Cors`.
pub(crate) const CORS_MAX_AGE_SECONDS_MAX: i64 = 86_400;

/// Most bytes of status and headers at the beginning of a streamed answer. Everstep's own.
pub(crate) const HTTP_PRELUDE_BYTES_MAX: usize = 65_536;

/// Largest page of functions. Source: Lambda API, `MaxListItems` (50 are returned at most).
pub(crate) const FUNCTIONS_MAX: usize = 50;

/// Least concurrency that stays unreserved, in invocations. Everstep's own: Lambda leaves 100 of an account's 1 000.
pub(crate) const UNRESERVED_CONCURRENCY_MIN: u64 = 1;

/// Largest resource policy of a function, version or alias, in bytes. Source: Lambda quotas (20 KB).
pub(crate) const POLICY_BYTES_MAX: usize = 20_480;

/// Longest id of a policy's statement, in characters. Source: Lambda API, `AddPermission`.
pub(crate) const STATEMENT_ID_CHARACTERS_MAX: usize = 100;

/// Longest principal of a policy's statement, in characters. Source: Lambda API, `AddPermission`.
pub(crate) const PRINCIPAL_CHARACTERS_MAX: usize = 2_048;

/// Longest token of an Alexa skill, in characters. Source: Lambda API, `AddPermission`.
pub(crate) const EVENT_SOURCE_TOKEN_CHARACTERS_MAX: usize = 256;

/// Most tags of a function. Source: Lambda Developer Guide, tags.
pub(crate) const TAGS_MAX: usize = 50;

/// Longest key of a tag, in characters. Source: Lambda API, `TagKey`.
pub(crate) const TAG_KEY_CHARACTERS_MAX: usize = 128;

/// Longest value of a tag, in characters. Source: Lambda API, `TagValue`.
pub(crate) const TAG_VALUE_CHARACTERS_MAX: usize = 256;

/// Batches of log lines that may wait for the store; more are dropped with a warning. Everstep's own.
pub(crate) const LOG_BATCHES_MAX: usize = 4_096;

/// How long log lines wait for others, to be stored with them. Everstep's own; whoever reads does not wait.
pub(crate) const LOG_PAUSE: Duration = Duration::from_millis(20);

/// Bytes of log lines after which it is looked whether there are too many. Everstep's own.
pub(crate) const LOG_BYTES_UNSEEN_MAX: usize = 16 * 1_048_576;

/// Log lines that are forgotten at once when there are too many. Everstep's own; a tenth of a second's work.
pub(crate) const LOG_LINES_FORGOTTEN: usize = 10_000;

/// Most layers of a function. Source: Lambda quotas.
pub(crate) const LAYERS_MAX: usize = 5;

/// Largest page of layers, and of versions of a layer. Source: Lambda API, `MaxLayerListItems`.
pub(crate) const LAYERS_LISTED_MAX: usize = 50;

/// Most runtimes that a layer names. Source: Lambda API, `CompatibleRuntimes`.
pub(crate) const COMPATIBLE_RUNTIMES_MAX: usize = 15;

/// Most architectures that a layer names. Source: Lambda API, `CompatibleArchitectures`.
pub(crate) const COMPATIBLE_ARCHITECTURES_MAX: usize = 2;

/// Longest licence of a layer, in characters. Source: Lambda API, `LicenseInfo`.
pub(crate) const LICENSE_INFO_CHARACTERS_MAX: usize = 512;

/// How long the address in `Location` is good, in seconds. Source: Lambda API, `GetFunction` (ten minutes).
pub(crate) const CODE_LOCATION_SECONDS: u64 = 600;

/// Most parts of the name of a member in a form, such as `Tags.member.1.Key`. Everstep's own; AWS's have a dozen at most.
pub(crate) const FORM_DEPTH_MAX: usize = 16;

/// Unknown members of a request that the server's log names. Everstep's own.
pub(crate) const MEMBERS_SHOWN: usize = 10;

/// Characters that the server's log shows of an unknown member. Everstep's own.
pub(crate) const MEMBER_CHARACTERS_SHOWN: usize = 64;

/// Largest body that is passed on to a real service whole, in bytes. Everstep's own: more than Bedrock (25 MB) and DynamoDB (16 MB) take.
/// A body whose digest stands in the head is passed on as it comes, whatever its size.
pub(crate) const FORWARD_BODY_BYTES_MAX: u64 = 26 * 1_048_576;

/// Bytes of bodies that are held at the same time to be passed on. Everstep's own.
pub(crate) const FORWARD_HELD_BYTES_MAX: u64 = 8 * FORWARD_BODY_BYTES_MAX;

/// How long the body of a request may take to come that is passed on whole. Everstep's own.
pub(crate) const FORWARD_BODY_LIMIT: Duration = Duration::from_secs(60);

/// How long it may take to connect to a real service. Everstep's own.
pub(crate) const FORWARD_CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long a real service may take until its answer begins. Everstep's own: as long as a function may run.
pub(crate) const FORWARD_ANSWER_LIMIT: Duration = Duration::from_secs(900);

/// Connections to a real service that are kept although nothing is sent on them. Everstep's own.
pub(crate) const FORWARD_IDLE_CONNECTIONS_MAX: usize = 64;

/// Longest name of a stack or a change set, in characters. Source: CloudFormation API, `StackName`.
pub(crate) const STACK_NAME_CHARACTERS_MAX: usize = 128;

/// Most tags of a stack. Source: CloudFormation API, `Tags`.
pub(crate) const STACK_TAGS_MAX: usize = 50;

/// Deleted stacks that can still be described; the ones that were deleted first are forgotten. Everstep's own; on AWS they stay 90 days.
pub(crate) const DELETED_STACKS_KEPT: usize = 50;

/// Change sets of a stack; the oldest ones make room. Everstep's own.
pub(crate) const CHANGE_SETS_KEPT: usize = 100;

/// Events of a stack that stay when work on it ends; the oldest ones are forgotten. Everstep's own; on AWS they stay 90 days.
pub(crate) const EVENTS_KEPT: usize = 4_000;

/// Resources of a stack that are made at the same time. Everstep's own.
pub(crate) const RESOURCES_AT_ONCE: usize = 16;

/// Stacks on a page. Source: CloudFormation API, `DescribeStacks` and `ListStacks`.
pub(crate) const STACKS_LISTED: usize = 100;

/// Events of a stack on a page. Source: CloudFormation API, `DescribeStackEvents`.
pub(crate) const STACK_EVENTS_LISTED: usize = 100;

/// Resources of a stack on a page. Source: CloudFormation API, `ListStackResources`.
pub(crate) const STACK_RESOURCES_LISTED: usize = 100;

/// Changes of a change set on a page. Everstep's own.
pub(crate) const CHANGES_LISTED: usize = 100;

/// Exports on a page. Source: CloudFormation API, `ListExports`.
pub(crate) const EXPORTS_LISTED: usize = 100;

/// Characters that are drawn for the name of a resource. Source: CloudFormation User Guide, generated names.
pub(crate) const GENERATED_NAME_RANDOM_CHARACTERS: usize = 12;

/// Longest name that is made for a resource whose type has no limit, in characters. Everstep's own.
pub(crate) const GENERATED_NAME_CHARACTERS_MAX: usize = 128;

/// Longest name of a function, in characters. Source: Lambda API, `FunctionName`.
pub(crate) const FUNCTION_NAME_CHARACTERS_MAX: usize = 64;

/// Longest name of a layer, in characters. Source: Lambda API, `LayerName`.
pub(crate) const LAYER_NAME_CHARACTERS_MAX: usize = 140;

/// Largest source file in a template, in bytes. Source: CloudFormation User Guide, `AWS::Lambda::Function Code`.
pub(crate) const INLINE_CODE_BYTES_MAX: usize = 4_194_304;
/// Most roles. Source: IAM quotas.
pub(crate) const ROLES_MAX: usize = 1_000;

/// Most users. Source: IAM quotas.
pub(crate) const USERS_MAX: usize = 5_000;

/// Most policies of this account. Source: IAM quotas.
pub(crate) const MANAGED_POLICIES_MAX: usize = 1_500;

/// Most versions of a policy. Source: IAM quotas.
pub(crate) const POLICY_VERSIONS_MAX: usize = 5;

/// Most policies that are attached to a role or a user. Source: IAM quotas.
pub(crate) const ATTACHED_POLICIES_MAX: usize = 10;

/// Most keys of a user. Source: IAM quotas.
pub(crate) const USER_KEYS_MAX: usize = 2;

/// Longest name of a role or a user, in characters. Source: IAM API, `RoleName` and `UserName`.
pub(crate) const IDENTITY_NAME_CHARACTERS_MAX: usize = 64;

/// Longest name of a policy, in characters. Source: IAM API, `PolicyName`.
pub(crate) const POLICY_NAME_CHARACTERS_MAX: usize = 128;

/// Longest path of a role, a user or a policy, in characters. Source: IAM API, `Path`.
pub(crate) const IDENTITY_PATH_CHARACTERS_MAX: usize = 512;

/// Longest description of a role or a policy, in characters. Source: IAM API, `Description`.
pub(crate) const IDENTITY_DESCRIPTION_CHARACTERS_MAX: usize = 1_000;

/// Largest page of roles, users or policies. Source: IAM API, `MaxItems`.
pub(crate) const IDENTITIES_LISTED_MAX: usize = 1_000;

/// Page of roles, users or policies if nothing is said. Source: IAM API, `MaxItems`.
pub(crate) const IDENTITIES_LISTED_DEFAULT: usize = 100;

/// Session of a role if nothing is said, in seconds. Source: STS API, `DurationSeconds`.
pub(crate) const SESSION_SECONDS_DEFAULT: u32 = 3_600;

/// Longest session of a role, in seconds. Source: IAM API, `MaxSessionDuration`.
pub(crate) const SESSION_SECONDS_MAX: u32 = 43_200;

/// Shortest session of a role, in seconds. Source: STS API, `DurationSeconds`.
pub(crate) const SESSION_SECONDS_MIN: u32 = 900;

/// Longest session of a role that a session assumes, in seconds. Source: IAM User Guide, role chaining.
pub(crate) const SESSION_SECONDS_CHAINED_MAX: u32 = 3_600;

/// Longest that keys of `GetSessionToken` are good, in seconds. Source: STS API, `DurationSeconds` (36 hours).
pub(crate) const SESSION_TOKEN_SECONDS_MAX: u32 = 129_600;

/// Shortest name of a session, in characters. Source: STS API, `RoleSessionName`.
pub(crate) const SESSION_NAME_CHARACTERS_MIN: usize = 2;

/// Longest name of a session, in characters. Source: STS API, `RoleSessionName`.
pub(crate) const SESSION_NAME_CHARACTERS_MAX: usize = 64;

/// Most policies that limit a session by their ARNs. Source: STS API, `PolicyArns`.
pub(crate) const SESSION_POLICIES_MAX: usize = 10;

/// Most parameters. Source: Systems Manager quotas (of the standard tier).
pub(crate) const PARAMETERS_MAX: usize = 10_000;

/// Longest name of a parameter, in characters. Source: Systems Manager API, `PutParameter`.
pub(crate) const PARAMETER_NAME_CHARACTERS_MAX: usize = 1_011;

/// Most levels of a parameter's name. Source: Systems Manager API, `PutParameter`.
pub(crate) const PARAMETER_LEVELS_MAX: usize = 15;

/// Largest value of a standard parameter, in bytes. Source: Systems Manager quotas (4 KB).
pub(crate) const PARAMETER_BYTES_MAX: usize = 4_096;

/// Largest value of an advanced parameter, in bytes. Source: Systems Manager quotas (8 KB).
pub(crate) const PARAMETER_ADVANCED_BYTES_MAX: usize = 8_192;

/// Longest description of a parameter, in characters. Source: Systems Manager API, `ParameterDescription`.
pub(crate) const PARAMETER_DESCRIPTION_CHARACTERS_MAX: usize = 1_024;

/// Most versions of a parameter that are kept. Source: Systems Manager quotas.
pub(crate) const PARAMETER_VERSIONS_MAX: usize = 100;

/// Most labels of a version. Source: Systems Manager API, `LabelParameterVersion`.
pub(crate) const PARAMETER_LABELS_MAX: usize = 10;

/// Longest label, in characters. Source: Systems Manager API, `ParameterLabel`.
pub(crate) const PARAMETER_LABEL_CHARACTERS_MAX: usize = 100;

/// Most parameters that a request names. Source: Systems Manager API, `ParameterNameList`.
pub(crate) const PARAMETERS_NAMED_MAX: usize = 10;

/// Largest page of parameters below a path. Source: Systems Manager API, `GetParametersByPath`.
pub(crate) const PARAMETERS_BY_PATH_MAX: usize = 10;

/// Largest page of parameters without their values, or of versions. Source: Systems Manager API, `MaxResults`.
pub(crate) const PARAMETERS_LISTED_MAX: usize = 50;

/// Longest answer that Everstep itself reads of a real service, in bytes. Everstep's own.
pub(crate) const FORWARD_ANSWER_BYTES_MAX: usize = 1_048_576;

/// Longest name of a table, in characters. Source: DynamoDB API, `TableName`.
pub(crate) const TABLE_NAME_CHARACTERS_MAX: usize = 255;

/// How long a table may take to get ready, or to go. Everstep's own.
pub(crate) const TABLE_ACTIVE_LIMIT: Duration = Duration::from_secs(600);

/// Longest name of a queue, in characters. Source: SQS API, `QueueName`.
pub(crate) const QUEUE_NAME_CHARACTERS_MAX: usize = 80;

/// Longest name of a bucket, in characters. Source: Amazon S3 User Guide, bucket naming rules.
pub(crate) const BUCKET_NAME_CHARACTERS_MAX: usize = 63;

/// Most buckets. Source: Amazon S3 quotas (10,000 an account since 2024; the earlier 1,000 are enough for artifacts).
pub(crate) const BUCKETS_MAX: usize = 1_000;

/// Most versions of an object, in a bucket that keeps them. Everstep's own: they are one document.
pub(crate) const OBJECT_VERSIONS_MAX: usize = 1_000;

/// Largest object that is uploaded at once, and largest part of one, in bytes. Source: Amazon S3 quotas (5 GiB).
pub(crate) const PART_BYTES_MAX: u64 = 5 * 1_073_741_824;

/// Smallest part of an object but its last, in bytes. Source: Amazon S3 quotas (5 MiB).
pub(crate) const PART_BYTES_MIN: u64 = 5 * 1_048_576;

/// Largest number of a part. Source: Amazon S3 quotas.
pub(crate) const PART_NUMBER_MAX: u32 = 10_000;

/// Longest names and values of an object's own metadata, together, in bytes. Source: Amazon S3 User Guide (2 KB).
pub(crate) const METADATA_BYTES_MAX: usize = 2_048;

/// Most tags of an object. Source: Amazon S3 User Guide.
pub(crate) const OBJECT_TAGS_MAX: usize = 10;

/// Largest page of objects, uploads or parts. Source: Amazon S3 API.
pub(crate) const OBJECTS_LISTED_MAX: usize = 1_000;

/// Most objects that one request deletes. Source: Amazon S3 API, `DeleteObjects`.
pub(crate) const OBJECTS_DELETED_MAX: usize = 1_000;

/// Documents of the catalog that are read at a time, where all of them are. Everstep's own.
pub(crate) const DOCUMENTS_READ: usize = 1_000;

/// Longest line of the encoding `aws-chunked`, in bytes. Everstep's own; a chunk's signature takes a hundred.
pub(crate) const CHUNK_LINE_BYTES_MAX: usize = 1_024;

/// Most headers behind the last chunk of a body. Everstep's own; clients send a checksum and its signature.
pub(crate) const CHUNK_TRAILERS_MAX: usize = 16;

/// Largest body of a request to S3 that is a document and no object, in bytes. Everstep's own: ten thousand parts, or a
/// thousand of the longest keys, fit in.
pub(crate) const S3_DOCUMENT_BYTES_MAX: u64 = 4 * 1_048_576;

/// Bytes of an object that are read at once to be sent. Everstep's own.
pub(crate) const OBJECT_READ_BYTES: usize = 256 * 1_024;

/// Most repositories of images. Everstep's own: they are held in memory.
pub(crate) const REPOSITORIES_MAX: usize = 10_000;

/// Shortest name of a repository, in characters. Source: Amazon ECR API, `RepositoryName`.
pub(crate) const REPOSITORY_NAME_CHARACTERS_MIN: usize = 2;

/// Longest name of a repository, in characters. Source: Amazon ECR API, `RepositoryName`.
pub(crate) const REPOSITORY_NAME_CHARACTERS_MAX: usize = 256;

/// Repositories on a page, if nothing else is said. Source: Amazon ECR API, `DescribeRepositories`.
pub(crate) const REPOSITORIES_LISTED_DEFAULT: usize = 100;

/// Most repositories on a page. Source: Amazon ECR API, `DescribeRepositories`.
pub(crate) const REPOSITORIES_LISTED_MAX: usize = 1_000;

/// Most keys of KMS. Everstep's own: they are held in memory.
pub(crate) const ENCRYPTION_KEYS_MAX: usize = 10_000;

/// Most aliases of a key. Source: AWS KMS quotas.
pub(crate) const ENCRYPTION_KEY_ALIASES_MAX: usize = 50;

/// Longest description of a key, in characters. Source: AWS KMS API, `DescriptionType`.
pub(crate) const ENCRYPTION_KEY_DESCRIPTION_CHARACTERS_MAX: usize = 8_192;

/// Longest name of an alias of a key, in characters. Source: AWS KMS API, `AliasNameType`.
pub(crate) const ENCRYPTION_KEY_ALIAS_CHARACTERS_MAX: usize = 256;

/// Keys on a page, if nothing else is said. Source: AWS KMS API, `ListKeys`.
pub(crate) const ENCRYPTION_KEYS_LISTED_DEFAULT: usize = 100;

/// Most keys on a page. Source: AWS KMS API, `ListKeys`.
pub(crate) const ENCRYPTION_KEYS_LISTED_MAX: usize = 1_000;

/// Aliases on a page, if nothing else is said. Source: AWS KMS API, `ListAliases`.
pub(crate) const ENCRYPTION_KEY_ALIASES_LISTED_DEFAULT: usize = 50;

/// Most aliases on a page. Source: AWS KMS API, `ListAliases`.
pub(crate) const ENCRYPTION_KEY_ALIASES_LISTED_MAX: usize = 100;

/// Most executions of `sam local` that are remembered. Everstep's own: where their functions are is held in memory.
pub(crate) const SAM_LOCAL_EXECUTIONS_MAX: usize = 10_000;

/// How much of an answer that is no function's is shown, in bytes. Everstep's own: enough for what an emulator says of an error.
pub(crate) const SAM_LOCAL_ANSWER_BYTES_SHOWN: usize = 1_024;

/// How long to wait for a connection to a function of `sam local`. Everstep's own.
pub(crate) const SAM_LOCAL_CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long an invocation of `sam local` may take: the longest `Timeout` of a function, and a little more. Source: Lambda quotas.
pub(crate) const SAM_LOCAL_INVOCATION_LIMIT: Duration = Duration::from_secs(905);

/// Functions that are kept in memory as they were read. Source: ours; there are rarely more, and reading one takes
/// microseconds.
pub(crate) const FUNCTIONS_KNOWN_MAX: usize = 1_000;
