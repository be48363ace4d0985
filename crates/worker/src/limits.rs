//! Every limit of this crate, with its unit and source.

use std::time::Duration;

/// Bytes of a response (and of an error document): 6 MiB and 100 bytes. Source: Lambda quotas, "invocation payload";
/// the exact number is the one in Lambda's own error message.
pub const RESPONSE_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;

/// Bytes of a streamed response: 200 MB. Source: Lambda quotas, "response streaming".
pub const STREAMED_RESPONSE_BYTES_MAX: u64 = 200 * 1024 * 1024;

/// Pieces of a streamed response that wait for its reader; then the function waits. Source: ours.
pub const STREAM_PARTS_MAX: usize = 16;

/// Bytes of an uploaded zip file: 50 MB. Source: Lambda quotas, "deployment package, zipped, for direct upload".
pub const ZIP_BYTES_MAX: u64 = 50 * 1024 * 1024;

/// Bytes of an unzipped code package: 250 MB. Source: Lambda quotas, "deployment package, unzipped".
pub const CODE_BYTES_MAX: u64 = 250 * 1024 * 1024;

/// Entries in a code package. Source: ours; Lambda names none, and an empty file costs a zip bomb nothing.
pub const CODE_ENTRIES_MAX: usize = 200_000;

/// Bytes of a symbolic link's target. Source: Linux `PATH_MAX`, less its closing zero.
pub const LINK_BYTES_MAX: u64 = 4095;

/// Bytes of one log line; a longer one is split. Source: CloudWatch Logs, event size of 256 KB less 26 bytes of
/// overhead.
pub const LOG_LINE_BYTES_MAX: usize = 256 * 1024 - 26;

/// Bytes of log returned for `LogType=Tail`. Source: Lambda API, `Invoke`.
pub const LOG_TAIL_BYTES_MAX: usize = 4 * 1024;

/// Bytes read from a process's output at once, which is also the size of a batch of log lines. Source: the capacity
/// of a Linux pipe.
pub const OUTPUT_READ_BYTES: usize = 64 * 1024;

/// Bytes per second that are read of a process's output; whoever writes faster waits. Source: ours.
pub const OUTPUT_BYTES_PER_SECOND: usize = 4 * 1024 * 1024;

/// How long a process may be ahead of that. Source: ours; a stack trace or a dump is read at once.
pub const OUTPUT_BURST: Duration = Duration::from_secs(2);

/// Connections one process may hold to its Runtime API. Source: ours; a runtime needs one.
pub const CONNECTIONS_MAX: usize = 32;

/// Time for the launcher to build a room and to start the program in it. Source: ours; it takes milliseconds, so whoever
/// is not through by then hangs.
pub const LAUNCH_LIMIT: Duration = Duration::from_secs(60);

/// Bytes that are read of what the launcher says went wrong. Source: ours; it is a sentence.
pub const LAUNCH_REPORT_BYTES_MAX: u64 = 4 * 1024;

/// Time for initialization before the function's own timeout starts to count. Source: Lambda runtime environment
/// lifecycle, "Init phase".
pub const INIT_LIMIT: Duration = Duration::from_secs(10);

/// Time an outcome waits for the runtime to ask for its next event, which Lambda counts as the end of an invocation.
/// Source: ours; a runtime asks within a millisecond, and one that does not shall not hold up its caller.
pub const SETTLE_LIMIT: Duration = Duration::from_millis(100);

/// Time for an interpreter to say which version it is. Source: ours.
pub const PROBE_LIMIT: Duration = Duration::from_secs(20);

/// Memory of a Java function's `MemorySize` that is not for its objects, in KB. Source: ours; what Java itself holds is
/// about this much, and a little more than AWS leaves it in the smallest functions.
pub const JAVA_OWN_MEMORY_KB: u32 = 64 * 1024;

/// Lines of a failed installation's output that its error quotes. Source: ours.
pub const INSTALL_ERROR_LINES: usize = 15;

/// Invocations that may wait for concurrency at once, over all functions. Source: ours; each costs about a
/// kilobyte and its event.
pub const BACKLOG_MAX: usize = 50_000;

/// Invocations of one function that may wait for concurrency at once, so that no function fills the backlog alone.
/// Source: ours.
pub const BACKLOG_PER_FUNCTION_MAX: usize = 10_000;

/// Bytes of a bundle of runtimes, unpacked. Source: ours; every runtime together has one.
pub const BUNDLE_BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;

/// Bytes of what a bundle says of itself. Source: ours; it is a kilobyte.
pub const BUNDLE_MANIFEST_BYTES_MAX: u64 = 1024 * 1024;

/// Processes and threads of one function process, and what it starts. Source: Lambda quotas, "execution
/// processes/threads".
pub const FUNCTION_PROCESSES_MAX: u64 = 1024;

/// File descriptors of one process of a function. Source: Lambda quotas, "file descriptors".
pub const OPEN_FILES_MAX: u64 = 1024;

/// Size of `/tmp` when `EphemeralStorage` is not given, in MB. Source: Lambda API, `EphemeralStorage`.
pub const TMP_MB_DEFAULT: u32 = 512;

/// Files and directories in `/tmp`. Source: ours; Lambda names none, and an empty file costs kernel memory all the same.
pub const TMP_FILES_MAX: u64 = 65_536;

/// Time between two looks at the memory of a process. Source: ours; what a process can take within it is past its
/// `MemorySize` for that long.
pub const MEMORY_WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// The same for a process that waits for an invocation. Source: ours.
pub const MEMORY_WATCH_IDLE_INTERVAL: Duration = Duration::from_secs(1);

/// Time between two looks, in times of what a look takes. Source: ours; looking at a thousand processes must not take a
/// processor.
pub const MEMORY_WATCH_PAUSE: u32 = 20;

/// What the last look may have taken for the next one to be made without a thread of its own. Source: ours.
pub const MEMORY_GLANCE_MAX: Duration = Duration::from_millis(1);

/// Processes of one function process up to which pages that they share are counted once. Source: ours; telling shared
/// pages apart costs about a millisecond for each process.
pub const MEMORY_SHARES_PROCESSES_MAX: usize = 32;

/// Memory for the program that finds out whether isolation works, in MB. Source: ours.
pub const TRY_MEMORY_MB: u32 = 128;

/// First user id that isolated functions may get from a server that runs as root. Source: ours; above the ids that
/// people, services and containers get.
pub const USER_FIRST: u32 = 1_900_000_000;

/// User ids for one server. Source: ours; more than the processes it can have at once.
pub const USERS_PER_SERVER: u32 = 65_536;

/// Ranges of user ids for servers on one machine, by their process ids. Source: ours; the last one ends below 2³¹.
pub const USER_RANGES: u32 = 3_000;
