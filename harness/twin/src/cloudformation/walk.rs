//! Running through a graph: what waits for nothing runs, a few at once.

use std::{collections::BTreeMap, collections::BTreeSet, pin::Pin};

use futures::{StreamExt as _, stream::FuturesUnordered};

use super::graph::Graph;

/// Resources of one stack that are worked on at once.
const RUNNING_MAX: usize = 10;

/// What a failure means for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnFailure {
    /// What runs ends, nothing more begins.
    Stop,
    /// What waits for the one that failed does not begin; the rest goes on.
    GoOn,
}

/// Runs every node after those that it waits for, while `may_begin` says so. Answers the nodes that failed or, with
/// `false`, were not begun.
pub(super) async fn walk<'a>(
    graph: &Graph,
    on_failure: OnFailure,
    may_begin: impl Fn() -> bool,
    run: impl Fn(String) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>,
) -> BTreeMap<String, bool> {
    let mut left: BTreeMap<String, BTreeSet<String>> = graph.nodes().clone();
    let mut running = FuturesUnordered::new();
    let mut failed: BTreeMap<String, bool> = BTreeMap::new();
    loop {
        while running.len() < RUNNING_MAX
            && (failed.is_empty() || on_failure == OnFailure::GoOn)
            && may_begin()
            && let Some(name) = left.iter().find(|(_, waits)| waits.is_empty()).map(|(name, _)| name.clone())
        {
            left.remove(&name);
            let work = run(name.clone());
            running.push(async move { (name, work.await) });
        }
        let Some((name, is_done)) = running.next().await else { break };
        if is_done {
            for waits in left.values_mut() {
                waits.remove(&name);
            }
        } else {
            failed.insert(name, true);
        }
    }
    failed.extend(left.into_keys().map(|name| (name, false)));
    failed
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use proptest::prelude::*;

    use super::*;

    fn graph(arrows: &[(u8, u8)]) -> Graph {
        let mut before: BTreeMap<String, BTreeSet<String>> =
            (0..20).map(|n| (n.to_string(), BTreeSet::new())).collect();
        for (a, b) in arrows.iter().filter(|(a, b)| a != b) {
            before.entry(a.max(b).to_string()).or_default().insert(a.min(b).to_string());
        }
        Graph::new(before).unwrap()
    }

    fn run(graph: &Graph, on_failure: OnFailure, bad: Option<u8>) -> (Vec<String>, BTreeMap<String, bool>) {
        let done = Arc::new(Mutex::new(Vec::new()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let failed = runtime.block_on(walk(
            graph,
            on_failure,
            || true,
            |name| {
                let done = Arc::clone(&done);
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    let is_done = bad.is_none_or(|bad| bad.to_string() != name);
                    if is_done {
                        done.lock().push(name);
                    }
                    is_done
                })
            },
        ));
        let done = done.lock().clone();
        (done, failed)
    }

    proptest! {
        /// Every node runs once, and never before one that it waits for.
        #[test]
        fn nothing_runs_before_what_it_waits_for(arrows in proptest::collection::vec((0_u8..20, 0_u8..20), 0..60)) {
            let graph = graph(&arrows);
            let (done, failed) = run(&graph, OnFailure::Stop, None);
            prop_assert!(failed.is_empty());
            prop_assert_eq!(done.len(), 20);
            let at = |name: &String| done.iter().position(|n| n == name).unwrap();
            for (name, waits) in graph.nodes() {
                prop_assert!(waits.iter().all(|before| at(before) < at(name)));
            }
        }

        /// What hangs on a failure is not begun; going on, all else is done.
        #[test]
        fn a_failure_holds_up_what_waits_for_it(arrows in proptest::collection::vec((0_u8..20, 0_u8..20), 0..60),
                                                bad in 0_u8..20) {
            let graph = graph(&arrows);
            let (done, failed) = run(&graph, OnFailure::GoOn, Some(bad));
            prop_assert_eq!(failed.get(&bad.to_string()), Some(&true));
            prop_assert_eq!(done.len() + failed.len(), 20);
            for (name, _) in failed.iter().filter(|(_, begun)| !**begun) {
                prop_assert!(graph.nodes()[name].iter().any(|before| failed.contains_key(before)));
            }
        }
    }
}
