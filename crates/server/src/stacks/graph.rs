//! Does things in the order of what they need, and at the same time what can be done at the same time.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::JoinSet;

/// What happens to things that do not wait for what failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// They are done.
    GoOn,
    /// They are not begun any more.
    Stop,
}

/// Does `work` for each of `nodes` once it is done for all that the node waits for, at most `at_once` at a time.
///
/// What waits for something that failed is not done. Returns what failed, once nothing is under way any more; so a panic waits too.
pub async fn run<E, F>(
    nodes: BTreeMap<String, BTreeSet<String>>,
    at_once: usize,
    after_failure: AfterFailure,
    mut work: impl FnMut(String) -> F,
) -> Vec<(String, E)>
where
    E: Send + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
{
    let known: BTreeSet<String> = nodes.keys().cloned().collect();
    // What is not to be done is waited for by nobody.
    let mut waiting: BTreeMap<String, BTreeSet<String>> =
        nodes.into_iter().map(|(node, needs)| (node, needs.intersection(&known).cloned().collect())).collect();
    let mut running: JoinSet<(String, Result<(), E>)> = JoinSet::new();
    let mut failed = Vec::new();
    loop {
        let ready = waiting.iter().filter(|(_, needs)| needs.is_empty()).map(|(node, _)| node.clone());
        let stopped = after_failure == AfterFailure::Stop && !failed.is_empty();
        let room = if stopped { 0 } else { at_once - running.len() };
        for node in ready.take(room).collect::<Vec<_>>() {
            waiting.remove(&node);
            let doing = work(node.clone());
            running.spawn(async move { (node, doing.await) });
        }
        let Some(ended) = running.join_next().await else { return failed };
        match ended {
            Ok((node, Ok(()))) => {
                for needs in waiting.values_mut() {
                    needs.remove(&node);
                }
            }
            Ok((node, Err(error))) => failed.push((node, error)),
            Err(error) => {
                while running.join_next().await.is_some() {}
                std::panic::resume_unwind(error.into_panic())
            }
        }
    }
}

/// Turns the arrows round: who is needed by whom.
pub fn reversed(nodes: &BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    let mut reversed: BTreeMap<String, BTreeSet<String>> =
        nodes.keys().map(|node| (node.clone(), BTreeSet::new())).collect();
    for (node, needs) in nodes {
        for need in needs {
            if let Some(users) = reversed.get_mut(need) {
                users.insert(node.clone());
            }
        }
    }
    reversed
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
        edges.iter().map(|(node, needs)| (node.to_string(), needs.iter().map(ToString::to_string).collect())).collect()
    }

    /// Runs a graph one node at a time; those that begin with `x` fail.
    async fn check(edges: &[(&str, &[&str])], after_failure: AfterFailure, expected: &[&str], failures: &[&str]) {
        let order = Arc::new(Mutex::new(Vec::new()));
        let failed = run(graph(edges), 1, after_failure, |node| {
            let order = Arc::clone(&order);
            async move {
                let fails = node.starts_with('x');
                order.lock().unwrap().push(node);
                if fails { Err(()) } else { Ok(()) }
            }
        });
        let failed: Vec<String> = failed.await.into_iter().map(|(node, ())| node).collect();
        assert_eq!(*order.lock().unwrap(), expected);
        assert_eq!(failed, failures);
    }

    #[tokio::test]
    async fn what_is_needed_comes_first_and_what_needs_a_failure_is_not_done() {
        use AfterFailure::{GoOn, Stop};
        check(&[("a", &["b", "elsewhere"]), ("b", &["c"]), ("c", &[])], Stop, &["c", "b", "a"], &[]).await;
        check(&[("a", &["x"]), ("x", &[]), ("z", &[])], Stop, &["x"], &["x"]).await;
        check(&[("a", &["x"]), ("x", &[]), ("z", &[])], GoOn, &["x", "z"], &["x"]).await;
        check(&[], Stop, &[], &[]).await;
    }

    #[tokio::test]
    async fn what_does_not_need_each_other_is_done_at_the_same_time() {
        let barrier = Arc::new(tokio::sync::Barrier::new(3));
        let failed = run(graph(&[("a", &[]), ("b", &[]), ("c", &[])]), 3, AfterFailure::Stop, |_| {
            let barrier = Arc::clone(&barrier);
            async move {
                barrier.wait().await;
                Ok::<(), ()>(())
            }
        });
        assert!(failed.await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_goes_on_once_nothing_is_under_way() {
        let ended = Arc::new(AtomicBool::new(false));
        let other = Arc::clone(&ended);
        let running = run(graph(&[("a", &[]), ("b", &[])]), 2, AfterFailure::GoOn, move |node| {
            let ended = Arc::clone(&other);
            async move {
                assert_ne!(node, "a", "a test wants it so");
                tokio::time::sleep(Duration::from_millis(1)).await;
                ended.store(true, Ordering::Relaxed);
                Ok::<(), ()>(())
            }
        });
        assert!(tokio::spawn(running).await.unwrap_err().is_panic());
        assert!(ended.load(Ordering::Relaxed));
    }

    #[test]
    fn arrows_are_turned_round() {
        assert_eq!(reversed(&graph(&[("a", &["b", "gone"]), ("b", &[])])), graph(&[("a", &[]), ("b", &["a"])]));
    }
}
