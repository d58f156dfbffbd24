//! The course of a ladder: which rung comes next, by what was seen on those before. Pure.
//!
//! A quota is a bucket: `rate` calls a second flow in, it holds `burst`. Offered more than the rate it throttles once it is empty;
//! from then on exactly the rate goes through, and a count of `n` calls is off by less than one. So one rung above the quota
//! says it to `1/n`, however far above it is, and the steps up may be wide.

use std::time::Duration;

use super::{
    End,
    rung::{Purpose, Rung, Seen},
};

/// The first rung, as a share of the cap, and at the least.
const FIRST: (f64, f64) = (0.02, 1.0);
/// A rung is this many times the one before.
const STEP: f64 = 1.6;
/// A rung of the way up is this long, and longer at low rates, where this many calls take longer.
const CLIMB: (Duration, f64) = (Duration::from_secs(2), 12.0);
/// A measuring rung lasts until about this many calls went through.
const MEASURED_CALLS: f64 = 60.0;
/// And within these.
const MEASURE: (Duration, Duration) = (Duration::from_secs(4), Duration::from_mins(1));
/// Fewer calls that went through say nothing.
const MEASURED_CALLS_MIN: usize = 8;
/// The rate of the rung that confirms, as a share of the quota.
const CONFIRM: f64 = 0.95;
const CONFIRM_LENGTH: Duration = Duration::from_secs(4);
/// How long the cap is held, if nothing was throttled on the way to it.
const HOLD: Duration = Duration::from_secs(10);
/// A bucket is full after this rest: AWS's largest hold 4.4 s of their rate.
const REST: Duration = Duration::from_secs(5);
/// A burst is this many times the quota, or the cap.
const BURST: f64 = 4.0;
/// And this long at the most.
const BURST_LENGTH: Duration = Duration::from_secs(6);
/// Calls that ask whether the bucket gives again, in the time in which the quota gives one.
const RECOVER: f64 = 4.0;
/// It is looked for this many times that time, at the most.
const RECOVER_TIMES: f64 = 8.0;
/// A rate this close above the quota cannot be told from it within a rung.
const OFFER_MIN: f64 = 1.2;

/// What was found on the way.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Found {
    pub(super) good_per_s: Option<f64>,
    pub(super) throttled_per_s: Option<f64>,
    /// And by what share of it that may be off.
    pub(super) sustained: Option<(f64, f64)>,
    pub(super) burst_calls: Option<f64>,
    pub(super) recovery: Option<Duration>,
}

/// Where a ladder stands.
#[derive(Debug)]
pub(super) struct Course {
    cap_per_s: f64,
    next: Option<Rung>,
    end: Option<End>,
    found: Found,
}

impl Course {
    pub(super) fn new(cap_per_s: f64) -> Self {
        let first = (cap_per_s * FIRST.0).max(FIRST.1).min(cap_per_s);
        Self { cap_per_s, next: Some(climb(first)), end: None, found: Found::default() }
    }

    /// The rung that is next; none when the ladder has ended.
    pub(super) fn next(&mut self) -> Option<Rung> {
        self.next.take()
    }

    pub(super) fn found(&self) -> Found {
        self.found
    }

    /// Why it ended.
    pub(super) fn end(&self) -> End {
        match (&self.end, self.found.sustained) {
            (Some(end), _) => end.clone(),
            (None, Some(_)) => End::Measured,
            (None, None) => End::CapReached,
        }
    }

    /// Takes what was seen on a rung.
    pub(super) fn saw(&mut self, rung: &Rung, seen: &Seen) {
        if let Some(why) = seen.failure() {
            self.end = Some(End::Failed(why.to_owned()));
            return;
        }
        self.note(rung, seen);
        // A machine that is late offers less than it should, in which only a count above the quota is still right.
        if seen.is_bottleneck() && !seen.has_throttled() && self.found.sustained.is_none() {
            self.end = Some(End::Bottleneck);
            return;
        }
        self.next = match rung.purpose {
            Purpose::Climb if seen.has_throttled() => Some(self.measure(rung.rate_per_s)),
            Purpose::Climb if rung.rate_per_s >= self.cap_per_s => Some(self.hold()),
            Purpose::Climb => Some(climb((rung.rate_per_s * STEP).min(self.cap_per_s))),
            Purpose::Measure => self.measured(rung, seen),
            Purpose::Confirm if seen.has_throttled() && self.found.sustained.is_none() => {
                Some(self.measure(rung.rate_per_s))
            }
            Purpose::Confirm => self.burst(),
            Purpose::Burst => self.emptied(seen),
            Purpose::Recover => {
                self.found.recovery = recovery(seen);
                None
            }
        };
    }

    fn note(&mut self, rung: &Rung, seen: &Seen) {
        if matches!(rung.purpose, Purpose::Burst | Purpose::Recover) {
            return;
        }
        let rate = rung.rate_per_s;
        if seen.has_throttled() {
            self.found.throttled_per_s =
                Some(self.found.throttled_per_s.map_or(rate, |least| least.min(rate)));
        } else if !seen.is_bottleneck() {
            self.found.good_per_s = Some(self.found.good_per_s.map_or(rate, |most| most.max(rate)));
        }
    }

    /// At the cap: a full bucket hides a rate above the quota for a while, but not for this long.
    fn hold(&self) -> Rung {
        Rung { purpose: Purpose::Confirm, rate_per_s: self.cap_per_s, length: HOLD, rest: Duration::ZERO }
    }

    /// The quota is at the most `rate_per_s`, and about a step below it at the least.
    fn measure(&self, rate_per_s: f64) -> Rung {
        let length = Duration::from_secs_f64(MEASURED_CALLS * STEP / rate_per_s).clamp(MEASURE.0, MEASURE.1);
        let rate_per_s = (rate_per_s * OFFER_MIN).min(self.cap_per_s);
        Rung { purpose: Purpose::Measure, rate_per_s, length, rest: Duration::ZERO }
    }

    fn measured(&mut self, rung: &Rung, seen: &Seen) -> Option<Rung> {
        let Some(first) = seen.throttled_first() else {
            // The throttled call before was a chance, or somebody else's: higher, as long as there is a higher.
            let higher = (rung.rate_per_s * STEP).min(self.cap_per_s);
            return (higher > rung.rate_per_s).then(|| climb(higher));
        };
        let went = seen.went_after(first);
        let counted_s = seen.length.saturating_sub(first).as_secs_f64();
        if went < MEASURED_CALLS_MIN || counted_s <= 0.0 {
            self.end = Some(End::Failed(format!("only {went} calls went through at {}/s", rung.rate_per_s)));
            return None;
        }
        let sustained = went as f64 / counted_s;
        self.found.sustained = Some((sustained, 1.0 / went as f64));
        // What a full bucket let through on the way up is not what holds.
        self.found.good_per_s = self.found.good_per_s.filter(|good| *good <= sustained);
        let rate_per_s = sustained * CONFIRM;
        let length = CONFIRM_LENGTH.max(Duration::from_secs_f64(CLIMB.1 / rate_per_s));
        Some(Rung { purpose: Purpose::Confirm, rate_per_s, length, rest: REST })
    }

    fn burst(&self) -> Option<Rung> {
        let (sustained, _) = self.found.sustained?;
        let rate_per_s = (sustained * BURST).min(self.cap_per_s);
        (rate_per_s >= sustained * OFFER_MIN).then_some(Rung {
            purpose: Purpose::Burst,
            rate_per_s,
            length: BURST_LENGTH.max(Duration::from_secs_f64(CLIMB.1 / rate_per_s)),
            rest: REST,
        })
    }

    fn emptied(&mut self, seen: &Seen) -> Option<Rung> {
        let ((sustained, _), first) = (self.found.sustained?, seen.throttled_first()?);
        let went = seen.calls.iter().filter(|sent| sent.at < first).count() as f64;
        self.found.burst_calls = Some((went - sustained * first.as_secs_f64()).max(0.0));
        let rate_per_s = (sustained * RECOVER).min(self.cap_per_s);
        let length = Duration::from_secs_f64(RECOVER_TIMES / sustained);
        Some(Rung { purpose: Purpose::Recover, rate_per_s, length, rest: Duration::ZERO })
    }
}

fn climb(rate_per_s: f64) -> Rung {
    let length = CLIMB.0.max(Duration::from_secs_f64(CLIMB.1 / rate_per_s));
    Rung { purpose: Purpose::Climb, rate_per_s, length, rest: Duration::ZERO }
}

/// From the begin to the first call that went through; none if none did.
fn recovery(seen: &Seen) -> Option<Duration> {
    seen.calls.iter().find(|sent| sent.answer == super::Answer::Went).map(|sent| sent.at)
}

#[cfg(test)]
mod tests;
