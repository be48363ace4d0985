//! The workflow.

use std::sync::Arc;
use std::time::Duration;

use everstep::{Context, Result, Retry};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::dynamodb::Table;
use crate::model::Model;

const TOPICS_MAX: usize = 5;
const CALLS_AT_A_TIME: usize = 3;

/// What is asked.
#[derive(Serialize, Deserialize)]
pub struct Question {
    pub question: String,
}

/// What is answered.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub id: String,
    pub answer: String,
}

/// Whom it talks to.
pub struct Clients {
    pub model: Model,
    pub table: Table,
}

impl Clients {
    /// Finds them as the template says.
    pub fn from_environment() -> Self {
        let http = reqwest::Client::new();
        Self { model: Model::from_environment(http.clone()), table: Table::from_environment(http) }
    }
}

/// Answers a question.
pub async fn answer(Question { question }: Question, mut ctx: Context, clients: Arc<Clients>) -> Result<Answer> {
    let Clients { model, table } = clients.as_ref();
    let topics = ctx.step("plan", async |_| plan(model, &question).await).retry(patient()).await?;
    let notes = ctx
        .map("research", topics, async |mut ctx, topic| {
            let prompt = format!("Write two sentences about: {topic}");
            Ok(ctx.step("ask", async |_| model.ask(&prompt).await).retry(patient()).await?)
        })
        .max_concurrency(CALLS_AT_A_TIME)
        .await?;
    let answer = ctx.step("summarise", async |_| summarise(model, &question, &notes).await).retry(patient()).await?;
    // The same on every replay, and for each attempt to save it: nothing is saved twice.
    let id = ctx.uuid().to_string();
    let item = json!({"id": {"S": id}, "question": {"S": question}, "answer": {"S": answer}});
    ctx.step("save", async |_| table.put(&item).await).await?;
    Ok(Answer { id, answer })
}

/// A model that is busy now may answer in a few seconds; nobody pays for the time between.
fn patient() -> Retry<'static> {
    Retry::exponential(5).first(Duration::from_secs(2))
}

/// Splits the question into topics.
async fn plan(model: &Model, question: &str) -> Result<Vec<String>> {
    let prompt = format!("Name up to {TOPICS_MAX} topics to look into, one a line, to answer: {question}");
    let text = model.ask(&prompt).await?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.take(TOPICS_MAX).map(str::to_owned).collect())
}

/// Answers the question from the notes.
async fn summarise(model: &Model, question: &str, notes: &[String]) -> Result<String> {
    let prompt = format!("Answer the question from these notes. Question: {question}\n\n{}", notes.join("\n\n"));
    model.ask(&prompt).await
}
