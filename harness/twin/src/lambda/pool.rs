//! The instances of one function: how many may run, which are idle, when idle ones end.
//!
//! With reserved concurrency a function at its limit is throttled, as on AWS. Without, AWS would start a thousand
//! instances; here the limit is that of one machine, and callers wait for an instance instead.

use std::{pin::pin, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::instance::Instance;
use crate::error::AwsError;

/// Instances of a function that has no reserved concurrency: they share one machine.
const CONCURRENCY_DEFAULT: usize = 10;
/// How long an idle instance stays warm.
pub(crate) const IDLE_MAX: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
struct State {
    /// The longest idle first.
    idle: Vec<(Instance, Instant)>,
    busy: usize,
    reserved: Option<usize>,
    closed: bool,
    /// Rises when instances of before are of no more use.
    generation: u64,
}

/// The instances of one function.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    state: Mutex<State>,
    freed: Notify,
}

/// The right to run one invocation, and an idle instance if there was one.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    pool: &'a Pool,
    generation: u64,
    pub(crate) instance: Option<Instance>,
}

impl Pool {
    /// Takes the right to run. Waits `at_most` so long where the function is not throttled.
    pub(crate) async fn acquire(&self, at_most: Duration) -> Result<Lease<'_>, AwsError> {
        let waited = timeout(at_most, async {
            loop {
                // From before the look on, so that no wake in between is missed.
                let mut freed = pin!(self.freed.notified());
                freed.as_mut().enable();
                if let Some(lease) = self.try_acquire()? {
                    return Ok(lease);
                }
                freed.await;
            }
        });
        waited.await.unwrap_or_else(|_| Err(throttled()))
    }

    fn try_acquire(&self) -> Result<Option<Lease<'_>>, AwsError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(AwsError::new(404, "ResourceNotFoundException", "The function has been deleted"));
        }
        if state.busy >= state.reserved.unwrap_or(CONCURRENCY_DEFAULT) {
            return if state.reserved.is_some() { Err(throttled()) } else { Ok(None) };
        }
        state.busy += 1;
        let mut lease = Lease { pool: self, generation: state.generation, instance: None };
        while let Some((mut instance, _)) = state.idle.pop() {
            if instance.is_alive() {
                lease.instance = Some(instance);
                break;
            }
        }
        Ok(Some(lease))
    }

    pub(crate) fn reserve(&self, limit: Option<usize>) {
        self.state.lock().reserved = limit;
        self.freed.notify_waiters();
    }

    pub(crate) fn reserved(&self) -> Option<usize> {
        self.state.lock().reserved
    }

    /// Ends idle instances; those that run end after what they do.
    pub(crate) fn renew(&self) {
        let mut state = self.state.lock();
        state.generation += 1;
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        drop(idle);
    }

    /// Ends what has been idle for long.
    pub(crate) fn reap(&self, now: Instant) {
        self.state.lock().idle.retain(|(_, since)| now.duration_since(*since) < IDLE_MAX);
    }

    /// Ends idle instances, and every other as soon as it is idle.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.idle.clear();
        drop(state);
        self.freed.notify_waiters();
    }
}

impl Lease<'_> {
    /// Gives an instance back that can be used again.
    pub(crate) fn keep(self, instance: Instance) {
        let mut state = self.pool.state.lock();
        if !state.closed && state.generation == self.generation {
            state.idle.push((instance, Instant::now()));
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pool.state.lock().busy -= 1;
        self.pool.freed.notify_one();
    }
}

fn throttled() -> AwsError {
    AwsError::new(429, "TooManyRequestsException", "Rate Exceeded.")
        .with("Reason", "ReservedFunctionConcurrentInvocationLimitExceeded")
}
