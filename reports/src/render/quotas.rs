//! Quotas: what the scenario asks of both Regions beside what applies, and what to ask AWS for.

use super::html::{Column, esc, section, table, together};
use crate::record::{QuotaReport, QuotaRequest, QuotaRow, QuotaStorm, QuotaVerdict};
use crate::units::{count, number, plural};

/// Rows that are shown; the others are in the file.
const ROWS_MAX: usize = 24;

/// Nothing where the record has no report of them.
pub(super) fn quotas(report: Option<&QuotaReport>) -> String {
    let Some(report) = report else { return String::new() };
    let mut rows: Vec<&QuotaRow> = report.rows.iter().collect();
    // The worst first, and of equal ones the one that takes most.
    rows.sort_by(|a, b| {
        b.verdict.cmp(&a.verdict).then_with(|| b.share.unwrap_or(0.0).total_cmp(&a.share.unwrap_or(0.0)))
    });
    let more = rows.len().saturating_sub(ROWS_MAX);
    rows.truncate(ROWS_MAX);
    let columns = [
        Column::Text("What"),
        Column::Text("phase"),
        Column::Text("Region"),
        Column::Number("sustained"),
        Column::Number("peak"),
        Column::Number("quota"),
        Column::Extra("in the other Region"),
        Column::Number("taken"),
        Column::Text("verdict"),
    ];
    let mut body = table(&columns, &rows.into_iter().map(row).collect::<Vec<_>>());
    if more > 0 {
        body.push_str(&format!("<p>{} more in quota.csv.</p>\n", plural(more as u64, "row")));
    }
    body.push_str(&report.storms.iter().map(storm).collect::<String>());
    body.push_str(&requests(&report.requests));
    let notes: String = report.notes.iter().map(|note| format!("<li>{}</li>\n", esc(note))).collect();
    if !notes.is_empty() {
        body.push_str(&format!("<ul class=\"prose\">\n{notes}</ul>\n"));
    }
    section("quotas", "Quotas", &lead(report), &body)
}

fn lead(report: &QuotaReport) -> String {
    let of = |verdict| report.rows.iter().filter(|row| row.verdict == verdict).count() as u64;
    let mut text = match report.verdict {
        QuotaVerdict::Exceeded => {
            format!("<b>{} more than the quota</b>.", asks(of(QuotaVerdict::Exceeded)))
        }
        QuotaVerdict::Unknown => {
            format!("Of {} it cannot be said.", plural(of(QuotaVerdict::Unknown), "row"))
        }
        QuotaVerdict::Tight => {
            format!("{} more than four fifths of the quota.", asks(of(QuotaVerdict::Tight)))
        }
        QuotaVerdict::Ok | QuotaVerdict::Unlimited => {
            "No row asks more than four fifths of its quota.".to_owned()
        }
    };
    if let Some(row) = report.tightest_row() {
        text.push_str(&format!(
            " The tightest is <b>{}</b> in {}, {}: {} of its quota.",
            esc(&row.what),
            esc(&row.region),
            esc(&row.phase),
            taken(row),
        ));
    }
    text.push_str(&format!(" As planned before the run, beside {}.", esc(&report.source)));
    text
}

fn asks(rows: u64) -> String {
    format!("{} {}", plural(rows, "row"), if rows == 1 { "asks" } else { "ask" })
}

fn taken(row: &QuotaRow) -> String {
    row.share.map_or_else(|| "–".to_owned(), |share| format!("{}%", count(whole(share * 100.0))))
}

fn whole(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates at both ends")]
    let whole = number.round() as u64;
    whole
}

fn row(row: &QuotaRow) -> Vec<String> {
    let verdict = match row.verdict {
        QuotaVerdict::Exceeded => "<b class=\"bad\">exceeded</b>".to_owned(),
        QuotaVerdict::Unknown => "<b class=\"warn\">unknown</b>".to_owned(),
        verdict => verdict.name().to_owned(),
    };
    let why =
        if row.why.is_empty() { String::new() } else { format!("<br><small>{}</small>", esc(&row.why)) };
    let unit = if row.unit == "per second" { "/s" } else { "" };
    let value = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{}{unit}", number(v)));
    let peak = if row.is_count { format!("{} in all", number(row.peak)) } else { value(Some(row.peak)) };
    vec![
        format!("{}{why}", esc(&row.what)),
        esc(&row.phase),
        esc(&row.region),
        value(row.sustained),
        peak,
        value(row.quota.as_ref().map(|quota| quota.value)),
        value(row.quota_elsewhere),
        taken(row),
        verdict,
    ]
}

fn storm(storm: &QuotaStorm) -> String {
    let Some((quota, least_s)) = storm.quota_per_s.zip(storm.time_least_s) else { return String::new() };
    let at_most = storm.time_most_s.map_or_else(
        || "; health checks alone use that up".to_owned(),
        |most_s| format!(", and at the most {}", together(most_s * 1e3)),
    );
    format!(
        "<p>{}: {} come to {} at {} CONNECTs a second, and it takes {}: the last is in after at least {}{at_most}.</p>\n",
        esc(&storm.phase),
        plural(storm.devices, "device"),
        esc(&storm.region),
        number(storm.offered_per_s),
        number(quota),
        together(least_s * 1e3),
    )
}

fn requests(requests: &[QuotaRequest]) -> String {
    if requests.is_empty() {
        return String::new();
    }
    let row = |request: &QuotaRequest| {
        vec![
            format!("{} <small>{} {}</small>", esc(&request.name), esc(&request.service), esc(&request.code)),
            esc(&request.region),
            number(request.applied),
            request.desired.map_or_else(|| "not adjustable".to_owned(), number),
            esc(&request.reason),
        ]
    };
    let columns = [
        Column::Text("Quota"),
        Column::Text("Region"),
        Column::Number("applies"),
        Column::Number("ask for"),
        Column::Text("because"),
    ];
    format!(
        "<h3>What to ask AWS for</h3>\n{}",
        table(&columns, &requests.iter().map(row).collect::<Vec<_>>())
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::quota_report;

    #[test]
    fn the_worst_row_comes_first_and_nothing_is_there_without_a_report() {
        let report = quota_report();
        let html = quotas(Some(&report));
        let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text} is not in {html}"));
        assert!(at("exceeded</b>") < at("DescribeCertificate"), "{html}");
        assert!(
            html.contains("The tightest is <b>CONNECT</b> in eu-central-1, failover: 200% of its quota.")
        );
        assert!(html.contains("at least 7&nbsp;s") || html.contains("at least 7.0&nbsp;s"), "{html}");
        assert!(html.contains("<td class=\"n\">150</td>"), "{html}");
        assert_eq!(quotas(None), "");
    }
}
