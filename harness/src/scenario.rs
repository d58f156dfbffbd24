//! A scenario: what an operator would write on a whiteboard before a game day, as TOML. Unknown keys are errors, every
//! value is checked here, and every error says where it stands and what to do.

mod backoff;
mod hint;
mod load;
mod locate;
mod notify;
mod schema;
mod set;
mod share;
mod source;
mod span;
mod steady;
mod step;
mod stop;
mod strategy;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use gameday_report::Objective;
use gameday_twin::QuotaSetting;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use backoff::Backoff;
pub use load::{Load, Ramp, ShadowLoad, Telemetry};
pub use notify::Notify;
pub(crate) use schema::schema;
pub(crate) use share::places;
use source::{INCLUDES_MAX, Source};
pub use span::Span;
pub(crate) use steady::Hypotheses;
pub use steady::Steady;
pub use step::{Break, Connect, Heal, Hold, MayTouch, Provision, ProvisionVia, Readiness, Step, Until};
pub use stop::{Http, Stop};
pub use strategy::{Cname, DualEndpoint, Share, Sticky, Strategies, Strategy};

/// A whole scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called in reports.
    pub title: String,
    /// What a pass proves.
    pub proves: String,
    /// The devices.
    pub fleet: Fleet,
    /// What the devices do.
    #[serde(default)]
    pub load: Load,
    /// The fleet's name and its health check.
    #[serde(default)]
    pub dns: Dns,
    /// What faults may touch beyond what the run makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_touch: Vec<MayTouch>,
    /// The twin, when it is the target. Ignored on AWS.
    #[serde(default)]
    pub twin: TwinSettings,
    /// What happens, in order.
    #[schemars(length(min = 1))]
    pub step: Vec<Step>,
    /// How long, after the last step, the secondary may take to catch up before its state is judged.
    #[serde(default = "Scenario::converge_default")]
    pub converge_at_most: Span,
    /// What has to hold before the first fault.
    #[serde(default, skip_serializing_if = "Steady::is_default")]
    pub steady: Steady,
    /// What ends the run before its last step.
    #[serde(default, skip_serializing_if = "Stop::is_default")]
    pub stop: Stop,
    /// Who is told how it ended.
    #[serde(default, skip_serializing_if = "Notify::is_default")]
    pub notify: Notify,
    /// Metric to condition.
    #[serde(default)]
    #[schemars(schema_with = "schema::objectives")]
    pub objectives: IndexMap<String, String>,
}

/// The devices of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// How many.
    #[schemars(range(min = 1, max = DEVICES_MAX))]
    pub devices: u32,
    /// The fleet that stays whose devices they are, as `gameday fleet create` made it. Without it the run makes its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// How they find their Region: one strategy, or a list of them with shares.
    pub strategy: Strategies,
    /// Keep-alive that they ask the broker for.
    #[serde(default = "Fleet::keep_alive_default")]
    pub keep_alive: Span,
    /// A connection attempt is given up after this.
    #[serde(default = "Fleet::connect_timeout_default")]
    pub connect_timeout: Span,
    /// How long they wait before they try again.
    #[serde(default)]
    pub backoff: Backoff,
}

/// The fleet's name and its health check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// TTL of the CNAME.
    pub ttl: Span,
    /// The check behind it.
    pub health_check: HealthCheck,
}

/// A Route 53 health check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheck {
    /// 10s or 30s: Route 53 has no other.
    #[schemars(extend("enum" = ["10s", "30s"]))]
    pub interval: Span,
    /// Failures in a row that turn a checker.
    #[schemars(range(min = 1, max = 10))]
    pub failures: u32,
}

/// The twin, when it is the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TwinSettings {
    /// AWS's default quotas are multiplied by this.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub quota_scale: f64,
    /// Off: the twin throttles nothing.
    pub enforce_quotas: bool,
    /// Quotas that differ from AWS's defaults, by Region and by AWS's code or name.
    pub quotas: BTreeMap<String, BTreeMap<String, f64>>,
    /// How long a write to the global table takes to the other Region.
    pub replication_delay: Span,
}

impl Scenario {
    fn converge_default() -> Span {
        Span::seconds(30)
    }
}

impl Fleet {
    fn keep_alive_default() -> Span {
        Span::seconds(30)
    }

    fn connect_timeout_default() -> Span {
        Span::seconds(5)
    }
}

impl Default for Dns {
    fn default() -> Self {
        Self { ttl: Span::seconds(10), health_check: HealthCheck::default() }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self { interval: Span::seconds(10), failures: 3 }
    }
}

impl TwinSettings {
    /// The quotas as the twin takes them.
    pub(crate) fn settings(&self) -> Vec<QuotaSetting> {
        let settings = self.quotas.iter().flat_map(|(region, quotas)| {
            quotas.iter().map(|(code, value)| QuotaSetting {
                region: region.clone(),
                code: code.clone(),
                value: *value,
            })
        });
        settings.collect()
    }
}

impl Default for TwinSettings {
    fn default() -> Self {
        Self {
            quota_scale: 1.0,
            enforce_quotas: true,
            quotas: BTreeMap::new(),
            replication_delay: Span::milliseconds(200),
        }
    }
}

/// Why a scenario is not valid. The text says file, line, column and key, shows the line, and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A place in the file, or a `--set`, is wrong.
    #[error("{0}")]
    Invalid(String),
}

impl Scenario {
    /// Reads a file and what it includes, applies `--set path=value`, and checks everything.
    ///
    /// # Errors
    /// When the file cannot be read or is not a valid scenario.
    pub fn load(path: &Path, sets: &[String]) -> Result<Self, ScenarioError> {
        Self::of(&Source::read(path)?, &path.display().to_string(), sets)
    }

    /// The same from a text, which includes nothing; `file` is its name in errors.
    ///
    /// # Errors
    /// When the text is not a valid scenario.
    pub fn parse(text: &str, file: &str, sets: &[String]) -> Result<Self, ScenarioError> {
        Self::of(&Source::text(text, file), file, sets)
    }

    fn of(source: &Source, file: &str, sets: &[String]) -> Result<Self, ScenarioError> {
        let table = source.table()?;
        let scenario = Self::deserialize(toml::Deserializer::from(table.clone()));
        let scenario = scenario.map_err(|error| source.parse_error(&error))?;
        scenario.check().map_err(|(path, message)| source.check_error(&path, &message))?;
        if sets.is_empty() {
            return Ok(scenario);
        }
        let table = toml::Table::deserialize(toml::Deserializer::from(table));
        let table = table.map_err(|error| source.parse_error(&error))?;
        let scenario = set::apply(table, file, sets)?;
        scenario.check().map_err(|(path, message)| {
            ScenarioError::Invalid(format!("{file} with --set: {}: {message}", hint::counted(&path)))
        })?;
        Ok(scenario)
    }

    /// The objectives, parsed. They were checked when the scenario was read.
    pub fn objectives(&self) -> Vec<Objective> {
        self.objectives.iter().filter_map(|(metric, text)| Objective::parse(metric, text).ok()).collect()
    }

    /// Every time within its limits; those that a protocol carries as seconds are whole seconds.
    fn check_spans(&self) -> Result<(), (String, String)> {
        let (none, s1) = (Span::milliseconds(0), Span::seconds(1));
        let load = self.load.spans().map(|(path, span, least)| (path, span, least, false));
        let spans = [
            ("fleet.keep_alive", self.fleet.keep_alive, s1, true),
            ("fleet.connect_timeout", self.fleet.connect_timeout, s1, true),
            ("dns.ttl", self.dns.ttl, s1, true),
            ("twin.replication_delay", self.twin.replication_delay, none, false),
            ("converge_at_most", self.converge_at_most, none, false),
        ];
        for (path, span, least, whole) in spans.into_iter().chain(load) {
            if span < least || span > SPAN_MAX {
                return Err((path.to_owned(), format!("must be {least} to 24h")));
            }
            if whole && span.subsec_nanos() != 0 {
                return Err((path.to_owned(), "must be whole seconds".to_owned()));
            }
        }
        Ok(())
    }

    /// The first thing that is wrong: key path and what to do.
    fn check(&self) -> Result<(), (String, String)> {
        let wrong = |path: &str, message: &str| Err((path.to_owned(), message.to_owned()));
        if self.fleet.devices == 0 || self.fleet.devices > DEVICES_MAX {
            return wrong("fleet.devices", &format!("must be 1 to {DEVICES_MAX}"));
        }
        self.fleet.strategy.check(self.fleet.devices)?;
        self.fleet.backoff.check()?;
        self.check_spans()?;
        self.load.check(self.fleet.devices)?;
        if ![10, 30].contains(&self.dns.health_check.interval.as_secs()) {
            return wrong("dns.health_check.interval", "must be 10s or 30s: Route 53 has no other");
        }
        if !(1..=10).contains(&self.dns.health_check.failures) {
            return wrong("dns.health_check.failures", "must be 1 to 10");
        }
        if !(self.twin.quota_scale > 0.0 && self.twin.quota_scale <= 1e6) {
            return wrong("twin.quota_scale", "must be greater than 0");
        }
        for setting in self.twin.settings() {
            if let Err(message) = setting.check() {
                return Err((format!("twin.quotas.{}.{:?}", setting.region, setting.code), message));
            }
        }
        if let Some(name) = &self.fleet.pool
            && let Err(message) = crate::pool::valid_name(name)
        {
            return wrong("fleet.pool", &message);
        }
        step::check(&self.step, &self.fleet, &self.may_touch)?;
        self.steady.check(&self.step)?;
        self.stop.check()?;
        self.notify.check()?;
        for (metric, text) in &self.objectives {
            if let Err(error) = Objective::parse(metric, text) {
                return Err((format!("objectives.{metric:?}"), error.to_string()));
            }
        }
        Ok(())
    }
}

/// The longest time that a scenario may name: longer is a slip of the pen.
const SPAN_MAX: Span = Span::seconds(24 * 3_600);

/// Devices of one process: what 20,000 descriptors allow with the target in another process. Pre-flight looks at the real limit.
const DEVICES_MAX: u32 = 19_000;

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = r#"
title = "t"
proves = "p"
[fleet]
devices = 5
strategy = { cname = { every = "5s" } }
[[step]]
provision = { via = "api" }
[[step]]
connect = { rate_per_s = 200 }
[[step]]
hold = { for = "3s" }
[objectives]
"replication.shadow.p99" = "<= 2s"
"#;

    fn error(text: &str) -> String {
        Scenario::parse(text, "f.toml", &[]).unwrap_err().to_string()
    }

    #[test]
    fn a_valid_scenario_has_its_defaults() {
        let scenario = Scenario::parse(VALID, "f.toml", &[]).unwrap();
        assert_eq!(scenario.fleet.keep_alive, Span::seconds(30));
        assert_eq!(scenario.step.len(), 3);
    }

    #[test]
    fn what_is_resolved_reads_back_the_same() {
        let scenario = Scenario::parse(VALID, "f.toml", &[]).unwrap();
        let text = toml::to_string(&scenario).unwrap();
        assert_eq!(Scenario::parse(&text, "f.toml", &[]).unwrap(), scenario);
    }

    #[test]
    fn a_typo_is_pointed_at() {
        let text = VALID.replace("devices = 5", "devcies = 5");
        let message = error(&text);
        assert!(message.contains("f.toml:5:1"), "{message}");
        assert!(message.contains("fleet.devcies"), "{message}");
        assert!(message.contains("devices"), "says what is allowed: {message}");
    }

    #[test]
    fn a_slip_of_the_pen_is_told_what_was_meant() {
        let message = error(&VALID.replace("hold =", "hodl ="));
        assert!(
            message.contains("step.2.hodl (step 3): ") && message.contains("did you mean `hold`?"),
            "{message}"
        );
        let message = error(&VALID.replace("hold = { for = \"3s\" }", ""));
        assert!(message.contains("a step needs one of provision"), "{message}");
        let sets = ["fleet.devcies=3".to_owned()];
        let message = Scenario::parse(VALID, "f.toml", &sets).unwrap_err().to_string();
        assert!(message.contains("did you mean `devices`?"), "{message}");
    }

    #[test]
    fn a_wrong_value_is_pointed_at() {
        let message = error(&VALID.replace("devices = 5", "devices = 0"));
        assert!(message.contains("f.toml:5:11") && message.contains("fleet.devices"), "{message}");
        let message = error(&VALID.replace("\"3s\"", "\"3 parsecs\""));
        assert!(message.contains("f.toml:12:16") && message.contains("step.2.hold.for"), "{message}");
    }

    #[test]
    fn a_wrong_objective_is_pointed_at() {
        let message = error(&VALID.replace("replication.shadow.p99", "replication.shadw.p99"));
        assert!(message.contains("f.toml:14"), "{message}");
        assert!(message.contains("replication.shadow"), "suggests the right one: {message}");
    }

    #[test]
    fn readiness_looks_at_devices_that_are_there() {
        let step = |place: &str, what: &str| {
            VALID.replace(
                &format!("[[step]]\n{place} ="),
                &format!("[[step]]\nreadiness = {{ {what} }}\n[[step]]\n{place} ="),
            )
        };
        let scenario = Scenario::parse(&step("connect", "sample = 9"), "f.toml", &[]).unwrap();
        let Step::Readiness(readiness) = &scenario.step[1] else { panic!("{:?}", scenario.step) };
        assert_eq!((readiness.devices(5), readiness.devices(50)), (5, 9));
        let message = error(&step("provision", ""));
        assert!(message.contains("step.0") && message.contains("needs a `provision` step"), "{message}");
        assert!(error(&step("connect", "sample = 0")).contains("at least 1"));
    }

    #[test]
    fn a_load_has_a_shape_within_what_aws_takes() {
        let load = |load: &str| format!("{VALID}\n[load]\n{load}\n");
        let shaped = load(
            "ramp = { from = 0.1, over = \"1m\" }\ntelemetry = { every = \"1s\", jitter = 0.5 }\n\
             shadow = { every = \"10s\", desired = 2, name = \"config\", bytes = 900, jitter = 1.0, zipf = 1.0 }",
        );
        let scenario = Scenario::parse(&shaped, "f.toml", &[]).unwrap();
        let shadow = scenario.load.shadow.as_ref().unwrap();
        assert_eq!(shadow.topic("d"), "$aws/things/d/shadow/name/config");
        let text = toml::to_string(&scenario).unwrap();
        assert_eq!(Scenario::parse(&text, "f.toml", &[]).unwrap(), scenario);
        for (what, said) in [
            ("telemetry = { every = \"1s\", jitter = 1.5 }", "load.telemetry.jitter: must be 0 to 1"),
            ("ramp = { from = 11.0, over = \"1m\" }", "load.ramp.from: must be 0 to 10"),
            ("ramp = { from = 0.5, over = \"1ms\" }", "load.ramp.over: must be 1s"),
            ("shadow = { every = \"1s\", keys = 60, desired = 41 }", "load.shadow.keys: must be 1 to 100"),
            ("shadow = { every = \"1s\", name = \"a/b\" }", "load.shadow.name: must be 1 to 64 letters"),
            ("shadow = { every = \"1s\", bytes = 9000 }", "load.shadow.bytes: must be at most 4096"),
            ("shadow = { every = \"200ms\", zipf = 2.0 }", "load.shadow.every: the hottest device would"),
            ("shadow = { every = \"50ms\" }", "load.shadow.every: must be 100ms"),
        ] {
            let message = error(&load(what));
            assert!(message.contains(said), "{said}: {message}");
        }
    }

    #[test]
    fn quotas_of_the_twin_are_known_ones() {
        let quotas = |name: &str| format!("{VALID}\n[twin.quotas.us-west-2]\n{name} = 50\n");
        let scenario = Scenario::parse(&quotas("\"CreateThing API TPS\""), "f.toml", &[]).unwrap();
        assert_eq!(scenario.twin.settings().len(), 1);
        let message = error(&quotas("\"CreateThings\""));
        assert!(message.contains("twin.quotas.us-west-2") && message.contains("L-64CBACAC"), "{message}");
        assert!(message.contains("\"CreateThings\" is no quota"), "{message}");
    }

    #[test]
    fn a_pooled_fleet_is_provisioned_from_its_pool() {
        let pooled = VALID.replace("devices = 5", "devices = 5\npool = \"lamps\"");
        let both = pooled.replace("via = \"api\"", "via = \"pool\"");
        assert_eq!(Scenario::parse(&both, "f.toml", &[]).unwrap().fleet.pool.as_deref(), Some("lamps"));
        for (text, said) in [
            (pooled.clone(), "provision.via must be pool"),
            (VALID.replace("via = \"api\"", "via = \"pool\""), "needs fleet.pool"),
            (both.replace("\"lamps\"", "\"My Lamps\""), "fleet.pool"),
        ] {
            let message = error(&text);
            assert!(message.contains(said), "{said}: {message}");
        }
    }

    #[test]
    fn sets_change_values_and_are_checked() {
        let sets = ["fleet.devices=7".to_owned(), "step.2.hold.for=9s".to_owned()];
        let scenario = Scenario::parse(VALID, "f.toml", &sets).unwrap();
        assert_eq!(scenario.fleet.devices, 7);
        assert!(matches!(&scenario.step[2], Step::Hold(h) if h.time == Span::seconds(9)));
        for bad in ["fleet.devices=0", "fleet.nothing=1", "fleet.devices", "step.9.hold.for=1s"] {
            assert!(Scenario::parse(VALID, "f.toml", &[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
