//! How a run stands: its phase, what is broken, where the devices are. It is a fold over the events of the record, so that the run
//! itself, its page and `gameday status` of any folder say the same, also of a run that ended or was killed.

mod status;
mod window;

use std::collections::BTreeMap;

use gameday_report::record::{Act, EndReason, Event, FaultState, RunInfo, Sample, StepState};

pub(crate) use status::{Lag, RunState, Status};
pub(crate) use window::Window;

/// The last of what people did is shown.
const ACTS_SHOWN: usize = 5;
/// Why a device that says goodbye at the end of a run left.
const GOODBYE: &str = "stop";

/// What is known of a run, event by event.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live {
    info: Option<RunInfo>,
    step: Option<StepNow>,
    faults: Vec<FaultNow>,
    devices: BTreeMap<String, Place>,
    connectable: u32,
    sample: Sample,
    acknowledged: u64,
    primary_healthy: Option<bool>,
    answer: Option<String>,
    stopping: Option<String>,
    ended: Option<EndReason>,
    acts: Vec<Act>,
    last_us: u64,
}

#[derive(Debug, Clone)]
struct StepNow {
    index: u32,
    name: String,
    label: String,
    began_us: u64,
}

#[derive(Debug, Clone)]
struct FaultNow {
    name: String,
    label: String,
    applied_us: u64,
    is_seen: bool,
    cure_failed: Option<String>,
}

/// Where a device is that was there once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It has a connection on which a publish was acknowledged.
    There,
    /// It has none since then.
    AwaySince(u64),
}

/// Numbers that conditions are held against.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    pub(crate) fleet: u32,
    /// Devices that were there, and have no connection on which anything was acknowledged.
    pub(crate) away: u32,
    pub(crate) away_longest_us: u64,
    /// Devices that have no such connection, whether they were ever there or not.
    pub(crate) missing: u32,
    pub(crate) behind: Option<u32>,
    pub(crate) acknowledged: u64,
    pub(crate) elapsed_us: u64,
    /// Attempts of calls, and those that were throttled.
    pub(crate) api_calls: u64,
    pub(crate) api_throttled: u64,
}

impl Live {
    /// Takes the next event of the record.
    pub(crate) fn take(&mut self, at_us: u64, event: &Event) {
        self.last_us = self.last_us.max(at_us);
        match event {
            Event::RunBegan(info) => self.info = Some(info.clone()),
            Event::Step { index, name, label, state, .. } => {
                self.step = (*state == StepState::Began).then(|| StepNow {
                    index: *index,
                    name: name.clone(),
                    label: label.clone(),
                    began_us: at_us,
                });
            }
            Event::Fault { fault, label, state, detail, .. } => {
                self.take_fault(at_us, fault, label, *state, detail);
            }
            Event::Health { region, healthy, .. } if self.is_primary(region) => {
                self.primary_healthy = Some(*healthy);
            }
            Event::Answer { region, .. } => self.answer = Some(region.clone()),
            Event::Connectable { .. } => self.connectable += 1,
            Event::Moved(way) => _ = self.devices.insert(way.device.clone(), Place::There),
            Event::Left { device, reason, .. } if reason == GOODBYE => _ = self.devices.remove(device),
            Event::Left { device, .. } => {
                // One that was let in and got nothing acknowledged has been away all the time.
                let place = self.devices.get_mut(device).filter(|place| **place == Place::There);
                if let Some(place) = place {
                    *place = Place::AwaySince(at_us);
                }
            }
            Event::Sample(sample) => {
                let acked = sample.telemetry_acked.values().chain(sample.shadow_acked.values());
                self.acknowledged += acked.map(|count| u64::from(*count)).sum::<u64>();
                self.sample = sample.clone();
            }
            Event::Stopping { detail, .. } => self.stopping = Some(detail.clone()),
            Event::RunEnded { reason, .. } => self.ended = Some(*reason),
            _ => {}
        }
    }

    fn take_fault(&mut self, at_us: u64, name: &str, label: &str, state: FaultState, detail: &str) {
        let known = self.faults.iter_mut().find(|fault| fault.name == name);
        match (state, known) {
            (FaultState::Applied, None) => self.faults.push(FaultNow {
                name: name.to_owned(),
                label: label.to_owned(),
                applied_us: at_us,
                is_seen: false,
                cure_failed: None,
            }),
            (FaultState::Proved, Some(fault)) => fault.is_seen = true,
            (FaultState::CureFailed, Some(fault)) => fault.cure_failed = Some(detail.to_owned()),
            (FaultState::Cured | FaultState::CureProved, Some(_)) => {
                self.faults.retain(|fault| fault.name != name);
            }
            _ => {}
        }
    }

    fn is_primary(&self, region: &str) -> bool {
        self.info.as_ref().is_some_and(|info| info.primary == region)
    }

    /// Takes something that somebody did.
    pub(crate) fn take_act(&mut self, act: Act) {
        self.acts.push(act);
        if self.acts.len() > ACTS_SHOWN {
            self.acts.remove(0);
        }
    }

    /// The step that goes on: its number, name and label.
    pub(crate) fn step(&self) -> Option<(u32, &str, &str)> {
        self.step.as_ref().map(|step| (step.index, step.name.as_str(), step.label.as_str()))
    }

    /// Whether it was told to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Whether its record has its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// When the last event was.
    pub(crate) fn last_us(&self) -> u64 {
        self.last_us
    }

    /// Devices connected, by Region, as they see it.
    fn connected(&self) -> &BTreeMap<String, u32> {
        &self.sample.connected
    }

    /// The numbers of now. What the record does not hold is 0.
    pub(crate) fn reading(&self, now_us: u64) -> Reading {
        let (mut away, mut away_longest_us, mut there) = (0, 0, 0);
        for place in self.devices.values() {
            match place {
                Place::There => there += 1,
                Place::AwaySince(since_us) => {
                    away += 1;
                    away_longest_us = away_longest_us.max(now_us.saturating_sub(*since_us));
                }
            }
        }
        let fleet = self.info.as_ref().map_or(0, |info| info.devices);
        Reading {
            fleet,
            away,
            away_longest_us,
            missing: fleet.saturating_sub(there),
            behind: self.sample.behind,
            acknowledged: self.acknowledged,
            elapsed_us: now_us,
            ..Reading::default()
        }
    }
}

#[cfg(test)]
mod tests;
