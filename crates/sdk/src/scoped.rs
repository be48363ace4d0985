//! What is current while code of the user is polled: whose it is, and whether it is replayed. The log goes by it.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::SystemTime;

use crate::plugin::{AttemptInfo, Guards};
use crate::scope::Scope;
use crate::wire::Record;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Current>>> = const { RefCell::new(None) };
}

/// Whose code runs.
pub(crate) struct Current {
    /// The context that the code is in.
    pub(crate) scope: Arc<Scope>,
    /// The attempt, if it is the code of one.
    pub(crate) attempt: Option<Arc<Attempt>>,
}

/// A run of an operation's code.
pub(crate) struct Attempt {
    pub(crate) record: Arc<Record>,
    pub(crate) number: u32,
    pub(crate) started_at: SystemTime,
    pub(crate) is_replay: bool,
    pub(crate) is_replaying_children: bool,
    /// It is the body of a context: whether it is replayed is up to the context.
    pub(crate) of_context: bool,
}

impl Attempt {
    pub(crate) fn info(&self) -> AttemptInfo<'_> {
        AttemptInfo::of(self)
    }
}

impl Current {
    /// Tells whether the code ran before, so that its log lines are on record. The bodies of steps never did.
    #[cfg_attr(not(feature = "logs"), expect(dead_code, reason = "only the log looks"))]
    pub(crate) fn is_replaying(&self) -> bool {
        match &self.attempt {
            Some(attempt) if !attempt.of_context => false,
            Some(_) | None => self.scope.is_replaying(),
        }
    }

    fn span(&self) -> tracing::Span {
        let invocation = &self.scope.journal.invocation;
        match &self.attempt {
            None => tracing::info_span!(
                "durable.invocation",
                execution.arn = invocation.execution_arn,
                request.id = invocation.request_id
            ),
            Some(attempt) => tracing::info_span!(
                "durable.attempt",
                operation.id = attempt.record.id.as_str(),
                operation.name = attempt.record.name,
                attempt = attempt.number
            ),
        }
    }

    /// Runs `look` on what is current on this thread.
    #[cfg_attr(not(feature = "logs"), expect(dead_code, reason = "only the log looks"))]
    pub(crate) fn with<T>(look: impl FnOnce(&Current) -> T) -> Option<T> {
        CURRENT.with(|current| current.borrow().as_ref().map(|current| look(current)))
    }
}

/// Polls a future with `current` set.
pub(crate) async fn scoped<F: Future>(current: Current, future: F) -> F::Output {
    let current = Arc::new(current);
    let span = current.span();
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        let _entered = Entered::new(&current);
        let _span = span.enter();
        future.as_mut().poll(context)
    })
    .await
}

/// Runs a future; a panic is its error.
pub(crate) async fn catch_panic<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// Puts back what was current before, and drops what plugins made.
struct Entered {
    before: Option<Arc<Current>>,
    _guards: Guards,
}

impl Entered {
    fn new(current: &Arc<Current>) -> Self {
        let plugins = &current.scope.journal.plugins;
        let info = current.attempt.as_ref().map(|attempt| attempt.info());
        let _guards = plugins.enter(info.as_ref());
        let before = CURRENT.with(|cell| cell.borrow_mut().replace(Arc::clone(current)));
        Self { before, _guards }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        CURRENT.with(|cell| *cell.borrow_mut() = before);
    }
}
