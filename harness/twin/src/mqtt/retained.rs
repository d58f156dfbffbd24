//! Retained messages: the last one of each topic, given to whoever subscribes later.

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::Instant;

use super::{limits::RETAINED_MAX, message::Message, topic};

/// The retained messages of one Region, by topic.
#[derive(Debug, Default)]
pub(super) struct Retained {
    messages: BTreeMap<String, Arc<Message>>,
}

impl Retained {
    /// Keeps `message` as its topic's last one; an empty payload forgets it. `false` if there are too many.
    pub(super) fn keep(&mut self, message: &Message) -> bool {
        if message.payload.is_empty() {
            self.messages.remove(&*message.topic);
            return true;
        }
        let fits = self.messages.len() < RETAINED_MAX || self.messages.contains_key(&*message.topic);
        if fits {
            self.messages.insert(message.topic.to_string(), Arc::new(message.detached()));
        }
        fits
    }

    /// Those that `filter` matches.
    pub(super) fn matching(&self, filter: &str, now: Instant) -> Vec<Arc<Message>> {
        let alive = |message: &&Arc<Message>| !message.has_expired(now);
        if topic::has_wildcard(filter) {
            let all = self.messages.values().filter(|m| topic::filter_matches(filter, &m.topic));
            all.filter(alive).cloned().collect()
        } else {
            self.messages.get(filter).into_iter().filter(alive).cloned().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rmqtt_codec::types::QoS;

    use super::*;

    fn message(topic: &str, payload: &'static str) -> Message {
        Message::new(topic.into(), Bytes::from_static(payload.as_bytes()), QoS::AtMostOnce)
    }

    #[test]
    fn the_last_message_of_a_topic_is_kept_until_an_empty_one() {
        let (mut retained, now) = (Retained::default(), Instant::now());
        assert!(retained.keep(&message("a/b", "1")));
        assert!(retained.keep(&message("a/b", "2")));
        assert_eq!(retained.matching("a/+", now)[0].payload, "2");
        assert!(retained.keep(&message("a/b", "")));
        assert!(retained.matching("a/b", now).is_empty());
    }

    #[test]
    fn the_number_of_topics_is_bounded() {
        let mut retained = Retained::default();
        for n in 0..RETAINED_MAX {
            assert!(retained.keep(&message(&format!("t/{n}"), "x")));
        }
        assert!(!retained.keep(&message("one/more", "x")));
        assert!(retained.keep(&message("t/0", "y")), "a topic that is there may change");
    }
}
