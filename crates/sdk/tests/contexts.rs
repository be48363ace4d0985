//! Contexts: what is told of them, what is not any more once they ended, and what is made anew.

use std::time::Duration;

use everstep::testing::test;
use everstep::{Context, Result};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_large_context_is_made_anew_with_a_callback_that_it_did_not_wait_for() {
    async fn large(_: (), mut ctx: Context) -> Result<usize> {
        let text: String = ctx
            .child("large", async |mut ctx| {
                let callback = ctx.callback::<u32>("unanswered").await?;
                let id = callback.id().to_owned();
                let told = ctx.step("tell", async |_| Ok(id.clone())).await?;
                Ok(told.repeat(10_000))
            })
            .await?;
        ctx.wait("later", HOUR).await?;
        Ok(text.len())
    }
    let run = test(large).start(()).finish().await;
    assert!(run.result::<usize>().unwrap() > 256 * 1024);
    assert_eq!(run.invocations(), 2);
}
