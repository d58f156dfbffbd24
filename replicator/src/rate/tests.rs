//! The controller against buckets: what of a quota it uses, and what of its calls are throttled, over virtual time.

#![allow(clippy::print_stdout, reason = "the tables say by how much a bound is kept or missed")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

/// A service with one quota, and those who call it.
#[derive(Debug, Clone, Copy)]
struct World {
    quota_per_s: f64,
    burst_s: f64,
    /// What is said to be the quota; infinite: nothing.
    known_per_s: f64,
    /// The controllers that share it, and how many calls each has under way at the most.
    instances: usize,
    at_once: usize,
    /// What others call, as a part of the quota: at random moments, from the given second on.
    others: f64,
    others_from_s: f64,
    /// The quota is multiplied by this at half of the time.
    change: f64,
    share: f64,
}

const WORLD: World = World {
    quota_per_s: 100.0,
    burst_s: 1.0,
    known_per_s: f64::INFINITY,
    instances: 1,
    at_once: 32,
    others: 0.0,
    others_from_s: 0.0,
    change: 1.0,
    share: 1.0,
};

/// What the controllers made of it after the warm-up: of what was there for them, and of their calls.
#[derive(Debug, Clone, Copy)]
struct Use {
    used: f64,
    throttled: f64,
}

const LATENCY_MS: u64 = 20;
const WARM_UP_S: f64 = 60.0;
/// What a quota that was changed takes to be learned anew.
const LEARNED_S: f64 = 120.0;
const END_S: f64 = 600.0;

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// The time to the next of what comes at random, so often a second.
    fn gap(&mut self, per_s: f64) -> Duration {
        let drawn = (self.below(1 << 52) as f64 + 1.0) / (1_u64 << 52) as f64;
        seconds(-drawn.ln() / per_s)
    }
}

/// Somebody's next call: of one of others, or of an instance, with the tries that were throttled before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Others,
    Asks(usize),
    Comes(usize, u32),
    Answered(usize, u32, bool),
}

impl World {
    fn quota_at(&self, s: f64) -> f64 {
        self.quota_per_s * if s > END_S / 2.0 { self.change } else { 1.0 }
    }

    /// Whether the controllers have had time to learn.
    fn counts(&self, s: f64) -> bool {
        let changed = END_S / 2.0..END_S / 2.0 + LEARNED_S;
        s > WARM_UP_S && ((self.change - 1.0).abs() < 1e-9 || !changed.contains(&s))
    }

    fn play(&self) -> Use {
        let mut random = Random(88_172_645_463_325_252);
        let mut rates: Vec<Rate> =
            (0..self.instances).map(|_| Rate::at_most(self.known_per_s).sharing(self.share)).collect();
        let mut waiting = vec![0_usize; self.instances];
        let mut calls: BinaryHeap<Reverse<(Duration, Call)>> = BinaryHeap::new();
        for instance in (0..self.instances).flat_map(|n| std::iter::repeat_n(n, self.at_once)) {
            calls.push(Reverse((Duration::from_micros(random.below(500_000)), Call::Asks(instance))));
        }
        if self.others > 0.0 {
            calls.push(Reverse((seconds(self.others_from_s), Call::Others)));
        }
        let (mut tokens, mut filled) = (self.quota_per_s * self.burst_s, Duration::ZERO);
        let (mut went, mut tried, mut taken, mut could) = (0.0, 0.0, 0.0, 0.0);
        while let Some(Reverse((at, call))) = calls.pop() {
            let s = at.as_secs_f64();
            if s > END_S {
                break;
            }
            let (quota, since_s) = (self.quota_at(s), at.saturating_sub(filled).as_secs_f64());
            let counts = f64::from(u8::from(self.counts(s)));
            could += quota * since_s * counts;
            tokens = (since_s * quota + tokens).min(quota * self.burst_s);
            filled = at;
            match call {
                Call::Others => {
                    if tokens >= 1.0 {
                        tokens -= 1.0;
                        taken += counts;
                    }
                    calls.push(Reverse((at + random.gap(self.quota_per_s * self.others), Call::Others)));
                }
                // Only the one at the head of the queue looks at the rate.
                Call::Asks(n) => {
                    waiting[n] += 1;
                    if waiting[n] == 1 {
                        calls.push(Reverse((rates[n].turn(at), Call::Comes(n, 0))));
                    }
                }
                Call::Comes(n, failures) => {
                    if failures == 0 {
                        waiting[n] -= 1;
                        if waiting[n] > 0 {
                            calls.push(Reverse((rates[n].turn(at), Call::Comes(n, 0))));
                        }
                    }
                    let is_throttled = tokens < 1.0;
                    tried += counts;
                    if !is_throttled {
                        tokens -= 1.0;
                        went += counts;
                    }
                    let answered =
                        at + Duration::from_micros(LATENCY_MS * 500 + random.below(LATENCY_MS * 1_000));
                    calls.push(Reverse((answered, Call::Answered(n, failures, is_throttled))));
                }
                Call::Answered(n, failures, is_throttled) => {
                    rates[n].answered(at, is_throttled);
                    // The SDK tries again on its own, after a back-off.
                    let next = if is_throttled {
                        let wait_ms = random.below((100_u64 << failures.min(5)).min(3_000)) + 1;
                        (at + Duration::from_millis(wait_ms), Call::Comes(n, failures + 1))
                    } else {
                        (at, Call::Asks(n))
                    };
                    calls.push(Reverse(next));
                }
            }
        }
        Use { used: went / (could - taken), throttled: (tried - went) / tried }
    }
}

#[test]
fn a_quota_is_used_whatever_it_is_and_hardly_anything_is_throttled() {
    let mut rows = Vec::new();
    for quota_per_s in [5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0] {
        let world = World { quota_per_s, ..WORLD };
        rows.push((format!("{quota_per_s}/s, not known"), world));
        rows.push((format!("{quota_per_s}/s, known"), World { known_per_s: quota_per_s, ..world }));
    }
    for burst_s in [0.5, 2.0, 4.4] {
        rows.push((format!("100/s, a bucket of {burst_s} s"), World { burst_s, ..WORLD }));
    }
    for others in [0.3, 0.6] {
        let world = World { others, ..WORLD };
        rows.push((format!("100/s, others take {others}"), world));
        let known = World { known_per_s: 100.0, others_from_s: 200.0, ..world };
        rows.push((format!("100/s, known, others take {others} from 200 s on"), known));
    }
    for change in [0.3, 3.0, 10.0] {
        rows.push((
            format!("50/s, times {change} after 300 s"),
            World { quota_per_s: 50.0, change, ..WORLD },
        ));
    }
    println!("{:<52}{:>8}{:>12}", "quota", "used, %", "throttled, %");
    let mut missed = Vec::new();
    for (what, world) in rows {
        let Use { used, throttled } = world.play();
        println!("{what:<52}{:>8.1}{:>12.2}", used * 100.0, throttled * 100.0);
        if used < 0.95 || throttled >= 0.01 {
            missed.push(what);
        }
    }
    assert!(missed.is_empty(), "below 95 % used, or 1 % throttled and more: {missed:#?}");
}

#[test]
fn those_who_share_a_quota_use_all_of_it() {
    // Sixteen workers that are held off by back-off alone ask more often than ten calls a second have room for.
    println!("{:<52}{:>8}{:>12}", "quota", "used, %", "throttled, %");
    for (quota_per_s, instances, at_once) in
        [(10.0, 1, 8), (10.0, 8, 2), (200.0, 1, 16), (200.0, 5, 8), (200.0, 16, 16), (2_000.0, 8, 16)]
    {
        let Use { used, throttled } = World { quota_per_s, instances, at_once, ..WORLD }.play();
        let what = format!("{quota_per_s}/s, {instances} with {at_once} at once");
        println!("{what:<52}{:>8.1}{:>12.2}", used * 100.0, throttled * 100.0);
        assert!(used > 0.95 && throttled < 0.2, "{what}: {used:.3}, {throttled:.3}");
    }
}

#[test]
fn a_share_is_left_to_others() {
    for known_per_s in [f64::INFINITY, 80.0] {
        let Use { used, throttled } = World { share: 0.8, known_per_s, ..WORLD }.play();
        assert!((0.76..0.84).contains(&used) && throttled < 0.01, "{known_per_s}: {used:.3}, {throttled:.4}");
    }
}

#[test]
fn calls_are_spread_and_who_is_late_catches_up_a_little() {
    let (mut rate, began) = (Rate::at_most(80.0), Duration::from_secs(10));
    let turns: Vec<Duration> = (0..90).map(|_| rate.turn(began)).collect();
    assert_eq!((turns[8], turns[88]), (began, began + Duration::from_secs(1)));
    let turn = rate.turn_within(began, Duration::from_millis(50));
    assert_eq!(turn, began + Duration::from_millis(50), "it is never further away than it may be");
}

#[test]
fn what_is_throttled_altogether_comes_back_in_a_minute() {
    let mut rate = Rate::at_most(100.0);
    let call = |rate: &mut Rate, from: Duration, is_throttled: bool, until: Duration| {
        let mut now = from;
        while now < until {
            // Two at once: somebody always waits.
            let first = rate.turn(now);
            rate.answered(first, is_throttled);
            now = rate.turn(first);
            rate.answered(now, is_throttled);
        }
        now
    };
    let now = call(&mut rate, Duration::ZERO, true, Duration::from_mins(1));
    assert!(rate.per_s().is_some_and(|per_s| per_s <= 1.0), "{rate:?}");
    let now = call(&mut rate, now, false, now + Duration::from_secs(90));
    assert!(rate.per_s().is_some_and(|per_s| per_s > 99.0), "{now:?} {rate:?}");
}
