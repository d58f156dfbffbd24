//! The record of a run that is no more, to write into it what was done about it afterwards.

use std::collections::BTreeMap;

use gameday_report::record::{Entry, Event, EventLog, FaultState, Folder, RunInfo};
use jiff::Timestamp;

/// Both Regions, and what is global.
const SWEPT: usize = 3;

/// The events of a run, and what is appended to them.
#[derive(Debug)]
pub(super) struct Record {
    log: EventLog,
    events: Vec<Entry>,
    last_us: u64,
    /// Something was appended.
    is_changed: bool,
}

impl Record {
    /// None: there is none that could be gone on with. What is to be undone does not hang on it.
    pub(super) fn open(folder: &Folder) -> Option<Self> {
        let events = match folder.read_events() {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(error = %format!("{:#}", anyhow::Error::from(error)), "the record is left as it is");
                return None;
            }
        };
        let last_us = events.iter().map(|entry| entry.at_us).max()?;
        let log = EventLog::open(folder).ok()?;
        Some(Self { log, events, last_us, is_changed: false })
    }

    pub(super) fn info(&self) -> Option<&RunInfo> {
        match &self.events.first()?.event {
            Event::RunBegan(info) => Some(info),
            _ => None,
        }
    }

    /// Whether a last look at everything found nothing, or there is nothing left to look at.
    pub(super) fn is_clean(&self) -> bool {
        let mut swept: BTreeMap<&str, bool> = BTreeMap::new();
        for entry in &self.events {
            if let Event::Swept { region, leftovers, .. } = &entry.event {
                swept.insert(region, leftovers.is_empty());
            }
        }
        let is_gone = self.info().is_some_and(|info| info.target == "twin");
        is_gone || (swept.len() >= SWEPT && swept.values().all(|is_clean| *is_clean))
    }

    /// Appends what happens now. The run's own clock is no more: it is gone on with by the wall clock.
    pub(super) fn event(&mut self, event: Event) {
        let wall = Timestamp::now();
        let began = self.events.first().map_or(wall, |first| first.wall);
        let since_us = u64::try_from(wall.duration_since(began).as_micros()).unwrap_or(0);
        self.last_us = self.last_us.max(since_us);
        self.is_changed = true;
        if let Err(error) = self.log.append(&Entry { at_us: self.last_us, wall, event }) {
            tracing::error!(%error, "the record cannot be written");
        }
    }

    pub(super) fn note(&mut self, text: &str) {
        self.event(Event::Note { text: text.to_owned() });
    }

    /// Where a fault stands that the run has applied.
    pub(super) fn fault(&mut self, fault: &str, state: FaultState, detail: &str) {
        let told = self.events.iter().rev().find_map(|entry| match &entry.event {
            Event::Fault { fault: found, label, colour, .. } if found == fault => {
                Some((label.clone(), colour.clone()))
            }
            _ => None,
        });
        let (label, colour) = told.unwrap_or_else(|| (fault.to_owned(), None));
        let (fault, detail) = (fault.to_owned(), detail.to_owned());
        self.event(Event::Fault { fault, label, state, detail, colour });
    }

    /// A run that ended, and left something, has still ended: that is the last line.
    pub(super) fn close(mut self) {
        let end = self.events.last().map(|entry| entry.event.clone());
        if let Some(end) = end.filter(|event| matches!(event, Event::RunEnded { .. }) && self.is_changed) {
            self.event(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use gameday_report::record::EndReason;

    use super::*;

    fn events(folder: &Folder) -> Vec<Event> {
        folder.read_events().unwrap().into_iter().map(|entry| entry.event).collect()
    }

    fn note(text: &str) -> Event {
        Event::Note { text: text.to_owned() }
    }

    #[test]
    fn what_is_appended_comes_later_and_an_end_stays_the_end() {
        let keep = tempfile::tempdir().unwrap();
        let folder = Folder::create(&keep.path().join("run")).unwrap();
        assert!(Record::open(&folder).is_none(), "there are no events");
        let end = Event::RunEnded { reason: EndReason::Operator, detail: None };
        let mut log = EventLog::create(&folder).unwrap();
        for (at_us, event) in [(0, note("one")), (7_000_000_000_000_000, end.clone())] {
            log.append(&Entry { at_us, wall: Timestamp::now(), event }).unwrap();
        }
        drop(log);
        let mut record = Record::open(&folder).unwrap();
        record.note("two");
        record.close();
        assert_eq!(events(&folder), [note("one"), end.clone(), note("two"), end.clone()]);
        let at_us: Vec<u64> = folder.read_events().unwrap().iter().map(|entry| entry.at_us).collect();
        assert!(at_us.is_sorted(), "{at_us:?}");
        // Who has nothing to say changes nothing.
        Record::open(&folder).unwrap().close();
        assert_eq!(events(&folder).len(), 4);
    }
}
