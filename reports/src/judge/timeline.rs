//! The moments that durations are counted from: faults, breaks, health, the DNS answer, steps, the end.
//!
//! A *break* is the time in which at least one fault is in place. Several faults that are applied together are one
//! break: it begins with the first and is cured with the last. A device's move belongs to the last break before it.

use crate::record::{EndReason, Event, FaultState, Record};
use crate::summary::{Noticed, StepRow};

use super::spread::ms;

/// A fault, once applied.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    pub(crate) fault: String,
    pub(crate) label: String,
    pub(crate) colour: Option<String>,
    pub(crate) applied_us: u64,
    pub(crate) proved_us: Option<u64>,
    pub(crate) cured_us: Option<u64>,
    pub(crate) cure_proved_us: Option<u64>,
    pub(crate) cure_failed: Option<String>,
    pub(crate) evidence: Option<String>,
}

/// A time in which at least one fault is in place, and what the world saw of it.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_field_names, reason = "units come last in a name, and every field is a moment")]
pub(crate) struct Break {
    pub(crate) began_us: u64,
    pub(crate) cured_us: Option<u64>,
    /// The health check called the primary unhealthy.
    pub(crate) unhealthy_us: Option<u64>,
    /// The authoritative answer named the secondary.
    pub(crate) answer_us: Option<u64>,
    /// The health check called the primary healthy again.
    pub(crate) healthy_us: Option<u64>,
    /// The authoritative answer named the primary again.
    pub(crate) answer_back_us: Option<u64>,
}

impl Break {
    /// From the fault to the health check's change.
    pub(crate) fn detected_us(&self) -> Option<u64> {
        Some(self.unhealthy_us?.saturating_sub(self.began_us))
    }

    /// From the fault to the change of the answer.
    pub(crate) fn answered_us(&self) -> Option<u64> {
        Some(self.answer_us?.saturating_sub(self.began_us))
    }

    /// From the cure to the health check's change back.
    pub(crate) fn recovered_us(&self) -> Option<u64> {
        Some(self.healthy_us?.saturating_sub(self.cured_us?))
    }

    /// From the cure to the change of the answer back.
    pub(crate) fn answered_back_us(&self) -> Option<u64> {
        Some(self.answer_back_us?.saturating_sub(self.cured_us?))
    }
}

/// Everything that has one time for the whole fleet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    pub(crate) windows: Vec<Window>,
    pub(crate) breaks: Vec<Break>,
    /// What the health check said of the primary, and when.
    pub(crate) health: Vec<(u64, bool)>,
    pub(crate) steps: Vec<StepRow>,
    pub(crate) end: Option<(EndReason, Option<String>)>,
    pub(crate) end_us: u64,
}

impl Timeline {
    pub(crate) fn of(record: &Record) -> Self {
        let mut timeline = Self::default();
        for entry in &record.events {
            timeline.end_us = timeline.end_us.max(entry.at_us);
            timeline.take(record, entry.at_us, &entry.event);
        }
        // A record ends with `RunEnded` or it was cut off: an end in the middle is not one.
        timeline.end = match record.events.last().map(|entry| &entry.event) {
            Some(Event::RunEnded { reason, detail }) => Some((*reason, detail.clone())),
            _ => None,
        };
        timeline
    }

    fn take(&mut self, record: &Record, at_us: u64, event: &Event) {
        match event {
            Event::Fault { fault, label, state, detail, colour } => {
                self.take_fault(at_us, (fault, label, colour.as_ref()), *state, detail);
            }
            Event::Health { region, healthy, .. } if *region == record.info.primary => {
                self.health.push((at_us, *healthy));
                if let Some(last) = self.breaks.last_mut() {
                    match (healthy, last.cured_us) {
                        (false, _) => _ = last.unhealthy_us.get_or_insert(at_us),
                        (true, Some(_)) => _ = last.healthy_us.get_or_insert(at_us),
                        (true, None) => {}
                    }
                }
            }
            Event::Answer { region, .. } => {
                if let Some(last) = self.breaks.last_mut() {
                    if *region == record.info.secondary {
                        last.answer_us.get_or_insert(at_us);
                    } else if *region == record.info.primary && last.cured_us.is_some() {
                        last.answer_back_us.get_or_insert(at_us);
                    }
                }
            }
            Event::Step { index: _, name: _, label, state, detail } => {
                self.take_step(at_us, label, *state, detail.as_ref());
            }
            _ => {}
        }
    }

    fn take_fault(
        &mut self,
        at_us: u64,
        (fault, label, colour): (&str, &str, Option<&String>),
        state: FaultState,
        detail: &str,
    ) {
        if state == FaultState::Applied {
            if self.breaks.last().is_none_or(|last| last.cured_us.is_some()) {
                self.breaks.push(Break { began_us: at_us, ..Break::default() });
            }
            self.windows.push(Window {
                fault: fault.to_owned(),
                label: label.to_owned(),
                colour: colour.cloned(),
                applied_us: at_us,
                ..Window::default()
            });
            return;
        }
        let Some(window) = self.windows.iter_mut().rev().find(|window| window.fault == fault) else { return };
        match state {
            FaultState::Applied => {}
            FaultState::Proved => {
                window.proved_us.get_or_insert(at_us);
                window.evidence.get_or_insert_with(|| detail.to_owned());
            }
            FaultState::Cured => {
                window.cured_us.get_or_insert(at_us);
                window.cure_failed = None;
            }
            FaultState::CureProved => {
                window.cured_us.get_or_insert(at_us);
                window.cure_proved_us.get_or_insert(at_us);
                window.cure_failed = None;
            }
            FaultState::CureFailed => window.cure_failed = Some(detail.to_owned()),
        }
        if self.windows.iter().all(|window| window.cured_us.is_some())
            && let Some(last) = self.breaks.last_mut()
        {
            last.cured_us.get_or_insert(at_us);
        }
    }

    fn take_step(
        &mut self,
        at_us: u64,
        label: &str,
        state: crate::record::StepState,
        detail: Option<&String>,
    ) {
        use crate::record::StepState;
        if state == StepState::Began {
            let (label, began_ms) = (label.to_owned(), ms(at_us));
            self.steps.push(StepRow { label, began_ms, ended_ms: None, state, detail: None });
            return;
        }
        let open = self.steps.iter_mut().rev().find(|step| step.label == label && step.ended_ms.is_none());
        if let Some(step) = open {
            step.ended_ms = Some(ms(at_us));
            step.state = state;
            step.detail = detail.cloned();
        }
    }

    /// Whether the health check noticed a fault while it was in place, and how long after it was applied.
    pub(crate) fn noticed(&self, window: &Window) -> (Noticed, Option<u64>) {
        let until_us = window.cured_us.unwrap_or(self.end_us);
        let before =
            self.health.iter().filter(|(at_us, _)| *at_us < window.applied_us).max_by_key(|(at, _)| *at);
        let turned = self
            .health
            .iter()
            .filter(|(at_us, healthy)| !healthy && (window.applied_us..=until_us).contains(at_us));
        match (before, turned.map(|(at_us, _)| at_us - window.applied_us).min()) {
            (Some((_, false)), _) => (Noticed::Before, None),
            (_, Some(after_us)) => (Noticed::Yes, Some(after_us)),
            (Some((_, true)), None) => (Noticed::No, None),
            (None, None) => (Noticed::Unknown, None),
        }
    }

    /// Why nobody can be blamed for a way that a device did not go: what should have sent it there was not seen to act,
    /// or the run came to grief (its target was gone, for one).
    pub(crate) fn doubt(&self) -> Option<String> {
        let unseen = self.windows.iter().find(|window| window.proved_us.is_none());
        let unseen = unseen.map(|window| format!("the fault {:?} was not seen to act", window.fault));
        let error = || match &self.end {
            Some((EndReason::Error, _)) => Some("an error ended the run".to_owned()),
            _ => None,
        };
        unseen.or_else(error)
    }

    /// A moment of the first break that has it.
    pub(crate) fn first(&self, moment: impl Fn(&Break) -> Option<u64>) -> Option<u64> {
        self.breaks.iter().find_map(moment)
    }

    /// The place of the last break that began at or before `at_us`.
    pub(crate) fn break_before(&self, at_us: u64) -> Option<usize> {
        self.breaks.iter().rposition(|each| each.began_us <= at_us)
    }

    /// The place of the last break that was cured at or before `at_us`.
    pub(crate) fn cure_before(&self, at_us: u64) -> Option<usize> {
        self.breaks.iter().rposition(|each| each.cured_us.is_some_and(|cured| cured <= at_us))
    }

    /// When what a break began is over: its cure, or the end of the record.
    pub(crate) fn until_us(&self, index: usize) -> u64 {
        self.breaks.get(index).and_then(|each| each.cured_us).unwrap_or(self.end_us)
    }

    /// When the way back from a break is over: the next break, or the end of the record.
    pub(crate) fn back_until_us(&self, index: usize) -> u64 {
        self.breaks.get(index + 1).map_or(self.end_us, |next| next.began_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_health_check_notices_what_it_sees_while_the_fault_is_there() {
        let window = Window { applied_us: 100, cured_us: Some(200), ..Window::default() };
        for (health, noticed) in [
            (vec![(10, true), (150, false)], (Noticed::Yes, Some(50))),
            (vec![(10, true), (100, false)], (Noticed::Yes, Some(0))),
            (vec![(10, true), (201, false)], (Noticed::No, None)),
            (vec![(10, true)], (Noticed::No, None)),
            (vec![(10, true), (20, false), (150, true)], (Noticed::Before, None)),
            (vec![(10, false), (20, true), (190, false)], (Noticed::Yes, Some(90))),
            (vec![], (Noticed::Unknown, None)),
        ] {
            let timeline = Timeline { health: health.clone(), end_us: 300, ..Timeline::default() };
            assert_eq!(timeline.noticed(&window), noticed, "{health:?}");
        }
        let uncured = Window { cured_us: None, ..window };
        let timeline =
            Timeline { health: vec![(10, true), (250, false)], end_us: 300, ..Timeline::default() };
        assert_eq!(timeline.noticed(&uncured), (Noticed::Yes, Some(150)));
    }
}
