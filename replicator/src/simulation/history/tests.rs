//! Many histories, and the proof that they can fail.
//!
//! - `HISTORIES=1000000 cargo test --release -p replicator --no-default-features simulation` runs many,
//!   `FROM=5000000` others.
//! - `SEED=7 cargo test -p replicator --no-default-features histories -- --nocapture` runs one again and
//!   prints what happened.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::*;

/// Histories of a plain `cargo test`: seconds without optimisation.
const HISTORIES: u64 = if cfg!(debug_assertions) { 300 } else { 100_000 };

/// Within how many histories each mistake on purpose must be found.
const MISTAKE_SEEDS_MAX: u64 = 3_000;

/// Seeds that failed once. They come first. What is drawn for a history has grown since the older ones: they
/// tell other histories now.
const KEPT: &[u64] = &[
    3, 99, 211, 557, 568, 802, 862, 902, 3157, 3830, 4131, 4266, 4708, 4935, 5119, 5541, 5872, 8095, 8304,
    8423, 8542, 8842, 9441, 15_673, 22_612, 22_629, 30_410, 32_025, 34_347, 47_050, 54_549, 93_593, 685,
    1_225, 1_623, 1_627, 2_706, 3_450, 15_792, 16_765, 42_517, 46_946, 53_013, 34_398, 70_123, 35_200,
    45_188, 62_067, 2_130, 14_297, 18_822, 26_427, 28_020, 28_549, 688, 21_423, 28_473,
];

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

fn tell(seed: u64, broken: &Broken) -> String {
    let run = "cargo test -p replicator --no-default-features histories -- --nocapture";
    format!("history {seed}: run it again with SEED={seed} {run}\n{}", broken.why.join("\n"))
}

/// Runs seeds on all cores; answers with the first that fails.
fn first_broken(seeds: &[u64], planted: Option<Planted>) -> Option<(u64, Broken)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (stop, next) = (AtomicBool::new(false), AtomicU64::new(0));
    let found = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap();
                    let Some(seed) = seeds.get(index) else { return };
                    if let Err(broken) = run(*seed, planted, false) {
                        stop.store(true, Ordering::Relaxed);
                        found.lock().unwrap().push((index, *seed, broken));
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort_by_key(|(index, ..)| *index);
    found.into_iter().next().map(|(_, seed, broken)| (seed, broken))
}

#[test]
fn histories_end_where_the_primary_is() {
    if let Some(seed) = number("SEED") {
        let told = run(seed, None, true);
        if let Err(broken) = &told {
            panic!("{}\n{}", broken.trace.join("\n"), tell(seed, broken));
        }
        return;
    }
    let begin = Instant::now();
    let (from, count) = (number("FROM").unwrap_or(0), number("HISTORIES").unwrap_or(HISTORIES));
    let seeds: Vec<u64> = KEPT.iter().copied().chain(from..from + count).collect();
    if let Some((seed, broken)) = first_broken(&seeds, None) {
        panic!("{} (after {:?})", tell(seed, &broken), begin.elapsed());
    }
}

/// `TRIAGE=1000` counts what goes wrong, for whoever has more than one mistake to find.
#[test]
fn triage() {
    let Some(count) = number("TRIAGE") else { return };
    let mut kinds: std::collections::BTreeMap<String, Vec<u64>> = std::collections::BTreeMap::new();
    let (begin, from, mut sum) = (Instant::now(), number("FROM").unwrap_or(0), Told::default());
    for seed in from..from + count {
        match run(seed, None, false) {
            Ok(told) => {
                sum.calls += told.calls;
                sum.repairs += told.repairs;
                sum.killed += told.killed;
            }
            Err(broken) => {
                let words =
                    |line: &String| line.chars().filter(|c| !c.is_ascii_digit()).take(80).collect::<String>();
                let whole = broken.why[0].clone();
                let kind = if whole.starts_with("it ") {
                    format!("{whole}; {}", broken.why.get(1).map(words).unwrap_or_default())
                } else {
                    let end = whole.find(['"', '#', '{']).unwrap_or(whole.len());
                    format!("unsafe: {}", &whole[..end])
                };
                kinds.entry(kind).or_default().push(seed);
            }
        }
    }
    let mut report = format!("{count} histories in {:?}, {sum:?}\n", begin.elapsed());
    for (kind, seeds) in kinds {
        let some = &seeds[..seeds.len().min(12)];
        writeln!(report, "{:>6} {kind}: {some:?}", seeds.len()).unwrap();
    }
    panic!("{report}");
}

#[test]
fn a_seed_always_tells_the_same_history() {
    for seed in 0..5 {
        assert_eq!(run(seed, None, true), run(seed, None, true));
    }
}

/// The first seed that tells a mistake from its absence.
fn first_found(planted: Planted) -> Option<u64> {
    let tells = |seed: &u64| run(*seed, Some(planted), false).is_err() && run(*seed, None, false).is_ok();
    (0..MISTAKE_SEEDS_MAX).find(tells)
}

#[test]
fn mistakes_on_purpose_are_found() {
    let found = Planted::ALL.map(|planted| (planted, first_found(planted)));
    let missed = found.iter().any(|(_, seed)| seed.is_none());
    // `MISTAKES=1` says after how many histories each was found.
    assert!(!missed && number("MISTAKES").is_none(), "{found:?}");
}
