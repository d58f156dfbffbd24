//! One standard queue. Pure: the time comes in.
//!
//! Every message has a time from which it is visible; receiving moves that time, deleting takes the message out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::sync::watch;

use super::{
    message::{Message, Received},
    setting::Settings,
};
use crate::error::AwsError;

/// Messages of a queue, received ones too: as many as AWS lets be in flight.
const MESSAGES_MAX: usize = 120_000;
/// Bytes that the messages of all queues may hold: they share one machine.
const BYTES_MAX: usize = 512 * 1024 * 1024;
/// Counted for each message besides what its sender gave.
const MESSAGE_BYTES: usize = 512;

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) arn: String,
    pub(crate) settings: Settings,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_s: i64,
    pub(crate) modified_s: i64,
    /// Told apart from a queue of the same name before it.
    id: String,
    /// By number, in the order of sending.
    messages: BTreeMap<u64, Held>,
    /// When each message is visible, and its number.
    visible: BTreeSet<(i64, u64)>,
    next: u64,
    changed: watch::Sender<u64>,
    /// Bytes that the messages of all queues hold. Changes under the lock of the queues.
    held_bytes: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Held {
    message: Message,
    visible_ms: i64,
}

/// How many messages there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) visible: usize,
    pub(crate) in_flight: usize,
    pub(crate) delayed: usize,
}

impl Queue {
    pub(crate) fn new(arn: String, settings: Settings, now_s: i64, held_bytes: Arc<AtomicUsize>) -> Self {
        Self {
            arn,
            settings,
            tags: BTreeMap::new(),
            created_s: now_s,
            modified_s: now_s,
            id: uuid::Uuid::new_v4().to_string(),
            messages: BTreeMap::new(),
            visible: BTreeSet::new(),
            next: 0,
            changed: watch::Sender::new(0),
            held_bytes,
        }
    }

    /// Changes whenever a message may have become visible. Its sender ends with the queue.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes a message in, visible after the delay; none: the queue's own.
    pub(crate) fn send(&mut self, message: Message, delay: Option<Duration>) -> Result<(), AwsError> {
        self.expire(message.sent_ms);
        if message.size_bytes() > self.settings.size_bytes_max {
            let message = format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
                self.settings.size_bytes_max
            );
            return Err(AwsError::new(400, "InvalidParameterValue", message));
        }
        if self.messages.len() >= MESSAGES_MAX {
            return Err(AwsError::new(403, "RequestThrottled", "The twin's queue is full"));
        }
        if self.held_bytes.load(Ordering::Relaxed).saturating_add(bytes_of(&message)) > BYTES_MAX {
            return Err(AwsError::new(403, "RequestThrottled", "The twin's queues hold too many bytes"));
        }
        let visible_ms = message.sent_ms.saturating_add(millis(delay.unwrap_or(self.settings.delay)));
        self.hold(message, visible_ms);
        Ok(())
    }

    /// Takes in a dead letter of another queue. One too many pushes out the oldest.
    pub(crate) fn bury(&mut self, mut message: Message, source: &str, now_ms: i64) {
        self.expire(now_ms);
        if self.messages.len() >= MESSAGES_MAX
            && let Some((&oldest, _)) = self.messages.first_key_value()
        {
            self.remove(oldest);
        }
        message.buried_from = Some(source.to_owned());
        message.receives = 0;
        message.first_received_ms = None;
        self.hold(message, now_ms);
    }

    fn hold(&mut self, message: Message, visible_ms: i64) {
        let number = self.next;
        self.next += 1;
        self.visible.insert((visible_ms, number));
        self.held_bytes.fetch_add(bytes_of(&message), Ordering::Relaxed);
        self.messages.insert(number, Held { message, visible_ms });
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn remove(&mut self, number: u64) -> Option<Message> {
        let held = self.messages.remove(&number)?;
        self.visible.remove(&(held.visible_ms, number));
        self.held_bytes.fetch_sub(bytes_of(&held.message), Ordering::Relaxed);
        Some(held.message)
    }

    /// Forgets what is older than the queue keeps messages.
    fn expire(&mut self, now_ms: i64) {
        let oldest_ms = now_ms.saturating_sub(millis(self.settings.retention));
        while let Some((&number, held)) = self.messages.first_key_value()
            && held.message.sent_ms < oldest_ms
        {
            self.remove(number);
        }
    }

    /// Receives visible messages, and says which are dead letters instead, if those have a place to go.
    pub(crate) fn receive(
        &mut self,
        count_max: usize,
        visibility: Option<Duration>,
        with_burial: bool,
        now_ms: i64,
    ) -> (Vec<Received>, Vec<Message>) {
        self.expire(now_ms);
        let hidden_ms = millis(visibility.unwrap_or(self.settings.visibility));
        let receives_max = self.settings.redrive.as_ref().filter(|_| with_burial).map(|r| r.receives_max);
        let (mut received, mut dead, mut hidden) = (Vec::new(), Vec::new(), Vec::new());
        while received.len() < count_max
            && let Some(&(at_ms, number)) = self.visible.first()
            && at_ms <= now_ms
        {
            self.visible.pop_first();
            let Some(held) = self.messages.get_mut(&number) else { continue };
            if receives_max.is_some_and(|max| held.message.receives >= max) {
                dead.extend(self.remove(number));
                continue;
            }
            held.visible_ms = now_ms.saturating_add(hidden_ms);
            hidden.push((held.visible_ms, number));
            held.message.receives = held.message.receives.saturating_add(1);
            held.message.first_received_ms.get_or_insert(now_ms);
            let handle = URL_SAFE_NO_PAD.encode(format!("{} {number} {}", self.id, held.message.receives));
            received.push(Received { message: held.message.clone(), handle });
        }
        // Only now: with no time at all to be hidden they would come again in the same answer.
        self.visible.extend(hidden);
        (received, dead)
    }

    /// When the next message is visible.
    pub(crate) fn next_visible_ms(&self) -> Option<i64> {
        self.visible.first().map(|(at, _)| *at)
    }

    /// The number of the message of a handle, and of which of its receipts the handle is.
    fn receipt(&self, handle: &str) -> Result<(u64, u32), AwsError> {
        let text = URL_SAFE_NO_PAD.decode(handle).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let parts = text.as_deref().and_then(|text| {
            let mut parts = text.strip_prefix(self.id.as_str())?.split_ascii_whitespace();
            Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
        });
        parts.ok_or_else(|| {
            let message = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
            AwsError::new(400, "ReceiptHandleIsInvalid", message)
        })
    }

    /// Deletes a message. A handle of an earlier receipt deletes nothing, which is no error.
    pub(crate) fn delete(&mut self, handle: &str) -> Result<(), AwsError> {
        let (number, receipt) = self.receipt(handle)?;
        if self.messages.get(&number).is_some_and(|held| held.message.receives == receipt) {
            self.remove(number);
        }
        Ok(())
    }

    /// Hides a message in flight for this long from now on.
    pub(crate) fn hide(&mut self, handle: &str, time: Duration, now_ms: i64) -> Result<(), AwsError> {
        let (number, receipt) = self.receipt(handle)?;
        let held = self.messages.get_mut(&number);
        let Some(held) = held.filter(|h| h.message.receives == receipt && h.visible_ms > now_ms) else {
            let message = format!(
                "Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not \
                 available for visibility timeout change."
            );
            return Err(AwsError::new(400, "InvalidParameterValue", message));
        };
        self.visible.remove(&(held.visible_ms, number));
        held.visible_ms = now_ms.saturating_add(millis(time));
        self.visible.insert((held.visible_ms, number));
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
        Ok(())
    }

    pub(crate) fn purge(&mut self) {
        let bytes = self.messages.values().map(|held| bytes_of(&held.message)).sum();
        self.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.messages.clear();
        self.visible.clear();
    }

    pub(crate) fn counts(&mut self, now_ms: i64) -> Counts {
        self.expire(now_ms);
        let hidden = self.visible.range((now_ms.saturating_add(1), 0)..);
        let mut counts = Counts { visible: 0, in_flight: 0, delayed: 0 };
        for (_, number) in hidden {
            match self.messages.get(number) {
                Some(held) if held.message.receives > 0 => counts.in_flight += 1,
                _ => counts.delayed += 1,
            }
        }
        counts.visible = self.messages.len() - counts.in_flight - counts.delayed;
        counts
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.purge();
    }
}

/// Bytes that count against what all queues may hold.
fn bytes_of(message: &Message) -> usize {
    message.size_bytes() + MESSAGE_BYTES
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
