//! Work that goes on to its end even if whoever waits for it goes away.
//!
//! It is done in the task of whoever waits, because a task of its own wakes another thread for each request. Only if
//! it is dropped half-way it becomes a task of its own.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Work that is done to its end, whoever waits for it.
pub struct ToTheEnd<T: Send + 'static> {
    /// `None` once it is done.
    left: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
}

impl<T: Send + 'static> ToTheEnd<T> {
    /// Nothing is done before it is waited for.
    pub fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { left: Some(Box::pin(work)) }
    }
}

impl<T: Send + 'static> Future for ToTheEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let left = self.left.as_mut().expect("nobody waits for it again once it is done");
        let outcome = left.as_mut().poll(context);
        if outcome.is_ready() {
            self.left = None;
        }
        outcome
    }
}

impl<T: Send + 'static> Drop for ToTheEnd<T> {
    fn drop(&mut self) {
        // Without a runtime everything has ended, as it does with tasks. After a panic there is nothing to go on with.
        if let (Some(left), Ok(runtime), false) = (self.left.take(), Handle::try_current(), std::thread::panicking()) {
            runtime.spawn(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_is_done_all_the_same() {
        let (open, gate) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let work = async move {
            gate.await.unwrap();
            ended.send(()).unwrap();
        };
        tokio::select! {
            biased;
            () = ToTheEnd::new(work) => panic!("the gate is closed"),
            () = std::future::ready(()) => {}
        }
        open.send(()).unwrap();
        end.await.unwrap();
        assert_eq!(ToTheEnd::new(async { 1 }).await, 1);
    }
}
