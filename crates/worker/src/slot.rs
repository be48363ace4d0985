//! The right to use one process for one invocation.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::pool::ProcessId;
use crate::process::{Handle, Job, Start};
use crate::supervisor::Shared;
use crate::{Failure, Invocation, Outcome, StreamPart};

/// A process that waits for one invocation. Dropping it unused returns the process.
pub struct Slot {
    shared: Arc<Shared>,
    id: ProcessId,
    handle: Handle,
    access_key_id: Arc<str>,
    used: bool,
}

impl Slot {
    pub(crate) fn new(shared: Arc<Shared>, id: ProcessId, handle: Handle) -> Self {
        Self { shared, id, handle, access_key_id: Arc::from(""), used: false }
    }

    /// Waits until the process is ready or known never to be.
    pub(crate) async fn started(&mut self) -> Result<(), Failure> {
        let start = self.handle.start.wait_for(|start| !matches!(start, Start::Pending)).await;
        match start.as_deref() {
            Ok(Start::Over { access_key_id }) => {
                self.access_key_id = access_key_id.clone();
                Ok(())
            }
            Ok(Start::Impossible(failure)) => Err(failure.clone()),
            Ok(Start::Pending) => unreachable!("wait_for waited for something else"),
            Err(_) => Err(Failure::stopping()),
        }
    }

    /// Returns the key the process signs its calls with.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// Runs one invocation. It runs to its end even if this future is dropped.
    pub async fn invoke(self, invocation: Invocation) -> Outcome {
        self.run(invocation, None).await
    }

    /// Runs one invocation whose response may be read while it is written: by the other end of `stream`, which ends
    /// when the response does. The outcome of a response that was streamed has an empty body; a function that does
    /// not stream sends nothing there, and its whole response is in the outcome.
    pub async fn invoke_streaming(self, invocation: Invocation, stream: mpsc::Sender<StreamPart>) -> Outcome {
        self.run(invocation, Some(stream)).await
    }

    async fn run(mut self, invocation: Invocation, stream: Option<mpsc::Sender<StreamPart>>) -> Outcome {
        self.used = true;
        let request_id = invocation.request_id.clone();
        let (reply, outcome) = oneshot::channel();
        let lost =
            || Outcome { result: Err(Failure::lost(&request_id)), log_tail: Vec::new(), duration: Duration::ZERO };
        // Only who holds the slot sends, and once, so there is room. Nothing is awaited between taking the slot as used
        // and that: a caller who left there would keep the process from everybody.
        match self.handle.jobs.try_send(Job { invocation, stream, reply }) {
            Ok(()) => outcome.await.unwrap_or_else(|_| lost()),
            Err(_) => lost(),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.used {
            self.shared.give_back(self.id);
        }
    }
}
