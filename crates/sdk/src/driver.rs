//! Runs a handler to the point where it ends or can only wait, and keeps the service informed on the way.
//!
//! The handler is polled in place, and nothing is spawned. It is suspended when its poll returned nothing, no body of it
//! runs, nothing woke it since, everything it said is on record, and an operation waits for the service; and when all of
//! that still holds after two turns of the scheduler, because tokio defers some wakes that long.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::digest::{hex, sha256};
use crate::journal::{Fatal, Journal, Load, until};
use crate::limits::{FOREIGN_AWAIT_WARNING, REFRESH_FIRST, REFRESH_MAX, START_HOLD};
use crate::replay::id::OperationId;
use crate::service::{Service, ServiceError};
use crate::wire::{CheckpointRequest, CheckpointResponse};

/// How often the scheduler is given a turn before the handler is suspended.
const GRACE_TURNS: u32 = 2;

/// How long before Lambda ends the invocation nothing is resumed in it any more.
const DEADLINE_MARGIN: Duration = Duration::from_secs(1);

/// How the handler came to rest.
#[derive(Debug)]
pub(crate) enum Rest<T> {
    /// It ended.
    Ended(T),
    /// It can only wait; or the service wants no more of this invocation.
    Suspended,
    /// It must not go on.
    Stopped(Fatal),
}

/// Runs the handler, and hands back the pump: there may be something to send still.
pub(crate) async fn drive<'a, F: Future>(
    journal: &'a Arc<Journal>,
    pump: &mut Pump<'a>,
    handler: F,
) -> Rest<F::Output> {
    let mut handler = pin!(handler);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut grace = Grace::default();
    let mut foreign = ForeignAwait::default();
    std::future::poll_fn(|context| {
        wakes.watch(context.waker());
        loop {
            if wakes.take() {
                grace = Grace::default();
                foreign = ForeignAwait::default();
                journal.watch(None);
                if let Poll::Ready(output) = handler.as_mut().poll(&mut Context::from_waker(&waker)) {
                    // Nothing that it ends with counts if it must not go on.
                    return Poll::Ready(journal.fatal().map_or(Rest::Ended(output), Rest::Stopped));
                }
                journal.watch(Some(context.waker()));
            }
            if let Some(fatal) = journal.fatal() {
                return Poll::Ready(Rest::Stopped(fatal));
            }
            let load = journal.load();
            match pump.poll(context, &load) {
                Pumped::Merged => continue,
                Pumped::Withdrawn => return Poll::Ready(Rest::Suspended),
                Pumped::Failed(fatal) => return Poll::Ready(Rest::Stopped(fatal)),
                Pumped::Busy => return wakes.pending(context),
                Pumped::Idle => {}
            }
            if wakes.is_woken() {
                return wakes.pending(context);
            }
            if load.executing > 0 {
                return Poll::Pending;
            }
            if load.parked == 0 && !journal.invocation.only_reads() {
                ready!(foreign.poll(context));
                return Poll::Pending;
            }
            ready!(grace.poll(context));
            return Poll::Ready(Rest::Suspended);
        }
    })
    .await
}

/// Sends what is queued, one checkpoint at a time, and merges what comes back.
pub(crate) struct Pump<'a> {
    journal: &'a Arc<Journal>,
    service: &'a dyn Service,
    token: Option<String>,
    call: Option<Call<'a>>,
    alarm: Option<(Instant, Pin<Box<Sleep>>)>,
    /// When the service is asked for news, and how long after that again.
    refresh: Option<(Instant, Duration)>,
}

struct Call<'a> {
    sent: Vec<OperationId>,
    answer: Pin<Box<dyn Future<Output = Result<CheckpointResponse, ServiceError>> + Send + 'a>>,
}

/// What came of a turn of the pump.
enum Pumped {
    /// An answer was merged.
    Merged,
    /// It waits for an answer, or for the time to send.
    Busy,
    /// There is nothing to send.
    Idle,
    /// The service wants no more checkpoints of this invocation.
    Withdrawn,
    /// The service refused.
    Failed(Fatal),
}

impl<'a> Pump<'a> {
    pub(crate) fn new(journal: &'a Arc<Journal>, service: &'a dyn Service, token: String) -> Self {
        Self { journal, service, token: Some(token), call: None, alarm: None, refresh: None }
    }

    /// Sends everything that is queued, and tells whether that was possible: the service may want no more of this
    /// invocation.
    ///
    /// # Errors
    /// Why the service did not take it.
    pub(crate) async fn flush(&mut self) -> Result<bool, Fatal> {
        std::future::poll_fn(|context| {
            loop {
                let load = Load { urgent: true, executing: 0, ..self.journal.load() };
                match self.poll(context, &load) {
                    Pumped::Merged => {}
                    Pumped::Busy => return Poll::Pending,
                    Pumped::Idle => return Poll::Ready(Ok(true)),
                    Pumped::Withdrawn => return Poll::Ready(Ok(self.journal.load().queued_since.is_none())),
                    Pumped::Failed(fatal) => return Poll::Ready(Err(fatal)),
                }
            }
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>, load: &Load) -> Pumped {
        if let Some(call) = &mut self.call {
            let Poll::Ready(answer) = call.answer.as_mut().poll(context) else { return Pumped::Busy };
            let sent = std::mem::take(&mut call.sent);
            self.call = None;
            return self.merge(&sent, answer);
        }
        let Some(at) = self.send_at(load) else { return Pumped::Idle };
        if at > Instant::now() && self.sleep_until(at, context).is_pending() {
            // News is waited for in vain if nothing else keeps the invocation alive.
            return if load.queued_since.is_some() { Pumped::Busy } else { Pumped::Idle };
        }
        self.alarm = None;
        let was_due = self.journal.asked(self.service.now());
        if was_due || load.queued_since.is_none() {
            self.refresh = self.refresh.map(|(_, delay)| {
                let delay = if was_due { REFRESH_FIRST } else { delay };
                (Instant::now() + delay, (delay * 2).min(REFRESH_MAX))
            });
        }
        self.send();
        let Some(call) = &mut self.call else { return Pumped::Withdrawn };
        // The first poll makes the request go out.
        match call.answer.as_mut().poll(context) {
            Poll::Pending => Pumped::Busy,
            Poll::Ready(answer) => {
                let sent = std::mem::take(&mut call.sent);
                self.call = None;
                self.merge(&sent, answer)
            }
        }
    }

    /// Returns when the next checkpoint is to be sent, if there is anything to say or to ask.
    fn send_at(&mut self, load: &Load) -> Option<Instant> {
        let now = Instant::now();
        if let Some(since) = load.queued_since {
            let rests = load.executing == 0 && load.parked > 0;
            return Some(if load.urgent || load.full || rests { now } else { since + START_HOLD });
        }
        // While code runs, what waits beside it is asked after, so that it goes on in this invocation.
        if load.executing == 0 || load.parked == 0 {
            self.refresh = None;
            return None;
        }
        let time = self.service.now();
        let time_is_up = until(self.journal.invocation.deadline, time) < DEADLINE_MARGIN;
        if time_is_up {
            return None;
        }
        let (at, _) = *self.refresh.get_or_insert((now + REFRESH_FIRST, REFRESH_FIRST * 2));
        Some(load.due.map_or(at, |due| at.min(now + until(due, time)).max(now)))
    }

    fn sleep_until(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.alarm {
            Some((set, sleep)) if *set == at => sleep.as_mut().poll(context),
            Some((set, sleep)) => {
                *set = at;
                sleep.as_mut().reset(at);
                sleep.as_mut().poll(context)
            }
            None => {
                let (_, sleep) = self.alarm.insert((at, Box::pin(tokio::time::sleep_until(at))));
                sleep.as_mut().poll(context)
            }
        }
    }

    /// Sends what fits into one checkpoint, unless the service wants none.
    fn send(&mut self) {
        let Some(checkpoint_token) = self.token.take() else { return };
        let updates = self.journal.take_batch();
        let sent = updates.iter().map(|update| update.id.clone()).collect();
        let client_token = client_token(&checkpoint_token);
        let request = CheckpointRequest { checkpoint_token, client_token, updates };
        let (service, arn) = (self.service, self.journal.invocation.execution_arn.as_str());
        let answer = Box::pin(async move {
            let mut response = service.checkpoint(arn, &request).await?;
            let state = &mut response.new_execution_state;
            while let Some(marker) = state.take_marker() {
                let Some(token) = &response.checkpoint_token else { break };
                let page = service.state(arn, token, &marker).await?;
                state.operations.extend(page.operations);
                state.next_marker = page.next_marker;
            }
            Ok(response)
        });
        self.call = Some(Call { sent, answer });
    }

    fn merge(&mut self, sent: &[OperationId], answer: Result<CheckpointResponse, ServiceError>) -> Pumped {
        match answer {
            Ok(response) => {
                self.token = response.checkpoint_token;
                self.journal.merge(sent, response.new_execution_state.operations);
                if self.token.is_some() { Pumped::Merged } else { Pumped::Withdrawn }
            }
            Err(error) => Pumped::Failed(fatal(&error)),
        }
    }
}

/// Returns what an error of the service means for the invocation.
pub(crate) fn fatal(error: &ServiceError) -> Fatal {
    match error {
        ServiceError::Transient(message) => Fatal::Throw(message.clone()),
        ServiceError::Refused { error_type, message } => {
            Fatal::Fail(crate::wire::ErrorObject::new(error_type.clone(), message.clone()))
        }
    }
}

/// Returns the token by which a repeated checkpoint is known: a digest of the checkpoint token, which is never used twice.
fn client_token(checkpoint_token: &str) -> String {
    hex(&sha256(checkpoint_token.as_bytes())[..16])
}

/// Turns of the scheduler that pass before the handler is suspended.
#[derive(Default)]
struct Grace {
    passed: u32,
    turn: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Grace {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.passed < GRACE_TURNS {
            let turn = self.turn.get_or_insert_with(|| Box::pin(tokio::task::yield_now()));
            ready!(turn.as_mut().poll(context));
            self.turn = None;
            self.passed += 1;
        }
        Poll::Ready(())
    }
}

/// Warns once if the handler waits for long for something outside of every operation.
#[derive(Default)]
struct ForeignAwait {
    warned: bool,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl ForeignAwait {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.warned {
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(FOREIGN_AWAIT_WARNING)));
            ready!(alarm.as_mut().poll(context));
            self.warned = true;
            tracing::warn!(
                "the handler waits for something outside of every operation; that is not durable, and is lost if the \
                 process ends: put it into a step"
            );
        }
        Poll::Ready(())
    }
}

/// Remembers whether the handler was woken, and wakes the driver.
struct Wakes {
    woken: AtomicBool,
    driver: Mutex<Option<Waker>>,
}

impl Default for Wakes {
    fn default() -> Self {
        Self { woken: AtomicBool::new(true), driver: Mutex::default() }
    }
}

impl Wakes {
    fn watch(&self, driver: &Waker) {
        let mut current = self.driver.lock().expect("nothing panics here");
        if !current.as_ref().is_some_and(|current| current.will_wake(driver)) {
            *current = Some(driver.clone());
        }
    }

    fn take(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }

    fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// Gives the scheduler a turn if the handler woke itself.
    fn pending<T>(&self, context: &Context<'_>) -> Poll<T> {
        if self.is_woken() {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        if let Some(driver) = self.driver.lock().expect("nothing panics here").as_ref() {
            driver.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::AtomicUsize;
    use std::time::SystemTime;

    use super::*;
    use crate::clock::Clock;
    use crate::journal::Invocation;
    use crate::plugin::Plugins;
    use crate::service::ServiceFuture;
    use crate::wire::Page;

    /// A service whose timers never fire.
    #[derive(Default)]
    struct Late {
        asked: AtomicUsize,
    }

    impl Service for Late {
        fn checkpoint<'a>(&'a self, _: &'a str, _: &'a CheckpointRequest) -> ServiceFuture<'a, CheckpointResponse> {
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                self.asked.fetch_add(1, Ordering::Relaxed);
                Ok(CheckpointResponse { checkpoint_token: Some("t".into()), new_execution_state: Page::default() })
            })
        }

        fn state<'a>(&'a self, _: &'a str, _: &'a str, _: &'a str) -> ServiceFuture<'a, Page> {
            unreachable!("everything is on the first page")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_late_is_asked_after_ever_less_often() {
        let record = r#"{"Id":"a","Type":"WAIT","Status":"STARTED","WaitDetails":{"ScheduledEndTimestamp":1}}"#;
        let now = SystemTime::now();
        let invocation = Invocation {
            execution_arn: "arn".into(),
            request_id: "r".into(),
            tenant_id: None,
            trace_id: None,
            started_at: now,
            deadline: now + Duration::from_secs(900),
            is_first: false,
            updated: HashSet::new(),
            clock: Clock::default(),
            logs_replay: false,
            #[cfg(feature = "test")]
            witness: Arc::default(),
        };
        let journal = Journal::new(invocation, Plugins::default(), vec![serde_json::from_str(record).unwrap()]);
        let service = Late::default();
        let id = "a".into();
        let handler = async {
            let _running = journal.executing();
            tokio::time::timeout(Duration::from_secs(10), journal.settled(&id)).await
        };
        let rest = drive(&journal, &mut Pump::new(&journal, &service, "t".into()), handler).await;
        assert!(matches!(rest, Rest::Ended(Err(_))), "{rest:?}");
        // At once, and after 1, 3 and 7 seconds.
        assert_eq!(service.asked.load(Ordering::Relaxed), 4);
    }
}
