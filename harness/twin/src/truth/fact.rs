//! What can have happened. Each says at which moment it is stamped.

use serde::Serialize;

use crate::fault::Fault;

/// A fact, as the control API tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Fact {
    /// A client's message is through subscribers' queues, shadows and rules; its PUBACK, or 200, is the next thing that
    /// is written to its connection.
    Publish { region: String, topic: String, qos: u8 },
    /// A shadow has a new version; before `accepted` is published. The state is a hash, equal for equal states in all
    /// Regions: versions are counted in each. The token is the client's, if the update had one.
    Shadow {
        region: String,
        thing: String,
        shadow: String,
        version: u64,
        state: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    /// An item of a table was written by a client or by time to live: each read from now on sees it. The key is a hash,
    /// equal in all Regions.
    TableWrite { region: String, table: String, key: String },
    /// A write from another Region arrived: each read from now on sees it, unless `applied` says that a later write
    /// stands there already.
    Replication { from: String, to: String, table: String, key: String, applied: bool },
    /// A health check changed its status: each DNS answer and each call from now on goes by it.
    HealthCheck { check: String, healthy: bool, checkers_healthy: usize, checkers: usize },
    /// A call changed a health check's settings: each probe from now on goes by them.
    HealthCheckSettings { check: String, version: u64 },
    /// A question for an address or a CNAME was answered, and with what; before the answer is sent.
    DnsReply { name: String, asker: String, answer: String },
    /// A name was answered with something else than the time before (`from` is empty the first time); before the answer
    /// is sent.
    DnsAnswer { name: String, from: String, to: String },
    /// A name that was asked for before would from now on be answered with something else, whether or not anybody asks.
    DnsDue { name: String, from: String, to: String },
    /// A fault came or went; after its switch is set.
    Fault { id: u64, on: bool, fault: Box<Fault> },
    /// A connection to the MQTT port was taken from the kernel, which may have held it for a while.
    Tcp { region: String, peer: String },
    /// Its TLS handshake is done on this side, with which the client's certificate is verified.
    Tls { region: String, peer: String },
    /// An MQTT connection has its seat, before CONNACK is written; or has lost it, before its will and its event.
    Mqtt { region: String, client: String, peer: String, connected: bool },
}

impl Fact {
    /// Its kind, as it is on the wire.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Publish { .. } => "publish",
            Self::Shadow { .. } => "shadow",
            Self::TableWrite { .. } => "table-write",
            Self::Replication { .. } => "replication",
            Self::HealthCheck { .. } => "health-check",
            Self::HealthCheckSettings { .. } => "health-check-settings",
            Self::DnsReply { .. } => "dns-reply",
            Self::DnsAnswer { .. } => "dns-answer",
            Self::DnsDue { .. } => "dns-due",
            Self::Fault { .. } => "fault",
            Self::Tcp { .. } => "tcp",
            Self::Tls { .. } => "tls",
            Self::Mqtt { .. } => "mqtt",
        }
    }

    /// Whether there is such a kind.
    pub(crate) const KINDS: [&str; 13] = [
        "publish",
        "shadow",
        "table-write",
        "replication",
        "health-check",
        "health-check-settings",
        "dns-reply",
        "dns-answer",
        "dns-due",
        "fault",
        "tcp",
        "tls",
        "mqtt",
    ];
}
