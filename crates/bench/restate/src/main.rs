//! Ten steps as a service of Restate, to be measured beside a durable function that does the same.

use restate_sdk::prelude::*;

struct TenSteps;

#[service]
impl TenSteps {
    #[handler]
    async fn run(&self, ctx: Context<'_>, input: u64) -> Result<u64, HandlerError> {
        let mut sum = input;
        for n in 0..10 {
            sum += ctx.run(|| async move { Ok(n) }).name("step").await?;
        }
        Ok(sum)
    }
}

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).expect("an address").parse().expect("an address");
    HttpServer::new(Endpoint::builder().bind(TenSteps).build()).listen_and_serve(address).await;
}
