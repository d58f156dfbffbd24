//! The recorder: the one way into the record, shared by everything that runs.

use std::sync::Arc;

use gameday_report::record::{Entry, Event, EventLog, Folder};
use parking_lot::Mutex;

use super::{Board, Ledger, Meter};
use crate::clock::RunClock;

/// Events, latencies, ledger and live state of a run. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: RunClock,
    log: Mutex<EventLog>,
    board: Board,
    meter: Meter,
    ledger: Ledger,
}

impl Recorder {
    pub(crate) fn create(
        folder: &Folder,
        clock: RunClock,
        regions: &[&str],
        devices: impl IntoIterator<Item = (String, bool)>,
    ) -> anyhow::Result<Self> {
        let inner = Inner {
            clock,
            log: Mutex::new(EventLog::create(folder)?),
            board: Board::default(),
            meter: Meter::new(regions)?,
            ledger: Ledger::new(devices),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Appends an event that happens now.
    pub(crate) fn event(&self, event: Event) {
        // Under the lock, so that lines are in the order of their times.
        let mut log = self.inner.log.lock();
        let entry = Entry { at_us: self.inner.clock.now_us(), wall: self.inner.clock.wall(), event };
        if let Err(error) = log.append(&entry) {
            tracing::error!(%error, "the record cannot be written");
        }
    }

    /// Appends an event that is known to have happened at `at_us`.
    pub(crate) fn event_at(&self, at_us: u64, event: Event) {
        let wall = self.inner.clock.wall_at(at_us);
        if let Err(error) = self.inner.log.lock().append(&Entry { at_us, wall, event }) {
            tracing::error!(%error, "the record cannot be written");
        }
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.inner.clock.now_us()
    }

    pub(crate) fn clock(&self) -> RunClock {
        self.inner.clock
    }

    pub(crate) fn board(&self) -> &Board {
        &self.inner.board
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.inner.meter
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }
}
