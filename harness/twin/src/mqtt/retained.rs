//! Retained messages: the last one of each topic, given to whoever subscribes later.

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::Instant;

use super::{limits::RETAINED_CEILING, message::Message, topic};
use crate::{
    bucket::Bucket,
    quota::{DataPlane, Limit},
};

/// The retained messages of one Region, by topic.
#[derive(Debug)]
pub(super) struct Retained {
    messages: BTreeMap<String, Kept>,
    count: Arc<Limit>,
    rate: Arc<Limit>,
    topic_rate: Arc<Limit>,
}

#[derive(Debug)]
struct Kept {
    message: Arc<Message>,
    bucket: Bucket,
}

impl Retained {
    pub(super) fn new(limits: &DataPlane) -> Self {
        Self {
            messages: BTreeMap::new(),
            count: limits.retained_messages.clone(),
            rate: limits.retains.clone(),
            topic_rate: limits.topic_retains.clone(),
        }
    }

    /// Keeps `message` as its topic's last one; an empty payload forgets it. `false` if there are too many, or too many
    /// a second, of the account or of its topic.
    pub(super) fn keep(&mut self, message: &Message, now: Instant) -> bool {
        if !self.rate.take(now) {
            return false;
        }
        if message.payload.is_empty() {
            self.messages.remove(&*message.topic);
            return true;
        }
        if let Some(kept) = self.messages.get_mut(&*message.topic) {
            if !self.topic_rate.take_of(&mut kept.bucket, now) {
                return false;
            }
            kept.message = Arc::new(message.detached());
            return true;
        }
        let count = self.messages.len() + 1;
        if count > RETAINED_CEILING || self.count.is_below(count) {
            return false;
        }
        let mut bucket = self.topic_rate.bucket(now);
        bucket.take(now);
        let kept = Kept { message: Arc::new(message.detached()), bucket };
        self.messages.insert(message.topic.to_string(), kept);
        true
    }

    /// Those that `filter` matches.
    pub(super) fn matching(&self, filter: &str, now: Instant) -> Vec<Arc<Message>> {
        let alive = |message: &&Arc<Message>| !message.has_expired(now);
        if topic::has_wildcard(filter) {
            let all = self.messages.values().map(|kept| &kept.message);
            all.filter(|m| topic::filter_matches(filter, &m.topic)).filter(alive).cloned().collect()
        } else {
            let one = self.messages.get(filter).map(|kept| &kept.message);
            one.into_iter().filter(alive).cloned().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use rmqtt_codec::types::QoS;

    use super::*;
    use crate::quota::Quotas;

    fn retained() -> Retained {
        let quotas = Quotas::new(1.0, true, &["us-east-1".to_owned()]);
        Retained::new(&DataPlane::of(&quotas, "us-east-1"))
    }

    fn message(topic: &str, payload: &'static str) -> Message {
        Message::new(topic.into(), Bytes::from_static(payload.as_bytes()), QoS::AtMostOnce)
    }

    #[test]
    fn the_last_message_of_a_topic_is_kept_until_an_empty_one() {
        let (mut retained, now) = (retained(), Instant::now());
        let later = now + Duration::from_secs(1);
        assert!(retained.keep(&message("a/b", "1"), now));
        assert!(retained.keep(&message("a/b", "2"), later));
        assert_eq!(retained.matching("a/+", now)[0].payload, "2");
        assert!(retained.keep(&message("a/b", ""), later));
        assert!(retained.matching("a/b", now).is_empty());
    }

    #[test]
    fn the_number_of_topics_is_bounded() {
        let (mut retained, mut now) = (retained(), Instant::now());
        for n in 0..5_000 {
            // Slower than the account's 500 a second.
            now += Duration::from_millis(3);
            assert!(retained.keep(&message(&format!("t/{n}"), "x"), now));
        }
        assert!(!retained.keep(&message("one/more", "x"), now));
        assert!(retained.keep(&message("t/0", "y"), now), "a topic that is there may change");
    }

    #[test]
    fn a_topic_is_retained_once_a_second() {
        let (mut retained, now) = (retained(), Instant::now());
        assert!(retained.keep(&message("t", "1"), now));
        assert!(!retained.keep(&message("t", "2"), now + Duration::from_millis(500)));
        assert!(retained.keep(&message("t", "3"), now + Duration::from_secs(1)));
        assert_eq!(retained.matching("t", now)[0].payload, "3");
    }
}
