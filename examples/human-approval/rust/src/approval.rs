//! The workflow.

use std::time::Duration;

use everstep::{Context, OperationError, OperationErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

const FREE_LIMIT: f64 = 100.0;
const PATIENCE: Duration = Duration::from_hours(7 * 24);
const HOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// What somebody spent.
#[derive(Clone, Serialize, Deserialize)]
pub struct Expense {
    pub id: String,
    pub amount: f64,
}

/// What a person says.
#[derive(Serialize, Deserialize)]
pub struct Decision {
    pub approved: bool,
    pub by: String,
}

/// What became of an expense.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub id: String,
    #[serde(flatten)]
    pub status: Status,
}

/// How it ended.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "UPPERCASE")]
pub enum Status {
    Booked { by: String },
    Rejected { by: String },
    Expired,
}

/// Decides on an expense. Who decides is told by `hook`, a URL, too.
pub async fn decide(expense: Expense, mut ctx: Context, hook: Option<String>) -> Result<Outcome> {
    let status = if expense.amount <= FREE_LIMIT {
        book(&mut ctx, "the rules".to_owned()).await?
    } else {
        let decision = ctx
            .wait_for_callback("approval", async |callback| tell(&expense, callback.id(), hook.as_deref()).await)
            .timeout(PATIENCE)
            .await;
        match decision {
            Ok(Decision { approved: true, by }) => book(&mut ctx, by).await?,
            Ok(Decision { approved: false, by }) => Status::Rejected { by },
            Err(error) if error.kind() == OperationErrorKind::CallbackTimedOut => Status::Expired,
            Err(error) => return Err(error.into()),
        }
    };
    Ok(Outcome { id: expense.id, status })
}

/// Books it. A real one would tell the accounting.
async fn book(ctx: &mut Context, by: String) -> Result<Status, OperationError> {
    ctx.step("book", async |_| Ok(Status::Booked { by: by.clone() })).await
}

/// Tells whoever decides: the log, and a web hook if one is set.
async fn tell(expense: &Expense, callback_id: &str, hook: Option<&str>) -> Result<()> {
    let message = json!({"expense": expense, "callbackId": callback_id});
    println!("{message}");
    if let Some(hook) = hook {
        let client = reqwest::Client::builder().timeout(HOOK_TIMEOUT).build()?;
        client.post(hook).json(&message).send().await?.error_for_status()?;
    }
    Ok(())
}
