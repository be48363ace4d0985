//! When which stack is worked on: one task for each, step after step, as long as there is something to do.
//!
//! It does not know what the steps are. A step that failed is done again after a pause. One that panicked is not: it would meet the
//! same bug again. Its stack stays as it is until somebody wakes it, or the server starts anew.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tracing::error;

use super::super::document::StackId;
use super::Step;
use crate::http::error::Error;

/// How long after a failure of the store it is tried again.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Works on whatever is woken, until the server stops and what is under way has ended.
pub async fn run<F>(
    mut queue: mpsc::UnboundedReceiver<StackId>,
    mut stop: watch::Receiver<bool>,
    step: impl Fn(StackId) -> F + Clone + Send + 'static,
) where
    F: Future<Output = Result<Step, Error>> + Send + 'static,
{
    let stopped = stop.clone();
    let mut running = JoinSet::new();
    let mut under_way: HashMap<Id, StackId> = HashMap::new();
    // Whoever works on these may have looked for the last time before they were woken.
    let mut woken_meanwhile: HashSet<StackId> = HashSet::new();
    loop {
        let next = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(ended) = running.join_next_with_id() => {
                let task = match &ended { Ok((task, ())) => *task, Err(error) => error.id() };
                let id = under_way.remove(&task).expect("every task is noted");
                if let Err(error) = ended {
                    error!(stack.name = id.name, %error, "work on a stack panicked: it is left as it is until it is woken or the server starts anew");
                }
                woken_meanwhile.take(&id)
            }
            Some(id) = queue.recv() => {
                if under_way.values().any(|known| *known == id) {
                    woken_meanwhile.insert(id);
                    None
                } else {
                    Some(id)
                }
            }
        };
        if let Some(id) = next {
            let task = running.spawn(drive(step.clone(), id.clone(), stopped.clone()));
            under_way.insert(task.id(), id);
        }
    }
    while running.join_next().await.is_some() {}
}

/// Pauses after a failure of the store. Returns whether the server stops: then at once.
pub async fn pause(stop: &mut watch::Receiver<bool>) -> bool {
    tokio::time::timeout(STORE_PAUSE, stop.wait_for(|stop| *stop)).await.is_ok()
}

/// Does what there is to do about a stack.
async fn drive<F>(step: impl Fn(StackId) -> F, id: StackId, mut stop: watch::Receiver<bool>)
where
    F: Future<Output = Result<Step, Error>>,
{
    loop {
        match step(id.clone()).await {
            Ok(Step::Done) => {}
            Ok(Step::Nothing | Step::Interrupted) => return,
            Err(error) => {
                error!(stack.name = id.name, %error, "work on a stack failed: trying again");
                if pause(&mut stop).await {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::task::JoinHandle;
    use tokio::time::{Instant, sleep};

    use super::*;

    /// How a step of a test goes.
    #[derive(Clone, Copy, Debug)]
    enum Script {
        Done,
        Nothing,
        Fails,
        Panics,
        /// Somebody wakes the stack while the step is under way, which finds nothing to do.
        IsWokenMeanwhile,
    }

    use Script::{Done, Fails, IsWokenMeanwhile, Nothing, Panics};

    /// A run whose steps go as they are told to, and are counted.
    struct Run {
        wake: mpsc::UnboundedSender<StackId>,
        stop: watch::Sender<bool>,
        begun: Arc<Mutex<Vec<String>>>,
        run: JoinHandle<()>,
    }

    fn id(name: &str) -> StackId {
        StackId { name: name.into(), unique: "1".into() }
    }

    impl Run {
        fn new(scripts: &[Script]) -> Self {
            let (wake, queue) = mpsc::unbounded_channel();
            let (stop, stopped) = watch::channel(false);
            let begun = Arc::new(Mutex::new(Vec::new()));
            let (steps, scripts, waker) = (begun.clone(), scripts.to_vec(), wake.clone());
            let step = move |id: StackId| {
                let number = {
                    let mut steps = steps.lock().unwrap();
                    steps.push(id.name.clone());
                    steps.len() - 1
                };
                let script = scripts.get(number).copied().unwrap_or_else(|| panic!("no step {number} was expected"));
                let waker = waker.clone();
                async move {
                    match script {
                        Done => Ok(Step::Done),
                        Nothing => Ok(Step::Nothing),
                        Fails => Err(Error::service("the store failed")),
                        Panics => panic!("a test wants it so"),
                        IsWokenMeanwhile => {
                            waker.send(id).unwrap();
                            // Time goes on when nobody has anything to do: the wake has been looked at.
                            sleep(Duration::from_millis(1)).await;
                            Ok(Step::Nothing)
                        }
                    }
                }
            };
            let run = tokio::spawn(run(queue, stopped, step));
            Self { wake, stop, begun, run }
        }

        /// Wakes stacks, waits until nobody has anything to do for a long time, and stops. Returns the stacks of the steps that were done.
        async fn steps(self, woken: &[&str]) -> Vec<String> {
            for name in woken {
                self.wake.send(id(name)).unwrap();
            }
            sleep(10 * STORE_PAUSE).await;
            self.stop.send_replace(true);
            self.run.await.unwrap();
            self.begun.lock().unwrap().clone()
        }
    }

    async fn check(scripts: &[Script], woken: &[&str], expected: &[&str]) {
        assert_eq!(Run::new(scripts).steps(woken).await, expected, "{scripts:?} {woken:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn steps_follow_each_other_as_long_as_there_is_something_to_do() {
        check(&[Nothing], &["a"], &["a"]).await;
        check(&[Done, Done, Nothing], &["a"], &["a", "a", "a"]).await;
        check(&[Nothing, Nothing], &["a", "b"], &["a", "b"]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_that_is_woken_while_it_is_worked_on_is_looked_at_once_more() {
        check(&[IsWokenMeanwhile, Nothing], &["a"], &["a", "a"]).await;
        check(&[IsWokenMeanwhile, Nothing], &["a", "a", "a"], &["a", "a"]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_failed_is_done_again() {
        check(&[Fails, Fails, Done, Nothing], &["a"], &["a", "a", "a", "a"]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_panicked_is_done_again_when_its_stack_is_woken_and_others_go_on() {
        check(&[Panics], &["a"], &["a"]).await;
        check(&[Panics, Nothing], &["a", "a"], &["a", "a"]).await;
        check(&[Panics, Done, Nothing], &["a", "b"], &["a", "b", "b"]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stops_does_not_wait_for_the_pause_after_a_failure() {
        let run = Run::new(&[Fails]);
        run.wake.send(id("a")).unwrap();
        sleep(STORE_PAUSE / 2).await;
        assert_eq!(*run.begun.lock().unwrap(), ["a"]);
        let stopped = Instant::now();
        run.stop.send_replace(true);
        run.run.await.unwrap();
        assert_eq!(stopped.elapsed(), Duration::ZERO);
        assert_eq!(*run.begun.lock().unwrap(), ["a"]);
    }
}
