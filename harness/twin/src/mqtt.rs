//! The message broker of one Region: MQTT 3.1.1 and 5 over mutual TLS, policies enforced, shadows and topic rules behind
//! it.
//!
//! Routing is synchronous: a publish is in every subscriber's mailbox, and through shadows and rules, before it is
//! acknowledged. A subscriber whose mailbox is full loses the message, as a slow client does on AWS. Messages are one type
//! inside; the versions of MQTT differ in [`codec`] only.

mod codec;
mod connection;
mod end;
mod grants;
mod index;
mod limits;
mod listener;
mod mailbox;
mod message;
mod packet;
mod presence;
mod retained;
mod service;
mod session;
#[cfg(test)]
pub(crate) mod tests;
mod topic;
mod wire;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock};
use tokio::{sync::oneshot, time::Instant};

use end::End;
pub(crate) use end::Severed;
use index::{Index, Subscription};
pub(crate) use listener::{black_hole, serve, serve_stream};
pub(crate) use message::Properties;
use message::{Delivery, Message};
use packet::{Refusal, Subscribe};
use retained::Retained;
pub(crate) use service::{
    PublishRefusal, Republish, ShadowOperation, publish, publish_over_https, republish, shadow,
};
use session::{Departure, Seat, Session, Sessions};
pub(crate) use topic::{filter_matches, is_filter};

use crate::quota::DataPlane;

/// Sessions, subscriptions and retained messages of one Region. Where two locks are held, they are taken in the order of
/// the fields; mailboxes come last.
#[derive(Debug)]
pub(crate) struct Broker {
    limits: DataPlane,
    sessions: Mutex<Sessions>,
    index: RwLock<Index>,
    retained: Mutex<Retained>,
}

/// What became of a SUBSCRIBE's filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subscribed {
    New,
    Again,
    /// The connection has all the subscriptions that it may have.
    Full,
}

impl Broker {
    pub(crate) fn new(limits: DataPlane) -> Self {
        Self {
            sessions: Mutex::new(Sessions::new(limits.clone())),
            index: RwLock::default(),
            retained: Mutex::new(Retained::new(&limits)),
            limits,
        }
    }

    /// The client ids that are connected now.
    pub(crate) fn connected_clients(&self) -> BTreeSet<String> {
        let sessions = self.sessions.lock();
        sessions
            .by_client
            .iter()
            .filter(|(_, session)| session.live.is_some())
            .map(|(client, _)| client.clone())
            .collect()
    }

    /// Clients connected now.
    pub(crate) fn connected(&self) -> usize {
        self.sessions.lock().live()
    }

    /// Seats a connection; an older one with the same client id is taken over, as AWS does it.
    fn connect(&self, client_id: &str, clean_start: bool, in_flight_max: usize) -> Result<Seat, Refusal> {
        let now = Instant::now();
        let mut sessions = self.sessions.lock();
        let admitted = sessions.admit(client_id, now)?;
        let mut ended = sessions.sweep(now);
        let (seat, replaced) = sessions.sit(client_id, admitted, clean_start, in_flight_max, now);
        ended.extend(replaced);
        self.forget(&mut sessions, &ended);
        Ok(seat)
    }

    /// Gives up a seat, unless a newer connection has it already.
    fn disconnect(&self, client_id: &str, seat: &Seat, expiry: Duration) -> Departure {
        let mut sessions = self.sessions.lock();
        let (departure, ended) = sessions.leave(client_id, seat, expiry, Instant::now());
        self.forget(&mut sessions, ended.as_slice());
        departure
    }

    /// Takes the subscriptions of ended sessions out. The caller holds the sessions' lock, so that none comes back.
    fn forget(&self, sessions: &mut Sessions, ended: &[Session]) {
        if ended.iter().all(|session| session.filters.is_empty()) {
            return;
        }
        let mut index = self.index.write();
        for session in ended {
            sessions.subscriptions -= session.filters.len();
            for filter in &session.filters {
                index.remove(filter, session.mailbox.id);
            }
        }
    }

    /// Ends connections from below, those whose client ids are chosen; says how many. Their sessions stay.
    pub(crate) fn sever(&self, how: Severed, chosen: impl FnMut(&str) -> bool) -> usize {
        self.sessions.lock().sever(how, chosen)
    }

    /// Why a connection has to go whose seat was cancelled.
    fn cancelled(&self, client_id: &str, seat: &Seat) -> End {
        self.sessions.lock().severed(client_id, seat).map_or(End::TakenOver, End::Severed)
    }

    /// Lets the receiver of `will` know what becomes of a will that is held back.
    fn hold_will(&self, client_id: &str, seat: &Seat, will: oneshot::Sender<bool>) -> bool {
        self.sessions.lock().hold_will(client_id, seat.mailbox.id, will)
    }

    fn subscribe(&self, client_id: &str, seat: &Seat, asked: &Subscribe) -> Subscribed {
        if !self.limits.subscribes.take(Instant::now()) {
            return Subscribed::Full;
        }
        let mut sessions = self.sessions.lock();
        let all = sessions.subscriptions;
        let session = sessions.by_client.get_mut(client_id).filter(|s| s.mailbox.id == seat.mailbox.id);
        let Some(session) = session else {
            // Taken over a moment ago: nobody will read the answer.
            return Subscribed::Full;
        };
        let again = session.filters.contains(&*asked.filter);
        let limits = &self.limits;
        if !again
            && (limits.connection_subscriptions.is_below(session.filters.len() + 1)
                || limits.subscriptions.is_below(all + 1))
        {
            return Subscribed::Full;
        }
        let subscription = Subscription {
            mailbox: seat.mailbox.clone(),
            qos: asked.qos,
            no_local: asked.no_local,
            retain_as_published: asked.retain_as_published,
        };
        session.filters.insert(asked.filter.to_string());
        sessions.subscriptions += usize::from(!again);
        self.index.write().insert(&asked.filter, subscription);
        if again { Subscribed::Again } else { Subscribed::New }
    }

    /// Ends a subscription; `false` if there was none.
    fn unsubscribe(&self, client_id: &str, seat: &Seat, filter: &str) -> bool {
        let mut sessions = self.sessions.lock();
        let session = sessions.by_client.get_mut(client_id).filter(|s| s.mailbox.id == seat.mailbox.id);
        let existed = session.is_some_and(|session| session.filters.remove(filter));
        if existed {
            sessions.subscriptions -= 1;
            self.index.write().remove(filter, seat.mailbox.id);
        }
        existed
    }

    /// Hands a message to every subscriber, once for each client. `from` is the publisher's mailbox.
    fn route(&self, message: Message, from: Option<u64>) {
        let now = Instant::now();
        if message.retain && !self.retained.lock().keep(&message, now) {
            tracing::debug!(
                topic = &*message.topic,
                "more retained messages than AWS takes: one was not kept"
            );
        }
        let index = self.index.read();
        let subscriptions = index.matching(&message.topic, from);
        if subscriptions.is_empty() {
            return;
        }
        let granted = self.limits.outbound_publishes.take_up_to(subscriptions.len(), now);
        if granted < subscriptions.len() {
            tracing::debug!(
                lost = subscriptions.len() - granted,
                "more messages out than the account may have"
            );
        }
        let message = Arc::new(message);
        for subscription in subscriptions.into_iter().take(granted) {
            let delivery = Delivery {
                message: message.clone(),
                qos: subscription.qos.less_value(message.qos),
                retain: message.retain && subscription.retain_as_published,
            };
            if !subscription.mailbox.push(delivery, now, &self.limits.queued_messages) {
                tracing::debug!(
                    mailbox = subscription.mailbox.id,
                    "a subscriber takes no more: message dropped"
                );
            }
        }
    }

    /// Gives a new subscriber the retained messages of its filter.
    fn give_retained(&self, seat: &Seat, asked: &Subscribe) {
        let now = Instant::now();
        let messages = self.retained.lock().matching(&asked.filter, now);
        for message in messages {
            let qos = asked.qos.less_value(message.qos);
            seat.mailbox.push(Delivery { message, qos, retain: true }, now, &self.limits.queued_messages);
        }
    }
}
