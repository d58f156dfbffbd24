//! What waits on its way to the secondary, over time: devices that were made, and shadow writes. Writes flow into the replicator
//! as fast as devices that are in the primary make them, and out of it at its rate, unless a fault stops it.

use serde::Serialize;

use super::figure::whole;

/// Points of a series.
const POINTS: usize = 400;
/// A backlog that is below this many seconds of writes is none.
const CAUGHT_UP_S: f64 = 1.0;

/// A backlog over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Backlog {
    /// The seconds since the first step began, and what waits then.
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) peak: f64,
}

/// Devices that write in the primary, over time.
#[derive(Debug, Clone, Default)]
pub(super) struct Writers {
    /// Moments at which so many come, or go.
    changes: Vec<(f64, f64)>,
}

/// What the replicator does with writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Pipeline {
    pub(super) writes_per_s: f64,
    pub(super) applied_per_s: f64,
    /// What a write takes when nothing is in the way.
    pub(super) takes_s: f64,
    /// From when to when it applies nothing.
    pub(super) stopped: Vec<(f64, f64)>,
}

impl Writers {
    pub(super) fn come(&mut self, at_s: f64, devices: f64) {
        self.changes.push((at_s, devices));
    }

    pub(super) fn go(&mut self, at_s: f64, devices: f64) {
        self.changes.push((at_s, -devices));
    }
}

impl Pipeline {
    /// The backlog of shadow writes from 0 to `until_s`, and how long after the last stop it was gone; none if it was not, or if
    /// nothing stopped it.
    pub(super) fn backlog(&self, mut writers: Writers, until_s: f64) -> (Backlog, Option<f64>) {
        if self.writes_per_s <= 0.0 || until_s <= 0.0 {
            return (Backlog::default(), None);
        }
        writers.changes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut changes = writers.changes.into_iter().peekable();
        let step_s = until_s / POINTS as f64;
        let last_stop_s = self.stopped.iter().map(|(_, to)| *to).reduce(f64::max);
        let (mut there, mut waiting, mut series, mut caught_up_s) = (0.0, 0.0_f64, Backlog::default(), None);
        for n in 1..=POINTS {
            let now_s = n as f64 * step_s;
            while let Some((_, devices)) = changes.next_if(|(at_s, _)| *at_s <= now_s) {
                there += devices;
            }
            let written_per_s = there * self.writes_per_s;
            let stopped_s: f64 =
                self.stopped.iter().map(|stop| overlap(*stop, (now_s - step_s, now_s))).sum();
            waiting = (waiting + written_per_s * step_s - self.applied_per_s * (step_s - stopped_s).max(0.0))
                .max(0.0);
            let all = waiting + written_per_s * self.takes_s;
            series.peak = series.peak.max(all);
            series.points.push((now_s, all));
            let is_caught_up = waiting <= (written_per_s * CAUGHT_UP_S).max(1.0);
            match last_stop_s {
                Some(stop_s) if now_s > stop_s && is_caught_up && caught_up_s.is_none() => {
                    caught_up_s = Some((now_s - stop_s).max(self.takes_s));
                }
                _ => {}
            }
        }
        (series, caught_up_s)
    }
}

/// The seconds that two times have in common.
fn overlap(one: (f64, f64), other: (f64, f64)) -> f64 {
    (one.1.min(other.1) - one.0.max(other.0)).max(0.0)
}

/// Devices that were made and that the secondary does not let in yet, each standing for so many.
pub(super) fn behind(made_s: &[f64], seen_s: &[f64], weight: f64) -> Backlog {
    let mut changes: Vec<(f64, f64)> = made_s.iter().map(|at_s| (*at_s, weight)).collect();
    changes.extend(seen_s.iter().map(|at_s| (*at_s, -weight)));
    changes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut waiting, mut backlog) = (0.0, Backlog::default());
    let every = whole(changes.len() as f64 / POINTS as f64).max(1);
    for (n, (at_s, change)) in changes.into_iter().enumerate() {
        waiting += change;
        backlog.peak = backlog.peak.max(waiting);
        if n % every == 0 {
            backlog.points.push((at_s, waiting));
        }
    }
    if let Some(last) = seen_s.iter().copied().reduce(f64::max) {
        backlog.points.push((last, 0.0));
    }
    backlog
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_while_nothing_was_applied_is_worked_off() {
        let mut writers = Writers::default();
        writers.come(0.0, 100.0);
        let pipeline =
            Pipeline { writes_per_s: 0.1, applied_per_s: 30.0, takes_s: 0.2, stopped: vec![(20.0, 50.0)] };
        let (backlog, caught_up_s) = pipeline.backlog(writers, 100.0);
        // 300 writes of thirty seconds, and twenty a second more go than come.
        assert!((backlog.peak - 302.0).abs() < 10.0, "{}", backlog.peak);
        assert!(caught_up_s.is_some_and(|s| (14.0..15.5).contains(&s)), "{caught_up_s:?}");
        let at = |s: f64| backlog.points.iter().find(|(at_s, _)| *at_s >= s).unwrap().1;
        assert!((at(10.0) - 2.0).abs() < 0.1 && (at(35.0) - 152.0).abs() < 10.0 && at(90.0) < 3.0);
    }

    #[test]
    fn who_is_too_slow_never_catches_up_and_who_left_writes_nothing() {
        let mut writers = Writers::default();
        writers.come(0.0, 100.0);
        writers.go(50.0, 100.0);
        let slow =
            Pipeline { writes_per_s: 1.0, applied_per_s: 60.0, takes_s: 0.0, stopped: vec![(0.0, 1.0)] };
        let (backlog, caught_up_s) = slow.backlog(writers, 60.0);
        assert!((2_000.0..2_100.0).contains(&backlog.peak), "{}", backlog.peak);
        assert_eq!(caught_up_s, None);
        assert!(slow.backlog(Writers::default(), 60.0).0.peak < 1e-9);
    }

    #[test]
    fn devices_are_behind_from_when_they_were_made_until_they_were_seen() {
        let backlog = behind(&[0.0, 1.0, 2.0], &[3.0, 4.0, 5.0], 10.0);
        assert!(
            (backlog.peak - 30.0).abs() < 1e-9 && backlog.points.last() == Some(&(5.0, 0.0)),
            "{backlog:?}"
        );
    }
}
