//! Work on all cores, one item at a time each: the next RSA key may take ten times as long as this one.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use anyhow::anyhow;
use tokio_util::sync::CancellationToken;

/// What `work` makes of each number below `count`, in their order. `None`: it was told to stop.
pub(super) fn on_all_cores<T: Send>(
    count: usize,
    stop: &CancellationToken,
    work: impl Fn(usize) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Option<Vec<T>>> {
    let next = AtomicUsize::new(0);
    let worker = || -> anyhow::Result<Vec<(usize, T)>> {
        let mut made = Vec::new();
        while !stop.is_cancelled() {
            let n = next.fetch_add(1, Relaxed);
            if n >= count {
                break;
            }
            made.push((n, work(n)?));
        }
        Ok(made)
    };
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let parts = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, anyhow::Result<_>>| {
            worker.join().map_err(|_| anyhow!("a worker panicked"))?
        };
        workers.into_iter().map(join).collect::<anyhow::Result<Vec<_>>>()
    })?;
    let mut all: Vec<(usize, T)> = parts.into_iter().flatten().collect();
    if all.len() < count {
        return Ok(None);
    }
    all.sort_by_key(|(n, _)| *n);
    Ok(Some(all.into_iter().map(|(_, made)| made).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_done_in_order_or_it_says_why_not() {
        let go = CancellationToken::new();
        let squares = on_all_cores(1_000, &go, |n| Ok(n * n)).unwrap().unwrap();
        assert!(squares.iter().enumerate().all(|(n, square)| n * n == *square) && squares.len() == 1_000);
        assert_eq!(on_all_cores(0, &go, |_| Ok(())).unwrap().unwrap().len(), 0);
        assert!(on_all_cores(10, &go, |n| if n == 7 { Err(anyhow!("seven")) } else { Ok(n) }).is_err());
        go.cancel();
        assert!(on_all_cores(10, &go, Ok).unwrap().is_none());
    }
}
