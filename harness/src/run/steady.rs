//! Steady state first: before the first fault the scenario's hypotheses must have held for their time. They are looked at from the
//! first step on, so that nobody waits who has held long enough. What is not steady in time ends the run, and nothing is broken.

use std::time::Duration;

use gameday_report::record::{EndReason, Event, Steady as Record};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use super::{Ended, Game};
use crate::{measure::Recorder, scenario::Hypotheses};

/// How often it is looked.
const PERIOD: Duration = Duration::from_millis(250);

/// What is known of it now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// All hypotheses have held since then.
    Since(Instant),
    /// What does not hold.
    Broken(Vec<String>),
}

/// The hypotheses, and how they stand.
#[derive(Debug)]
pub(super) struct SteadyWatch {
    hypotheses: Hypotheses,
    standing: watch::Receiver<Standing>,
}

impl Game {
    /// Looks from here on whether it is steady, if anything is going to be broken that needs it.
    pub(super) fn watch_steadiness(&mut self) {
        let Some(hypotheses) = self.scenario.steady.hypotheses(&self.scenario.step) else { return };
        let (sender, standing) =
            watch::channel(Standing::Broken(vec!["nothing was looked at yet".to_owned()]));
        self.watch(follow(self.recorder.clone(), hypotheses.clone(), sender));
        self.steady = Some(SteadyWatch { hypotheses, standing });
    }

    /// Waits until it is steady; only before the first fault. The answer is in the record.
    pub(super) async fn be_steady(&mut self) -> anyhow::Result<()> {
        let Some(SteadyWatch { hypotheses, mut standing }) = self.steady.take() else { return Ok(()) };
        let (time, at_most) = (*self.scenario.steady.time, *self.scenario.steady.at_most);
        let told = |broken: &[String]| {
            self.output.line(&format!("      not steady yet: {}", broken.join("; ")));
        };
        let held = hold(&mut standing, time, at_most, told).await;
        let hypotheses = hypotheses.conditions.iter().map(ToString::to_string).collect();
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        match held {
            Ok(time) => {
                let (held, for_us) = (true, micros(time));
                self.recorder.event(Event::Steady(Record { held, for_us, hypotheses, broken: Vec::new() }));
                Ok(())
            }
            Err(broken) => {
                let why = broken.join("; ");
                self.output.line(&format!("      NOT STEADY, nothing is broken: {why}"));
                self.recorder.event(Event::Steady(Record { held: false, for_us: 0, hypotheses, broken }));
                Err(Ended { reason: EndReason::NotSteady, why }.into())
            }
        }
    }
}

/// Follows the hypotheses until dropped, or nobody asks any more.
async fn follow(recorder: Recorder, hypotheses: Hypotheses, standing: watch::Sender<Standing>) {
    while !standing.is_closed() {
        let now_us = recorder.now_us();
        let reading = recorder.live(|live| live.reading(now_us));
        let broken: Vec<String> = recorder.window(|window| {
            let fails = |condition: &crate::gauge::Condition| {
                condition.fails(window, &reading, hypotheses.of_nothing)
            };
            hypotheses.conditions.iter().filter_map(fails).collect()
        });
        standing.send_if_modified(|before| {
            let now = match (&*before, broken.is_empty()) {
                (Standing::Since(since), true) => Standing::Since(*since),
                (Standing::Broken(_), true) => Standing::Since(Instant::now()),
                (_, false) => Standing::Broken(broken),
            };
            let is_new = *before != now;
            *before = now;
            is_new
        });
        sleep(PERIOD).await;
    }
}

/// Waits, `at_most` so long, until everything has held for `time` without a break. The answer is how long it has; or what did not.
async fn hold(
    standing: &mut watch::Receiver<Standing>,
    time: Duration,
    at_most: Duration,
    told: impl FnOnce(&[String]),
) -> Result<Duration, Vec<String>> {
    let (limit, mut told) = (Instant::now() + at_most, Some(told));
    loop {
        let now = standing.borrow_and_update().clone();
        let until = match &now {
            Standing::Since(since) if since.elapsed() >= time => return Ok(since.elapsed()),
            Standing::Since(since) => (*since + time).min(limit),
            Standing::Broken(broken) => {
                // Once: what is wrong changes by the second.
                if let Some(told) = told.take() {
                    told(broken);
                }
                limit
            }
        };
        // A change wakes this, and so does the moment in which it has held for long enough.
        let woken = timeout_at(until, standing.changed()).await;
        let is_over = Instant::now() >= limit || matches!(woken, Ok(Err(_)));
        if is_over {
            return match &*standing.borrow() {
                Standing::Since(since) if since.elapsed() >= time => Ok(since.elapsed()),
                Standing::Since(since) => Err(vec![format!(
                    "it held for {} of {} when its time was up",
                    said(since.elapsed()),
                    said(time)
                )]),
                Standing::Broken(broken) => Err(broken.clone()),
            };
        }
    }
}

fn said(time: Duration) -> String {
    gameday_report::units::duration(time.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time that a busy machine tells from the next.
    const TICK: Duration = Duration::from_millis(100);

    fn broken(what: &str) -> Standing {
        Standing::Broken(vec![what.to_owned()])
    }

    #[tokio::test]
    async fn who_has_held_for_long_enough_does_not_wait() {
        let (_sender, mut standing) = watch::channel(Standing::Since(Instant::now() - TICK * 7));
        let (began, told) = (Instant::now(), |_: &[String]| panic!("it is steady"));
        assert!(hold(&mut standing, TICK * 5, TICK * 60, told).await.unwrap() >= TICK * 7);
        assert!(began.elapsed() < TICK);
    }

    #[tokio::test]
    async fn a_break_begins_the_time_anew() {
        let (sender, mut standing) = watch::channel(Standing::Since(Instant::now()));
        let began = Instant::now();
        tokio::spawn(async move {
            sleep(TICK * 3).await;
            sender.send_replace(broken("x"));
            sleep(TICK).await;
            sender.send_replace(Standing::Since(Instant::now()));
            sender.closed().await;
        });
        assert!(hold(&mut standing, TICK * 5, TICK * 600, |_| ()).await.unwrap() >= TICK * 5);
        assert!(began.elapsed() >= TICK * 9);
    }

    #[tokio::test]
    async fn what_is_not_steady_in_time_is_told() {
        let (_sender, mut standing) = watch::channel(broken("devices.missing was 3"));
        let began = Instant::now();
        let held = hold(&mut standing, TICK, TICK * 3, |_| ()).await;
        assert_eq!(held, Err(vec!["devices.missing was 3".to_owned()]));
        assert!(began.elapsed() >= TICK * 3);
        let (sender, mut standing) = watch::channel(Standing::Since(Instant::now()));
        let held = hold(&mut standing, TICK * 500, TICK * 3, |_| ()).await.unwrap_err();
        assert!(held[0].ends_with(" of 50 s when its time was up"), "{held:?}");
        drop(sender);
        assert!(hold(&mut standing, TICK * 500, TICK * 900, |_| ()).await.is_err(), "nobody looks any more");
    }
}
