//! A page of what was predicted: a table, and curves over time. Nothing of it was measured, and it says so.

use super::chart::{Ink, Kind, Lines, Series};
use super::html::{Column, empty, esc, figure, section, table};
use super::{STYLE, clock};
use crate::units;

/// Something over time, in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What it is called.
    pub title: String,
    /// The same for a reader who cannot see it.
    pub about: String,
    /// Seconds and values.
    pub points: Vec<(f64, f64)>,
}

/// The page. A row is a figure's name, its step, and its p10, p50 and p90 as they are to be shown.
pub fn chart_page(title: &str, lead: &str, rows: &[Vec<String>], curves: &[Curve]) -> String {
    let columns = [
        Column::Text("Figure"),
        Column::Number("step"),
        Column::Number("p10"),
        Column::Number("p50"),
        Column::Number("p90"),
    ];
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| esc(cell)).collect()).collect();
    let figures = section("predicted", "Predicted", &esc(lead), &table(&columns, &rows));
    let drawn: String = curves.iter().map(curve).collect();
    let curves = section("over-time", "Over time", "", &drawn);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Prediction · {title} · gameday</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         {figures}{curves}</main>\n</body>\n</html>\n",
        title = esc(title),
    )
}

fn curve(curve: &Curve) -> String {
    let to_s = curve.points.iter().map(|point| point.0).fold(0.0, f64::max);
    if to_s <= 0.0 {
        return figure(&curve.title, "", &empty("Nothing waits."));
    }
    let lines = Lines {
        about: curve.about.clone(),
        series: vec![Series { points: curve.points.clone(), ink: Ink::Secondary, kind: Kind::Area }],
        bands: Vec::new(),
        marks: Vec::new(),
        target: None,
        from_s: 0.0,
        to_s,
        whole: true,
        x_text: clock,
        y_text: units::number,
    };
    figure(&curve.title, "", &lines.html())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_table_and_its_curves() {
        let curve = |points: &[(f64, f64)]| Curve {
            title: "Backlog <1>".into(),
            about: "a backlog".into(),
            points: points.to_vec(),
        };
        let rows = [["failover.time", "4", "33 s", "36 s", "39 s"].map(str::to_owned).to_vec()];
        let page = chart_page("A <day>", "said", &rows, &[curve(&[(0.0, 0.0), (9.0, 40.0)]), curve(&[])]);
        assert!(page.contains("A &lt;day&gt;") && page.contains("Backlog &lt;1&gt;"), "{page}");
        assert!(page.contains("<td>failover.time</td>") && page.contains("Nothing waits."));
        assert_eq!(page.matches("<svg").count(), 2, "one for each width");
    }
}
