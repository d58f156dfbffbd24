//! The message broker of one Region: MQTT 3.1.1 over mutual TLS, policies enforced, shadows and topic rules behind it.
//!
//! Routing is synchronous: a publish is in every subscriber's queue, and through shadows and rules, before it is
//! acknowledged. A subscriber whose queue is full loses the message, as a slow client does on AWS.

mod connection;
mod listener;
mod service;
mod topic;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use bytestring::ByteString;
use parking_lot::Mutex;
use rmqtt_codec::types::QoS;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) use listener::{black_hole, serve};
pub(crate) use service::{ShadowOperation, publish, shadow};
pub(crate) use topic::filter_matches;

/// Messages that wait for one subscriber.
const QUEUE_MESSAGES_MAX: usize = 1_024;

/// Sessions and subscriptions of one Region.
#[derive(Debug, Default)]
pub(crate) struct Broker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By client id.
    sessions: BTreeMap<String, Session>,
    /// Filters without wildcards, which are most: filter to its subscribers.
    exact: BTreeMap<String, BTreeMap<String, QoS>>,
    /// Filters with wildcards, which are few.
    wild: BTreeMap<String, BTreeMap<String, QoS>>,
    connections: u64,
}

#[derive(Debug)]
struct Session {
    /// Tells connections of one client id apart.
    connection: u64,
    queue: mpsc::Sender<Delivery>,
    /// Cancelled when a newer connection takes the client id.
    taken_over: CancellationToken,
    filters: BTreeSet<String>,
}

/// A message on its way to one subscriber.
#[derive(Debug, Clone)]
struct Delivery {
    topic: ByteString,
    payload: Bytes,
    qos: QoS,
}

/// What a connection holds while it is connected.
#[derive(Debug)]
struct Seat {
    connection: u64,
    queue: mpsc::Receiver<Delivery>,
    taken_over: CancellationToken,
}

impl Broker {
    /// Seats a connection; an older one with the same client id is taken over, as AWS does it.
    fn connect(&self, client_id: &str) -> Seat {
        let mut state = self.state.lock();
        state.connections += 1;
        let connection = state.connections;
        let (sender, queue) = mpsc::channel(QUEUE_MESSAGES_MAX);
        let taken_over = CancellationToken::new();
        if let Some(old) = state.leave(client_id) {
            old.taken_over.cancel();
        }
        let session =
            Session { connection, queue: sender, taken_over: taken_over.clone(), filters: BTreeSet::new() };
        state.sessions.insert(client_id.to_owned(), session);
        Seat { connection, queue, taken_over }
    }

    /// Gives up a seat, unless a newer connection has it already.
    fn disconnect(&self, client_id: &str, connection: u64) {
        let mut state = self.state.lock();
        if state.sessions.get(client_id).is_some_and(|s| s.connection == connection) {
            state.leave(client_id);
        }
    }

    fn subscribe(&self, client_id: &str, filter: &str, qos: QoS) {
        let mut state = self.state.lock();
        let Some(session) = state.sessions.get_mut(client_id) else {
            return;
        };
        session.filters.insert(filter.to_owned());
        state.filters(filter).entry(filter.to_owned()).or_default().insert(client_id.to_owned(), qos);
    }

    fn unsubscribe(&self, client_id: &str, filter: &str) {
        let mut state = self.state.lock();
        if let Some(session) = state.sessions.get_mut(client_id) {
            session.filters.remove(filter);
        }
        state.forget(client_id, filter);
    }

    /// Queues a message for every subscriber, once for each client.
    fn route(&self, topic: &str, payload: &Bytes, qos: QoS) {
        let state = self.state.lock();
        let mut targets: BTreeMap<&str, QoS> = BTreeMap::new();
        let wild = state.wild.iter().filter(|(filter, _)| filter_matches(filter, topic)).map(|(_, s)| s);
        for (client, asked) in state.exact.get(topic).into_iter().chain(wild).flatten() {
            let granted = asked.less_value(qos);
            let best = targets.entry(client).or_insert(granted);
            *best = (*best).max(granted);
        }
        if targets.is_empty() {
            return;
        }
        let topic = ByteString::from(topic);
        for (client, qos) in targets {
            if let Some(session) = state.sessions.get(client) {
                let delivery = Delivery { topic: topic.clone(), payload: payload.clone(), qos };
                if session.queue.try_send(delivery).is_err() {
                    tracing::debug!(client, "a subscriber's queue is full: message dropped");
                }
            }
        }
    }

    /// The client ids that are connected now.
    pub(crate) fn connected_clients(&self) -> BTreeSet<String> {
        self.state.lock().sessions.keys().cloned().collect()
    }

    /// Clients connected now.
    pub(crate) fn connected(&self) -> usize {
        self.state.lock().sessions.len()
    }
}

impl State {
    fn filters(&mut self, filter: &str) -> &mut BTreeMap<String, BTreeMap<String, QoS>> {
        if topic::has_wildcard(filter) { &mut self.wild } else { &mut self.exact }
    }

    /// Takes a session out, with its subscriptions.
    fn leave(&mut self, client_id: &str) -> Option<Session> {
        let session = self.sessions.remove(client_id)?;
        for filter in &session.filters {
            self.forget(client_id, filter);
        }
        Some(session)
    }

    fn forget(&mut self, client_id: &str, filter: &str) {
        let filters = self.filters(filter);
        if let Some(subscribers) = filters.get_mut(filter) {
            subscribers.remove(client_id);
            if subscribers.is_empty() {
                filters.remove(filter);
            }
        }
    }
}
