//! The stages of a device's way to the other Region. They differ by what sends the device there: one that follows the
//! fleet's name waits for the health check and the answer; one that knows both endpoints finds out by itself.

use crate::record::{Direction, Guide};

/// A part of a device's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Detection,
    Recovery,
    Answer,
    Resolver,
    Notice,
    Attempts,
    Probes,
    Leave,
    Dns,
    Tcp,
    Tls,
    Connack,
    Publish,
}

use Stage::{
    Answer, Attempts, Connack, Detection, Dns, Leave, Notice, Probes, Publish, Recovery, Resolver, Tcp, Tls,
};

impl Stage {
    /// The stages of a device, in order: each ends where the next begins.
    pub(crate) const fn of(direction: Direction, guide: Guide) -> &'static [Self] {
        match (direction, guide) {
            (Direction::Failback, Guide::Name) => {
                &[Recovery, Answer, Resolver, Leave, Dns, Tcp, Tls, Connack, Publish]
            }
            (Direction::Failback, Guide::Endpoints) => &[Probes, Leave, Dns, Tcp, Tls, Connack, Publish],
            (_, Guide::Name) => &[Detection, Answer, Resolver, Leave, Dns, Tcp, Tls, Connack, Publish],
            (_, Guide::Endpoints) => &[Notice, Attempts, Leave, Dns, Tcp, Tls, Connack, Publish],
        }
    }

    /// Its name in the summary.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Detection => "detection",
            Recovery => "recovery",
            Answer => "answer",
            Resolver => "resolver",
            Notice => "notice",
            Attempts => "attempts",
            Probes => "probes",
            Leave => "leave",
            Dns => "dns",
            Tcp => "tcp",
            Tls => "tls",
            Connack => "connack",
            Publish => "publish",
        }
    }

    /// Its name for a reader.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Detection => "Health check detection",
            Recovery => "Health check recovery",
            Answer => "DNS answer change",
            Resolver => "Answer reaches the device",
            Notice => "Dead connection noticed",
            Attempts => "Attempts on the primary",
            Probes => "Probes of the primary",
            Leave => "Leave and back off",
            Dns => "Address lookup",
            Tcp => "TCP connect",
            Tls => "TLS handshake",
            Connack => "MQTT connect",
            Publish => "First publish",
        }
    }
}
