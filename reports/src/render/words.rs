//! How it was measured, what the numbers do not say, and what the words mean.

use super::html::{esc, section};
use crate::objective::METRICS;
use crate::record::Record;
use crate::summary::Summary;
use crate::units::plural;

/// Method and limits.
pub(super) fn method(record: &Record, summary: &Summary) -> String {
    let run = &summary.run;
    let facts = [
        ("Scenario", esc(&run.scenario)),
        ("Target", esc(&run.target)),
        ("Fleet", format!("{}, strategy {}", plural(u64::from(run.devices), "device"), esc(&run.strategy))),
        ("Regions", format!("{} (primary), {} (secondary)", esc(&run.primary), esc(&run.secondary))),
        ("Seed", run.seed.to_string()),
        ("gameday", esc(&run.version)),
        ("Run it again", format!("<code>{}</code>", esc(&run.replay))),
    ];
    let facts: String =
        facts.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>\n")).collect();
    let said: String = summary.notes.iter().map(|note| format!("<li>{}</li>\n", esc(note))).collect();
    let twin = if run.is_on_twin() { TWIN } else { "" };
    let scenario = if record.scenario.is_empty() {
        String::new()
    } else {
        format!(
            "<details><summary>The scenario, with every default filled in</summary>\n<pre>{}</pre></details>\n",
            esc(&record.scenario)
        )
    };
    let body = format!(
        "<dl class=\"facts\">\n{facts}</dl>\n<ul class=\"prose\">\n{said}{twin}{LIMITS}</ul>\n{scenario}"
    );
    section("method", "Method and limits", "", &body)
}

const TWIN: &str = "\
<li>On the twin: TCP, TLS and MQTT times are loopback’s, and both Regions share one machine. On AWS a way takes longer by the network between.</li>
";

const LIMITS: &str = "\
<li>Every send has an intended time, and latency counts from it: a slow answer does not hide the sends that it held up.</li>
<li>Percentiles of devices are values of a device (nearest rank). Percentiles of latencies are taken from merged HdrHistograms with three significant digits, and never averaged.</li>
<li>A device that had to move and did not counts as slower than all that did.</li>
<li>Stages follow each other without a gap and add up to the device’s time. A moment that came after the next one did not hold the device up and takes no time.</li>
<li>What was not measured is Unknown, and a fault that was not seen to act proves nothing.</li>
<li>A simulated device is one connection of one process: it shows what AWS, DNS and the network do, not what a device’s own hardware does.</li>
";

/// What the words mean.
pub(super) fn glossary() -> String {
    let words = [
        ("Fault, cure", "what the run breaks, and what puts it right again."),
        (
            "Recovery time (RTO)",
            "from the fault to a device’s first acknowledged publish in the secondary Region.",
        ),
        (
            "Recovery point (RPO)",
            "how old the oldest write is that the primary had acknowledged and the secondary did not have when it was needed.",
        ),
        ("p50, p99", "of 100 devices or samples, 50 or 99 are at or below this value."),
        (
            "Connectable",
            "thing, ACTIVE certificate, policy and attachments are there, so that a device could connect.",
        ),
        ("Unknown", "the record does not say; it is neither a pass nor a fail."),
    ];
    let word = |(name, meaning): &(&str, &str)| format!("<dt>{}</dt><dd>{}</dd>\n", esc(name), esc(meaning));
    let words: String = words.iter().map(word).collect();
    let metrics: String = METRICS
        .iter()
        .map(|metric| format!("<dt><code>{}</code></dt><dd>{}</dd>\n", esc(metric.name), esc(metric.meaning)))
        .collect();
    let body = format!(
        "<dl class=\"glossary\">\n{words}</dl>\n<details><summary>Every metric</summary>\n<dl class=\"glossary\">\n{metrics}</dl></details>\n"
    );
    section("glossary", "Words", "", &body)
}
