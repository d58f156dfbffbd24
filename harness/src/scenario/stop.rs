//! What ends a run before its last step: conditions that a scenario names, watched from the first step to the last.

use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;
use crate::gauge::Condition;

/// The longest time that shares and percentiles are taken of: each second of it is kept.
pub(crate) const OVER_MAX: Span = Span::seconds(60);
const FAILURES_MAX: u32 = 100;
const ALARMS_MAX: usize = 20;
/// That of `CloudWatch`.
const ALARM_CHARS_MAX: usize = 255;
const WORD_CHARS_MAX: usize = 200;

/// What ends a run: it heals, undoes, and exits with 12.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// Metric to the comparison that ends the run when it holds: `"devices.away" = "> 50%"`.
    #[schemars(schema_with = "super::schema::conditions")]
    pub when: IndexMap<String, String>,
    /// Shares, rates and percentiles are of the last so much.
    pub over: Span,
    /// The big red button: the run ends when there is something at this path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// An address that is asked while the run goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// `CloudWatch` alarms, by their names: the run ends when one is in ALARM. Only on AWS.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
}

/// An address that ends the run when it does not answer well, `failures` times in a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// It is asked with GET. Anything but 2xx is a failure, no answer too; redirects are not followed.
    pub url: String,
    /// An answer that has this in its body is a failure as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
    /// How often.
    #[serde(default = "Http::every_default")]
    pub every: Span,
    /// An answer that takes longer is none.
    #[serde(default = "Http::at_most_default")]
    pub at_most: Span,
    /// So many in a row end the run.
    #[serde(default = "Http::failures_default")]
    #[schemars(range(min = 1, max = FAILURES_MAX))]
    pub failures: u32,
}

impl Default for Stop {
    fn default() -> Self {
        Self { when: IndexMap::new(), over: Span::seconds(10), file: None, http: None, alarms: Vec::new() }
    }
}

impl Http {
    fn every_default() -> Span {
        Span::seconds(5)
    }

    fn at_most_default() -> Span {
        Span::seconds(2)
    }

    fn failures_default() -> u32 {
        3
    }
}

impl Stop {
    /// The conditions, parsed. They were checked when the scenario was read.
    pub(crate) fn conditions(&self) -> Vec<Condition> {
        self.when.iter().filter_map(|(metric, text)| Condition::parse(metric, text).ok()).collect()
    }

    /// Whether the scenario says nothing of it.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The first thing that is wrong: key path and what to do.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let wrong = |path: &str, message: String| Err((path.to_owned(), message));
        if self.over < Span::seconds(1) || self.over > OVER_MAX {
            return wrong("stop.over", format!("must be 1s to {OVER_MAX}"));
        }
        for (metric, text) in &self.when {
            if let Err(message) = Condition::parse(metric, text) {
                return wrong(&format!("stop.when.{metric:?}"), message);
            }
        }
        if self.file.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            return wrong("stop.file", "must be a path".to_owned());
        }
        if let Some(http) = &self.http {
            http.check()?;
        }
        if self.alarms.len() > ALARMS_MAX {
            return wrong("stop.alarms", format!("must be at most {ALARMS_MAX}"));
        }
        if let Some(alarm) = self.alarms.iter().find(|a| a.is_empty() || a.len() > ALARM_CHARS_MAX) {
            return wrong("stop.alarms", format!("{alarm:?} is no name of an alarm"));
        }
        Ok(())
    }
}

/// What is wrong with an address that is in the record and in the log.
pub(super) fn address(url: &str) -> Result<(), &'static str> {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    if host.is_none_or(str::is_empty) || url.parse::<hyper::Uri>().is_err() {
        return Err("must be an address, as https://status.example/gameday");
    }
    if host.is_some_and(|host| host.split('/').next().is_some_and(|host| host.contains('@'))) {
        return Err("must not have a password in it: it is written into the record");
    }
    Ok(())
}

impl Http {
    fn check(&self) -> Result<(), (String, String)> {
        let wrong = |key: &str, message: String| Err((format!("stop.http.{key}"), message));
        if let Err(message) = address(&self.url) {
            return wrong("url", message.to_owned());
        }
        let spans = [
            ("every", self.every, Span::seconds(1), Span::seconds(3_600)),
            ("at_most", self.at_most, Span::milliseconds(100), Span::seconds(30)),
        ];
        for (key, span, least, most) in spans {
            if span < least || span > most {
                return wrong(key, format!("must be {least} to {most}"));
            }
        }
        if !(1..=FAILURES_MAX).contains(&self.failures) {
            return wrong("failures", format!("must be 1 to {FAILURES_MAX}"));
        }
        if self.word.as_ref().is_some_and(|word| word.is_empty() || word.chars().count() > WORD_CHARS_MAX) {
            return wrong("word", format!("must be 1 to {WORD_CHARS_MAX} characters"));
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
[stop]
over = "20s"
file = "/tmp/STOP"
http = { url = "https://status.example/go", word = "degraded" }
when = { "devices.away" = "> 80%", "publish.ack.p99" = "> 5s" }
[[step]]
provision = { via = "api" }
[objectives]
"writes.lost" = "== 0"
"#;

    #[test]
    fn what_is_resolved_reads_back_the_same() {
        let scenario = Scenario::parse(SCENARIO, "f.toml", &[]).unwrap();
        assert_eq!(scenario.stop.conditions().len(), 2);
        let text = toml::to_string(&scenario).unwrap();
        assert_eq!(Scenario::parse(&text, "f.toml", &[]).unwrap(), scenario);
        let set = ["stop.alarms=['orders']".to_owned()];
        assert_eq!(Scenario::parse(SCENARIO, "f.toml", &set).unwrap().stop.alarms, ["orders"]);
    }
}
