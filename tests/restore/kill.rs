//! The kill test: a game day is killed at random moments of all its phases, and restored. The twin is the same for all of
//! them, so that what one leaves would be seen.
//!
//! `GAMEDAY_KILLS=200 GAMEDAY_KILL_SEED=7` says how many and from which seed; both are printed.

use std::{collections::BTreeMap, env, io::Write as _, time::Duration};

use anyhow::{Context, Result, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    block_on,
    killed::{Killed, Phase},
    site,
};

/// Kills without a word of how many.
const KILLS: usize = 5;
/// The phases that are killed first, when there are few kills.
const FIRST: [&str; 5] = ["provision", "break", "heal", "clean-up", "deploy"];

/// Past the test's capture.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// How long each phase takes, from a run that nobody kills.
fn phases(run: &Killed) -> Result<Vec<(Phase, Duration)>> {
    let events = run.events();
    let end_us = events.last().and_then(|event| event["at_us"].as_u64()).context("no events")?;
    let begun = run.phases();
    let ends = begun.iter().skip(1).map(|next| next.began_us).chain([end_us]);
    let lengths = begun.iter().zip(ends);
    Ok(lengths
        .map(|(phase, end_us)| (phase.clone(), Duration::from_micros(end_us - phase.began_us)))
        .collect())
}

/// Which phase each kill is to fall into: those that matter most first, then all of them again and again.
fn targets(phases: &[(Phase, Duration)], kills: usize) -> Vec<(Phase, Duration)> {
    let first = FIRST.iter().filter_map(|name| phases.iter().find(|(phase, _)| phase.name == *name));
    first.chain(phases.iter().cycle()).take(kills).cloned().collect()
}

#[test]
fn a_run_that_is_killed_anywhere_is_restored_and_nothing_is_left() {
    block_on(async {
        let kills = number("GAMEDAY_KILLS").map_or(KILLS, |kills| usize::try_from(kills).unwrap_or(KILLS));
        let seed = number("GAMEDAY_KILL_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
        say(&format!("{kills} kills, GAMEDAY_KILL_SEED={seed}"));
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let site = site().await?;

        let mut whole = Killed::start(&site, &[])?;
        whole.until_step("clean-up")?;
        while whole.is_alive()? {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        whole.assert_nothing_is_left(&site).await.context("a run that nobody killed")?;
        let (_, said) = whole.restore(&site, 0)?;
        ensure!(said.contains("nothing is to be done"), "{said}");
        let phases = phases(&whole)?;
        drop(whole);

        let mut tally: BTreeMap<String, usize> = BTreeMap::new();
        let mut restored_by_switch = 0;
        for (number, (phase, length)) in targets(&phases, kills).into_iter().enumerate() {
            let delay = length.mul_f64(random.random_range(0.0..1.0));
            // With the switch killed as well nobody restores but whoever calls.
            let with_switch = random.random::<bool>();
            let mut run = Killed::start(&site, &[])?;
            run.until_index(phase.index)?;
            tokio::time::sleep(delay).await;
            let was_alive = run.kill(with_switch)?;
            let fell = run.phases().pop().map_or_else(
                || "before the first step".to_owned(),
                |phase| format!("{} {}", phase.index, phase.name),
            );
            let fell = if was_alive { fell } else { "after the end".to_owned() };
            let (_, said) =
                run.restore(&site, 0).with_context(|| format!("kill {} in {fell}", number + 1))?;
            let by_switch = was_alive && said.contains("nothing is to be done");
            restored_by_switch += usize::from(by_switch);
            say(&format!(
                "  kill {} of {kills}: {} ms into {} {}, in: {fell}{}{}",
                number + 1,
                delay.as_millis(),
                phase.index,
                phase.name,
                if with_switch { ", with its switch" } else { "" },
                if by_switch { ", the switch was first" } else { "" },
            ));
            let left = run.assert_nothing_is_left(&site).await;
            left.with_context(|| format!("kill {} in {fell}: {said}", number + 1))?;
            let (_, said) = run.restore(&site, 0)?;
            ensure!(said.contains("nothing is to be done"), "a second restore: {said}");
            if was_alive {
                let summary = run.summary().with_context(|| format!("kill {} in {fell}", number + 1))?;
                ensure!(
                    summary["verdict"] != "pass",
                    "kill {} in {fell} passed: {}",
                    number + 1,
                    summary["reason"]
                );
            }
            *tally.entry(fell).or_default() += 1;
        }
        say(&format!(
            "{kills} kills, nothing left; restored by the dead-man's switch: {restored_by_switch}; by phase:"
        ));
        for (phase, count) in tally {
            say(&format!("  {count:>4}  {phase}"));
        }
        Ok(())
    });
}
