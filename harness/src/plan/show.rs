//! A plan as a person reads it in a minute. The same text in a pipe, without bold.

use std::fmt::Write as _;

use super::{Headroom, Phase, Place, Plan, Quantity, unit};
use crate::cost::total;

/// Rows of quotas that are shown; the JSON has all.
const HEADROOM_ROWS: usize = 12;
/// Above this share of a quota a row is marked.
const TIGHT: f64 = 0.8;
const BAR: usize = 10;
/// Widths of a step's label and of the columns of the other tables.
const LABEL: usize = 70;
const CELL: usize = 16;

/// The whole text.
pub(crate) fn show(plan: &Plan, bold: bool) -> String {
    let mut text = String::new();
    let page = Page { bold };
    page.head(plan, &mut text);
    page.steps(plan, &mut text);
    page.made(plan, &mut text);
    page.broken(plan, &mut text);
    page.phases(plan, &mut text);
    page.peaks(plan, &mut text);
    page.cost(plan, &mut text);
    text
}

struct Page {
    bold: bool,
}

impl Page {
    fn title(&self, text: &str) -> String {
        if self.bold { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn head(&self, plan: &Plan, text: &mut String) {
        let aim = &plan.aim;
        let quotas = match (aim.quotas_enforced, aim.quota_scale) {
            (false, _) => "no quotas enforced".to_owned(),
            (true, 1.0) => "AWS's default quotas".to_owned(),
            (true, scale) => format!("AWS's default quotas times {scale}"),
        };
        let _ = writeln!(text, "{}", self.title(&plan.title));
        let _ = writeln!(
            text,
            "{} devices, {} -> {} on {}, {quotas}, {}",
            number(f64::from(plan.devices)),
            aim.primary,
            aim.secondary,
            if aim.target == "aws" { "AWS" } else { "the twin" },
            range(plan.duration_s_min, plan.duration_s_max, span),
        );
        if let Some(observation) = &plan.observation {
            let _ = writeln!(text, "{}", observation.label());
        }
    }

    fn steps(&self, plan: &Plan, text: &mut String) {
        let _ = writeln!(text, "\n{:<LABEL$} {:>9} {:>9}", self.padded("Steps", LABEL), "least", "most");
        for (n, step) in plan.steps.iter().enumerate() {
            let label = cut(&format!("{:>2}  {}", n + 1, step.label), LABEL);
            let _ = writeln!(text, "{label:<LABEL$} {:>9} {:>9}", span(step.least_s), span(step.most_s));
        }
        let _ = writeln!(text, "    Deployment and undo come on top: seconds on the twin, minutes on AWS.");
    }

    fn made(&self, plan: &Plan, text: &mut String) {
        let columns = [Place::Primary, Place::Secondary, Place::Global];
        let heads = [plan.aim.primary.as_str(), plan.aim.secondary.as_str(), "global"];
        self.table("Made, and deleted again", &heads, text);
        let mut kinds: Vec<&str> = Vec::new();
        for made in &plan.creates {
            if !kinds.contains(&made.kind) {
                kinds.push(made.kind);
            }
        }
        for kind in kinds {
            let cells = columns.map(|place| {
                let made = plan.creates.iter().find(|made| made.kind == kind && made.place == place);
                made.map_or_else(String::new, |made| number(f64::from(made.count)))
            });
            line(kind, &cells, text);
        }
    }

    fn broken(&self, plan: &Plan, text: &mut String) {
        if plan.faults.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n{}", self.title("Broken, and cured whatever happens"));
        for fault in &plan.faults {
            let _ = writeln!(
                text,
                "    {}: acts when {}; cured when {}",
                fault.label, fault.proof, fault.cure_proof
            );
            if !fault.calls_known {
                let _ =
                    writeln!(text, "      the plan does not know which calls it makes: they are not counted");
            }
        }
    }

    fn phases(&self, plan: &Plan, text: &mut String) {
        self.table(
            "What happens, least to most",
            &["API calls", "CONNECTs", "messages", "shadow updates", "replicated rows", "function runs"],
            text,
        );
        for phase in Phase::ALL {
            let of = |which: &dyn Fn(&Quantity) -> bool| {
                let all = plan.quantities.iter().filter(|q| q.phase == phase && which(q));
                let (least, most) = all.fold((0.0, 0.0), |sum, q| (sum.0 + q.least, sum.1 + q.most));
                range(least, most, number)
            };
            let is = |wanted: (&'static str, &'static str)| move |q: &Quantity| (q.service, q.unit) == wanted;
            let cells = [
                of(&Quantity::is_call),
                of(&is(unit::CONNECT)),
                of(&is(unit::PUBLISH)),
                of(&is(unit::SHADOW_UPDATE)),
                of(&is(unit::REPLICATED_ROW)),
                of(&is(unit::INVOCATION)),
            ];
            if cells.iter().any(|cell| !cell.is_empty()) {
                line(phase.name(), &cells, text);
            }
        }
    }

    fn peaks(&self, plan: &Plan, text: &mut String) {
        self.table(
            "Peaks beside quotas, tightest first",
            &["Region", "phase", "peak a second", "quota"],
            text,
        );
        for row in plan.headroom.iter().take(HEADROOM_ROWS) {
            let cells =
                [row.region.clone(), row.phase.name().to_owned(), number(row.peak), number(row.quota)];
            line(&row.what, &cells, text);
            text.truncate(text.trim_end().len());
            let _ = writeln!(text, "{}", taken(row));
        }
        let over = plan.headroom.iter().filter(|row| row.share > 1.0).count();
        let rest = plan.headroom.len().saturating_sub(HEADROOM_ROWS);
        if rest > 0 {
            let _ = writeln!(text, "    {rest} more with more room; --json has all");
        }
        if over > 0 {
            let _ =
                writeln!(text, "    {over} above their quota: what exceeds it is throttled and takes longer");
        }
    }

    fn cost(&self, plan: &Plan, text: &mut String) {
        let (_, newest) = plan.cost.prices_read;
        let _ = writeln!(
            text,
            "\n{}  {} USD, by prices of us-east-1 that were read up to {newest}; `gameday cost` has the lines",
            self.title(if plan.aim.target == "aws" {
                "Cost of a run"
            } else {
                "Cost of a run, were it on AWS"
            }),
            total(&plan.cost),
        );
    }

    fn table(&self, title: &str, heads: &[&str], text: &mut String) {
        let _ = write!(text, "\n{}", self.padded(title, NAME));
        for head in heads {
            let _ = write!(text, " {head:>CELL$}");
        }
        trim(text);
    }

    /// Bold does not count as width.
    fn padded(&self, title: &str, width: usize) -> String {
        self.title(title) + &" ".repeat(width.saturating_sub(title.chars().count()))
    }
}

/// Width of the first column.
const NAME: usize = 36;

fn line(name: &str, cells: &[String], text: &mut String) {
    let _ = write!(text, "{:<NAME$}", cut(&format!("    {name}"), NAME));
    for cell in cells {
        let _ = write!(text, " {cell:>CELL$}");
    }
    trim(text);
}

fn trim(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

/// A bar and a mark.
fn taken(row: &Headroom) -> String {
    let full = whole(row.share.min(1.0) * BAR as f64);
    let mark = match row.share {
        share if share > 1.0 => " OVER",
        share if share > TIGHT => " tight",
        _ => "",
    };
    let bar: String = (0..BAR).map(|n| if n < full { '#' } else { '.' }).collect();
    format!("  {bar} {:.0}%{mark}", row.share * 100.0)
}

fn whole(number: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative; what is beyond all numbers is cut to the last"
    )]
    let whole = number.max(0.0).round() as usize;
    whole
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(3)).chain("...".chars()).collect()
}

/// `12 - 340`, or `12` if they are the same as written; empty if there is nothing.
pub(crate) fn range(least: f64, most: f64, write: impl Fn(f64) -> String) -> String {
    if most <= 0.0 {
        return String::new();
    }
    let (least, most) = (write(least), write(most));
    if least == most { most } else { format!("{least} - {most}") }
}

/// `1,234`, `12.5k`, `3.4M`: three digits are enough to plan by, but what is small is exact.
pub(crate) fn number(number: f64) -> String {
    match number {
        n if n >= 99_950_000.0 => format!("{:.0}M", n / 1e6),
        n if n >= 999_500.0 => format!("{:.1}M", n / 1e6),
        n if n >= 9_999.5 => format!("{:.1}k", n / 1e3),
        n if n >= 999.5 => {
            let n = whole(n);
            format!("{},{:03}", n / 1_000, n % 1_000)
        }
        n if n >= 10.0 || (n - n.round()).abs() < 0.05 => format!("{n:.0}"),
        n => format!("{n:.1}"),
    }
}

/// `45s`, `1m 30s`, `2h 5m`.
pub(crate) fn span(seconds: f64) -> String {
    let s = whole(seconds);
    match s {
        0 if seconds > 0.0 => format!("{seconds:.1}s"),
        s if s < 60 => format!("{s}s"),
        s if s < 3_600 && s % 60 == 0 => format!("{}m", s / 60),
        s if s < 3_600 => format!("{}m {}s", s / 60, s % 60),
        s => format!("{}h {}m", s / 3_600, s % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_as_people_write_them() {
        let numbers = [0.0, 0.4, 9.96, 42.0, 999.6, 9_999.0, 12_345.0, 3_400_000.0, 123e6].map(number);
        assert_eq!(numbers, ["0", "0.4", "10", "42", "1,000", "9,999", "12.3k", "3.4M", "123M"]);
        let spans = [0.0, 0.4, 45.0, 60.0, 90.0, 7_500.0].map(span);
        assert_eq!(spans, ["0s", "0.4s", "45s", "1m", "1m 30s", "2h 5m"]);
        assert_eq!(range(3.0, 3.01, number), "3");
        assert_eq!(range(0.0, 12.0, number), "0 - 12");
        assert_eq!(range(0.0, 0.0, number), "");
    }
}
