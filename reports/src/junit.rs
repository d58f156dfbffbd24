//! The verdict for CI: JUnit XML, one test case an objective and one a check.
//!
//! `Fail` is a failure and `Unknown` an error, so that a pipeline that only asks "is it green?" gets the right answer.

use crate::summary::Summary;
use crate::verdict::Verdict;

/// The summary as JUnit XML.
pub fn junit(summary: &Summary) -> String {
    let objectives = summary.objectives.iter().map(|row| Case {
        suite: "objectives",
        name: format!("{} {}", row.metric, row.condition),
        verdict: row.verdict,
        why: format!("measured {}. {}", row.measured, row.why),
    });
    let checks = summary.checks.iter().map(|row| Case {
        suite: "checks",
        name: format!("{}: {}", row.name, row.label),
        verdict: row.verdict,
        why: row.why.clone(),
    });
    let cases: Vec<Case> = objectives.chain(checks).collect();
    let count = |verdict| cases.iter().filter(|case| case.verdict == verdict).count();
    let seconds = summary.duration_ms / 1e3;
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let head = format!(
        "<testsuites name=\"gameday\">\n  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" time=\"{seconds:.3}\">\n",
        escape(&summary.run.scenario),
        cases.len(),
        count(Verdict::Fail),
        count(Verdict::Unknown),
    );
    xml.push_str(&head);
    for case in &cases {
        xml.push_str(&case.xml());
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

struct Case {
    suite: &'static str,
    name: String,
    verdict: Verdict,
    why: String,
}

impl Case {
    fn xml(&self) -> String {
        let (name, why) = (escape(&self.name), escape(&self.why));
        let head = format!("    <testcase classname=\"{}\" name=\"{name}\"", self.suite);
        match self.verdict {
            Verdict::Pass => format!("{head}/>\n"),
            Verdict::Fail => format!("{head}>\n      <failure message=\"{why}\"/>\n    </testcase>\n"),
            Verdict::Unknown => format!("{head}>\n      <error message=\"{why}\"/>\n    </testcase>\n"),
        }
    }
}

/// XML has no way at all to write most control characters: they become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}');
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use crate::sample::{Luck, record};
    use crate::{judge, junit};

    #[test]
    fn every_objective_and_check_is_one_case() {
        let summary = judge(&record(40, Luck::Bad));
        let xml = junit(&summary);
        assert_eq!(xml.matches("<testcase ").count(), summary.objectives.len() + summary.checks.len());
        assert!(xml.contains("<failure message="));
        assert!(xml.contains("name=\"writes.lost == 0\""));
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(super::escape("a<b>&\"\u{1}\n"), "a&lt;b&gt;&amp;&quot;\u{fffd}&#10;");
    }
}
