//! How commands speak: colours on a terminal only, tables, JSON, progress for what takes a while.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::client::Connection;

/// What takes longer than this shows that it is at work.
const PATIENCE: Duration = Duration::from_secs(2);

/// What every command that asks a server has.
#[derive(Args, Clone)]
pub struct Output {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

impl Output {
    /// Prints a document as JSON, or what `text` makes of it.
    pub fn print(&self, document: &Value, text: impl FnOnce() -> String) {
        if self.json {
            say(&format!("{document:#}\n"));
        } else {
            say(&text());
        }
    }
}

/// Prints a text. A reader that has seen enough, such as `head`, ends the program quietly.
pub fn say(text: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    if written.is_err() {
        std::process::exit(0);
    }
}

/// Lays out rows below their headers, each column as wide as it needs to be.
pub fn table<const N: usize>(headers: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headers[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |cells: [&str; N]| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let body = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(line(headers)).chain(body).collect()
}

/// Tells whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Returns how many lines the terminal has.
pub fn terminal_height() -> usize {
    let rows = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_row));
    // A terminal that does not know is taken for the smallest that people have.
    if rows == 0 { 24 } else { rows }
}

/// Tells whether standard output takes colours.
pub fn stdout_has_colours() -> bool {
    stdout_is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Tells whether standard error takes colours.
pub fn stderr_has_colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Shows what takes a while: a spinner on a terminal, a line each elsewhere.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// Starts with `message`.
    pub fn start(message: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            eprintln!("  {message}");
            return Self(None);
        }
        let bar = ProgressBar::new_spinner().with_message(message.to_string());
        bar.set_style(
            ProgressStyle::with_template("  {spinner} {msg} ({elapsed})").expect("the template is well-formed"),
        );
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(Some(bar))
    }

    /// Ends, without a trace on a terminal.
    pub fn finish(self) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Waits for `work`, and says what it waits for if that takes more than two seconds.
pub async fn patiently<T>(message: &str, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    if let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
        return done;
    }
    let progress = Progress::start(message);
    let done = work.await;
    progress.finish();
    done
}

/// Returns a callback that tells of installations.
pub fn installation_progress() -> Arc<dyn Fn(&str) + Send + Sync> {
    Arc::new(|message| eprintln!("  {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let rows = [["a".into(), "long cell".into()], ["ünü".into(), "b".into()]];
        insta::assert_snapshot!(table(["ID", "NAME"], &rows), @r"
        ID   NAME
        a    long cell
        ünü  b
        ");
    }
}
