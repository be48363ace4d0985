//! Interpreters that Everstep installs. The first run fetches them: Python from Debian, Node.js from npm, Java from PyPI.

mod support;

use everstep_worker::{Install, Runtime};
use serde_json::json;
use support::{Code, World, runtimes};

#[tokio::test(flavor = "multi_thread")]
async fn python_from_debian_is_whole() {
    let world = World::with(|config| config.install = Install::Everything);
    let text = "\
import ctypes, json, os, subprocess, sys, zoneinfo
import bz2, lzma, readline, sqlite3, ssl, uuid, zlib
import boto3, botocore

def handler(event, context):
    child = [sys.executable, '-c', 'import sys, ssl; print(sys.version_info.minor, sys.executable)']
    by_name = ['python3', '-c', 'import sys; print(sys.version_info.minor)']
    ctypes.CDLL('libstdc++.so.6')
    return {
        'version': list(sys.version_info[:2]),
        'child': subprocess.check_output(child, text=True).split() == ['14', sys.executable],
        'by name': subprocess.check_output(by_name, text=True).split(),
        'own libraries': all(not entry.startswith('/usr/') for entry in sys.path),
        'compiled': all(os.path.exists(module.__cached__) for module in (json, boto3, botocore)),
    }
";
    let code = Code::new(Runtime::Python314, "app.handler", &[("app.py", text)]);
    let seen = world.value(&code, "null").await;
    let expected = json!({
        "version": [3, 14], "child": true, "by name": ["14"], "own libraries": true, "compiled": true,
    });
    assert_eq!(seen, expected);
}

/// A launcher that is reached by a link still finds its libraries, and a virtual environment is recognized.
#[tokio::test(flavor = "multi_thread")]
async fn python_from_debian_makes_virtual_environments() {
    let world = World::new();
    let text = "\
import os, subprocess, sys, tempfile

def handler(event, context):
    with tempfile.TemporaryDirectory() as place:
        subprocess.check_call([sys.executable, '-m', 'venv', '--without-pip', place])
        program = os.path.join(place, 'bin', 'python')
        question = 'import sys; print(sys.prefix, sys.executable, sys.base_prefix)'
        answer = subprocess.check_output([program, '-c', question], text=True).split()
        return answer == [place, program, sys.prefix]
";
    let code = Code::new(Runtime::Python314, "app.handler", &[("app.py", text)]);
    assert_eq!(world.value(&code, "null").await, json!(true));
}

/// A function of Java's own classes: nothing needs to be compiled for it.
#[tokio::test(flavor = "multi_thread")]
async fn java_from_pypi_runs() {
    for (runtime, version) in [(Runtime::Java21, "java21 (Java 21."), (Runtime::Java25, "java25 (Java 25.")] {
        let world = World::with_rooms(|_| {}).await;
        let code = Code::with(runtime, "java.lang.String::concat", &[], |function| function.memory_mb = 512);
        assert_eq!(world.value(&code, "\"text\"").await, "text", "{runtime}");
        let lines = world.logs.lines();
        assert!(lines[0].contains(version), "{lines:?}");
        assert_eq!(lines.len(), 4, "no warnings between what Lambda logs: {lines:?}");
        let name = format!("classes-{runtime}-");
        let made = runtimes().read_dir().unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
        assert!(made.into_iter().any(|made| made.starts_with(&name)), "no archive");
    }
}
