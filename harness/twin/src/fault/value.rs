//! The faults that there are, with what each is about. What is left out of a selector fits everything; patterns know `*`
//! and `?`.

use serde::{Deserialize, Serialize};

use super::{Share, rules::Kind};
use crate::{api::SERVICES, authorize::matches as glob, mqtt::is_filter};

/// The longest delay and the longest time that a fault lasts by itself.
const MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// The longest text of a selector: the longest topic filter, and room to spare for names.
const TEXT_BYTES_MAX: usize = 256;

/// What can be broken in the twin. Sent as JSON to the control API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Nothing gets in or out of the Region: connections stay open and silent, new ones are never answered, its API
    /// calls hang, its tables do not replicate. Route 53, being global, goes on.
    RegionDark {
        /// The Region.
        region: String,
    },
    /// What is sent to the Region arrives and takes effect; nothing comes back, and its tables' writes stay there.
    RegionHalfDark {
        /// The Region.
        region: String,
    },
    /// New connections to a Region's data endpoint.
    Connections {
        /// The Region.
        region: String,
        /// Which listener.
        port: Port,
        /// What becomes of them.
        how: Cut,
        /// How many of them.
        #[serde(default, skip_serializing_if = "Share::is_all")]
        share: Share,
    },
    /// Resets open MQTT connections, once.
    ConnectionsDrop {
        /// The Region.
        region: String,
        /// Pattern of client ids.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<String>,
        /// How many of them.
        #[serde(default, skip_serializing_if = "Share::is_all")]
        share: Share,
    },
    /// Calls of the AWS API, and of the data endpoint over HTTPS.
    Api {
        /// The Region of the credential scope.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<String>,
        /// As in the credential scope, for example `dynamodb` or `iotdata`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// Pattern of the operation, for example `Put*`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<String>,
        /// Before the call is carried out, or after.
        #[serde(default, skip_serializing_if = "Moment::is_before")]
        when: Moment,
        /// What the caller gets.
        how: ApiFailure,
        /// How many of them.
        #[serde(default, skip_serializing_if = "Share::is_all")]
        share: Share,
    },
    /// Topic rules do not fire, and say nothing.
    RulesSilent {
        /// The Region.
        region: String,
        /// Pattern of the rule's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
        /// How many of the messages that a rule would fire for.
        #[serde(default, skip_serializing_if = "Share::is_all")]
        share: Share,
    },
    /// Writes to global tables made in this Region stay there until it is removed.
    ReplicationPaused {
        /// The Region whose writes do not leave.
        region: String,
    },
    /// Writes to global tables made in this Region take longer to the others, those under way included.
    ReplicationSlow {
        /// The Region whose writes are late.
        region: String,
        /// On top of the delay that they always have.
        delay_ms: u64,
    },
    /// Records of a table's stream reach their readers damaged.
    StreamPoison {
        /// The Region.
        region: String,
        /// Pattern of the table's name.
        table: String,
        /// How they are damaged.
        #[serde(default)]
        how: Poison,
        /// How many of them. A record is damaged at each reading or at none.
        #[serde(default, skip_serializing_if = "Share::is_all")]
        share: Share,
    },
    /// The process of a function is killed in the middle of an invocation.
    FunctionKill {
        /// The Region.
        region: String,
        /// Pattern of the function's name.
        function: String,
        /// How long after it was given the event.
        after_ms: u64,
        /// How many of the invocations.
        #[serde(default, skip_serializing_if = "Share::is_all")]
        share: Share,
    },
    /// The MQTT brokers restart: all connections are reset, sessions are kept, and for a time none can be made.
    BrokerRestart {
        /// The Region.
        region: String,
        /// How long no connection can be made. Then the fault ends by itself.
        down_ms: u64,
    },
    /// The broker accepts connections, subscriptions and messages, and messages go nowhere.
    BrokerGrey {
        /// The Region.
        region: String,
        /// Topic filter of the messages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<String>,
        /// Subscribers do not get them, and they are not retained.
        #[serde(default = "yes")]
        subscribers: bool,
        /// Topic rules do not get them.
        #[serde(default = "yes")]
        rules: bool,
        /// How many of them.
        #[serde(default, skip_serializing_if = "Share::is_all")]
        share: Share,
    },
    /// Messages that clients send take effect, and are never acknowledged.
    BrokerMute {
        /// The Region.
        region: String,
        /// Topic filter of the messages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<String>,
        /// How many of them.
        #[serde(default, skip_serializing_if = "Share::is_all")]
        share: Share,
    },
    /// Clients are cut off, whatever they do: their MQTT connections are reset, and those that they make end without CONNACK.
    ClientsCutOff {
        /// The Region.
        region: String,
        /// Pattern of client ids.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<String>,
        /// How many of the clients: the same ones each time.
        #[serde(default, skip_serializing_if = "Share::is_all")]
        share: Share,
    },
    /// The DNS server. What health checkers find out for themselves is not concerned.
    Dns {
        /// Pattern of the name that is asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// What those who ask get.
        how: DnsFailure,
        /// How many of the questions.
        #[serde(default, skip_serializing_if = "Share::is_all")]
        share: Share,
    },
    /// Route 53's checkers stop: health checks keep the state that they are in.
    HealthChecksStuck {
        /// The id of one health check.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        check: Option<String>,
    },
}

/// A listener of a Region's data endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Port {
    /// MQTT over TLS.
    Mqtt,
    /// HTTPS, and MQTT by ALPN.
    Https,
}

/// What becomes of a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Cut {
    /// It is accepted and reset before TLS.
    Reset,
    /// The listener is closed: the kernel refuses. Concerns all of them.
    Refuse,
    /// It is accepted, and nothing comes back; closed when the fault is removed.
    BlackHole,
    /// It works, slowly, to its end.
    Slow {
        /// What the client sends arrives this much later.
        #[serde(default)]
        delay_ms: u64,
        /// Bytes a second each way; none: no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes_per_s: Option<u64>,
    },
}

/// What the caller of an API gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ApiFailure {
    /// The error by which its service throttles.
    Throttle,
    /// This error, in its service's shape.
    Error {
        /// HTTP status, 400 to 599.
        status: u16,
        /// AWS's name of the error, for example `InternalServerError`.
        code: String,
        /// The text beside it.
        #[serde(default)]
        message: String,
    },
    /// The answer, later: the delay comes before the call is carried out, or after.
    DelayMs(u64),
    /// No answer while the fault is on; then 503.
    Hang,
    /// The connection is reset.
    Reset,
}

/// When a call of an API fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// It is not carried out, or only after the delay.
    #[default]
    Before,
    /// It is carried out, and its answer is lost or late.
    After,
}

/// How a stream's record is damaged. DynamoDB itself damages none; both are what a writer without a schema leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Poison {
    /// Images hold the key attributes alone.
    #[default]
    KeysOnly,
    /// All attributes of the images but the keys are `NULL`.
    Null,
}

/// What those who ask the DNS server get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum DnsFailure {
    /// What would have been answered when the fault was set.
    Stale,
    /// No answer.
    Silent,
    /// SERVFAIL.
    Servfail,
    /// The answer, later.
    DelayMs(u64),
}

impl Moment {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_before(&self) -> bool {
        *self == Self::Before
    }
}

fn yes() -> bool {
    true
}

impl Fault {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::RegionDark { .. } => Kind::RegionDark,
            Self::RegionHalfDark { .. } => Kind::RegionHalfDark,
            Self::Connections { .. } => Kind::Connections,
            Self::ConnectionsDrop { .. } => Kind::ConnectionsDrop,
            Self::Api { .. } => Kind::Api,
            Self::RulesSilent { .. } => Kind::RulesSilent,
            Self::ReplicationPaused { .. } => Kind::ReplicationPaused,
            Self::ReplicationSlow { .. } => Kind::ReplicationSlow,
            Self::StreamPoison { .. } => Kind::StreamPoison,
            Self::FunctionKill { .. } => Kind::FunctionKill,
            Self::BrokerRestart { .. } => Kind::BrokerRestart,
            Self::BrokerGrey { .. } => Kind::BrokerGrey,
            Self::BrokerMute { .. } => Kind::BrokerMute,
            Self::ClientsCutOff { .. } => Kind::ClientsCutOff,
            Self::Dns { .. } => Kind::Dns,
            Self::HealthChecksStuck { .. } => Kind::HealthChecksStuck,
        }
    }

    /// The Region that it is about, if it is about one.
    pub(super) fn region(&self) -> Option<&str> {
        match self {
            Self::RegionDark { region }
            | Self::RegionHalfDark { region }
            | Self::Connections { region, .. }
            | Self::ConnectionsDrop { region, .. }
            | Self::RulesSilent { region, .. }
            | Self::ReplicationPaused { region }
            | Self::ReplicationSlow { region, .. }
            | Self::StreamPoison { region, .. }
            | Self::FunctionKill { region, .. }
            | Self::BrokerRestart { region, .. }
            | Self::BrokerGrey { region, .. }
            | Self::BrokerMute { region, .. }
            | Self::ClientsCutOff { region, .. } => Some(region),
            Self::Api { region, .. } => region.as_deref(),
            Self::Dns { .. } | Self::HealthChecksStuck { .. } => None,
        }
    }

    pub(super) fn share(&self) -> Share {
        match self {
            Self::Connections { share, .. }
            | Self::ConnectionsDrop { share, .. }
            | Self::Api { share, .. }
            | Self::RulesSilent { share, .. }
            | Self::StreamPoison { share, .. }
            | Self::FunctionKill { share, .. }
            | Self::BrokerGrey { share, .. }
            | Self::BrokerMute { share, .. }
            | Self::ClientsCutOff { share, .. }
            | Self::Dns { share, .. } => *share,
            _ => Share::ALL,
        }
    }

    /// What is wrong with it whatever there is in the twin, the field first.
    pub(super) fn check(&self) -> Result<(), String> {
        let at_most = |field: &str, ms: u64| {
            if ms <= MS_MAX { Ok(()) } else { Err(format!("{field}: at most {MS_MAX}, got {ms}")) }
        };
        let text = |field: &str, text: Option<&String>| match text {
            Some(text) if text.is_empty() || text.len() > TEXT_BYTES_MAX => {
                Err(format!("{field}: 1 to {TEXT_BYTES_MAX} bytes, got {}", text.len()))
            }
            _ => Ok(()),
        };
        match self {
            Self::Connections { how: Cut::Refuse, share, .. } if !share.is_all() => {
                Err("share: a closed listener refuses all; leave it out, or use reset".to_owned())
            }
            Self::Connections { how: Cut::Slow { delay_ms, bytes_per_s }, .. } => {
                at_most("how.slow.delay_ms", *delay_ms)?;
                match bytes_per_s {
                    Some(0) => Err("how.slow.bytes_per_s: at least 1; use black-hole for nothing".to_owned()),
                    None if *delay_ms == 0 => Err("how.slow: delay_ms or bytes_per_s is missing".to_owned()),
                    _ => Ok(()),
                }
            }
            Self::ConnectionsDrop { client, .. } | Self::ClientsCutOff { client, .. } => {
                text("client", client.as_ref())
            }
            Self::Api { service, operation, how, .. } => {
                if let Some(unknown) = service.as_ref().filter(|s| !SERVICES.contains(&s.as_str())) {
                    return Err(format!("service: one of {}; not {unknown}", SERVICES.join(", ")));
                }
                text("operation", operation.as_ref())?;
                match how {
                    ApiFailure::DelayMs(ms) => at_most("how.delay-ms", *ms),
                    ApiFailure::Error { status, code, message } => check_error(*status, code, message),
                    _ => Ok(()),
                }
            }
            Self::RulesSilent { rule, .. } => text("rule", rule.as_ref()),
            Self::ReplicationSlow { delay_ms, .. } => at_most("delay_ms", *delay_ms),
            Self::StreamPoison { table, .. } => text("table", Some(table)),
            Self::FunctionKill { function, after_ms, .. } => {
                text("function", Some(function))?;
                at_most("after_ms", *after_ms)
            }
            Self::BrokerRestart { down_ms, .. } => at_most("down_ms", *down_ms),
            Self::BrokerGrey { subscribers: false, rules: false, .. } => {
                Err("subscribers, rules: one of them has to be true".to_owned())
            }
            Self::BrokerGrey { topic: Some(topic), .. } | Self::BrokerMute { topic: Some(topic), .. }
                if !is_filter(topic) =>
            {
                Err(format!("topic: {topic} is not a topic filter"))
            }
            Self::Dns { name, how, .. } => {
                text("name", name.as_ref())?;
                if let DnsFailure::DelayMs(ms) = how { at_most("how.delay-ms", *ms) } else { Ok(()) }
            }
            Self::HealthChecksStuck { check } => text("check", check.as_ref()),
            _ => Ok(()),
        }
    }
}

fn check_error(status: u16, code: &str, message: &str) -> Result<(), String> {
    if !(400..=599).contains(&status) {
        return Err(format!("how.error.status: 400 to 599, got {status}"));
    }
    if code.is_empty() || code.len() > 64 || !code.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err("how.error.code: 1 to 64 letters and digits".to_owned());
    }
    if message.len() > 1_024 || message.chars().any(char::is_control) {
        return Err("how.error.message: at most 1,024 bytes, no control characters".to_owned());
    }
    Ok(())
}

/// Whether a pattern fits; none fits everything.
pub(super) fn fits(pattern: Option<&String>, text: &str) -> bool {
    pattern.is_none_or(|pattern| glob(pattern, text))
}

/// Whether a pattern names one thing and no more.
pub(super) fn is_name(pattern: &str) -> bool {
    !pattern.contains(['*', '?'])
}
