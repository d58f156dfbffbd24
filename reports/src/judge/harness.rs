//! The harness itself: how it did, and whether what it measured as the fleet's time may be its own.

use crate::record::{Event, HarnessSample, Record};
use crate::summary::{CheckRow, HarnessHealth};
use crate::units;
use crate::verdict::Verdict;

use super::checks::row;
use super::spread::{at, ms};

/// A timer of the harness that is later than this, in one second of a hundred, makes the run inconclusive: what it
/// measures as the fleet's time may be its own.
pub const TIMER_DELAY_P99_MAX_MS: f64 = 250.0;

/// More late sends than this share of the intended ones make the run inconclusive: the load was not the scenario's.
pub const LATE_SENDS_MAX_PERCENT: u64 = 1;

/// From this share of the processors that it may use on, the harness has used them up in a second.
const CPU_FULL_PERCENT: f64 = 95.0;

/// More such seconds than this share of all make the run inconclusive. A herd that connects at once may take a few.
pub const CPU_FULL_SECONDS_MAX_PERCENT: f64 = 10.0;

/// A wall clock that was set by more than this in the run makes it inconclusive: the checkers' results are placed by it. Where
/// a machine slept, durations lack that time.
pub const CLOCK_STEP_MAX_MS: f64 = 100.0;

/// From this share of its descriptors on, connections may have failed for the want of one.
pub const DESCRIPTORS_MAX_PERCENT: u64 = 95;

/// How the harness did.
pub(crate) fn health(record: &Record) -> HarnessHealth {
    let mut health = HarnessHealth::default();
    let mut samples: Vec<&HarnessSample> = Vec::new();
    for entry in &record.events {
        match &entry.event {
            Event::Sample(sample) => {
                let acked = sample.telemetry_acked.values().chain(sample.shadow_acked.values());
                health.intended_sends +=
                    acked.map(|count| u64::from(*count)).sum::<u64>() + u64::from(sample.unsent);
                health.unsent_sends += u64::from(sample.unsent);
            }
            Event::Harness(sample) => samples.push(sample),
            _ => {}
        }
    }
    health.samples = samples.len() as u64;
    for sample in &samples {
        health.late_sends += u64::from(sample.late_sends);
        health.rss_bytes_max = health.rss_bytes_max.max(sample.rss_bytes);
        health.descriptors_max = health.descriptors_max.max(sample.descriptors);
        health.sockets_max = health.sockets_max.max(sample.sockets);
        health.clock_step_max_ms = health.clock_step_max_ms.max(ms(sample.clock_step_us.unsigned_abs()));
    }
    let mut delays_us: Vec<u64> = samples.iter().map(|sample| sample.timer_delay_us_max).collect();
    delays_us.sort_unstable();
    health.timer_delay_p99_ms = at(&delays_us, 0.99).map_or(0.0, ms);
    health.timer_delay_max_ms = delays_us.last().copied().map_or(0.0, ms);
    let mut cpu: Vec<f64> = samples.iter().map(|sample| sample.cpu_percent).collect();
    cpu.sort_by(f64::total_cmp);
    health.cpu_percent_max = cpu.last().copied().unwrap_or(0.0);
    health.cpu_percent_p50 = cpu.get(cpu.len().saturating_sub(1) / 2).copied().unwrap_or(0.0);
    health.machine_cpu_percent_max =
        samples.iter().filter_map(|sample| sample.machine_cpu_percent).max_by(f64::total_cmp);
    health.cpu_limit_percent = samples.iter().find_map(|sample| sample.cpu_limit_percent);
    health.descriptors_limit = samples.iter().find_map(|sample| sample.descriptors_limit);
    let is_full = |sample: &&&HarnessSample| {
        sample.cpu_limit_percent.is_some_and(|limit| sample.cpu_percent * 100.0 >= limit * CPU_FULL_PERCENT)
    };
    let full = samples.iter().filter(is_full).count();
    health.cpu_full_seconds_percent = full as f64 * 100.0 / samples.len().max(1) as f64;
    health
}

/// Whether the harness kept up, row by row. If it did not, the numbers may be its own and not the fleet's.
pub(crate) fn checks(health: &HarnessHealth) -> Vec<CheckRow> {
    if health.samples == 0 {
        let why = "The harness was not watched.".to_owned();
        return vec![row("harness", "The harness kept up", Verdict::Unknown, why)];
    }
    let mut rows = vec![pace(health)];
    rows.extend(health.cpu_limit_percent.map(|limit| cpu(health, limit)));
    rows.push(clock(health));
    rows.extend(health.descriptors_limit.map(|limit| descriptors(health, limit)));
    rows
}

/// Why a time that was measured as too long may be the harness's own; none when it kept up.
pub(crate) fn doubt(health: &HarnessHealth) -> Option<String> {
    let slow = checks(health).into_iter().any(|row| row.verdict == Verdict::Unknown);
    (slow && health.samples > 0).then(|| "the harness was itself the bottleneck".to_owned())
}

fn pace(health: &HarnessHealth) -> CheckRow {
    let delay = units::duration_ms(health.timer_delay_p99_ms);
    let late = health.late_sends * 100 > health.intended_sends * LATE_SENDS_MAX_PERCENT;
    let numbers = format!(
        "timers were at most {delay} late in 99 of 100 seconds, and {} of {} were late",
        units::count(health.late_sends),
        units::plural(health.intended_sends, "send"),
    );
    let limit = units::duration_ms(TIMER_DELAY_P99_MAX_MS);
    let limits = format!("More than {limit} or {LATE_SENDS_MAX_PERCENT}%");
    let slow = late || health.timer_delay_p99_ms > TIMER_DELAY_P99_MAX_MS;
    of("harness", "The harness kept up", slow, &numbers, &limits)
}

fn cpu(health: &HarnessHealth, limit_percent: f64) -> CheckRow {
    let percent = |percent: f64| units::percent(percent.round());
    let machine =
        health.machine_cpu_percent_max.map(|all| format!(", of the whole machine {}", percent(all)));
    let numbers = format!(
        "it used up the processors in {} of the seconds; at most {} of {}{}",
        units::percent(health.cpu_full_seconds_percent),
        percent(health.cpu_percent_max),
        percent(limit_percent),
        machine.unwrap_or_default(),
    );
    let limits = format!("More than {CPU_FULL_SECONDS_MAX_PERCENT}% of the seconds");
    let full = health.cpu_full_seconds_percent > CPU_FULL_SECONDS_MAX_PERCENT;
    of("harness-cpu", "The harness had processors left", full, &numbers, &limits)
}

fn clock(health: &HarnessHealth) -> CheckRow {
    let (step, limit) = (units::duration_ms(health.clock_step_max_ms), units::duration_ms(CLOCK_STEP_MAX_MS));
    let numbers = format!("the wall clock was set by {step} at the most");
    let label = "The clocks went alike";
    if health.clock_step_max_ms > CLOCK_STEP_MAX_MS {
        let why = format!(
            "The machine slept, or its wall clock was set: {numbers} in a second. More than {limit} is too much: the \
             health checkers' results are placed by that clock, and what a machine sleeps is in no duration."
        );
        return row("harness-clock", label, Verdict::Unknown, why);
    }
    row("harness-clock", label, Verdict::Pass, format!("In order: {numbers}."))
}

fn descriptors(health: &HarnessHealth, limit: u64) -> CheckRow {
    let open = u64::from(health.descriptors_max);
    let numbers = format!("{} of {} files were open at the most", units::count(open), units::count(limit));
    let scarce = open * 100 >= limit * DESCRIPTORS_MAX_PERCENT;
    let limits = format!("{DESCRIPTORS_MAX_PERCENT}% or more");
    of("harness-descriptors", "The harness had descriptors left", scarce, &numbers, &limits)
}

fn of(name: &str, label: &str, bottleneck: bool, numbers: &str, limits: &str) -> CheckRow {
    if bottleneck {
        let why = format!("The harness was itself the bottleneck: {numbers}. {limits} is too much.");
        return row(name, label, Verdict::Unknown, why);
    }
    row(name, label, Verdict::Pass, format!("In order: {numbers}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> HarnessHealth {
        HarnessHealth {
            samples: 100,
            intended_sends: 1_000,
            cpu_limit_percent: Some(200.0),
            descriptors_limit: Some(20_000),
            ..HarnessHealth::default()
        }
    }

    #[test]
    fn each_bottleneck_is_told_by_its_own_row() {
        assert!(checks(&healthy()).iter().all(|row| row.verdict == Verdict::Pass));
        assert_eq!(doubt(&healthy()), None);
        let cases: [(&str, HarnessHealth); 5] = [
            ("harness", HarnessHealth { timer_delay_p99_ms: 251.0, ..healthy() }),
            ("harness", HarnessHealth { late_sends: 11, ..healthy() }),
            ("harness-cpu", HarnessHealth { cpu_full_seconds_percent: 10.1, ..healthy() }),
            ("harness-clock", HarnessHealth { clock_step_max_ms: 100.1, ..healthy() }),
            ("harness-descriptors", HarnessHealth { descriptors_max: 19_000, ..healthy() }),
        ];
        for (name, health) in cases {
            let unknown: Vec<String> = checks(&health)
                .into_iter()
                .filter(|row| row.verdict == Verdict::Unknown)
                .map(|row| row.name)
                .collect();
            assert_eq!(unknown, [name]);
            assert!(doubt(&health).is_some(), "{name}");
        }
    }

    #[test]
    fn what_an_older_record_does_not_say_is_not_judged() {
        let older = HarnessHealth { cpu_limit_percent: None, descriptors_limit: None, ..healthy() };
        let names: Vec<String> = checks(&older).into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["harness", "harness-clock"]);
        let nobody = checks(&HarnessHealth::default());
        assert_eq!((nobody.len(), nobody[0].verdict), (1, Verdict::Unknown));
    }
}
