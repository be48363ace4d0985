//! Java functions as real processes: AWS's runtime client, started as Everstep starts it.
//!
//! The classes are compiled once for all tests, by the machine's JDK. The first run fetches the client from Maven
//! Central.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use everstep_worker::runtimes::Runtimes;
use everstep_worker::{Config, Function, Install, LogFormat, Runtime, Unavailable};
use serde_json::{Value, json};
use support::{Code, World, runtimes};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// What a handler can be, and what it can see.
const FUNCTIONS: &str = r#"
package demo;

import com.amazonaws.services.lambda.runtime.*;
import java.io.*;
import java.lang.management.ManagementFactory;
import java.nio.file.*;
import java.util.*;

public class Functions {
    static final long STARTED = System.nanoTime();

    public static class Order { public String id; public int items; }
    public static class Receipt { public String order; public int total; }

    public Receipt pojo(Order order, Context context) {
        Receipt receipt = new Receipt();
        receipt.order = order.id;
        receipt.total = order.items * 2;
        return receipt;
    }

    public Map<String, Object> context(Map<String, Object> event, Context context) {
        Map<String, Object> seen = new TreeMap<>();
        seen.put("request", context.getAwsRequestId());
        seen.put("arn", context.getInvokedFunctionArn());
        seen.put("name", context.getFunctionName());
        seen.put("memory", context.getMemoryLimitInMB());
        seen.put("time", context.getRemainingTimeInMillis() > 50_000);
        return seen;
    }

    public List<String> temporary(Object event) {
        return List.of(System.getProperty("java.io.tmpdir"), System.getenv("TMPDIR"));
    }

    public String locale(Object event) { return Locale.getDefault() + " " + java.nio.charset.Charset.defaultCharset(); }

    public String variable(String name) { System.out.println(System.getenv(name)); return System.getenv(name); }

    public long heap(Object event) { return Runtime.getRuntime().maxMemory() >> 20; }

    public List<String> options(Object event) { return ManagementFactory.getRuntimeMXBean().getInputArguments(); }

    public String read(String path) throws IOException { return Files.readString(Paths.get(path)); }

    public String write(String path) throws IOException { return Files.writeString(Paths.get(path), "x").toString(); }

    public long started(Object event) { return STARTED; }

    public String layer(Object event) throws Exception {
        return (String) Class.forName("demo.InLayer").getMethod("word").invoke(null);
    }

    public String log(String word, Context context) {
        context.getLogger().log(word);
        System.out.println("printed " + word);
        return word;
    }

    public String fail(String message) { throw new IllegalStateException(message); }

    public String exit(int code) { System.exit(code); return "never"; }

    public String eat(int megabytes) {
        List<byte[]> eaten = new ArrayList<>();
        for (int i = 0; i < megabytes; i++) { byte[] bytes = new byte[1 << 20]; Arrays.fill(bytes, (byte) 1); eaten.add(bytes); }
        return "ate " + eaten.size();
    }

    public static class Stream implements RequestStreamHandler {
        public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
            out.write("{\"stream\":".getBytes());
            in.transferTo(out);
            out.write('}');
        }
    }

    public static class Request implements RequestHandler<Map<String, Object>, Map<String, Object>> {
        public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
            return Map.of("event", event);
        }
    }

    public static class Broken {
        static { if (true) throw new IllegalArgumentException("no configuration"); }
        public String handle(String event) { return event; }
    }
}
"#;

const LAYER: &str = "package demo; public class InLayer { public static String word() { return \"layer\"; } }";

/// Compiled classes.
struct Classes {
    /// A package: classes at the root.
    code: PathBuf,
    /// A package: the same classes in a jar.
    jar: PathBuf,
    /// A layer.
    layer: PathBuf,
    _place: TempDir,
}

async fn classes() -> &'static Classes {
    static CLASSES: OnceCell<Classes> = OnceCell::const_new();
    CLASSES.get_or_init(compile).await
}

async fn compile() -> Classes {
    let mut config = Config::new(runtimes(), "http://127.0.0.1:9");
    config.runtimes_dir = runtimes();
    config.install = Install::Interpreters;
    Runtimes::new(&config).install(Runtime::Java17).await.expect("a Java 17 and AWS's client");
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let run = |program: &str, arguments: &[&Path]| {
        let output = Command::new(program).args(arguments).output().expect("a JDK on this machine");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let client = fs::read_dir(runtimes()).unwrap().flatten().map(|entry| entry.path());
    let client = client.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("client-java-"));
    let client = client.last().unwrap().join("*");
    for (name, text, to) in [("Functions.java", FUNCTIONS, "code"), ("InLayer.java", LAYER, "layer-classes")] {
        fs::write(path(name), text).unwrap();
        let to = path(to);
        let options = ["-nowarn", "--release", "17", "-cp"].map(Path::new);
        run("javac", &[&options[..], &[&client, Path::new("-d"), &to, &path(name)]].concat());
    }
    for directory in ["jar/lib", "layer/java/lib"] {
        fs::create_dir_all(path(directory)).unwrap();
    }
    let create = ["--create", "--file"].map(Path::new);
    for (jar, from) in [("jar/lib/functions.jar", "code"), ("layer/java/lib/layer.jar", "layer-classes")] {
        run("jar", &[&create[..], &[&path(jar), Path::new("-C"), &path(from), Path::new(".")]].concat());
    }
    Classes { code: path("code"), jar: path("jar"), layer: path("layer"), _place: place }
}

/// How often a start is measured.
const STARTS: usize = 3;

/// A function of the compiled classes.
async fn java(handler: &str, change: impl FnOnce(&mut Function)) -> Code {
    let classes = classes().await;
    Code::with(Runtime::Java17, handler, &[], |function| {
        function.code_dir = classes.code.clone();
        function.memory_mb = 512;
        change(function);
    })
}

/// A function and what it answers to an event.
async fn check(world: &World, handler: &str, event: Value, expected: Value) {
    let function = java(handler, |_| {}).await;
    assert_eq!(world.value(&function, &event.to_string()).await, expected, "{handler}");
}

fn variable(name: &str, value: &str) -> impl FnOnce(&mut Function) {
    let (name, value) = (name.to_owned(), value.to_owned());
    move |function| drop(function.environment.insert(name, value))
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_of_every_kind_are_found() {
    let world = World::with_rooms(|_| {}).await;
    let receipt = json!({"order": "o-1", "total": 6});
    check(&world, "demo.Functions::pojo", json!({"id": "o-1", "items": 3}), receipt.clone()).await;
    check(&world, "demo.Functions$Request", json!({"a": 1}), json!({"event": {"a": 1}})).await;
    check(&world, "demo.Functions$Stream", json!([1, 2]), json!({"stream": [1, 2]})).await;
    let jar = classes().await.jar.clone();
    let function = java("demo.Functions::pojo", |function| function.code_dir = jar).await;
    assert_eq!(world.value(&function, r#"{"id": "o-1", "items": 3}"#).await, receipt, "a jar in lib");
}

#[tokio::test(flavor = "multi_thread")]
async fn context_is_filled_and_the_process_is_used_again() {
    let world = World::new();
    let function = java("demo.Functions::context", |_| {}).await;
    let seen = world.value(&function, "{}").await;
    let request = seen["request"].as_str().unwrap();
    assert!(request.starts_with("00000000-0000-4000-8000-"), "{seen}");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:demo:live";
    assert_eq!(seen, json!({"request": request, "arn": arn, "name": "demo", "memory": 512, "time": true}));
    let function = java("demo.Functions::started", |_| {}).await;
    assert_eq!(world.value(&function, "0").await, world.value(&function, "0").await);
    assert!(world.logs.text().contains("INIT_START Runtime Version: java17 (Java 17."), "{}", world.logs.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_are_found_in_rooms_and_without() {
    for world in [World::with_rooms(|_| {}).await, World::new()] {
        let layer = classes().await.layer.clone();
        let function = java("demo.Functions::layer", |function| function.layers_dir = Some(layer)).await;
        assert_eq!(world.value(&function, "0").await, "layer");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_awss_words() {
    let world = World::new();
    for (handler, event, error_type, words) in [
        ("demo.Functions::fail", "\"no luck\"", "java.lang.IllegalStateException", "no luck"),
        ("demo.Absent::handle", "0", "java.lang.ClassNotFoundException", "Class not found: demo.Absent"),
        ("demo.Functions::absent", "0", "Runtime.BadFunctionCode", "No public method named absent"),
        ("demo.Functions$Broken::handle", "\"\"", "java.lang.ExceptionInInitializerError", ""),
        ("demo.Functions::exit", "3", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
    ] {
        let function = java(handler, |_| {}).await;
        let failure = world.failure(&function, event).await;
        assert_eq!(failure.error_type, error_type, "{handler}: {failure:?}");
        assert!(failure.error_message.contains(words), "{handler}: {failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_have_their_share_of_the_memory_and_too_many_are_an_error() {
    let world = World::with_rooms(|_| {}).await;
    for (memory_mb, least, most) in [(128, 55, 64), (512, 400, 436)] {
        let function = java("demo.Functions::heap", |function| function.memory_mb = memory_mb).await;
        let heap = world.value(&function, "0").await.as_u64().unwrap();
        assert!((least..=most).contains(&heap), "{heap} MB of {memory_mb}");
    }
    let function = java("demo.Functions::eat", |function| function.memory_mb = 128).await;
    assert_eq!(world.value(&function, "20").await, "ate 20");
    let failure = world.failure(&function, "100").await;
    assert_eq!(failure.error_type, "java.lang.OutOfMemoryError", "{failure:?}");
    assert_eq!(world.value(&function, "20").await, "ate 20", "the next invocation has another process");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_the_function_go_before_ours() {
    let world = World::with_rooms(|_| {}).await;
    for (theirs, ours, is_there) in [
        ("-Done=1", "-XX:+UseSerialGC", true),
        ("-Done=1", "-XX:TieredStopAtLevel=1", true),
        ("-XX:+UseParallelGC", "-XX:+UseSerialGC", false),
        ("-XX:-TieredCompilation", "-XX:TieredStopAtLevel=1", false),
        ("-Xmx100m", "-XX:MaxHeapSize=445646k", false),
        ("-Done=1", "-XX:MaxHeapSize=445646k", true),
    ] {
        let function = java("demo.Functions::options", variable("JAVA_TOOL_OPTIONS", theirs)).await;
        let options = world.value(&function, "0").await;
        let has = |option: &str| options.as_array().unwrap().iter().any(|have| have == option);
        assert!(has(theirs), "{options}");
        assert_eq!(has(ours), is_there, "{theirs}: {options}");
    }
    let wrapper = "#!/bin/sh\nexport WRAPPED=\"$#\"\nexec \"$@\"\n";
    let classes = classes().await;
    let code = Code::with(Runtime::Java17, "demo.Functions::variable", &[("wrapper.sh", wrapper)], |function| {
        function.environment.insert("AWS_LAMBDA_EXEC_WRAPPER".into(), "/var/task/wrapper.sh".into());
        fs::create_dir(function.code_dir.join("lib")).unwrap();
        fs::copy(classes.jar.join("lib/functions.jar"), function.code_dir.join("lib/functions.jar")).unwrap();
    });
    assert_ne!(world.value(&code, "\"WRAPPED\"").await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn classes_of_the_client_come_out_of_the_archive() {
    let world = World::with_rooms(|_| {}).await;
    let option = variable("JAVA_TOOL_OPTIONS", "-Xlog:class+load:file=/tmp/loaded");
    let function = java("demo.Functions::read", option).await;
    let loaded = world.value(&function, "\"/tmp/loaded\"").await;
    let source = |class: &str| {
        let line = loaded.as_str().unwrap().lines().find(|line| line.contains(class)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{class} is not loaded"))
    };
    for class in ["com.amazonaws.services.lambda.runtime.api.client.AWSLambda ", "java.lang.Object "] {
        assert!(source(class).contains("source: shared objects file"), "{}", source(class));
    }
    assert!(source("demo.Functions ").contains("source: file:/var/task/"), "{}", source("demo.Functions "));
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_files_are_where_the_room_has_them_and_nothing_else_is_written() {
    for world in [World::with_rooms(|_| {}).await, World::new()] {
        let function = java("demo.Functions::temporary", |_| {}).await;
        let places = world.value(&function, "0").await;
        assert_eq!(places[0], places[1]);
    }
    let world = World::with_rooms(|_| {}).await;
    let function = java("demo.Functions::write", |_| {}).await;
    assert_eq!(world.value(&function, "\"/tmp/x\"").await, "/tmp/x");
    let command_line = java("demo.Functions::read", |_| {}).await;
    let command_line = world.value(&command_line, "\"/proc/self/cmdline\"").await;
    let parts: Vec<&str> = command_line.as_str().unwrap().split(['\0', ':', '=']).collect();
    for part in parts.into_iter().filter(|part| part.starts_with('/') && !part.starts_with("/tmp")) {
        let failure = world.failure(&function, &json!(part).to_string()).await;
        let error = failure.error_type.clone();
        assert!(error.starts_with("java.nio.file."), "{part}: {failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_utf_8_on_every_way() {
    let world = World::with_rooms(|_| {}).await;
    check(&world, "demo.Functions::locale", json!(0), json!("en_US UTF-8")).await;
    let function = java("demo.Functions::variable", variable("GREETING", "grüß dich, 世界")).await;
    assert_eq!(world.value(&function, "\"GREETING\"").await, "grüß dich, 世界");
    assert!(world.logs.lines().contains(&"grüß dich, 世界".to_owned()), "{}", world.logs.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_json_where_that_is_asked_for() {
    let world = World::new();
    let function = java("demo.Functions::log", |function| {
        function.log_format = LogFormat::Json;
        function.log_level = Some("INFO".into());
    });
    assert_eq!(world.value(&function.await, "\"a word\"").await, "a word");
    let records = world.logs.records("AWSRequestId");
    assert_eq!(records.len(), 1, "{}", world.logs.text());
    assert_eq!(records[0]["message"], "a word");
    assert!(world.logs.lines().contains(&"printed a word".to_owned()), "{}", world.logs.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_the_client_is_told_what_to_do() {
    let data_dir = tempfile::tempdir().unwrap();
    let world = World::with(|config| {
        config.runtimes_dir = data_dir.path().join("runtimes");
        config.install = Install::Nothing;
    });
    let function = Code::new(Runtime::Java17, "demo.Functions::pojo", &[]);
    let Err(Unavailable::Failed(failure)) = world.supervisor.acquire(&function.function).await else {
        panic!("a process");
    };
    let error = failure.error_message;
    for words in ["AWS's runtime client for Java is missing", "runtimes install --from"] {
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_one_event_whatever_lines_it_has() {
    let world = World::with_rooms(|_| {}).await;
    let function = java("demo.Functions::log", |_| {}).await;
    for word in ["a word", "two\nlines", "a line\n"] {
        let before = world.logs.lines().len();
        world.value(&function, &json!(word).to_string()).await;
        let lines = world.logs.lines().split_off(before);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let at = lines.iter().position(|line| *line == word.trim_end()).unwrap_or_else(|| panic!("{lines:?}"));
        assert!(lines[at + 1].starts_with("printed "), "{lines:?}");
    }
}

/// Nothing is asserted of times: they are for people, who run this with `--nocapture`.
#[tokio::test(flavor = "multi_thread")]
async fn start_is_printed_with_and_without_the_archive() {
    let world = World::with_rooms(|_| {}).await;
    for (title, option) in [("with the archive", "-Done=1"), ("without", "-Xshare:auto")] {
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let before = world.logs.lines().len();
            let function = java("demo.Functions$Request", variable("JAVA_TOOL_OPTIONS", option)).await;
            world.value(&function, "{}").await;
            let lines = world.logs.lines().split_off(before);
            let report = lines.iter().find(|line| line.starts_with("REPORT ")).expect("a report");
            let number = |name: &str| report.split('\t').find_map(|part| part.strip_prefix(name)).expect("a number");
            let start: f64 = number("Init Duration: ").trim_end_matches(" ms").parse().unwrap();
            starts.push((start, number("Max Memory Used: ").to_owned()));
        }
        starts.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (start, memory) = &starts[STARTS / 2];
        println!("Java {title}: {start:.0} ms to the first question, {memory}");
    }
}
