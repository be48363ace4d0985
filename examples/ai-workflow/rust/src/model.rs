//! A model, by the chat completions API that most servers of models speak.

use std::env;
use std::time::Duration;

use everstep::Result;
use serde::Deserialize;
use serde_json::json;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A model that is served somewhere.
pub struct Model {
    pub http: reqwest::Client,
    pub url: String,
    pub name: String,
    pub key: String,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

impl Model {
    /// Finds it as the template says.
    pub fn from_environment(http: reqwest::Client) -> Self {
        let variable = |name| env::var(name).unwrap_or_default();
        Self { http, url: variable("LLM_URL"), name: variable("LLM_MODEL"), key: variable("LLM_API_KEY") }
    }

    /// Asks it.
    pub async fn ask(&self, prompt: &str) -> Result<String> {
        let request = self.http.post(format!("{}/chat/completions", self.url)).bearer_auth(&self.key).timeout(TIMEOUT);
        let body = json!({"model": self.name, "messages": [{"role": "user", "content": prompt}]});
        let completion: Completion = request.json(&body).send().await?.error_for_status()?.json().await?;
        let choice = completion.choices.into_iter().next().ok_or("the model said nothing")?;
        Ok(choice.message.content)
    }
}
