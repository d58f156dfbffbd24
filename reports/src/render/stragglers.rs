//! The stragglers of a failover: how many each cause held up, and who they are.

use super::html::{Column, empty, esc, section, table};
use crate::summary::{Cause, CauseRow, Straggler, Summary};
use crate::units::{count, duration_ms, plural, share};

/// Nothing where nobody was to fail over.
pub(super) fn stragglers(summary: &Summary) -> String {
    let all = summary.failover.devices + summary.failover.missing;
    if all == 0 {
        return String::new();
    }
    let stragglers = &summary.stragglers;
    let lead = "Devices that did not fail over, or took half as long again as the median device of their strategy, by what \
                held each of them up. What the record does not say is Unknown.";
    if stragglers.devices == 0 {
        let text = format!("None of {} was late.", plural(all, "device"));
        return section("stragglers", "Stragglers", lead, &empty(&text));
    }
    let cause = |row: &CauseRow| {
        vec![mark(row.cause, &row.label), count(row.devices), share(row.devices, stragglers.devices)]
    };
    let columns = [Column::Text("What held them up"), Column::Number("devices"), Column::Number("share")];
    let mut body = table(&columns, &stragglers.causes.iter().map(cause).collect::<Vec<_>>());
    let device = |straggler: &Straggler| {
        let strategy = match straggler.strategy.as_str() {
            name if summary.strategies.len() > 1 => format!(" <small class=\"nb\">{}</small>", esc(name)),
            _ => String::new(),
        };
        vec![
            format!("<code>{}</code>{strategy}", esc(&straggler.device)),
            straggler.took_ms.map_or("<b class=\"bad\">never</b>".to_owned(), duration_ms),
            format!(
                "{}<br><small>{}</small>",
                mark(straggler.cause, straggler.cause.label()),
                esc(&straggler.evidence)
            ),
        ]
    };
    let columns = [Column::Text("Device"), Column::Number("took"), Column::Text("what held it up")];
    let devices = table(&columns, &stragglers.slowest.iter().map(device).collect::<Vec<_>>());
    let listed = plural(stragglers.slowest.len() as u64, "straggler");
    body.push_str(&format!("<details><summary>The slowest {listed}</summary>\n{devices}</details>\n"));
    section("stragglers", "Stragglers", lead, &body)
}

/// A cause; one that is not known stands back.
fn mark(cause: Cause, label: &str) -> String {
    match cause {
        Cause::Unknown => format!("<i>{}</i>", esc(label)),
        _ => esc(label),
    }
}
