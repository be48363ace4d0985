//! How commands speak: colours on a terminal only, progress for what takes a while.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Tells whether standard output takes colours.
pub fn stdout_has_colours() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
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

/// Returns a callback that tells of installations.
pub fn installation_progress() -> Arc<dyn Fn(&str) + Send + Sync> {
    Arc::new(|message| eprintln!("  {message}"))
}
