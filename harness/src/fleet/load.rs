//! A device's load: its schedules, what each send carries, and the owning up to what was due and could not be sent.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Map, json};

use super::{Shared, schedule::Schedule};
use crate::scenario::ShadowLoad;

/// The schedules of one device, from its first connection to the end of the load.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    telemetry: Option<Schedule>,
    shadow: Option<Schedule>,
    began: bool,
}

/// What is due now, by its intended time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Due {
    pub(super) telemetry_us: Option<u64>,
    pub(super) shadow_us: Option<u64>,
}

impl Load {
    /// Begins the schedules, once.
    pub(super) fn begin(&mut self, shared: &Shared, number: u32) {
        if std::mem::replace(&mut self.began, true) {
            return;
        }
        let now_us = shared.recorder.now_us();
        let (phase_a, phase_b) = phases(shared.seed, number);
        let load = &shared.scenario.load;
        self.telemetry = load.telemetry.as_ref().map(|t| Schedule::new(now_us, *t.every, phase_a));
        self.shadow = load.shadow.as_ref().map(|s| Schedule::new(now_us, *s.every, phase_b));
    }

    /// The next intended time; none when there is no load.
    pub(super) fn next_us(&self) -> Option<u64> {
        [self.telemetry, self.shadow].into_iter().flatten().map(|schedule| schedule.next_us).min()
    }

    pub(super) fn take(&mut self, now_us: u64) -> Due {
        Due {
            telemetry_us: self.telemetry.as_mut().and_then(|schedule| schedule.take(now_us)),
            shadow_us: self.shadow.as_mut().and_then(|schedule| schedule.take(now_us)),
        }
    }

    /// Counts as unsent what was due until now, or until the load ended: there was no connection for it. Shadow writes get
    /// their line in the ledger, without a Region.
    pub(super) fn own_up(&mut self, shared: &Shared, number: u32) {
        let until_us = shared.recorder.now_us().min(shared.load_until_us.load(Relaxed));
        loop {
            let due = self.take(until_us);
            if due.shadow_us.is_none() && due.telemetry_us.is_none() {
                return;
            }
            if let Some(due_us) = due.shadow_us {
                shared.recorder.ledger().intend(number, due_us);
            }
            let missed = u32::from(due.shadow_us.is_some()) + u32::from(due.telemetry_us.is_some());
            shared.recorder.meter().unsent.fetch_add(missed, Relaxed);
        }
    }
}

/// A telemetry message, padded to the scenario's size.
pub(super) fn telemetry_body(shared: &Shared, intended_us: u64) -> String {
    let bytes = shared.scenario.load.telemetry.as_ref().map_or(0, |t| t.bytes as usize);
    let body = json!({"run": shared.run, "intended_us": intended_us}).to_string();
    format!("{body:<bytes$}")
}

/// A shadow update that carries its sequence number, in the document and as the token that replies echo.
pub(super) fn shadow_body(run: &str, seq: u64, load: &ShadowLoad) -> String {
    let mut reported = Map::new();
    reported.insert("gameday".to_owned(), json!({"run": run, "seq": seq}));
    for key in 0..load.keys {
        reported.insert(format!("k{key}"), json!(seq.wrapping_mul(31).wrapping_add(u64::from(key)) % 1_000));
    }
    json!({"state": {"reported": reported}, "clientToken": seq.to_string()}).to_string()
}

/// Where in their first period a device's schedules begin: spread over the fleet by the golden ratio, moved by the seed.
fn phases(seed: u64, number: u32) -> (f64, f64) {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let offset = (seed % 1_000) as f64 / 1_000.0;
    let phase = |n: f64| (offset + n * GOLDEN).fract();
    (phase(f64::from(number)), phase(f64::from(number) + 0.5))
}
