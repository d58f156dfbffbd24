//! SQS: standard queues of both Regions, as far as functions need them: destinations, dead letters, event sources.
//!
//! The layers: a message and its checksums ([`message`]), what is set of a queue ([`setting`]), one queue ([`queue`]),
//! all pure; here all queues, and the waiting of long polls; the codec ([`api`], [`message_api`]).
//!
//! It guarantees that a message is received at least once, is hidden from others while its visibility timeout runs, and
//! moves to the dead-letter queue instead of being received more often than the redrive policy says. Order is that of
//! sending, which AWS does not promise.

mod api;
mod message;
mod message_api;
mod queue;
mod setting;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use self::queue::Queue;
pub(crate) use self::{
    api::{error_reply, handle},
    message::{Attribute, Message, Received},
};
use crate::{error::AwsError, world::World};

/// Queues of a Region.
const QUEUES_MAX: usize = 1_000;

/// The SQS of all Regions.
#[derive(Debug, Default)]
pub(crate) struct Sqs {
    /// By Region and name.
    queues: Mutex<BTreeMap<(String, String), Queue>>,
    /// Bytes that the messages of all queues hold.
    held_bytes: Arc<AtomicUsize>,
}

/// How messages are received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receive {
    pub(crate) count_max: usize,
    /// None: the queue's own.
    pub(crate) wait: Option<Duration>,
    /// None: the queue's own.
    pub(crate) visibility: Option<Duration>,
}

impl Sqs {
    /// Does something with a queue.
    fn with<T>(
        &self,
        region: &str,
        name: &str,
        work: impl FnOnce(&mut Queue) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let mut queues = self.queues.lock();
        let queue = queues.get_mut(&(region.to_owned(), name.to_owned())).ok_or_else(no_queue)?;
        work(queue)
    }

    /// The queue's name, if an ARN is of a queue that is there.
    pub(crate) fn queue_of_arn(&self, region: &str, arn: &str) -> Option<String> {
        let queues = self.queues.lock();
        let name = arn.rsplit(':').next()?.to_owned();
        queues.get(&(region.to_owned(), name.clone())).filter(|q| q.arn == arn).map(|_| name)
    }

    /// For how long a received message is hidden.
    pub(crate) fn visibility(&self, region: &str, name: &str) -> Option<Duration> {
        self.with(region, name, |q| Ok(q.settings.visibility)).ok()
    }

    /// Sends a message on behalf of another service.
    pub(crate) fn send(
        &self,
        world: &World,
        region: &str,
        name: &str,
        body: String,
        attributes: BTreeMap<String, Attribute>,
    ) -> Result<(), AwsError> {
        let message = Message::new(body, attributes, world.clock.now_ms());
        self.with(region, name, |queue| queue.send(message, None))
    }

    /// Receives what is visible, and waits for it where there is nothing.
    pub(crate) async fn receive(
        &self,
        world: &World,
        region: &str,
        name: &str,
        how: Receive,
    ) -> Result<Vec<Received>, AwsError> {
        let (mut changed, wait) =
            self.with(region, name, |q| Ok((q.watch(), how.wait.unwrap_or(q.settings.wait))))?;
        let deadline = Instant::now() + wait;
        loop {
            changed.mark_unchanged();
            let (received, next_ms) = self.take(region, name, how, world.clock.now_ms())?;
            let now = Instant::now();
            if !received.is_empty() || now >= deadline {
                return Ok(received);
            }
            let in_ms =
                next_ms.map_or(u64::MAX, |ms| ms.saturating_sub(world.clock.now_ms()).max(1).unsigned_abs());
            let wake = now.checked_add(Duration::from_millis(in_ms)).unwrap_or(deadline).min(deadline);
            tokio::select! {
                () = world.shutdown.cancelled() => return Ok(Vec::new()),
                () = sleep_until(wake) => {}
                seen = changed.changed() => if seen.is_err() {
                    // The sender ends with the queue; there may be another of its name by now.
                    changed = self.with(region, name, |q| Ok(q.watch()))?;
                },
            }
        }
    }

    /// What is visible now, and when the next message will be. Dead letters move on the way.
    fn take(
        &self,
        region: &str,
        name: &str,
        how: Receive,
        now_ms: i64,
    ) -> Result<(Vec<Received>, Option<i64>), AwsError> {
        let mut queues = self.queues.lock();
        let key = (region.to_owned(), name.to_owned());
        let queue = queues.get_mut(&key).ok_or_else(no_queue)?;
        // Without its dead-letter queue a message stays where it is.
        let target = queue.settings.redrive.as_ref().map(|r| r.arn.clone());
        let target = target.and_then(|arn| Some((region.to_owned(), arn.rsplit(':').next()?.to_owned())));
        let target = target.filter(|t| queues.contains_key(t));
        let queue = queues.get_mut(&key).ok_or_else(no_queue)?;
        let source = queue.arn.clone();
        let (received, dead) = queue.receive(how.count_max, how.visibility, target.is_some(), now_ms);
        let next_ms = queue.next_visible_ms();
        if let Some(letters) = target.and_then(|t| queues.get_mut(&t)) {
            for message in dead {
                letters.bury(message, &source, now_ms);
            }
        }
        Ok((received, next_ms))
    }

    /// Deletes a message that was received.
    pub(crate) fn delete(&self, region: &str, name: &str, handle: &str) -> Result<(), AwsError> {
        self.with(region, name, |queue| queue.delete(handle))
    }

    /// Makes a message visible again that was received.
    pub(crate) fn show(&self, world: &World, region: &str, name: &str, handle: &str) -> Result<(), AwsError> {
        let now_ms = world.clock.now_ms();
        self.with(region, name, |queue| queue.hide(handle, Duration::ZERO, now_ms))
    }
}

fn no_queue() -> AwsError {
    AwsError::new(400, "QueueDoesNotExist", "The specified queue does not exist.")
}

#[cfg(test)]
mod tests;
