//! Predictions beside runs: days of several sizes are played on the twin, and each is predicted from what another one measured.

use anyhow::{Context, Result, ensure};
use gameday_tests::{GameDay, run};
use serde_json::Value;
use std::{path::PathBuf, time::Duration};

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/predicted.toml");
/// The largest day takes half an hour.
const DAY_MAX: Duration = Duration::from_hours(1);
const WITHIN: f64 = 0.15;

pub(crate) fn days(sizes: &[u32]) -> Result<()> {
    let mut days: Vec<(u32, GameDay, PathBuf)> = Vec::new();
    for size in sizes {
        let mut day =
            GameDay::start(SCENARIO.as_ref(), &["--seed", "1", "--set", &format!("fleet.devices={size}")])?;
        let exit = day.exit_within(DAY_MAX)?;
        let folder = day.folder()?;
        println!("{size} devices: exit {exit}");
        days.push((*size, day, folder));
    }
    println!(
        "{:<10}{:<10}{:<30}{:>12}{:>12}{:>12}{:>12}{:>8}",
        "devices", "taught by", "figure", "p10", "p50", "p90", "measured", "ratio"
    );
    let mut off = 0;
    for (size, _, folder) in &days {
        // The smallest teaches all others, and the next one the smallest; beside them nobody does.
        let teacher = days.iter().find(|(other, ..)| other != size);
        for from in [teacher, None] {
            let taught_by = from.map_or_else(|| "nobody".to_owned(), |(other, ..)| other.to_string());
            let from = from.map(|(.., folder)| folder.display().to_string());
            let checked = folder.display().to_string();
            let mut arguments = vec!["predict", "--json", "--check", &checked];
            if let Some(from) = &from {
                arguments.extend(["--from", from]);
            }
            let output = run(&arguments)?;
            let told: Value = serde_json::from_slice(&output.stdout)
                .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
            let rows = told["checked"].as_array().context("what was checked")?;
            ensure!(!rows.is_empty(), "the run of {size} measured nothing");
            for row in rows {
                let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
                let is_off = (number("ratio") - 1.0).abs() > WITHIN;
                off += usize::from(is_off && taught_by != "nobody");
                println!(
                    "{size:<10}{taught_by:<10}{:<30}{:>12.2}{:>12.2}{:>12.2}{:>12.2}{:>8.3}{}",
                    row["name"].as_str().unwrap_or_default(),
                    number("p10"),
                    number("p50"),
                    number("p90"),
                    number("measured"),
                    number("ratio"),
                    if is_off { "  OFF" } else { "" }
                );
            }
        }
    }
    println!(
        "goal: within {:.0}% when taught by a run of another size; {off} figures are off",
        WITHIN * 100.0
    );
    Ok(())
}
