//! The recorder: the one way into the record, shared by everything that runs.

use std::sync::Arc;

use gameday_report::record::{Entry, Event, EventLog, Folder};
use parking_lot::Mutex;

use super::{Board, Ledger, Meter};
use crate::{
    clock::RunClock,
    live::{Live, Window},
};

/// Events, latencies, ledger and live state of a run. `over_us` is how much of the last seconds is kept. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: RunClock,
    log: Mutex<EventLog>,
    live: Mutex<Live>,
    window: Mutex<Window>,
    board: Board,
    meter: Meter,
    ledger: Ledger,
}

impl Recorder {
    pub(crate) fn create(
        folder: &Folder,
        clock: RunClock,
        regions: &[&str],
        over_us: u64,
        devices: impl IntoIterator<Item = (String, bool)>,
    ) -> anyhow::Result<Self> {
        let inner = Inner {
            clock,
            log: Mutex::new(EventLog::create(folder)?),
            live: Mutex::default(),
            window: Mutex::new(Window::new(over_us)),
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
        let (at_us, wall) = (self.inner.clock.now_us(), self.inner.clock.wall());
        self.append(&mut log, &Entry { at_us, wall, event });
    }

    /// Appends an event that is known to have happened at `at_us`.
    pub(crate) fn event_at(&self, at_us: u64, event: Event) {
        let wall = self.inner.clock.wall_at(at_us);
        self.append(&mut self.inner.log.lock(), &Entry { at_us, wall, event });
    }

    /// The end of a record is its last line, whatever still goes on when a clean-up was given up.
    fn append(&self, log: &mut EventLog, entry: &Entry) {
        let mut live = self.inner.live.lock();
        if live.has_ended() {
            return;
        }
        live.take(entry.at_us, &entry.event);
        drop(live);
        if let Err(error) = log.append(entry) {
            tracing::error!(%error, "the record cannot be written");
        }
    }

    /// How the run stands.
    pub(crate) fn live<T>(&self, look: impl FnOnce(&mut Live) -> T) -> T {
        look(&mut self.inner.live.lock())
    }

    /// Its last seconds.
    pub(crate) fn window<T>(&self, look: impl FnOnce(&mut Window) -> T) -> T {
        look(&mut self.inner.window.lock())
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
