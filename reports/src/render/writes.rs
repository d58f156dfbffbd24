//! What became of the shadow writes, and what the secondary did not have when the primary was lost.

use super::html::{Column, empty, esc, section, table};
use crate::record::{Observation, ObservedBy};
use crate::summary::{Ledger, Rpo, Summary};
use crate::units::{count, duration_ms, plural, share};

/// The ledger and the RPO.
pub(super) fn writes(summary: &Summary) -> String {
    let ledger = &summary.ledger;
    let lead = "Every shadow write has a number. Each was looked for in the secondary.";
    if ledger.writes == 0 {
        return section("writes", "Writes", lead, &empty("There were no shadow writes."));
    }
    let seen = summary.observation.as_ref().map(observation).unwrap_or_default();
    let body = [seen, rpo(summary.rpo.as_ref()), fates(ledger), losses(ledger)].concat();
    section("writes", "Writes", lead, &body)
}

/// Who looked, and for how many.
fn observation(observation: &Observation) -> String {
    let clients = plural(u64::from(observation.observers), "MQTT client");
    let how = match observation.by {
        ObservedBy::Wildcard => "to the shadow documents of all things",
        ObservedBy::Names => "to the shadow documents of each device by its name",
    };
    let (observed, devices) = (u64::from(observation.observed), u64::from(observation.devices));
    let whom = if observed < devices {
        format!(
            "<b>Of a sample only: {} of {}</b>, drawn by the seed; more would be more than AWS delivers.",
            count(observed),
            plural(devices, "device")
        )
    } else {
        format!("All {} were observed.", plural(devices, "device"))
    };
    format!("<p>Seen by {clients} in the secondary, subscribed {how}. {whom}</p>\n")
}

fn rpo(rpo: Option<&Rpo>) -> String {
    let Some(rpo) = rpo else { return empty("Nothing was broken, so there is no recovery point.") };
    let missing = match rpo.missing {
        0 => {
            "The secondary got all of them before the fault was cured: <b>nothing was missing</b>.".to_owned()
        }
        some => format!(
            "Before the fault was cured, <b>{}</b> of {} had not come over; the oldest was {} old at the fault.",
            plural(some, "write"),
            plural(rpo.devices, "device"),
            duration_ms(rpo.age_ms),
        ),
    };
    format!(
        "<p>At the fault, the primary had acknowledged {}; {} still on the way. {missing}</p>\n",
        plural(rpo.acked, "write"),
        match rpo.in_flight {
            1 => "one was".to_owned(),
            some => format!("{} were", count(some)),
        },
    )
}

fn fates(ledger: &Ledger) -> String {
    let rows = [
        ("Visible", ledger.visible, "good", "seen in the secondary"),
        (
            "Superseded",
            ledger.stale,
            "soft",
            "a later write of the device was seen instead; nothing is missing",
        ),
        ("Not sent", ledger.unsent, "grey", "the device had no connection when it was due"),
        ("Unknown", ledger.unknown, "grey", "sent, and neither acknowledged nor seen"),
        (
            "Not observed",
            ledger.unobserved,
            "grey",
            "acknowledged, and nobody looked for the device's writes",
        ),
        ("Rejected", ledger.rejected, "grey", "refused by the Region"),
        ("Lost", ledger.lost, "bad", "acknowledged, and neither it nor a later one was ever seen"),
    ];
    let bar = |(_, value, class, _): &(&str, u64, &str, &str)| {
        let percent = *value as f64 / ledger.writes as f64 * 100.0;
        format!("<i class=\"{class}\" style=\"width:{percent:.3}%\"></i>")
    };
    let bar: String = rows.iter().filter(|row| row.1 > 0).map(bar).collect();
    let cells = rows.iter().map(|(name, value, class, meaning)| {
        let number = if *class == "bad" && *value > 0 {
            format!("<b class=\"bad\">{}</b>", count(*value))
        } else {
            count(*value)
        };
        vec![
            format!("<span class=\"key {class}\">{name}</span><br><small>{meaning}</small>"),
            number,
            share(*value, ledger.writes),
        ]
    });
    let columns = [Column::Text("Fate"), Column::Number("writes"), Column::Number("share")];
    let table = table(&columns, &cells.collect::<Vec<_>>());
    format!("<div class=\"stack\" aria-hidden=\"true\">{bar}</div>\n{table}")
}

fn losses(ledger: &Ledger) -> String {
    if ledger.losses.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = ledger
        .losses
        .iter()
        .map(|loss| vec![format!("<code>{}</code>", esc(&loss.device)), count(loss.lost), count(loss.acked)])
        .collect();
    let columns = [Column::Text("Device"), Column::Number("lost"), Column::Number("acknowledged")];
    let more = ledger.devices_with_losses.saturating_sub(ledger.losses.len() as u64);
    let more =
        if more > 0 { format!("<p>And {} more.</p>\n", plural(more, "device")) } else { String::new() };
    format!("<h3>Losses by device</h3>\n{}{more}", table(&columns, &rows))
}
