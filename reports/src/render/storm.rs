//! The reconnect storm: how many devices the secondary had let in by when, and the bound that its CONNECT quota draws.

use super::chart::{Ink, Kind, Lines, Series};
use super::html::{Column, esc, figure, legend, section, table, together};
use super::seconds;
use crate::summary::{Refusal, Storm, StormShare, Summary};
use crate::units::{count, duration_ms, number, percent, plural};

/// Nothing where the quota was in nobody's way.
pub(super) fn storm(summary: &Summary) -> String {
    let Some(storm) = &summary.storm else { return String::new() };
    if storm.ratio.is_none() && storm.throttled == 0 {
        return String::new();
    }
    let body = [curve(summary, storm), shares(storm), refusals(storm), method(storm)].concat();
    section("storm", "Reconnect storm", &lead(summary, storm), &body)
}

/// By how much a time is above the bound, to a tenth of a percent.
fn above(ratio: f64) -> String {
    percent(((ratio - 1.0) * 1e3).round().max(0.0) / 10.0)
}

fn lead(summary: &Summary, storm: &Storm) -> String {
    let fleet = storm.devices + storm.missing;
    let mut text = format!(
        "{} asked <b class=\"secondary\">{}</b> to let them in, and it takes {} CONNECTs a second.",
        plural(fleet, "device"),
        esc(&summary.run.secondary),
        number(storm.quota.value),
    );
    if let Some(ratio) = storm.ratio {
        let at_least = if storm.missing > 0 { "at least " } else { "" };
        text.push_str(&format!(
            " In the mean a device waited {at_least}{}; the quota alone would have made it wait {}: it was <b>{} above that</b>.",
            together(storm.wait_mean_ms),
            together(storm.wait_mean_bound_ms),
            above(ratio),
        ));
    }
    let last = storm.shares.iter().find(|share| share.percent >= 100.0 && share.bound_ms > 0.0);
    if let Some(last) = last {
        text.push_str(&format!(
            " The last one was in after {}, by the quota after {}: {} above that.",
            together(last.took_ms),
            together(last.bound_ms),
            above(last.took_ms / last.bound_ms),
        ));
    }
    text.push_str(&match storm.throttled {
        0 => " No CONNECT was throttled.".to_owned(),
        some => format!(" {} throttled on the way.", were(some)),
    });
    text
}

fn were(connects: u64) -> String {
    format!("{} {}", plural(connects, "CONNECT"), if connects == 1 { "was" } else { "were" })
}

fn curve(summary: &Summary, storm: &Storm) -> String {
    let fleet = (storm.devices + storm.missing) as f64;
    let full_s = ((fleet - storm.burst).max(0.0) / storm.quota.value).min(f64::from(u32::MAX));
    let last_s = storm.connected.last().map_or(0.0, |point| point.0 / 1e3);
    let to_s = last_s.max(full_s).max(0.1) * 1.04;
    // In steps: between two devices nobody came.
    let mut points = vec![(0.0, 0.0)];
    let mut before = 0.0;
    for (at_ms, devices) in &storm.connected {
        points.extend([(at_ms / 1e3, before), (at_ms / 1e3, *devices as f64)]);
        before = *devices as f64;
    }
    points.push((to_s, before));
    let bound = vec![(0.0, 0.0), (0.0, fleet.min(storm.burst)), (full_s, fleet), (to_s, fleet)];
    let measured = Series { points, ink: Ink::Secondary, kind: Kind::Area };
    let bound = Series { points: bound, ink: Ink::Text, kind: Kind::Line };
    let lines = Lines {
        about: format!(
            "Devices in {} by the time since the first CONNECT there, and as many as its quota allows at the most.",
            summary.run.secondary
        ),
        series: vec![measured, bound],
        bands: Vec::new(),
        marks: Vec::new(),
        target: None,
        from_s: 0.0,
        to_s,
        whole: true,
        x_text: seconds,
        y_text: number,
    };
    let keys = legend(&[("secondary", "let in"), ("ink", "at the most, by the quota")]);
    figure("Devices let in, by the time since the first CONNECT", &keys, &lines.html())
}

fn shares(storm: &Storm) -> String {
    let row = |share: &StormShare| {
        let ratio = (share.bound_ms > 0.0).then(|| share.took_ms / share.bound_ms);
        vec![
            format!("{} <i>{}</i>", percent(share.percent), plural(share.devices, "device")),
            duration_ms(share.took_ms),
            duration_ms(share.bound_ms),
            ratio.map_or("–".to_owned(), above),
        ]
    };
    let columns = [
        Column::Text("Share of the fleet"),
        Column::Number("was in after"),
        Column::Number("bound"),
        Column::Number("above it"),
    ];
    table(&columns, &storm.shares.iter().map(row).collect::<Vec<_>>())
}

fn refusals(storm: &Storm) -> String {
    if storm.refusals.is_empty() {
        return String::new();
    }
    let row = |refusal: &Refusal| vec![esc(&refusal.how), count(refusal.attempts)];
    let columns = [Column::Text("Attempts that failed there"), Column::Number("attempts")];
    table(&columns, &storm.refusals.iter().map(row).collect::<Vec<_>>())
}

/// How the comparison is made, and what it rests on.
fn method(storm: &Storm) -> String {
    let mut said = vec![
        format!(
            "The quota is {} ({}), {} a second, by {}.",
            esc(&storm.quota.name),
            esc(&storm.quota.code),
            number(storm.quota.value),
            esc(&storm.quota.source),
        ),
        match storm.quota.burst {
            Some(burst) => format!("Its bucket holds {}.", number(burst)),
            None => format!(
                "What its bucket holds is not published; one second’s worth, {}, is taken for it.",
                number(storm.burst)
            ),
        },
        "The bound is that bucket, full at the first CONNECT and asked without a pause: no fleet can be faster. The CONNECTs of \
         health checks and observers, which the same quota counts, are left out of it. Each device of the curve is held \
         against the one of the same place in the bound, and the means of both are compared."
            .to_owned(),
    ];
    let after = match storm.after_answer_ms {
        Some(ms) => {
            format!(
                "{} after the fault, {} after the answer",
                duration_ms(storm.after_fault_ms),
                duration_ms(ms)
            )
        }
        None => format!("{} after the fault", duration_ms(storm.after_fault_ms)),
    };
    said.push(format!("The first CONNECT was sent {after}."));
    if let Some(backoff) = storm.backoff {
        said.push(format!(
            "A device that is refused waits a time by chance: {} or more, and up to a limit that doubles each time and ends at \
             {}. The end of the curve is longer than the bound by that.",
            duration_ms(backoff.min_ms as f64),
            duration_ms(backoff.max_ms as f64),
        ));
    }
    if storm.throttled > 0 {
        said.push(format!(
            "The device that was throttled most often met with it {}.",
            plural(storm.throttled_device_max, "time")
        ));
    }
    let items: String = said.iter().map(|line| format!("<li>{line}</li>\n")).collect();
    format!(
        "<details><summary>How this is compared</summary>\n<ul class=\"prose\">\n{items}</ul></details>\n"
    )
}
