//! Sessions: who is connected, what outlives a connection, and how often a client id may connect. Pure state; the time
//! comes in.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{end::Severed, limits::VERSION_RESET, mailbox::Mailbox, packet::Refusal};
use crate::quota::DataPlane;

/// What has expired is swept each time that this many connections were made.
const SWEEP_PERIOD: u64 = 1_024;

/// The sessions of one Region.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) by_client: BTreeMap<String, Session>,
    records: BTreeMap<String, Record>,
    limits: DataPlane,
    connections: u64,
    /// Sessions with a connection.
    live: usize,
    /// Subscriptions of all sessions.
    pub(super) subscriptions: usize,
}

/// One session. It outlives its connection by its expiry.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) filters: BTreeSet<String>,
    pub(super) live: Option<Live>,
    /// Set while it is offline.
    expires: Option<Instant>,
    /// The task that holds its will back: `true` publishes it, `false` forgets it.
    will: Option<oneshot::Sender<bool>>,
}

/// The connection that sits on a session.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) connection: u64,
    /// Cancelled when a newer connection takes the client id, and when it is severed.
    taken_over: CancellationToken,
    severed: Option<Severed>,
}

/// What is remembered of a client id between connections.
#[derive(Debug)]
struct Record {
    connected: Instant,
    version: u64,
    idle_since: Option<Instant>,
}

/// What a connection holds while it is connected.
#[derive(Debug)]
pub(super) struct Seat {
    /// Tells connections of one client id apart.
    pub(super) connection: u64,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) taken_over: CancellationToken,
    pub(super) session_present: bool,
    /// `versionNumber` of lifecycle events.
    pub(super) version: u64,
}

/// What became of a session when its connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Departure {
    /// A newer connection has the session, or has replaced it.
    Replaced { resumed: bool },
    /// It ended with the connection.
    Ended,
    /// It waits for its client this long.
    Kept(Duration),
}

impl Sessions {
    pub(super) fn new(limits: DataPlane) -> Self {
        Self {
            by_client: BTreeMap::new(),
            records: BTreeMap::new(),
            limits,
            connections: 0,
            live: 0,
            subscriptions: 0,
        }
    }

    /// Clients connected now.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Counts a connection, or refuses it: one a second of a client id, so many a second and so many at a time of the
    /// account. The first number tells connections apart, the second is the client id's version.
    pub(super) fn admit(&mut self, client_id: &str, now: Instant) -> Result<(u64, u64), Refusal> {
        let record = self.records.get_mut(client_id);
        let limits = &self.limits;
        let period =
            Duration::try_from_secs_f64(1.0 / limits.client_connects.value()).unwrap_or(Duration::MAX);
        if record.as_ref().is_some_and(|r| now.saturating_duration_since(r.connected) < period) {
            limits.client_connects.note_refused();
            return Err(Refusal::Throttled);
        }
        if limits.connections.is_below(self.live + 1) || !limits.connects.take(now) {
            return Err(Refusal::Throttled);
        }
        self.connections += 1;
        let version = match record {
            None => {
                let record = Record { connected: now, version: 0, idle_since: None };
                self.records.insert(client_id.to_owned(), record);
                0
            }
            Some(record) => {
                record.version = if record.is_forgotten(now) { 0 } else { record.version + 1 };
                (record.connected, record.idle_since) = (now, None);
                record.version
            }
        };
        Ok((self.connections, version))
    }

    /// Seats a connection. The second value is the session that ends by it, whose subscriptions have to go.
    pub(super) fn sit(
        &mut self,
        client_id: &str,
        (connection, version): (u64, u64),
        clean_start: bool,
        in_flight_max: usize,
        now: Instant,
    ) -> (Seat, Option<Session>) {
        let taken_over = CancellationToken::new();
        let live = Live { connection, taken_over: taken_over.clone(), severed: None };
        let mut old = self.by_client.remove(client_id);
        let resumed = !clean_start && old.as_ref().is_some_and(|old| !old.has_expired(now));
        self.live += 1;
        if let Some(old) = &mut old {
            if let Some(live) = &old.live {
                live.taken_over.cancel();
                self.live -= 1;
            }
            if let Some(will) = old.will.take() {
                // Nobody listens any more if the will went out already.
                let _ = will.send(!resumed);
            }
        }
        let (session, ended) = match old {
            Some(old) if resumed => (Session { live: Some(live), expires: None, will: None, ..old }, None),
            old => {
                let mailbox = Arc::new(Mailbox::new(connection));
                let filters = BTreeSet::new();
                (Session { mailbox, filters, live: Some(live), expires: None, will: None }, old)
            }
        };
        let mailbox = session.mailbox.clone();
        mailbox.attach(connection, in_flight_max);
        self.by_client.insert(client_id.to_owned(), session);
        (Seat { connection, mailbox, taken_over, session_present: resumed, version }, ended)
    }

    /// Gives up a seat. A session without expiry ends; it is handed out, since its subscriptions have to go.
    pub(super) fn leave(
        &mut self,
        client_id: &str,
        seat: &Seat,
        expiry: Duration,
        now: Instant,
    ) -> (Departure, Option<Session>) {
        let Some(session) = self.by_client.get_mut(client_id) else {
            return (Departure::Replaced { resumed: false }, None);
        };
        if session.live.as_ref().is_none_or(|live| live.connection != seat.connection) {
            return (Departure::Replaced { resumed: session.mailbox.id == seat.mailbox.id }, None);
        }
        if let Some(record) = self.records.get_mut(client_id) {
            record.idle_since = Some(now);
        }
        self.live -= 1;
        if expiry.is_zero() {
            return (Departure::Ended, self.by_client.remove(client_id));
        }
        session.live = None;
        session.expires = Some(now + expiry);
        session.mailbox.detach(now + expiry);
        (Departure::Kept(expiry), None)
    }

    /// Ends connections from below; says how many.
    pub(super) fn sever(&mut self, how: Severed, mut chosen: impl FnMut(&str) -> bool) -> usize {
        let mut count = 0;
        for (client_id, session) in &mut self.by_client {
            if let Some(live) = &mut session.live
                && live.severed.is_none()
                && chosen(client_id)
            {
                live.severed = Some(how);
                live.taken_over.cancel();
                count += 1;
            }
        }
        count
    }

    /// By what the connection on a seat was cut, if it was.
    pub(super) fn severed(&self, client_id: &str, seat: &Seat) -> Option<Severed> {
        let live = self.by_client.get(client_id)?.live.as_ref()?;
        if live.connection == seat.connection { live.severed } else { None }
    }

    /// Lets `will` decide over the will of an offline session; `false` if its client is back already.
    pub(super) fn hold_will(&mut self, client_id: &str, mailbox: u64, will: oneshot::Sender<bool>) -> bool {
        let session =
            self.by_client.get_mut(client_id).filter(|s| s.mailbox.id == mailbox && s.live.is_none());
        session.is_some_and(|session| session.will.replace(will).is_none())
    }

    /// Forgets what has expired, every now and then; hands out the sessions.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<Session> {
        if !self.connections.is_multiple_of(SWEEP_PERIOD) {
            return Vec::new();
        }
        self.records.retain(|_, record| !record.is_forgotten(now));
        let expired: Vec<String> =
            self.by_client.iter().filter(|(_, s)| s.has_expired(now)).map(|(id, _)| id.clone()).collect();
        expired.iter().filter_map(|id| self.by_client.remove(id)).collect()
    }
}

impl Session {
    fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Record {
    fn is_forgotten(&self, now: Instant) -> bool {
        self.idle_since.is_some_and(|since| now.saturating_duration_since(since) >= VERSION_RESET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Quotas;

    const HOUR: Duration = Duration::from_hours(1);
    const CONNECT_PERIOD: Duration = Duration::from_secs(1);

    fn sessions(scale: f64) -> Sessions {
        let quotas = Quotas::new(scale, true, &["us-east-1".to_owned()]);
        Sessions::new(DataPlane::of(&quotas, "us-east-1"))
    }

    fn connect(sessions: &mut Sessions, clean_start: bool, now: Instant) -> Seat {
        let admitted = sessions.admit("c", now).unwrap();
        sessions.sit("c", admitted, clean_start, 100, now).0
    }

    #[test]
    fn a_client_id_connects_once_a_second_whatever_the_scale() {
        let (mut sessions, now) = (sessions(1_000.0), Instant::now());
        assert_eq!(sessions.admit("c", now), Ok((1, 0)));
        assert_eq!(sessions.admit("c", now + Duration::from_millis(900)), Err(Refusal::Throttled));
        assert_eq!(sessions.admit("c", now + CONNECT_PERIOD), Ok((2, 1)));
    }

    #[test]
    fn the_accounts_rate_follows_the_scale() {
        let now = Instant::now();
        let admitted = |scale| {
            let mut sessions = sessions(scale);
            (0..3_000).filter(|n| sessions.admit(&n.to_string(), now).is_ok()).count()
        };
        assert_eq!(admitted(1.0), 500);
        assert_eq!(admitted(4.0), 2_000);
    }

    #[test]
    fn a_session_is_resumed_until_it_expires() {
        let (mut sessions, now) = (sessions(1.0), Instant::now());
        let seat = connect(&mut sessions, false, now);
        assert!(!seat.session_present);
        assert_eq!(sessions.leave("c", &seat, HOUR, now).0, Departure::Kept(HOUR));
        let again = connect(&mut sessions, false, now + HOUR / 2);
        assert!(again.session_present);
        sessions.leave("c", &again, HOUR, now + HOUR);
        assert!(!connect(&mut sessions, false, now + HOUR * 2).session_present);
    }

    #[test]
    fn a_takeover_cancels_the_older_connection() {
        let (mut sessions, now) = (sessions(1.0), Instant::now());
        let old = connect(&mut sessions, false, now);
        let new = connect(&mut sessions, false, now + CONNECT_PERIOD);
        assert!(old.taken_over.is_cancelled());
        assert!(new.session_present);
        let left = sessions.leave("c", &old, HOUR, now + CONNECT_PERIOD);
        assert_eq!(left.0, Departure::Replaced { resumed: true });
        let clean = connect(&mut sessions, true, now + CONNECT_PERIOD * 2);
        assert!(!clean.session_present);
        let left = sessions.leave("c", &new, HOUR, now + CONNECT_PERIOD * 2);
        assert_eq!(left.0, Departure::Replaced { resumed: false });
        assert_eq!(sessions.leave("c", &clean, Duration::ZERO, now).0, Departure::Ended);
    }

    #[test]
    fn a_held_will_hears_whether_its_client_came_back() {
        let (mut sessions, now) = (sessions(1.0), Instant::now());
        for (clean_start, publishes) in [(false, false), (true, true)] {
            let at = now + CONNECT_PERIOD * (1 + 2 * u32::from(clean_start));
            let seat = connect(&mut sessions, false, at);
            sessions.leave("c", &seat, HOUR, at);
            let (sender, mut receiver) = oneshot::channel();
            assert!(sessions.hold_will("c", seat.mailbox.id, sender));
            connect(&mut sessions, clean_start, at + CONNECT_PERIOD);
            assert_eq!(receiver.try_recv(), Ok(publishes));
        }
    }
}
