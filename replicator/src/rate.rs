//! The rate at which one kind of call is made: the one controller of everything here that calls an API. Pure, the time comes in.
//!
//! A quota that is known is a bound from the first call on. One that is not known, or that others take a part of, is learned:
//! nothing waits until a call is throttled. A quota is a bucket, and it is empty whenever it throttles; so what went through
//! between two signs of throttling, by the time between them, is the quota, however the calls were spread. From then on the
//! rate follows a cubic: a little below what was learned, then for a long time close to it, then above it, ever faster, until
//! the next sign. What is spared below is spent above, so that the quota is used in full and a sign is a call or two; and a
//! quota that was raised tenfold is found in seconds.
//!
//! The more signs agree, the further apart they are. One that does not agree, because the quota was changed, brings them
//! together again.
//!
//! **A share may be left to others.** Of a quota that is known it is simply not used. One that is learned is used up to the
//! share, and beyond it for seconds every five minutes, to learn it anew.

use std::time::Duration;

/// What is known of a rate at its first throttled call is little: it begins no lower than this.
const FIRST_PER_S_MIN: f64 = 20.0;

/// Nothing is called less often than this for being throttled.
pub const PER_S_MIN: f64 = 0.2;

/// Above this there is nothing to be spread.
const PER_S_MAX: f64 = 5_000.0;

/// Throttled calls closer to each other than this are one sign; and than so many calls, of slow ones.
const SIGN: (Duration, f64) = (Duration::from_secs(1), 5.0);
const SIGN_MAX: Duration = Duration::from_secs(10);

/// A sign leaves no less of a rate, whatever went through.
const LEFT_MIN: f64 = 0.5;

/// The rate begins by this part below what was learned, and has it once more above by the time at which a sign is expected.
const SWING: f64 = 0.05;

/// The time from a sign to the point at which the rate is what was learned: after one that does not agree, and at the most.
const RISE_S: (f64, f64) = (2.0, 15.0);
/// For slow calls it is longer: so many calls.
const RISE_CALLS: f64 = 300.0;
const RISE_S_MAX: f64 = 60.0;

/// What was learned agrees with what was known within this part of it; fewer calls than these say nothing against it.
const AGREES: f64 = 0.2;
const CALLS_MIN: f64 = 10.0;
/// So many calls say all, and fewer their part, but this part at the least.
const CALLS_FULL: f64 = 50.0;
const WEIGHT_MIN: f64 = 0.3;

/// A bucket is full again after this, and holds what it gets in as long: AWS IoT's do.
const BURST: Duration = Duration::from_secs(1);

/// What was not called in this time may be called at once: timers are late, and callers are.
const CREDIT: Duration = Duration::from_millis(100);

/// Who asked for nothing in this time begins to count anew.
const IDLE: Duration = Duration::from_secs(3);

/// Time without answers says nothing of what is beyond this, or beyond so many calls.
const SILENCE: (Duration, f64) = (Duration::from_secs(2), 2.0);

/// No more than this is left out for calls that come again.
const LEFT_OUT_MAX: Duration = Duration::from_millis(300);

/// How long a share of a learned quota is kept, before the quota is learned anew.
const KEPT_S: f64 = 300.0;

/// A rate, and what it learned. Moments are counted from any one origin.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// No faster than this; infinite if nothing is known.
    most_per_s: f64,
    /// Of what is learned.
    share: f64,
    /// None as long as nothing was throttled.
    learned: Option<Learned>,
    next: Duration,
    window: Window,
    /// When somebody last asked for a turn, and when a call was last answered.
    asked: Duration,
    answered: Duration,
    /// Somebody had to wait since then: it is the rate that holds calls back, and not that there are none.
    held_back: bool,
    signs: u64,
}

#[derive(Debug, Clone, Copy)]
struct Learned {
    quota_per_s: f64,
    rise_s: f64,
    /// Time since the sign in which the rate held calls back.
    grown_s: f64,
}

/// What became of calls since the last sign.
#[derive(Debug, Clone, Copy)]
struct Window {
    since: Duration,
    /// It began with a bucket that may have been full.
    is_rested: bool,
    went: f64,
    tried: f64,
}

impl Default for Rate {
    /// Of a quota that is not known.
    fn default() -> Self {
        Self::at_most(f64::INFINITY)
    }
}

impl Rate {
    /// So many a second, or fewer.
    pub fn at_most(per_s: f64) -> Self {
        Self {
            most_per_s: per_s.max(0.0),
            share: 1.0,
            learned: None,
            next: Duration::ZERO,
            window: Window::new(Duration::ZERO, true),
            asked: Duration::ZERO,
            answered: Duration::ZERO,
            held_back: false,
            signs: 0,
        }
    }

    /// Of what it learns it takes this share. It is for quotas that are not known; of one that is, [`Rate::at_most`] takes it.
    #[must_use]
    pub fn sharing(mut self, share: f64) -> Self {
        self.share = share.clamp(0.0, 1.0);
        self
    }

    /// From now on no faster than this.
    pub fn set_most(&mut self, per_s: f64) {
        self.most_per_s = per_s.max(0.0);
    }

    /// Calls a second; none if nothing holds them back.
    pub fn per_s(&self) -> Option<f64> {
        let learned = self.learned.map_or(f64::INFINITY, |learned| learned.per_s(self.share));
        let per_s = learned.min(self.most_per_s);
        per_s.is_finite().then_some(per_s)
    }

    /// How often it was taken down.
    pub fn signs(&self) -> u64 {
        self.signs
    }

    /// When a call that asks now may be made: not before `now`. It has its place then.
    pub fn turn(&mut self, now: Duration) -> Duration {
        self.turn_within(now, Duration::MAX)
    }

    /// The same, and never further away than `wait_max`.
    pub fn turn_within(&mut self, now: Duration, wait_max: Duration) -> Duration {
        let (per_s, last) = (self.per_s(), self.asked.max(self.next));
        if now.saturating_sub(last) > IDLE.max(seconds(SIGN.1 / per_s.unwrap_or(f64::INFINITY))) {
            self.window = Window::new(now, true);
        }
        self.asked = now.max(self.asked);
        let Some(per_s) = per_s else {
            self.next = now;
            return now;
        };
        let place = self.next.max(now.saturating_sub(CREDIT)).min(now.saturating_add(wait_max));
        self.next = place.saturating_add(seconds(1.0 / per_s));
        self.held_back |= place > now;
        place.max(now)
    }

    /// A call was answered.
    pub fn answered(&mut self, now: Duration, is_throttled: bool) {
        self.grow(now);
        self.window.tried += 1.0;
        if is_throttled {
            self.throttled(now);
        } else {
            self.window.went += 1.0;
            self.window.slide(now, self.learned.map_or(BURST.as_secs_f64(), |learned| learned.rise_s) * 4.0);
        }
    }

    fn grow(&mut self, now: Duration) {
        let per_s = self.per_s().unwrap_or(f64::INFINITY);
        let silence_max = SILENCE.0.max(seconds(SILENCE.1 / per_s));
        let since = now.saturating_sub(self.answered).min(silence_max);
        self.answered = now.max(self.answered);
        if !std::mem::take(&mut self.held_back) || per_s >= self.most_per_s {
            return;
        }
        if let Some(learned) = &mut self.learned {
            learned.grown_s += since.as_secs_f64();
            if learned.per_s(self.share) > PER_S_MAX {
                self.learned = None;
            }
        }
    }

    fn throttled(&mut self, now: Duration) {
        let per_s = self.per_s();
        // It comes again, and takes a place that others have to leave.
        self.leave_out(now, 1.0);
        let since = now.saturating_sub(self.window.since);
        let sign = seconds(SIGN.1 / per_s.unwrap_or(f64::INFINITY)).clamp(SIGN.0, SIGN_MAX);
        if self.signs > 0 && !self.window.is_rested && since < sign {
            return;
        }
        let went_per_s = self.window.per_s(now);
        let learned = match (self.learned, per_s) {
            (Some(learned), Some(per_s)) => {
                learned.taught(went_per_s.clamp(per_s * LEFT_MIN, per_s), self.window.tried, self.share)
            }
            // What goes beyond a quota that is known is what others take of it.
            (None, Some(per_s)) => Learned::new(went_per_s.clamp(per_s * LEFT_MIN, per_s)),
            (_, None) => Learned::new(went_per_s.max(FIRST_PER_S_MIN)),
        };
        let learned = Learned { quota_per_s: learned.quota_per_s.max(PER_S_MIN), ..learned };
        self.learned = Some(learned);
        self.window = Window::new(now, false);
        self.signs += 1;
        // The bucket is empty.
        self.leave_out(now, 1.0);
    }

    /// Nobody has that many of the next places, nor what they were late by.
    fn leave_out(&mut self, now: Duration, places: f64) {
        let distance = seconds(places / self.per_s().unwrap_or(f64::INFINITY)).min(LEFT_OUT_MAX);
        self.next =
            self.next.max(now).saturating_add(distance).min(now.saturating_add(LEFT_OUT_MAX).max(self.next));
    }
}

impl Learned {
    fn new(quota_per_s: f64) -> Self {
        Self { quota_per_s, rise_s: RISE_S.0, grown_s: 0.0 }
    }

    /// Whether a share of it is kept: not while it is still being learned.
    fn keeps(&self, share: f64) -> f64 {
        if share < 1.0 && self.rise_s > RISE_S.0 { KEPT_S } else { 0.0 }
    }

    fn per_s(&self, share: f64) -> f64 {
        let kept_s = self.keeps(share);
        if self.grown_s < kept_s {
            return (self.quota_per_s * share).max(PER_S_MIN);
        }
        let risen = (self.grown_s - kept_s - self.rise_s) / self.rise_s;
        (self.quota_per_s * (1.0 + SWING * risen.powi(3))).max(PER_S_MIN)
    }

    /// With what another sign says.
    fn taught(self, went_per_s: f64, tried: f64, share: f64) -> Self {
        // While a share is kept, what went through was the share.
        let is_kept = self.grown_s < self.keeps(share);
        let found = if is_kept && share > 0.0 { went_per_s / share } else { went_per_s };
        let agrees = (found - self.quota_per_s).abs() <= AGREES * self.quota_per_s;
        let weight = (tried / CALLS_FULL).clamp(WEIGHT_MIN, 1.0);
        let quota_per_s = self.quota_per_s + (found - self.quota_per_s) * weight;
        if !agrees {
            return Self::new(if tried >= CALLS_MIN { found } else { quota_per_s });
        }
        let rise_s_max = (RISE_CALLS / quota_per_s).clamp(RISE_S.1, RISE_S_MAX);
        // A few calls confirm nothing.
        let rise_s = if tried < CALLS_MIN { self.rise_s } else { self.rise_s * 2.0 };
        Self { quota_per_s, rise_s: rise_s.min(rise_s_max), grown_s: 0.0 }
    }
}

impl Window {
    fn new(since: Duration, is_rested: bool) -> Self {
        Self { since, is_rested, went: 0.0, tried: 0.0 }
    }

    /// What the quota is, if it throttles now.
    fn per_s(&self, now: Duration) -> f64 {
        let burst = if self.is_rested { BURST } else { Duration::ZERO };
        let filled_s = (now.saturating_sub(self.since) + burst).as_secs_f64();
        if filled_s > 0.0 { self.went / filled_s } else { 0.0 }
    }

    /// Of what was long ago half is forgotten.
    fn slide(&mut self, now: Duration, most_s: f64) {
        let length = now.saturating_sub(self.since);
        if length.as_secs_f64() > most_s {
            let kept = length / 2;
            let (went, tried) = (self.went / 2.0, self.tried / 2.0);
            *self = Self { since: now.saturating_sub(kept), is_rested: true, went, tried };
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests;
