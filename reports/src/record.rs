//! What a run writes down while it goes: one line an event, append-only, so that a killed run leaves all it knew.
//!
//! Every time is two: `at_us`, microseconds on the run's monotonic clock (what durations are made of), and `wall`, for
//! people. No private key, credential or token is ever part of a record.

mod act;
mod error;
mod event;
mod folder;
mod histogram;
mod ledger;
mod log;
mod ndjson;
mod preflight;
mod quota;
mod quotas;
mod strategy;
mod undo;

pub use act::{Act, ActKind, ActLog, TEXT_CHARS_MAX};
pub use error::RecordError;
pub use event::{
    ApiCalls, Direction, EndReason, Entry, Event, FaultState, HarnessSample, Leftover, Move, NotReady,
    Observation, ObservedBy, Readiness, RunInfo, Sample, StepState,
};
pub use folder::{Folder, Record};
pub use hdrhistogram::Histogram;
pub use histogram::{HISTOGRAM_MAX_US, HistogramLog, HistogramSeries, Interval, merge, new_histogram};
pub use ledger::{Write, WriteFate};
pub use log::{EventLog, LedgerLog, UndoLog};
pub use preflight::{Preflight, PreflightCheck, PreflightOutcome, Steady};
pub use quota::{Backoff, Quota};
pub use quotas::{QuotaReport, QuotaRequest, QuotaRow, QuotaStorm, QuotaValue, QuotaVerdict};
pub use strategy::{Guide, Strategy};
pub use undo::{UndoEntry, UndoState};
