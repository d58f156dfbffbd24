//! One standard queue. Pure: the time comes in.
//!
//! Every message has a time from which it is visible; receiving moves that time, deleting takes the message out.

use std::{
    collections::{BTreeMap, BTreeSet},
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
    pub(crate) fn new(arn: String, settings: Settings, now_s: i64) -> Self {
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
        self.messages.insert(number, Held { message, visible_ms });
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn remove(&mut self, number: u64) -> Option<Message> {
        let held = self.messages.remove(&number)?;
        self.visible.remove(&(held.visible_ms, number));
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

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sqs::setting::Redrive;

    fn queue() -> Queue {
        Queue::new("arn:aws:sqs:us-east-1:123456789012:q".to_owned(), Settings::default(), 0)
    }

    fn message(body: &str, now_ms: i64) -> Message {
        Message::new(body.to_owned(), BTreeMap::new(), now_ms)
    }

    #[test]
    fn a_received_message_is_hidden_until_its_time_is_over() {
        let mut queue = queue();
        queue.send(message("a", 0), None).unwrap();
        let (first, _) = queue.receive(10, None, false, 0);
        assert!(queue.receive(10, None, false, 29_999).0.is_empty());
        assert_eq!(queue.counts(0), Counts { visible: 0, in_flight: 1, delayed: 0 });
        let (second, _) = queue.receive(10, None, false, 30_000);
        assert_eq!(second[0].message.receives, 2);
        queue.delete(&first[0].handle).unwrap();
        assert_eq!(queue.counts(30_000).in_flight, 1, "an earlier handle deletes nothing");
        queue.hide(&second[0].handle, Duration::ZERO, 30_000).unwrap();
        assert_eq!(queue.counts(30_000).visible, 1);
        assert!(queue.hide(&second[0].handle, Duration::ZERO, 30_000).is_err(), "it is not in flight");
        let (third, _) = queue.receive(10, None, false, 30_000);
        queue.delete(&third[0].handle).unwrap();
        assert_eq!(queue.next_visible_ms(), None);
        assert_eq!(queue.delete("x").unwrap_err().code, "ReceiptHandleIsInvalid");
    }

    #[test]
    fn a_delayed_message_comes_later_and_an_old_one_never() {
        let mut queue = queue();
        queue.send(message("a", 0), Some(Duration::from_secs(5))).unwrap();
        assert_eq!(queue.counts(0), Counts { visible: 0, in_flight: 0, delayed: 1 });
        assert_eq!(queue.next_visible_ms(), Some(5_000));
        assert_eq!(queue.receive(1, None, false, 5_000).0.len(), 1);
        let late = millis(queue.settings.retention) + 1;
        assert!(queue.receive(1, None, false, late).0.is_empty());
    }

    #[test]
    fn what_was_received_too_often_is_a_dead_letter() {
        let mut queue = queue();
        queue.settings.redrive = Some(Redrive { arn: "arn:d".to_owned(), receives_max: 2 });
        queue.send(message("a", 0), None).unwrap();
        for _ in 0..2 {
            assert_eq!(queue.receive(1, Some(Duration::ZERO), true, 0).0.len(), 1);
        }
        assert_eq!(queue.receive(1, Some(Duration::ZERO), false, 0).0.len(), 1, "it has nowhere to go");
        let (received, dead) = queue.receive(1, Some(Duration::ZERO), true, 0);
        assert_eq!((received.len(), dead.len()), (0, 1));
        let mut letters = super::tests::queue();
        letters.bury(dead[0].clone(), &queue.arn, 7);
        let (received, _) = letters.receive(1, None, false, 7);
        assert_eq!((received[0].message.receives, &received[0].message.id), (1, &dead[0].id));
        assert_eq!(received[0].message.buried_from.as_ref(), Some(&queue.arn));
    }

    #[test]
    fn a_message_that_is_not_hidden_is_received_once_an_answer() {
        let mut queue = queue();
        for body in ["a", "b"] {
            queue.send(message(body, 0), None).unwrap();
        }
        for _ in 0..2 {
            assert_eq!(queue.receive(10, Some(Duration::ZERO), false, 5).0.len(), 2);
        }
        assert_eq!(queue.receive(1, None, false, 5).0.len(), 1);
        assert_eq!(queue.counts(5), Counts { visible: 1, in_flight: 1, delayed: 0 });
    }

    #[test]
    fn a_message_is_bounded() {
        let mut queue = queue();
        queue.settings.size_bytes_max = 3;
        assert!(queue.send(message("abc", 0), None).is_ok());
        assert_eq!(queue.send(message("abcd", 0), None).unwrap_err().code, "InvalidParameterValue");
    }

    proptest! {
        /// Whatever is done, each message is received or still there, and what is deleted never comes back.
        #[test]
        fn nothing_is_lost_and_nothing_deleted_returns(steps in proptest::collection::vec((0_u8..4, 0_i64..40), 1..60)) {
            let (mut queue, mut now_ms, mut sent, mut gone) = (queue(), 0, 0_usize, BTreeSet::new());
            let mut handles: Vec<(String, Received)> = Vec::new();
            for (what, number) in steps {
                now_ms += number * 1_000;
                match what {
                    0 => {
                        queue.send(message("m", now_ms), None).unwrap();
                        sent += 1;
                    }
                    1 => {
                        for received in queue.receive(3, None, false, now_ms).0 {
                            prop_assert!(!gone.contains(&received.message.id), "a deleted message came back");
                            handles.push((received.handle.clone(), received));
                        }
                    }
                    2 => {
                        if let Some((handle, received)) = handles.pop() {
                            queue.delete(&handle).unwrap();
                            let latest = handles.iter().all(|(_, r)| {
                                r.message.id != received.message.id || r.message.receives < received.message.receives
                            });
                            if latest {
                                gone.insert(received.message.id);
                            }
                        }
                    }
                    _ => {}
                }
                let counts = queue.counts(now_ms);
                prop_assert_eq!(counts.visible + counts.in_flight + counts.delayed + gone.len(), sent);
                prop_assert_eq!(queue.visible.len(), queue.messages.len());
            }
        }
    }
}
