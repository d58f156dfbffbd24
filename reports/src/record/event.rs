//! The events of a run: what each line of `events.ndjson` may say.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Backoff, Preflight, Quota, Steady, Strategy};

/// One line of `events.ndjson`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Microseconds since the run began, on its monotonic clock.
    pub at_us: u64,
    /// The same moment on the wall clock of the machine that ran the harness.
    pub wall: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened. The tag is the line's `event` key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first line of every record.
    RunBegan(RunInfo),
    /// What was looked at before anything was changed.
    Preflight(Preflight),
    /// Whether it was steady, before the first fault.
    Steady(Steady),
    /// A step of the scenario began or ended.
    Step {
        /// Its place in the scenario, from 0.
        index: u32,
        /// What it does: `provision`, `connect`, `hold`, `readiness`, `break`, `heal`, `converge`, `clean-up`.
        name: String,
        /// The same as a reader would say it ("Break: primary health check, primary Region dark").
        label: String,
        /// Where it stands.
        state: StepState,
        /// Why, when it was not completed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// A fault was applied, was seen to act, was cured, or was seen to be gone.
    Fault {
        /// Its name in the catalogue, for example `primary-region-dark`.
        fault: String,
        /// Its name for a reader.
        label: String,
        /// Where it stands.
        state: FaultState,
        /// What was changed, or the evidence.
        detail: String,
        /// Its colour in reports, as `#rrggbb`: that of what it breaks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        colour: Option<String>,
    },
    /// What the health checkers say of a Region, each time it changes. The line's time is that of the result which turned
    /// them, as its checker tells it.
    Health {
        /// The Region whose endpoint is checked.
        region: String,
        /// Healthy by Route 53's rule.
        healthy: bool,
        /// Checkers that call it healthy.
        checkers_healthy: u32,
        /// Checkers that reported.
        checkers: u32,
        /// When it was read. Without it the line's time is that of the reading.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        read_us: Option<u64>,
    },
    /// The authoritative answer for the fleet's name changed (or was seen first).
    Answer {
        /// The name that devices ask for.
        name: String,
        /// Where the CNAME points now.
        target: String,
        /// The Region that this endpoint belongs to.
        region: String,
        /// How long before this line it may have been so: the time since the other answer was last asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resolution_us: Option<u64>,
    },
    /// A device was seen to be connectable in the secondary: thing, ACTIVE certificate, policy and attachments.
    Connectable {
        /// The device.
        device: String,
        /// When the primary acknowledged the last call of its provisioning.
        provisioned_us: u64,
        /// How long before this line it may have been so: the time since it was last seen not to be.
        resolution_us: u64,
    },
    /// The devices, or a sample of them, were looked at in both Regions: would the secondary let them in?
    Readiness(Readiness),
    /// A device's first acknowledged publish on a new connection.
    Moved(Move),
    /// A device lost or left its connection.
    Left {
        /// The device.
        device: String,
        /// The Region that it left.
        region: String,
        /// Why: `answer-changed`, `primary-answers` (its probes did), `keep-alive` (nothing was heard for half as long
        /// again as the keep-alive), `stop`, or the error.
        reason: String,
    },
    /// A device tried to connect and could not.
    ConnectFailed {
        /// The device.
        device: String,
        /// The Region that it tried.
        region: String,
        /// The stage that failed: `dns`, `tcp`, `tls`, `connack`.
        stage: String,
        /// The error, without addresses.
        error: String,
        /// The return code of CONNACK, when the broker refused with one. AWS IoT says 7 where MQTT says 5.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connack: Option<u8>,
        /// The number of the TLS alert, when the endpoint refused with one: 46 is `certificate_unknown`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alert: Option<u8>,
        /// The endpoint ended the connection, without a word.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cut_off: bool,
    },
    /// A quota that the fleet will meet with.
    Quota(Quota),
    /// How devices wait between attempts.
    Backoff(Backoff),
    /// The fleet, once a second.
    Sample(Sample),
    /// The harness itself, once a second.
    Harness(HarnessSample),
    /// How the AWS API calls of the harness ended, once at the end.
    Api(ApiCalls),
    /// What the run made was listed again after clean-up.
    Swept {
        /// The Region (or `global`).
        region: String,
        /// Which kinds were listed, for example `things`, `certificates`, `tables`.
        kinds: Vec<String>,
        /// What was still there. Empty is the proof that nothing is left.
        leftovers: Vec<Leftover>,
    },
    /// How the secondary's shadow documents are observed.
    Observation(Observation),
    /// An observer of the secondary's shadow documents began or ceased to see them.
    Observer {
        /// Which, from 0.
        #[serde(default)]
        observer: u32,
        /// Whether it sees them from here on.
        seeing: bool,
        /// Why it ceased to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// Something a reader of the record should know: a limit of the method, a decision, an operator's note.
    Note {
        /// The text.
        text: String,
    },
    /// The run was told to end before its last step: from here on it heals and cleans up.
    Stopping {
        /// Who or what ended it.
        reason: EndReason,
        /// Which condition and its value, or which signal.
        detail: String,
    },
    /// The last line of a record that was ended and not killed.
    RunEnded {
        /// Why.
        reason: EndReason,
        /// More, when there is more to say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
}

/// Who ran what, against what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The run's id: eight characters, also in the name or tag of everything it made.
    pub run: String,
    /// The scenario's file name without its ending.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// What it sets out to prove.
    pub proves: String,
    /// The seed that everything random was drawn from.
    pub seed: u64,
    /// `twin`, or the address of a twin that runs on its own.
    pub target: String,
    /// gameday's version.
    pub version: String,
    /// The primary Region.
    pub primary: String,
    /// The secondary Region.
    pub secondary: String,
    /// Devices in the fleet.
    pub devices: u32,
    /// The failover strategy of the devices, as the scenario says it.
    pub strategy: String,
    /// The strategies, in the order of the scenario; a device's is in its moves. Records of old have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strategies: Vec<Strategy>,
    /// The command that runs the same again.
    pub replay: String,
    /// The objectives as the scenario says them, metric to condition: `"failover.outage.p99"` to `"<= 90s"`.
    pub objectives: IndexMap<String, String>,
}

/// Who sees what arrives in the secondary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// How.
    pub by: ObservedBy,
    /// How many clients.
    pub observers: u32,
    /// Devices in the fleet.
    pub devices: u32,
    /// Devices of which documents are seen: all, or a sample.
    pub observed: u32,
}

/// How documents are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObservedBy {
    /// One subscription to those of all devices.
    Wildcard,
    /// Subscriptions to those of each device.
    Names,
}

/// How the devices stood when they were looked at in both Regions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Devices that there were to choose from.
    pub fleet: u64,
    /// How many were drawn; absent: all were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<u64>,
    /// The secondary would let them in.
    pub ready: u64,
    /// It would not.
    pub not_ready: u64,
    /// They could not be looked at, or not in time.
    pub unknown: u64,
    /// The first of those that are not ready or unknown.
    pub devices: Vec<NotReady>,
}

/// A device that was not seen to be ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotReady {
    /// The device.
    pub device: String,
    /// In what it is not as in the primary, or why it could not be looked at.
    pub why: String,
}

impl RunInfo {
    /// Whether this was rehearsed on a twin, and not on AWS.
    pub fn is_on_twin(&self) -> bool {
        self.target == "twin" || self.target.starts_with("http://")
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It began.
    Began,
    /// It did what it set out to do.
    Completed,
    /// It reached its limit (`at_most`) first.
    TimedOut,
    /// It failed.
    Failed,
    /// An operator or a stop condition ended it.
    Stopped,
}

/// Where a fault stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultState {
    /// The call that breaks was acknowledged.
    Applied,
    /// It was seen to act.
    Proved,
    /// The call that cures was acknowledged.
    Cured,
    /// The cure was read back.
    CureProved,
    /// It could not be cured: the undo is incomplete.
    CureFailed,
}

/// Why a device moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Its first connection of the run, before any fault.
    First,
    /// From the primary to the secondary.
    Failover,
    /// From the secondary back to the primary.
    Failback,
    /// Again to the Region that it was in.
    Reconnect,
}

/// A device's way to its first acknowledged publish on a new connection. Every field is a moment on the run's clock,
/// so that stages are differences and may be taken from any origin (the fault, the cure, the device's own last publish).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The device.
    pub device: String,
    /// Why it moved.
    pub direction: Direction,
    /// Where to.
    pub region: String,
    /// The name of its strategy. Records of old do not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub strategy: String,
    /// Its last acknowledged publish before, if it had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ack_us: Option<u64>,
    /// It let go of the old connection, or the old connection broke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_us: Option<u64>,
    /// Its resolver was asked for the answer that it followed: that was given between this and the next. None: it followed none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_us: Option<u64>,
    /// It was decided that it goes there: its resolver first gave the answer that it then followed, or its attempts or
    /// its probes said so.
    pub resolved_us: u64,
    /// The successful attempt began.
    pub attempt_us: u64,
    /// The endpoint's address was known.
    pub dns_us: u64,
    /// TCP was connected.
    pub tcp_us: u64,
    /// TLS was established.
    pub tls_us: u64,
    /// CONNACK came.
    pub connack_us: u64,
    /// The first publish was acknowledged.
    pub first_ack_us: u64,
    /// Attempts until then, this one included.
    pub attempts: u32,
}

/// The fleet in one second. Rates are counts since the sample before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Devices connected, by Region.
    pub connected: BTreeMap<String, u32>,
    /// Telemetry publishes acknowledged, by Region.
    pub telemetry_acked: BTreeMap<String, u32>,
    /// Shadow writes acknowledged, by Region.
    pub shadow_acked: BTreeMap<String, u32>,
    /// Shadow writes from the primary seen in the secondary.
    pub shadow_visible: u32,
    /// Sends that were intended and could not be made (no connection, or the queue was full).
    pub unsent: u32,
    /// Connection attempts that failed.
    pub connects_failed: u32,
    /// Devices whose last acknowledged write the secondary was not seen to have. Records of old do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u32>,
}

/// The harness itself in one second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HarnessSample {
    /// CPU of this process, in percent of one core (200 is two cores). The embedded twin is part of it.
    pub cpu_percent: f64,
    /// The processors that it may use, in percent of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_limit_percent: Option<f64>,
    /// CPU of the whole machine, in percent of one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_cpu_percent: Option<f64>,
    /// Longest delay of a timer of the runtime in this second.
    pub timer_delay_us_max: u64,
    /// Sends made later than intended by more than the scenario's tolerance, while connected.
    pub late_sends: u32,
    /// Resident memory of this process.
    pub rss_bytes: u64,
    /// Open file descriptors of this process.
    pub descriptors: u32,
    /// How many it may open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptors_limit: Option<u64>,
    /// TCP sockets of this process's network, those that only wait to be forgotten among them.
    #[serde(default)]
    pub sockets: u32,
    /// By how much the wall clock was set ahead (or back) against the run's own clock in this second.
    #[serde(default)]
    pub clock_step_us: i64,
}

/// How the calls of one API operation ended, each attempt counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiCalls {
    /// Who called: `harness`, or `replicator` where it is known.
    pub caller: String,
    /// The Region, or `global`.
    pub region: String,
    /// The service, for example `iot`.
    pub service: String,
    /// The operation, for example `CreateThing`.
    pub operation: String,
    /// Attempts that succeeded.
    pub ok: u64,
    /// Attempts that AWS throttled.
    pub throttled: u64,
    /// Attempts that failed otherwise, or whose end is not known.
    pub failed: u64,
}

/// Something of the run that is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// What it is, for example `thing`.
    pub kind: String,
    /// Its name or id.
    pub name: String,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// Every step was gone through.
    Completed,
    /// An operator stopped it (Ctrl-C, `gameday abort`).
    Operator,
    /// A stop condition ended it.
    StopCondition,
    /// Pre-flight refused it; nothing was changed.
    Refused,
    /// It was not steady, so that nothing was broken.
    NotSteady,
    /// An error ended it.
    Error,
}
