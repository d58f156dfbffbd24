//! Bills as a person reads them.

use std::fmt::Write as _;

use super::{Bill, Example};
use crate::plan::{number, range};

const NAME: usize = 56;
const CELL: usize = 17;

/// A bill under a title.
pub(crate) fn show(title: &str, bill: &Bill, text: &mut String) {
    let _ = writeln!(text, "{title:<NAME$} {:>CELL$} {:>CELL$} {:>CELL$}", "price, USD", "quantity", "USD");
    for line in &bill.lines {
        let service = line.service.trim_start_matches("AWS ").trim_start_matches("Amazon ");
        let name = format!("    {service}: {}", line.unit);
        let price = match line.per {
            per if per >= 1e6 => format!("{} / 1M", line.price_usd),
            per if per >= 1e3 => format!("{} / 1,000", line.price_usd),
            _ => line.price_usd.to_string(),
        };
        let quantity = range(line.quantity_min, line.quantity_max, number);
        let usd = range(line.usd_min, line.usd_max, usd);
        let _ = writeln!(text, "{name:<NAME$} {price:>CELL$} {quantity:>CELL$} {usd:>CELL$}");
    }
    let _ = writeln!(text, "{:<NAME$} {:>CELL$} {:>CELL$} {:>CELL$}", "    total", "", "", total(bill));
}

/// What is under each list of bills.
pub(crate) fn notes(bill: &Bill, text: &mut String) {
    let (oldest, newest) = bill.prices_read;
    let _ = writeln!(
        text,
        "\n    Prices were read between {oldest} and {newest}; --json has the source of each."
    );
    for note in &bill.notes {
        let _ = writeln!(text, "    {note}.");
    }
}

/// Both examples of the guide.
pub(crate) fn show_examples(examples: &[Example]) -> String {
    let mut text = String::new();
    for example in examples {
        let title = format!(
            "{} of the guide, a month: {} new devices, {} shadow updates",
            example.name,
            number(example.new_devices),
            number(example.shadow_updates)
        );
        let _ = writeln!(text, "{title:<NAME$}\n{:<NAME$} {:>12} {:>12}", "", "guide, USD", "derived");
        for line in &example.lines {
            let agrees = serde_json::to_value(line.agreement).unwrap_or_default();
            let agrees = agrees.as_str().unwrap_or_default().to_owned();
            let name = format!("    {}", line.service);
            let _ = writeln!(
                text,
                "{name:<NAME$} {:>12} {:>12}  {agrees}",
                usd(line.guide_usd),
                usd(line.derived_usd)
            );
            if let Some(reason) = line.reason {
                let _ = writeln!(text, "        {reason}");
            }
        }
        let _ = writeln!(
            text,
            "{:<NAME$} {:>12} {:>12}\n",
            "    total",
            usd(example.guide_usd),
            usd(example.derived_usd)
        );
        show("The same fleet under our replicator, direct", &example.direct, &mut text);
        text.push('\n');
        show("The same fleet under our replicator, workflow", &example.workflow, &mut text);
        text.push('\n');
    }
    if let Some(example) = examples.first() {
        text.truncate(text.trim_end().len());
        text.push('\n');
        notes(&example.direct, &mut text);
    }
    text
}

/// As `total` of a bill, in one cell.
pub(crate) fn total(bill: &Bill) -> String {
    range(bill.usd_min, bill.usd_max, usd)
}

/// `0.0042`, `1.25`, `1,180`.
pub(crate) fn usd(amount: f64) -> String {
    match amount {
        a if a >= 1_000.0 => number(a),
        a if a >= 0.01 || a == 0.0 => format!("{a:.2}"),
        a => format!("{a:.4}"),
    }
}
