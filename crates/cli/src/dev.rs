//! `everstep dev`: a server for development, and what to type next.

mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use everstep_client::{Client, Credentials};
use everstep_server::access::AccessKey;
use everstep_server::{Config, Server, config};

use crate::clock::Clock;
use crate::deploy::Settings;
use crate::{output, serve, timeline};

const EXAMPLES: &str = "\
Examples:
  everstep dev
  everstep dev examples/order-payment/python
  everstep dev clock advance 3d
  everstep dev clock next";

/// A server for development.
#[derive(Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Dev {
    #[command(subcommand)]
    command: Option<Command>,
    /// Deploy the template in this directory, and again each time that a file is saved
    #[arg(value_name = "TEMPLATE|DIR")]
    project: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// Keep everything in this directory
    #[arg(long, env = "EVERSTEP_DATA", value_name = "DIR", default_value = ".everstep")]
    data: PathBuf,
    /// Listen on this address; port 0 for any
    #[arg(long, env = "EVERSTEP_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Take executions of `sam local` at this address, where nobody has to sign [default without a value: 127.0.0.1:9014]
    #[arg(long, env = "EVERSTEP_SAM_LOCAL", value_name = "ADDRESS:PORT", num_args = 0..=1, require_equals = true, default_missing_value = config::SAM_LOCAL_DEFAULT)]
    sam_local: Option<SocketAddr>,
    /// Install runtimes and SDKs here [default: below the data directory]
    #[arg(long, env = "EVERSTEP_RUNTIMES", value_name = "DIR")]
    runtimes: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Tell and move the clock that executions go by, of a server that runs
    #[command(subcommand)]
    Clock(Clock),
}

impl Dev {
    /// Tells whether it is about to run a server.
    pub fn is_server(&self) -> bool {
        self.command.is_none()
    }

    /// Runs until Ctrl-C, or does something with a server that runs.
    pub async fn run(self) -> anyhow::Result<()> {
        if let Some(Command::Clock(clock)) = self.command {
            return clock.run().await;
        }
        if let Some(address) = self.sam_local {
            anyhow::ensure!(
                address.ip().is_loopback(),
                "`everstep dev` listens on loopback only; use `everstep serve --sam-local={address}`"
            );
        }
        anyhow::ensure!(
            self.listen.ip().is_loopback(),
            "`everstep dev` listens on loopback only; use `everstep serve --listen {}`",
            self.listen
        );
        let mut config = Config::new(self.data);
        config.listen = vec![self.listen];
        config.runtimes = self.runtimes;
        config.sam_local = self.sam_local.into_iter().collect();
        config.movable_clock = true;
        config.progress = output::installation_progress();
        let region = config.region.clone();
        let mut watching = None;
        let served = serve::run(config, |server| {
            print!("{}", welcome(server, &region));
            watching = self.project.map(|project| {
                let AccessKey { access_key_id, secret_access_key, .. } = server.operator_key();
                let key = Credentials::new(access_key_id, secret_access_key, None, None, "server");
                let client = Client::new(server.urls()[0].clone(), key, region.clone());
                tokio::spawn(watch::watch(client, project, self.settings))
            });
        })
        .await;
        if let Some(watching) = watching {
            watching.abort();
        }
        served
    }
}

fn welcome(server: &Server, region: &str) -> String {
    let key = server.operator_key();
    let ahead = server.clock_ahead().as_secs_f64();
    let clock = if ahead > 0.0 {
        format!("\nThe clock of executions was moved: it is {} ahead.\n", timeline::duration(ahead))
    } else {
        String::new()
    };
    format!(
        "\
everstep is listening on http://{address}
{clock}
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
  everstep dev clock next

Ctrl-C ends it; what it knows stays in the data directory.
",
        address = server.address(),
        id = key.access_key_id,
        secret = key.secret_access_key,
    )
}
