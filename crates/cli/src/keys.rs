//! `everstep keys`: the operator's access keys.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::escaped;
use crate::output::{self, Output};
use crate::timeline;

const EXAMPLES: &str = "\
Examples:
  everstep keys create --description 'build server'
  everstep keys list
  everstep keys revoke AKIA…";

/// List, create and revoke access keys.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the keys, the oldest first
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Make a key that may do everything; its secret is shown now and never again
    Create {
        /// Whose it is, or what it is for
        #[arg(long, default_value = "")]
        description: String,
        #[command(flatten)]
        output: Output,
    },
    /// Make a key void, at once and for good; the last one stays
    Revoke {
        /// The id of the key
        access_key_id: String,
        #[command(flatten)]
        output: Output,
    },
}

impl Keys {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::List { output } => {
                let found = output.connection.client()?.ask("GET", "/everstep/keys", &Value::Null).await?;
                output.print(&found["Keys"], || table(&found["Keys"]));
            }
            Command::Create { description, output } => {
                let request = json!({"Description": description});
                let key = output.connection.client()?.ask("POST", "/everstep/keys", &request).await?;
                let part = |name: &str| key[name].as_str().unwrap_or_default().to_string();
                let (id, secret) = (part("AccessKeyId"), part("SecretAccessKey"));
                output
                    .print(&key, || format!("export AWS_ACCESS_KEY_ID={id}\nexport AWS_SECRET_ACCESS_KEY={secret}\n"));
                if !output.json {
                    eprintln!("The secret is shown this once: keep it.");
                }
            }
            Command::Revoke { access_key_id, output } => {
                let path = format!("/everstep/keys/{}", escaped(&access_key_id));
                output.connection.client()?.ask("DELETE", &path, &Value::Null).await?;
                output.print(&json!({}), || format!("revoked {access_key_id}\n"));
            }
        }
        Ok(())
    }
}

fn table(keys: &Value) -> String {
    let rows: Vec<[String; 3]> = keys
        .as_array()
        .into_iter()
        .flatten()
        .map(|key| {
            let created = key["CreatedAt"].as_f64().and_then(timeline::clock_time);
            let text = |name: &str| key[name].as_str().unwrap_or_default().to_string();
            [text("AccessKeyId"), created.unwrap_or_else(|| "-".into()), text("Description")]
        })
        .collect();
    output::table(["ID", "CREATED", "DESCRIPTION"], &rows)
}
