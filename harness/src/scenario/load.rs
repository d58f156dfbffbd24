//! What the devices do: messages and shadow updates, how often, how evenly, how large, and by whom.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;
use crate::fleet::hottest;

/// AWS takes twenty shadow requests a second of a thing; an update is one, and the replicator makes others.
const THING_UPDATES_PER_S_MAX: f64 = 10.0;
/// AWS takes 8 KB of a shadow's document; an update that large and its metadata are still within.
const SHADOW_BYTES_MAX: u32 = 4_096;
const KEYS_MAX: u32 = 100;
const NAME_CHARS_MAX: usize = 64;
const ZIPF_MAX: f64 = 3.0;
const RAMP_FROM_MAX: f64 = 10.0;

/// What the devices do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<Telemetry>,
    /// Shadow updates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowLoad>,
    /// How each device comes to its rates. Without it they hold from its first connection on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
}

/// Rates that change evenly to what the scenario says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// They begin with so much of it: 0.1 is a tenth and rises, 2 is twice as much and falls.
    #[schemars(range(min = 0, max = RAMP_FROM_MAX))]
    pub from: f64,
    /// From a device's first connection on, for so long.
    pub over: Span,
}

/// Messages that each device publishes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// One message a device in this time, on an open-loop schedule.
    pub every: Span,
    /// 1; with 0 nothing is acknowledged and nothing could be measured.
    #[serde(default = "Telemetry::qos_default")]
    #[schemars(range(min = 1, max = 1))]
    pub qos: u8,
    /// Size of a message.
    #[serde(default = "Telemetry::bytes_default")]
    #[schemars(range(min = 16, max = 131_072))]
    pub bytes: u32,
    /// Each may be later than the clock says by this share of the period, by chance: 0 to 1.
    #[serde(default, skip_serializing_if = "is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub jitter: f64,
}

/// Shadow updates that each device makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShadowLoad {
    /// One update a device in this time, on an open-loop schedule.
    pub every: Span,
    /// Reported keys that each update changes.
    #[serde(default = "ShadowLoad::keys_default")]
    #[schemars(range(min = 1, max = KEYS_MAX))]
    pub keys: u32,
    /// Desired keys that each update changes, as an application would.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(max = KEYS_MAX))]
    pub desired: u32,
    /// The named shadow that is written. Without it the classic one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = NAME_CHARS_MAX), regex(pattern = "^[A-Za-z0-9_:-]+$"))]
    pub name: Option<String>,
    /// The least size of an update; what lacks is filled in a reported key of its own.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(max = SHADOW_BYTES_MAX))]
    pub bytes: u32,
    /// Each may be later than the clock says by this share of the period, by chance: 0 to 1.
    #[serde(default, skip_serializing_if = "is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub jitter: f64,
    /// The exponent of Zipf's law: 0 is all devices alike, with 1 the hottest writes twice as often as the next one and three
    /// times as often as the third. All together they write as if they were alike.
    #[serde(default, skip_serializing_if = "is_none")]
    #[schemars(range(min = 0, max = ZIPF_MAX))]
    pub zipf: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none(share: &f64) -> bool {
    *share == 0.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Telemetry {
    fn qos_default() -> u8 {
        1
    }

    fn bytes_default() -> u32 {
        128
    }
}

impl ShadowLoad {
    fn keys_default() -> u32 {
        4
    }

    /// What topics of this shadow of a device begin with.
    pub(crate) fn topic(&self, device: &str) -> String {
        match &self.name {
            None => format!("$aws/things/{device}/shadow"),
            Some(name) => format!("$aws/things/{device}/shadow/name/{name}"),
        }
    }
}

impl Load {
    /// Times with their least length.
    pub(super) fn spans(&self) -> impl Iterator<Item = (&'static str, Span, Span)> {
        let telemetry =
            self.telemetry.as_ref().map(|t| ("load.telemetry.every", t.every, Span::milliseconds(10)));
        let shadow = self.shadow.as_ref().map(|s| ("load.shadow.every", s.every, Span::milliseconds(100)));
        let ramp = self.ramp.as_ref().map(|r| ("load.ramp.over", r.over, Span::seconds(1)));
        [telemetry, shadow, ramp].into_iter().flatten()
    }

    /// The first thing that is wrong with what `devices` do: key path and what to do.
    pub(super) fn check(&self, devices: u32) -> Result<(), (String, String)> {
        let wrong = |path: &str, message: &str| Err((path.to_owned(), message.to_owned()));
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        if let Some(ramp) = &self.ramp
            && !(0.0..=RAMP_FROM_MAX).contains(&ramp.from)
        {
            return wrong(
                "load.ramp.from",
                &format!("must be 0 to {RAMP_FROM_MAX}, as a multiple of the rates"),
            );
        }
        if let Some(telemetry) = &self.telemetry {
            if telemetry.qos != 1 {
                return wrong(
                    "load.telemetry.qos",
                    "must be 1: QoS 0 is never acknowledged, and AWS IoT has no 2",
                );
            }
            if !(16..=131_072).contains(&telemetry.bytes) {
                return wrong("load.telemetry.bytes", "must be 16 to 131072 (AWS IoT's limit)");
            }
            if !is_share(telemetry.jitter) {
                return wrong("load.telemetry.jitter", "must be 0 to 1, a share of the period");
            }
        }
        let Some(shadow) = &self.shadow else { return Ok(()) };
        if shadow.keys == 0 || shadow.keys.saturating_add(shadow.desired) > KEYS_MAX {
            return wrong(
                "load.shadow.keys",
                &format!("must be 1 to {KEYS_MAX}, those of `desired` included: a shadow has 8 KB"),
            );
        }
        if shadow.bytes > SHADOW_BYTES_MAX {
            return wrong(
                "load.shadow.bytes",
                &format!("must be at most {SHADOW_BYTES_MAX}: a shadow has 8 KB"),
            );
        }
        if !is_share(shadow.jitter) {
            return wrong("load.shadow.jitter", "must be 0 to 1, a share of the period");
        }
        if let Some(name) = &shadow.name {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_:".contains(c);
            if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(fits) {
                return wrong("load.shadow.name", "must be 1 to 64 letters, digits, '-', '_' and ':'");
            }
        }
        if !(0.0..=ZIPF_MAX).contains(&shadow.zipf) {
            return wrong("load.shadow.zipf", &format!("must be 0 to {ZIPF_MAX}"));
        }
        let most_per_s = hottest(devices, shadow.zipf) / shadow.every.as_secs_f64();
        let peak_per_s = most_per_s * self.ramp.as_ref().map_or(1.0, |ramp| ramp.from.max(1.0));
        if peak_per_s > THING_UPDATES_PER_S_MAX + 1e-9 {
            let message = format!(
                "the hottest device would update its shadow {peak_per_s:.0} times a second, and AWS takes about \
                 {THING_UPDATES_PER_S_MAX:.0}: raise it, or lower load.shadow.zipf or load.ramp.from"
            );
            return wrong("load.shadow.every", &message);
        }
        Ok(())
    }
}
