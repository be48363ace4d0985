//! `everstep deploy`: builds what a template names, uploads it, and makes a stack of it, all by the public API.
//!
//! `project` says what is deployed, `upload` brings it to the server, `stack` makes the change and tells of it.

mod project;
mod stack;
mod upload;

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use serde_json::{Value, json};

use crate::client::Client;
use crate::output::{self, Output, Progress};
use crate::{build, code};
pub use project::Project;

const EXAMPLES: &str = "\
Examples:
  everstep deploy
  everstep deploy examples/order-payment/python --stack-name shop
  everstep deploy template.yaml --parameter Stage=prod --confirm
  everstep deploy --stack-name shop --delete";

/// Largest template that a request can carry, in bytes. Source: CloudFormation quotas.
const TEMPLATE_BODY_BYTES_MAX: usize = 51_200;

/// Build and deploy a template in one go.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Deploy {
    /// The template, or the directory that it is in (template.yaml, template.yml or template.json)
    #[arg(value_name = "TEMPLATE|DIR", default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    settings: Settings,
    /// Show the changes and ask before they are made
    #[arg(long)]
    confirm: bool,
    /// Do not ask, whatever samconfig.toml says
    #[arg(long, conflicts_with = "confirm")]
    yes: bool,
    /// Delete the stack instead, with all that it made
    #[arg(long)]
    delete: bool,
    #[command(flatten)]
    output: Output,
}

/// What is the same for each deployment of a project.
#[derive(Args, Clone, Default)]
pub struct Settings {
    /// Call the stack this [default: what samconfig.toml says, or the name of the directory]
    #[arg(long, value_name = "NAME")]
    stack_name: Option<String>,
    /// Give a parameter of the template a value; may be used several times
    #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = key_value)]
    parameters: Vec<(String, String)>,
    /// Deploy what Everstep does not serve yet as well: it is only noted down
    #[arg(long)]
    accept_not_served: bool,
    /// Take the code as it is, built by somebody else
    #[arg(long)]
    no_build: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it must be like Stage=prod")?;
    Ok((key.into(), value.into()))
}

impl Deploy {
    /// Deploys. Returns whether that went well.
    pub async fn run(self) -> anyhow::Result<bool> {
        let client = self.output.connection.client()?;
        let quiet = self.output.json;
        if self.delete {
            let name = match &self.settings.stack_name {
                Some(name) => name.clone(),
                None => Project::find(&self.path, &self.settings)?.stack_name,
            };
            let status = stack::delete(&client, &name, quiet).await?;
            self.output.print(&json!({"StackName": name, "StackStatus": status}), String::new);
            return Ok(status == "DELETE_COMPLETE");
        }
        let project = Project::find(&self.path, &self.settings)?;
        let asks = self.confirm || (project.confirm && !self.yes && !quiet);
        let deployed = deploy(&client, &project, &self.settings, asks, quiet).await?;
        self.output.print(&deployed.document(), || deployed.text());
        Ok(deployed.succeeded())
    }
}

/// Builds, uploads and deploys a project.
///
/// # Errors
/// If it cannot be built, or the server refuses it.
pub async fn deploy(
    client: &Client,
    project: &Project,
    settings: &Settings,
    asks: bool,
    quiet: bool,
) -> anyhow::Result<stack::Deployed> {
    let mut template = project.template.clone();
    let parts = build::parts(&template, &project.directory, &project.parameters)?;
    let directory = project.directory.join(build::DIRECTORY);
    let bucket = upload::Bucket::open(client).await?;
    let mut uploaded: Vec<(build::Part, String)> = Vec::new();
    for part in parts {
        let part = if settings.no_build { part.without_building() } else { part };
        let key = match uploaded.iter().find(|(other, _)| part.is_like(other)) {
            Some((_, key)) => key.clone(),
            None => upload_built(&bucket, &part, &directory).await?,
        };
        part.locate(&mut template, &bucket.name, &key);
        uploaded.push((part, key));
    }
    let text = template.to_string();
    let template = if text.len() <= TEMPLATE_BODY_BYTES_MAX {
        ("TemplateBody", text)
    } else {
        let key = bucket.put(text.as_bytes(), "template").await?;
        ("TemplateURL", format!("{}/{}/{key}", client.endpoint(), bucket.name))
    };
    stack::deploy(client, project, template, settings.accept_not_served, asks, quiet).await
}

/// Builds a part, packs and uploads it. Returns its key in the bucket.
async fn upload_built(bucket: &upload::Bucket<'_>, part: &build::Part, directory: &Path) -> anyhow::Result<String> {
    let message = match part.work() {
        Some(tool) => format!("building {} ({tool})", part.logical_id),
        None => format!("packing {}", part.logical_id),
    };
    let progress = Progress::start(&message);
    let (part, below) = (part.clone(), directory.to_path_buf());
    // The tools block, and a server may run on the same threads.
    let work = tokio::task::spawn_blocking(move || {
        let built = part.build(&below)?;
        if built.is_file() { Ok(std::fs::read(&built)?) } else { code::zip_directory(&built) }
    });
    let done = work.await?;
    progress.finish();
    bucket.put(&done?, "zip").await
}

/// Asks a person.
fn agreed(question: &str) -> anyhow::Result<bool> {
    use std::io::{BufRead, IsTerminal, Write};
    ensure!(std::io::stdin().is_terminal(), "nobody is there to confirm: take --confirm away, or give --yes");
    print!("{question} [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// Returns a member as text.
fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// Returns the items of a list, which is an empty text if there are none.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn say(quiet: bool, line: &str) {
    if !quiet {
        output::say(&format!("{line}\n"));
    }
}
