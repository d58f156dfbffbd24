//! A device's load: its schedules, what each send carries, and the owning up to what was due and could not be sent.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Map, Value, json};

use super::{
    Shared,
    schedule::{Ramp, Schedule, Shape},
};
use crate::scenario::ShadowLoad;

/// The reported key that fills an update up, and the bytes that it takes empty: its name, quotes, colon and comma.
const PAD: &str = "pad";
const PAD_FRAME_BYTES: usize = 9;

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
        let ramp = load.ramp.as_ref().map(|ramp| Ramp { from: ramp.from, over: *ramp.over });
        let shape = |jitter| Shape { jitter, ramp };
        // Each schedule has its own chance.
        let seed = shared.seed.rotate_left(17) ^ (u64::from(number) << 1);
        self.telemetry = load
            .telemetry
            .as_ref()
            .map(|t| Schedule::shaped(now_us, *t.every, phase_a, shape(t.jitter), seed));
        self.shadow = load.shadow.as_ref().map(|s| {
            let every = s.every.div_f64(shared.heat.of(number));
            Schedule::shaped(now_us, every, phase_b, shape(s.jitter), seed | 1)
        });
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
    let value = |key: u32| json!(seq.wrapping_mul(31).wrapping_add(u64::from(key)) % 1_000);
    let keys = |letter: char, count: u32| -> Map<String, Value> {
        (0..count).map(|key| (format!("{letter}{key}"), value(key))).collect()
    };
    let mut reported = keys('k', load.keys);
    reported.insert("gameday".to_owned(), json!({"run": run, "seq": seq}));
    let body = |reported: &Map<String, Value>| {
        let mut state = json!({"reported": reported});
        if load.desired > 0 {
            state["desired"] = keys('d', load.desired).into();
        }
        json!({"state": state, "clientToken": seq.to_string()}).to_string()
    };
    let bare = body(&reported);
    let lacking = (load.bytes as usize).saturating_sub(bare.len());
    if lacking == 0 {
        return bare;
    }
    reported.insert(PAD.to_owned(), "x".repeat(lacking.saturating_sub(PAD_FRAME_BYTES)).into());
    body(&reported)
}

/// Where in their first period a device's schedules begin: spread over the fleet by the golden ratio, moved by the seed.
fn phases(seed: u64, number: u32) -> (f64, f64) {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let offset = (seed % 1_000) as f64 / 1_000.0;
    let phase = |n: f64| (offset + n * GOLDEN).fract();
    (phase(f64::from(number)), phase(f64::from(number) + 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Span;

    fn load() -> ShadowLoad {
        ShadowLoad {
            every: Span::seconds(1),
            keys: 3,
            desired: 0,
            name: None,
            bytes: 0,
            jitter: 0.0,
            zipf: 0.0,
        }
    }

    #[test]
    fn an_update_has_the_keys_and_the_size_that_are_asked_for() {
        let parse =
            |load: &ShadowLoad| -> Value { serde_json::from_str(&shadow_body("r", 7, load)).unwrap() };
        let plain = parse(&load());
        assert_eq!(plain["clientToken"], "7");
        assert_eq!(plain["state"]["reported"]["gameday"], json!({"run": "r", "seq": 7}));
        assert_eq!(plain["state"]["reported"].as_object().unwrap().len(), 4);
        assert!(plain["state"].get("desired").is_none());
        let wanted = ShadowLoad { desired: 2, bytes: 900, ..load() };
        assert_eq!(shadow_body("r", 7, &wanted).len(), 900);
        assert_eq!(parse(&wanted)["state"]["desired"].as_object().unwrap().len(), 2);
        assert_ne!(parse(&wanted)["state"]["desired"], json!({"d0": 0, "d1": 0}));
        let other: Value = serde_json::from_str(&shadow_body("r", 8, &wanted)).unwrap();
        assert_ne!(other["state"]["desired"], parse(&wanted)["state"]["desired"], "each update changes them");
    }
}
