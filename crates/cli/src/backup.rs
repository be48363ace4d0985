//! `everstep backup` and `everstep restore`: everything in one file, verified on both ways.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use everstep_client::{Client, Request};
use everstep_server::backup::{self, Manifest};
use serde_json::json;

use crate::output::{self, Output};
use crate::verify;

const BACKUP_EXAMPLES: &str = "\
Examples:
  everstep backup everstep.tar
  everstep backup /backups/
  everstep restore everstep.tar --data /var/lib/everstep

The server goes on meanwhile; all that it acknowledged before is in the backup.";

/// Write a backup of a server that runs.
#[derive(Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub struct Backup {
    /// The file to write, or a directory for a file that is named by the time
    #[arg(value_name = "FILE|DIR")]
    target: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// Make a data directory of a backup.
#[derive(Args)]
#[command(after_help = "Example:\n  everstep restore everstep.tar --data /var/lib/everstep")]
pub struct Restore {
    /// The backup
    backup: PathBuf,
    /// The data directory to make: it must not exist, or be empty
    #[arg(long, env = "EVERSTEP_DATA", value_name = "DIR")]
    data: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    /// Writes it. The file appears whole and verified, or not at all.
    pub async fn run(self) -> anyhow::Result<()> {
        let file = if self.target.is_dir() {
            let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
            self.target.join(format!("everstep-{now}.tar"))
        } else {
            self.target.clone()
        };
        ensure!(!file.exists(), "{} is there already: name another file", file.display());
        let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut partial = tempfile::Builder::new()
            .prefix(".everstep-backup-")
            .tempfile_in(directory)
            .with_context(|| format!("cannot write in {}", directory.display()))?;
        let client = self.output.connection.client()?;
        output::patiently("receiving the backup", receive(&client, partial.as_file_mut())).await?;
        let received = File::open(partial.path())?;
        let manifest = tokio::task::spawn_blocking(move || backup::verify(BufReader::new(received))).await??;
        partial.as_file().sync_all()?;
        partial.persist_noclobber(&file).with_context(|| format!("cannot write {}", file.display()))?;
        File::open(directory)?.sync_all()?;
        let bytes = bytes(&manifest);
        self.output.print(&json!({"File": file, "Manifest": manifest}), || {
            format!("{}: {} files, {bytes} bytes, verified\n", file.display(), manifest.files.len())
        });
        Ok(())
    }
}

async fn receive(client: &Client, file: &mut File) -> anyhow::Result<()> {
    let request = Request { method: "GET", path: "/everstep/backup", headers: &[], body: Vec::new() };
    let mut response = client.open("everstep", request).await?;
    if !response.status().is_success() {
        return Err(Client::answer(response).await?.json().err().context("the server says no")?.into());
    }
    while let Some(piece) = response.chunk().await.context("the backup was broken off; the server's log says why")? {
        file.write_all(&piece).context("cannot write the backup")?;
    }
    Ok(())
}

impl Restore {
    /// Makes the directory. It appears whole and verified, or not at all.
    pub async fn run(self) -> anyhow::Result<()> {
        let data = &self.data;
        let taken = match std::fs::read_dir(data) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", data.display())),
        };
        ensure!(!taken, "{} is not empty: name another directory with --data", data.display());
        let input = File::open(&self.backup).with_context(|| format!("cannot read {}", self.backup.display()))?;
        let absolute = std::path::absolute(data)?;
        let Some(parent) = absolute.parent() else { bail!("{} cannot be a data directory", data.display()) };
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        let fresh = tempfile::Builder::new()
            .prefix(".everstep-restore-")
            .tempdir_in(parent)
            .with_context(|| format!("cannot write in {}", parent.display()))?;
        let directory = fresh.path().to_path_buf();
        let unpacking = tokio::task::spawn_blocking(move || backup::unpack(BufReader::new(input), &directory));
        let manifest = output::patiently("unpacking", unpacking).await??;
        let found = output::patiently("verifying", verify::check(fresh.path())).await?;
        ensure!(found.faults.is_empty(), "{} executions are not as their logs say", found.faults.len());
        std::fs::rename(fresh.path(), &absolute).with_context(|| format!("cannot create {}", data.display()))?;
        File::open(parent)?.sync_all()?;
        // It has another name now, under which it stays.
        let _ = fresh.keep();
        if self.json {
            output::say(&format!(
                "{:#}\n",
                json!({"Data": data, "Executions": found.executions, "Manifest": manifest})
            ));
        } else {
            output::say(&format!(
                "{}: {} executions, as of {}, verified\n",
                data.display(),
                found.executions,
                manifest.begun_at
            ));
        }
        Ok(())
    }
}

fn bytes(manifest: &Manifest) -> u64 {
    manifest.files.values().map(|entry| entry.bytes).sum()
}
