//! The workflow, against a model and a table that a thread of the test plays.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use aws_credential_types::Credentials;
use everstep::testing::{Attempt, Test, test};
use serde_json::{Value, json};

use crate::dynamodb::Table;
use crate::model::Model;
use crate::workflow::{Answer, Clients, Question, answer};

/// What was asked for, in its order: the model's prompts, and the table's items.
type Asked = Arc<Mutex<Vec<Value>>>;

#[tokio::test]
async fn a_question_is_answered_and_saved() {
    let (test, asked) = answering();
    let run = test.start(question()).finish().await;
    let Answer { id, answer } = run.result().unwrap();
    assert_eq!(answer, "light matters\n\nair matters");
    let item = json!({"id": {"S": id}, "question": {"S": "Why is the sky blue?"}, "answer": {"S": answer}});
    assert_eq!(asked.lock().unwrap().last(), Some(&json!({"TableName": "answers", "Item": item})));
    // The model was busy at first.
    assert_eq!(run.operation("plan").attempts(), 2);
}

#[tokio::test]
async fn what_the_model_said_is_not_asked_for_again() {
    let (test, asked) = answering();
    let run = test.crash_after("summarise", Attempt::Start).start(question()).finish().await;
    run.result::<Answer>().unwrap();
    let asked = asked.lock().unwrap();
    let prompts = |kind: &str| asked.iter().filter(|request| prompt(request).starts_with(kind)).count();
    assert_eq!((prompts("Name"), prompts("Write")), (2, 2));
}

fn question() -> Question {
    Question { question: "Why is the sky blue?".to_owned() }
}

/// Returns a test of the workflow, and what it will ask for.
fn answering() -> (Test, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let heard = Arc::clone(&asked);
    thread::spawn(move || {
        for connection in listener.incoming() {
            // A caller that crashed is gone before it is answered.
            let _ = serve(connection.unwrap(), &heard);
        }
    });
    let http = reqwest::Client::new();
    let model = Model { http: http.clone(), url: url.clone(), name: "made-up".to_owned(), key: "key".to_owned() };
    let credentials = Credentials::new("AKID", "secret", None, None, "test");
    let table = Table { http, endpoint: url, name: "answers".to_owned(), region: "us-east-1".to_owned(), credentials };
    let clients = Arc::new(Clients { model, table });
    (test(move |question, ctx| answer(question, ctx, Arc::clone(&clients))), asked)
}

/// Answers one request: the first of all is refused, because the model is busy.
fn serve(mut connection: TcpStream, asked: &Asked) -> io::Result<()> {
    let request = read(&connection)?;
    let text = match prompt(&request).split_once(' ') {
        Some(("Name", _)) => "light\n\n air \n".to_owned(),
        Some(("Write", rest)) => format!("{} matters", rest.rsplit(' ').next().unwrap()),
        Some((_, rest)) => rest.split_once("\n\n").unwrap().1.to_owned(),
        None => String::new(),
    };
    let mut asked = asked.lock().unwrap();
    let status = if asked.is_empty() { 503 } else { 200 };
    asked.push(request);
    let answer = json!({"choices": [{"message": {"content": text}}]}).to_string();
    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
    connection.write_all((head + &answer).as_bytes())
}

fn read(connection: &TcpStream) -> io::Result<Value> {
    let mut reader = BufReader::new(connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// Returns what the model is asked; nothing if the request is for the table.
fn prompt(request: &Value) -> &str {
    request["messages"][0]["content"].as_str().unwrap_or_default()
}
