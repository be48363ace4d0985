//! Greets, by the Runtime API and the standard library alone.

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;

fn main() {
    let api = env::var("AWS_LAMBDA_RUNTIME_API").expect("it runs as a function");
    loop {
        let (head, event) = exchange(&api, "GET", "next", "");
        let id = header(&head, "lambda-runtime-aws-request-id").expect("each invocation has an id");
        let name = event.split('"').nth(3).expect("the event is {\"name\": …}");
        exchange(&api, "POST", &format!("{id}/response"), &format!("\"hello {name}, from Rust\""));
    }
}

/// Sends a request; returns the head and the body of the answer.
fn exchange(api: &str, method: &str, path: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(api).expect("the Runtime API listens");
    let head = format!("{method} /2018-06-01/runtime/invocation/{path} HTTP/1.1\r\nHost: {api}\r\nConnection: close");
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head and a body");
    (head.into(), body.into())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = head.lines().filter_map(|line| line.split_once(": "));
    pairs.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
}
