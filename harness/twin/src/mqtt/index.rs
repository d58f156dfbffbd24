//! Who subscribes to what: exact filters by name, filters with wildcards in a tree of levels, shared subscriptions by
//! group. Matching costs what a topic's levels cost, not what all filters cost.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rmqtt_codec::types::QoS;

use super::{
    mailbox::Mailbox,
    topic::{self, Filter},
};

/// One client's subscription to one filter.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) qos: QoS,
    /// MQTT 5: not the client's own messages.
    pub(super) no_local: bool,
    /// MQTT 5: the publisher's retain flag is kept.
    pub(super) retain_as_published: bool,
}

/// By mailbox.
type Subscribers = BTreeMap<u64, Subscription>;

/// All subscriptions of one Region.
#[derive(Debug, Default)]
pub(super) struct Index {
    exact: BTreeMap<String, Subscribers>,
    wild: Level,
    /// By filter, then by group.
    shared: BTreeMap<String, BTreeMap<String, Group>>,
}

/// One level of the filters with wildcards.
#[derive(Debug, Default)]
struct Level {
    next: BTreeMap<Box<str>, Level>,
    subscribers: Subscribers,
}

#[derive(Debug, Default)]
struct Group {
    members: Vec<Subscription>,
    turn: AtomicUsize,
}

impl Index {
    pub(super) fn insert(&mut self, filter: &str, subscription: Subscription) {
        let id = subscription.mailbox.id;
        match Filter::parse(filter) {
            Filter { group: Some(group), filter } => {
                let groups = self.shared.entry(filter.to_owned()).or_default();
                let members = &mut groups.entry(group.to_owned()).or_default().members;
                members.retain(|m| m.mailbox.id != id);
                members.push(subscription);
            }
            Filter { filter, .. } if topic::has_wildcard(filter) => {
                let level = filter
                    .split('/')
                    .fold(&mut self.wild, |level, name| level.next.entry(name.into()).or_default());
                level.subscribers.insert(id, subscription);
            }
            Filter { filter, .. } => {
                self.exact.entry(filter.to_owned()).or_default().insert(id, subscription);
            }
        }
    }

    pub(super) fn remove(&mut self, filter: &str, mailbox: u64) {
        match Filter::parse(filter) {
            Filter { group: Some(group), filter } => {
                if let Some(groups) = self.shared.get_mut(filter) {
                    if let Some(found) = groups.get_mut(group) {
                        found.members.retain(|m| m.mailbox.id != mailbox);
                    }
                    groups.retain(|_, group| !group.members.is_empty());
                    if groups.is_empty() {
                        self.shared.remove(filter);
                    }
                }
            }
            Filter { filter, .. } if topic::has_wildcard(filter) => {
                let levels: Vec<&str> = filter.split('/').collect();
                self.wild.remove(&levels, mailbox);
            }
            Filter { filter, .. } => {
                if let Some(subscribers) = self.exact.get_mut(filter) {
                    subscribers.remove(&mailbox);
                    if subscribers.is_empty() {
                        self.exact.remove(filter);
                    }
                }
            }
        }
    }

    /// The subscriptions that a message on `topic` goes to: one a client, the one with the highest `QoS`, and one of each
    /// group. `from` is the publisher's mailbox.
    pub(super) fn matching(&self, topic: &str, from: Option<u64>) -> Vec<&Subscription> {
        let mut found: Vec<&Subscription> =
            self.exact.get(topic).into_iter().flat_map(BTreeMap::values).collect();
        if !self.wild.next.is_empty() {
            self.wild.collect(Some(topic), topic.starts_with('$'), &mut found);
        }
        found.retain(|s| !(s.no_local && from == Some(s.mailbox.id)));
        if found.len() > 1 {
            found.sort_by_key(|s| (s.mailbox.id, std::cmp::Reverse(s.qos)));
            found.dedup_by_key(|s| s.mailbox.id);
        }
        for (_, groups) in self.shared.iter().filter(|(filter, _)| topic::filter_matches(filter, topic)) {
            found.extend(groups.values().filter_map(Group::pick));
        }
        found
    }
}

impl Group {
    /// The member whose turn it is.
    fn pick(&self) -> Option<&Subscription> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let from = turn.checked_rem(self.members.len())?;
        let in_order = || self.members[from..].iter().chain(&self.members[..from]);
        // Those that are offline come last: they only store it.
        in_order().find(|m| m.mailbox.is_attached()).or_else(|| self.members.get(from))
    }
}

impl Level {
    /// `rest` is what is left of the topic; nothing is left after the last level. `a/#` does not match `a`, and a leading
    /// wildcard does not match a reserved topic, as on AWS.
    fn collect<'a>(&'a self, rest: Option<&str>, reserved: bool, found: &mut Vec<&'a Subscription>) {
        let Some(rest) = rest else {
            found.extend(self.subscribers.values());
            return;
        };
        let (name, rest) = rest.split_once('/').map_or((rest, None), |(name, rest)| (name, Some(rest)));
        if let Some(level) = self.next.get(name) {
            level.collect(rest, false, found);
        }
        if reserved {
            return;
        }
        if let Some(level) = self.next.get("+") {
            level.collect(rest, false, found);
        }
        if let Some(level) = self.next.get("#") {
            found.extend(level.subscribers.values());
        }
    }

    fn remove(&mut self, levels: &[&str], mailbox: u64) {
        let Some((first, rest)) = levels.split_first() else {
            self.subscribers.remove(&mailbox);
            return;
        };
        if let Some(level) = self.next.get_mut(*first) {
            level.remove(rest, mailbox);
            if level.next.is_empty() && level.subscribers.is_empty() {
                self.next.remove(*first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mqtt::topic::{filter_matches, is_filter};

    fn subscription(id: u64, qos: QoS) -> Subscription {
        Subscription { mailbox: Arc::new(Mailbox::new(id)), qos, no_local: false, retain_as_published: false }
    }

    #[test]
    fn a_client_gets_a_message_once_with_its_best_qos() {
        let mut index = Index::default();
        let mailbox = Arc::new(Mailbox::new(1));
        for (filter, qos) in [("a/b", QoS::AtMostOnce), ("a/+", QoS::AtLeastOnce), ("#", QoS::AtMostOnce)] {
            index.insert(filter, Subscription { mailbox: mailbox.clone(), ..subscription(1, qos) });
        }
        let found = index.matching("a/b", None);
        assert_eq!(found.iter().map(|s| s.qos).collect::<Vec<_>>(), [QoS::AtLeastOnce]);
    }

    #[test]
    fn a_group_takes_turns() {
        let mut index = Index::default();
        for id in 1..=3 {
            index.insert("$share/g/a/+", subscription(id, QoS::AtMostOnce));
        }
        let mut hits: Vec<u64> = (0..6).map(|_| index.matching("a/b", None)[0].mailbox.id).collect();
        hits.sort_unstable();
        assert_eq!(hits, [1, 1, 2, 2, 3, 3]);
        for id in 1..=3 {
            index.remove("$share/g/a/+", id);
        }
        assert!(index.shared.is_empty());
    }

    #[test]
    fn no_local_spares_the_publisher() {
        let mut index = Index::default();
        index.insert("a", Subscription { no_local: true, ..subscription(1, QoS::AtMostOnce) });
        assert!(index.matching("a", Some(1)).is_empty());
        assert_eq!(index.matching("a", Some(2)).len(), 1);
    }

    proptest! {
        /// For all filters and topics, the index finds what matching one by one finds, and nothing is left when all go.
        #[test]
        fn the_index_agrees_with_matching(
            filters in prop::collection::btree_set("[$]?[ab+#](/[ab+#]){0,3}", 1..8),
            topic in "[$]?[ab](/[ab]){0,3}",
        ) {
            let filters: Vec<String> = filters.into_iter().filter(|f| is_filter(f)).collect();
            let mut index = Index::default();
            for (id, filter) in (0..).zip(&filters) {
                index.insert(filter, subscription(id, QoS::AtMostOnce));
            }
            let found: Vec<u64> = index.matching(&topic, None).iter().map(|s| s.mailbox.id).collect();
            let expected: Vec<u64> =
                (0..).zip(&filters).filter(|(_, f)| filter_matches(f, &topic)).map(|(id, _)| id).collect();
            prop_assert_eq!(found, expected);
            for (id, filter) in (0..).zip(&filters) {
                index.remove(filter, id);
            }
            prop_assert!(index.exact.is_empty() && index.wild.next.is_empty());
        }

        /// For all filters, alone and shared, and all topics: who subscribes alone gets a message if the filter matches,
        /// of each group of a filter that matches exactly one member does, and all of them in as many turns.
        #[test]
        fn shared_subscriptions_take_turns_and_others_do_not_care(
            alone in prop::collection::btree_set("[ab+#](/[ab+#]){0,2}", 0..4),
            shared in prop::collection::btree_map(("[gh]", "[ab+#](/[ab+#]){0,2}"), 1..4_u64, 0..5),
            topic in "[ab](/[ab]){0,2}",
        ) {
            let mut index = Index::default();
            let mut mailbox = 0..;
            let mut insert = |index: &mut Index, filter: &str| {
                let id = mailbox.next().unwrap();
                index.insert(filter, subscription(id, QoS::AtLeastOnce));
                (filter.to_owned(), id)
            };
            let mut all = Vec::new();
            let mut expected = Vec::new();
            for filter in alone.iter().filter(|f| is_filter(f)) {
                all.push(insert(&mut index, filter));
                if filter_matches(filter, &topic) {
                    expected.push(vec![all[all.len() - 1].1]);
                }
            }
            for ((group, filter), members) in shared.iter().filter(|((_, f), _)| is_filter(f)) {
                let text = format!("$share/{group}/{filter}");
                let members: Vec<_> = (0..*members).map(|_| insert(&mut index, &text)).collect();
                if filter_matches(filter, &topic) {
                    expected.push(members.iter().map(|(_, id)| *id).collect());
                }
                all.extend(members);
            }
            // Six turns are a whole number of rounds of one, two and three members.
            let mut hits = BTreeMap::<u64, usize>::new();
            for _ in 0..6 {
                let found: Vec<u64> = index.matching(&topic, None).iter().map(|s| s.mailbox.id).collect();
                prop_assert_eq!(found.len(), expected.len());
                for of in &expected {
                    prop_assert_eq!(found.iter().filter(|id| of.contains(id)).count(), 1);
                }
                for id in found {
                    *hits.entry(id).or_default() += 1;
                }
            }
            for of in &expected {
                prop_assert!(of.iter().all(|id| hits[id] == 6 / of.len()), "{:?}", hits);
            }
            for (filter, id) in &all {
                index.remove(filter, *id);
            }
            prop_assert!(index.exact.is_empty() && index.wild.next.is_empty() && index.shared.is_empty());
        }
    }
}
