//! What has to hold before the first fault: a rehearsal that begins while something is wrong already shows nothing of the fault.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Span, Step};
use crate::gauge::Condition;

/// What a scenario without a word of it is held against.
const USUAL: [(&str, &str); 2] = [("devices.missing", "== 0"), ("sends.failed", "== 0%")];

/// The hypothesis of a steady state: without it nothing is broken, and the run ends inconclusive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Steady {
    /// Metric to the comparison that has to hold: `"publish.ack.p99" = "<= 250ms"`. Without one every device has to be connected
    /// and acknowledged, and no send may fail, if devices are connected at all before the first fault.
    #[schemars(schema_with = "super::schema::hypotheses")]
    pub when: IndexMap<String, String>,
    /// All of it has to hold for so long, without a break, until the fault.
    #[serde(rename = "for")]
    pub time: Span,
    /// It is waited for so long.
    pub at_most: Span,
}

impl Default for Steady {
    fn default() -> Self {
        Self { when: IndexMap::new(), time: Span::seconds(5), at_most: Span::seconds(60) }
    }
}

/// What has to hold, as it is looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hypotheses {
    pub(crate) conditions: Vec<Condition>,
    /// Whether what has no value holds: only of what no scenario asked for.
    pub(crate) of_nothing: bool,
}

impl Steady {
    /// Whether the scenario says nothing of it.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What has to hold before the first fault of these steps. None: nothing has to, or nothing is broken.
    pub(crate) fn hypotheses(&self, steps: &[Step]) -> Option<Hypotheses> {
        let first = steps.iter().position(|step| matches!(step, Step::Break(_)))?;
        let is_connected = steps[..first].iter().any(|step| matches!(step, Step::Connect(_)));
        let of_nothing = self.when.is_empty();
        if of_nothing && !is_connected {
            return None;
        }
        let given = self.when.iter().map(|(metric, text)| (metric.as_str(), text.as_str()));
        let usual = USUAL.into_iter().filter(|_| of_nothing);
        // They were checked when the scenario was read.
        let conditions =
            given.chain(usual).filter_map(|(metric, text)| Condition::hypothesis(metric, text).ok());
        Some(Hypotheses { conditions: conditions.collect(), of_nothing })
    }

    /// The first thing that is wrong: key path and what to do.
    pub(super) fn check(&self, steps: &[Step]) -> Result<(), (String, String)> {
        let wrong = |path: &str, message: String| Err((path.to_owned(), message));
        for (metric, text) in &self.when {
            if let Err(message) = Condition::hypothesis(metric, text) {
                return wrong(&format!("steady.when.{metric:?}"), message);
            }
        }
        if self.time > super::SPAN_MAX {
            return wrong("steady.for", format!("must be at most {}", super::SPAN_MAX));
        }
        if self.at_most > super::SPAN_MAX || self.at_most < self.time {
            return wrong("steady.at_most", format!("must be {} (steady.for) to 24h", self.time));
        }
        if !self.is_default() && !steps.iter().any(|step| matches!(step, Step::Break(_))) {
            return wrong(
                "steady",
                "nothing is broken: there is no `break` step before which it would hold".to_owned(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scenario;

    const SCENARIO: &str = r#"
title = "t"
proves = "p"
[fleet]
devices = 5
strategy = { cname = { every = "5s" } }
[steady]
for = "10s"
when = { "devices.missing" = "<= 1%", "publish.ack.p99" = "<= 250ms" }
[[step]]
provision = { via = "api" }
[[step]]
connect = { rate_per_s = 10 }
[[step]]
break = { faults = ["primary-region-dark"] }
[objectives]
"writes.lost" = "== 0"
"#;

    fn read(text: &str) -> Result<Scenario, String> {
        Scenario::parse(text, "f.toml", &[]).map_err(|error| error.to_string())
    }

    fn hypotheses(text: &str) -> Vec<String> {
        let scenario = read(text).unwrap();
        let all = scenario.steady.hypotheses(&scenario.step);
        all.iter().flat_map(|all| &all.conditions).map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_resolved_reads_back_the_same() {
        let scenario = read(SCENARIO).unwrap();
        assert_eq!(hypotheses(SCENARIO), ["devices.missing <= 1%", "publish.ack.p99 <= 250 ms"]);
        assert!(!scenario.steady.hypotheses(&scenario.step).unwrap().of_nothing);
        assert_eq!(read(&toml::to_string(&scenario).unwrap()), Ok(scenario));
    }

    #[test]
    fn without_a_word_every_device_is_to_be_there_and_no_send_may_fail() {
        let plain = SCENARIO.replace("when = ", "# ");
        assert_eq!(hypotheses(&plain), ["devices.missing == 0", "sends.failed == 0%"]);
        let nobody = plain.replace("[[step]]\nconnect = { rate_per_s = 10 }\n", "");
        assert_eq!(hypotheses(&nobody), [""; 0], "nobody is connected before the fault");
        let nobody = SCENARIO.replace("[[step]]\nconnect = { rate_per_s = 10 }\n", "");
        assert_eq!(hypotheses(&nobody).len(), 2, "but what is said counts");
    }

    #[test]
    fn what_makes_no_sense_is_pointed_at() {
        let wrong = |from: &str, to: &str| read(&SCENARIO.replace(from, to)).unwrap_err();
        assert!(wrong("<= 250ms", ">= 250ms").contains("steady.when.\"publish.ack.p99\": it is steady when"));
        assert!(wrong("for = \"10s\"", "for = \"2m\"").contains("steady.at_most: must be 2m"));
        assert!(wrong("for =", "four =").contains("did you mean `for`?"));
        let whole = wrong("[[step]]\nbreak = { faults = [\"primary-region-dark\"] }\n", "");
        assert!(whole.contains("nothing is broken"), "{whole}");
    }
}
