//! How shadow documents in the secondary are observed, within what AWS lets one connection have.
//!
//! A connection gets at most 100 messages a second; what is beyond is discarded, and would be taken for lost. So one client
//! sees all devices by a wildcard as long as that is well below, and otherwise many clients see some devices each, by exact
//! names: 50 subscriptions a connection, 8 a packet. A shared subscription would need fewer connections. It is not used: AWS
//! does not say that reserved topics can be shared, and who of a group gets a message is left to chance, so that a client that
//! breaks away would make every device doubtful instead of its own.

use gameday_report::record::ObservedBy;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::{fleet::Heat, scenario::Scenario};

/// Half of what AWS delivers on a connection: the other half is for what arrives at once when a pause ends.
const MESSAGES_PER_S_MAX: f64 = 50.0;
/// Subscriptions of a connection.
const SUBSCRIPTIONS_MAX: u32 = 50;
/// Connections of observers: enough for every device of a process at the rate at which one thing may be written.
const OBSERVERS_MAX: u32 = 200;

/// How documents are observed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Observation {
    pub(crate) by: ObservedBy,
    pub(crate) observers: u32,
    /// Devices in the fleet.
    pub(crate) devices: u32,
    /// Devices of which documents are seen; the others are not counted as if they were.
    pub(crate) observed: u32,
    /// Devices that one observer sees, at the most.
    pub(crate) devices_per_observer: u32,
    /// Messages that an observer gets in a second, steady state.
    pub(crate) messages_per_s: f64,
}

impl Observation {
    /// Of a scenario; none when no shadow is written.
    pub(crate) fn of(scenario: &Scenario) -> Option<Self> {
        let shadow = scenario.load.shadow.as_ref()?;
        // A ramp that falls begins with more.
        let most = scenario.load.ramp.as_ref().map_or(1.0, |ramp| ramp.from.max(1.0));
        Some(Self::at(scenario.fleet.devices, most / shadow.every.as_secs_f64()))
    }

    /// Of devices that write so often each, in the mean.
    fn at(devices: u32, device_per_s: f64) -> Self {
        let all_per_s = f64::from(devices) * device_per_s;
        if all_per_s <= MESSAGES_PER_S_MAX {
            return Self {
                by: ObservedBy::Wildcard,
                observers: 1,
                devices,
                observed: devices,
                devices_per_observer: devices,
                messages_per_s: all_per_s,
            };
        }
        let needed =
            (all_per_s / MESSAGES_PER_S_MAX).ceil().max(f64::from(devices.div_ceil(SUBSCRIPTIONS_MAX)));
        let observers = whole(needed).clamp(1, OBSERVERS_MAX.min(devices.max(1)));
        let room = whole(f64::from(observers) * MESSAGES_PER_S_MAX / device_per_s);
        let observed = devices.min(observers * SUBSCRIPTIONS_MAX).min(room).max(observers);
        Self {
            by: ObservedBy::Names,
            observers,
            devices,
            observed,
            devices_per_observer: observed.div_ceil(observers),
            messages_per_s: f64::from(observed) * device_per_s / f64::from(observers),
        }
    }

    /// The numbers of the devices that each observer sees. Who is left out is drawn by the seed.
    pub(crate) fn assign(&self, seed: u64, heat: &Heat) -> Vec<Vec<u32>> {
        let mut numbers: Vec<u32> = (0..self.devices).collect();
        if self.observed < self.devices {
            numbers.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            numbers.truncate(self.observed as usize);
        }
        // Dealt like cards, the hottest first, so that no observer has many of them.
        numbers.sort_by(|a, b| heat.of(*b).total_cmp(&heat.of(*a)).then(a.cmp(b)));
        let mut groups = vec![Vec::new(); self.observers as usize];
        for (place, number) in numbers.into_iter().enumerate() {
            let turn = place % groups.len().max(1);
            if let Some(group) = groups.get_mut(turn) {
                group.push(number);
            }
        }
        groups
    }

    /// The same as a reader would say it.
    pub(crate) fn label(&self) -> String {
        let who = match (self.by, self.observers) {
            (ObservedBy::Wildcard, _) => "one client sees the shadows of".to_owned(),
            (ObservedBy::Names, 1) => "one client sees, by their names, the shadows of".to_owned(),
            (ObservedBy::Names, many) => format!("{many} clients see, by their names, the shadows of"),
        };
        if self.observed < self.devices {
            return format!("{who} {} of {} devices, drawn by the seed", self.observed, self.devices);
        }
        format!("{who} all {} devices", self.devices)
    }
}

fn whole(number: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative; what is beyond all numbers is cut to the last"
    )]
    let whole = number.max(0.0) as u32;
    whole
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn alike() -> Heat {
        Heat::new(1, 0.0, 0)
    }

    #[test]
    fn a_small_load_is_seen_by_one_and_a_large_one_by_names() {
        let small = Observation::at(500, 0.1);
        assert_eq!((small.by, small.observers, small.observed), (ObservedBy::Wildcard, 1, 500));
        assert_eq!(small.assign(7, &alike()), [(0..500).collect::<Vec<u32>>()]);
        // 2,000 updates a second: AWS's limit alone would need twenty connections.
        let large = Observation::at(8_000, 0.25);
        assert_eq!((large.by, large.observers, large.observed), (ObservedBy::Names, 160, 8_000));
        assert!((large.messages_per_s - 12.5).abs() < 1e-9);
        assert_eq!(large.label(), "160 clients see, by their names, the shadows of all 8000 devices");
        // Each writes so often that an observer has room for few.
        let busy = Observation::at(9_000, 2.0);
        assert_eq!((busy.observers, busy.devices_per_observer, busy.observed), (200, 25, 5_000));
        assert!(busy.label().ends_with("of 5000 of 9000 devices, drawn by the seed"));
        assert_eq!(busy.assign(7, &alike()), busy.assign(7, &alike()));
        assert_ne!(busy.assign(7, &alike()), busy.assign(8, &alike()));
    }

    #[test]
    fn hot_devices_are_dealt_out() {
        let (observation, heat) = (Observation::at(2_000, 0.1), Heat::new(2_000, 1.0, 7));
        let loads: Vec<f64> = observation
            .assign(7, &heat)
            .iter()
            .map(|group| group.iter().map(|device| heat.of(*device) * 0.1).sum())
            .collect();
        assert_eq!(loads.len(), 40);
        let most = loads.iter().copied().fold(0.0, f64::max);
        let hottest = (0..2_000).map(|device| heat.of(device) * 0.1).fold(0.0, f64::max);
        assert!(
            most < hottest + observation.messages_per_s,
            "{most} of one observer, {hottest} of one device"
        );
    }

    proptest! {
        /// Nobody is seen twice or beyond a connection's limits, as many as are said to be seen are, and no device is left
        /// out while there is room.
        #[test]
        fn every_assignment_keeps_to_the_limits(devices in 1u32..9_001, every_ms in 50u64..60_000, seed in any::<u64>()) {
            let device_per_s = 1_000.0 / every_ms as f64;
            let observation = Observation::at(devices, device_per_s);
            let assigned = observation.assign(seed, &alike());
            prop_assert_eq!(assigned.len(), observation.observers as usize);
            let seen: BTreeSet<u32> = assigned.iter().flatten().copied().collect();
            prop_assert_eq!(seen.len(), assigned.iter().map(Vec::len).sum::<usize>());
            prop_assert_eq!(seen.len(), observation.observed as usize);
            prop_assert!(seen.iter().all(|number| *number < devices));
            prop_assert!(observation.observed == devices || observation.observers == OBSERVERS_MAX);
            if observation.by == ObservedBy::Names {
                for group in &assigned {
                    prop_assert!(group.len() <= SUBSCRIPTIONS_MAX as usize);
                    // Dealt out, one may have one more than another.
                    prop_assert!((group.len() as f64 - 1.0) * device_per_s <= MESSAGES_PER_S_MAX);
                }
            }
        }
    }
}
