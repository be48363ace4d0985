//! Placeholder.
use clap::Args;
/// Demo.
#[derive(Args)]
pub struct Demo {}
impl Demo {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<()> {
        Ok(())
    }
}
