//! What happens to the device, told as it happens, and counted.

use std::fmt;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Event {
    Resolved {
        name: String,
        host: String,
    },
    DnsFailed {
        name: String,
        error: String,
    },
    Connected {
        host: String,
    },
    ConnectFailed {
        host: String,
        stage: &'static str,
        error: String,
        again_in_ms: u64,
    },
    /// The connection broke.
    Lost {
        host: String,
        error: String,
        again_in_ms: u64,
    },
    /// The name points elsewhere.
    Moved {
        from: String,
        to: String,
    },
    Sent {
        topic: String,
        payload: String,
    },
    Acknowledged,
    /// It was due, and was not sent.
    Unsent {
        payload: String,
        why: Unsent,
    },
    /// So many attempts in a row came to nothing.
    GaveUp {
        attempts: u32,
    },
    Received {
        topic: String,
        payload: String,
        own: bool,
    },
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unsent {
    NoConnection,
    /// Those before it are not sent yet.
    TooFast,
}

/// What happened in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    pub(crate) sent: u32,
    /// PUBACKs: of QoS 0 there are none.
    pub(crate) acknowledged: u32,
    pub(crate) unsent: u32,
    /// All messages, whoever sent them.
    pub(crate) received: u32,
    /// Of those sent here, each once.
    pub(crate) returned: u32,
    pub(crate) connects: u32,
    /// Connections but for the first.
    pub(crate) reconnects: u32,
    pub(crate) moves: u32,
    pub(crate) connects_failed: u32,
    pub(crate) dns_errors: u32,
    pub(crate) gave_up: bool,
}

/// Who is told, and the count.
pub(crate) struct Events {
    say: Box<dyn Fn(&Event) + Send + Sync>,
    summary: Mutex<Summary>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("summary", &self.summary).finish_non_exhaustive()
    }
}

impl Events {
    pub(crate) fn new(say: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self { say: Box::new(say), summary: Mutex::default() }
    }

    pub(crate) fn tell(&self, event: &Event) {
        self.summary.lock().count(event);
        (self.say)(event);
    }

    pub(crate) fn summary(&self) -> Summary {
        *self.summary.lock()
    }
}

impl Summary {
    fn count(&mut self, event: &Event) {
        match event {
            Event::Resolved { .. } | Event::Lost { .. } => {}
            Event::DnsFailed { .. } => self.dns_errors += 1,
            Event::Connected { .. } => {
                self.connects += 1;
                self.reconnects = self.connects - 1;
            }
            Event::ConnectFailed { .. } => self.connects_failed += 1,
            Event::Moved { .. } => self.moves += 1,
            Event::Sent { .. } => self.sent += 1,
            Event::Acknowledged => self.acknowledged += 1,
            Event::Unsent { .. } => self.unsent += 1,
            Event::GaveUp { .. } => self.gave_up = true,
            Event::Received { own, .. } => {
                self.received += 1;
                self.returned += u32::from(*own);
            }
        }
    }
}

impl Event {
    /// A line of JSON, with its time.
    pub(crate) fn json(&self) -> String {
        let mut line = serde_json::to_value(self).unwrap_or_default();
        line["at"] = Timestamp::now().to_string().into();
        line.to_string()
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolved { name, host } => write!(f, "{name} points to {host}"),
            Self::DnsFailed { name, error } => {
                write!(f, "{name} could not be resolved, going on as before: {error}")
            }
            Self::Connected { host } => write!(f, "connected to {host}"),
            Self::ConnectFailed { host, stage, error, again_in_ms } => {
                write!(f, "not connected to {host} ({stage}: {error}), again in {again_in_ms} ms")
            }
            Self::Lost { host, error, again_in_ms } => {
                write!(f, "the connection to {host} is lost ({error}), again in {again_in_ms} ms")
            }
            Self::Moved { from, to } => write!(f, "the name moved from {from} to {to}: reconnecting"),
            Self::Sent { topic, payload } => write!(f, "Publishing message to topic '{topic}': {payload}"),
            Self::Acknowledged => f.write_str("acknowledged"),
            Self::Unsent { payload, why: Unsent::NoConnection } => {
                write!(f, "not sent, there is no connection: {payload}")
            }
            Self::Unsent { payload, why: Unsent::TooFast } => {
                write!(f, "not sent, too fast: those before it are not sent yet: {payload}")
            }
            Self::GaveUp { attempts } => write!(f, "giving up after {attempts} attempts in a row"),
            Self::Received { topic, payload, .. } => {
                write!(f, "Received message from topic '{topic}': {payload}")
            }
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sent,
            acknowledged,
            unsent,
            received,
            returned,
            reconnects,
            moves,
            connects_failed,
            dns_errors,
            connects: _,
            gave_up,
        } = self;
        let end = if *gave_up { ", gave up" } else { "" };
        write!(
            f,
            "{sent} sent, {acknowledged} acknowledged, {unsent} unsent, {received} received, {returned} of them its own, \
             {reconnects} reconnects, {moves} moves, {connects_failed} failed connects, {dns_errors} DNS errors{end}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_is_told_once_and_counted() {
        let events = Events::new(|_| ());
        let host = || "a".to_owned();
        let received = |own| Event::Received { topic: "t".into(), payload: "x".into(), own };
        for event in [
            Event::DnsFailed { name: "n".into(), error: "no answer".into() },
            Event::Connected { host: host() },
            Event::Sent { topic: "t".into(), payload: "x".into() },
            Event::Acknowledged,
            received(true),
            received(false),
            Event::Moved { from: host(), to: "b".into() },
            Event::ConnectFailed { host: host(), stage: "tcp", error: "refused".into(), again_in_ms: 500 },
            Event::Unsent { payload: "y".into(), why: Unsent::NoConnection },
            Event::GaveUp { attempts: 10 },
            Event::Connected { host: host() },
        ] {
            events.tell(&event);
        }
        let wanted = Summary {
            sent: 1,
            acknowledged: 1,
            unsent: 1,
            received: 2,
            returned: 1,
            connects: 2,
            reconnects: 1,
            moves: 1,
            connects_failed: 1,
            dns_errors: 1,
            gave_up: true,
        };
        assert_eq!(events.summary(), wanted);
        let line: serde_json::Value = serde_json::from_str(&received(true).json()).unwrap();
        assert_eq!(
            (&line["event"], &line["topic"], &line["own"]),
            (&"received".into(), &"t".into(), &true.into())
        );
        assert!(line["at"].as_str().unwrap().ends_with('Z'));
        assert_eq!(received(false).to_string(), "Received message from topic 't': x");
    }
}
