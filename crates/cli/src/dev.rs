//! `everstep dev`: a server for development, and what to type next.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use everstep_server::{Config, Server};

use crate::{output, serve};

/// A server for development.
#[derive(Args)]
pub struct Dev {
    /// Keep everything in this directory
    #[arg(long, env = "EVERSTEP_DATA", value_name = "DIR", default_value = ".everstep")]
    data: PathBuf,
    /// Listen on this address; port 0 for any
    #[arg(long, env = "EVERSTEP_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Install runtimes and SDKs here [default: below the data directory]
    #[arg(long, env = "EVERSTEP_RUNTIMES", value_name = "DIR")]
    runtimes: Option<PathBuf>,
}

impl Dev {
    /// Runs until Ctrl-C.
    pub async fn run(self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.listen.ip().is_loopback(),
            "`everstep dev` listens on loopback only; use `everstep serve --listen {}`",
            self.listen
        );
        let mut config = Config::new(self.data);
        config.listen = self.listen;
        config.runtimes = self.runtimes;
        config.progress = output::installation_progress();
        let region = config.region.clone();
        serve::run(config, |server| print!("{}", welcome(server, &region))).await
    }
}

fn welcome(server: &Server, region: &str) -> String {
    let key = server.operator_key();
    format!(
        "\
everstep is listening on http://{address}

In another terminal:

  export AWS_ENDPOINT_URL=http://{address}
  export AWS_ACCESS_KEY_ID={id}
  export AWS_SECRET_ACCESS_KEY={secret}
  export AWS_REGION={region} AWS_DEFAULT_REGION={region}

  aws lambda create-function --function-name hello --runtime python3.13 --handler app.handler \\
    --role arn:aws:iam::123456789012:role/any --zip-file fileb://function.zip \\
    --durable-config ExecutionTimeout=900,RetentionPeriodInDays=7
  aws lambda invoke --function-name 'hello:$LATEST' result.json
  everstep executions list

Ctrl-C ends it; what it knows stays in the data directory.
",
        address = server.address(),
        id = key.access_key_id,
        secret = key.secret_access_key,
    )
}
