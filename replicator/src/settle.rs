//! One record, applied and settled: done, or in the error table, or to be tried again.
//!
//! Both dispatches end here: the batch of a stream's mapping ([`crate::batch`]) and the task of the
//! state machine ([`crate::workflow`]).

use std::borrow::Cow;

use serde_json::{Map, Value};
use tracing::{info, warn};

use crate::event::Event;
use crate::order::LEASE_MS;
use crate::outcome::{Failure, Outcome};
use crate::policy::Policies;
use crate::ports::{Clock, ErrorRow, Errors, World};
use crate::record::Record;
use crate::replicate::{self, Applied, Change};

/// How long one event may take. A call that is on its way then may take effect still, for
/// `aws::ATTEMPT_MS_MAX` at the most; what is left of [`LEASE_MS`] is for that.
pub const EVENT_MS_MAX: u64 = 10_000;

const _: () = assert!(EVENT_MS_MAX < LEASE_MS, "a key stays taken while its event is applied");

/// How long before a function's deadline no further record is begun: one record and its error row.
pub const DEADLINE_MARGIN_MS: u64 = EVENT_MS_MAX + 5_000;

/// How old a record must be before a failure that may pass gets a row, and before success looks for
/// a row to clear: younger ones are in their first tries, and the usual event costs no extra call.
pub const RETRY_ROW_AGE_S: u64 = 20;

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It was applied, or something newer was.
    Done,
    /// It has a row in the error table.
    Noted,
    /// It is to be delivered again. If it has a row in the error table, the repair tries it, too.
    Again {
        /// What went wrong this time.
        failure: Failure,
        /// Since when it has a row, in milliseconds.
        noted_ms: Option<u64>,
    },
}

/// Applies an event within its time.
pub async fn apply<W: World>(world: &W, policies: &Policies, event: &Event) -> Outcome<Applied> {
    let applied = Box::pin(replicate::apply(world, policies, event));
    let in_time = world.clock().within(EVENT_MS_MAX, applied).await;
    in_time.unwrap_or_else(|| Err(Failure::transient("apply", format!("it took {EVENT_MS_MAX} ms"))))
}

/// Applies one record. A failure that may pass has a row, too, if the record is old.
pub async fn settle<W: World>(world: &W, policies: &Policies, record: &Record) -> Settlement {
    let key = error_key(record);
    let (device, event) = (record.device.as_str(), key.as_ref());
    let age_ms = age_ms(world, record);
    let old = age_ms > RETRY_ROW_AGE_S * 1_000;
    let (remarks, change) = match one(world, policies, record).await {
        Ok(applied) => {
            info!(device, event, age_ms, change = ?applied.change, "applied");
            (applied.remarks, applied.change)
        }
        Err(failure) if failure.is_transient() => {
            warn!(device, event, age_ms, step = failure.step, why = failure.why, "to be tried again");
            let mut noted_ms = None;
            if old {
                match note(world, record, std::slice::from_ref(&failure)).await {
                    Ok(first_ms) => noted_ms = Some(first_ms),
                    Err(failure) => {
                        warn!(device, event, step = failure.step, why = failure.why, "no error row");
                    }
                }
            }
            return Settlement::Again { failure, noted_ms };
        }
        Err(failure) => (vec![failure], Change::Unchanged),
    };
    let (rows, settlement) = if !remarks.is_empty() {
        (note(world, record, &remarks).await.map(drop), Settlement::Noted)
    } else if old && change != Change::Superseded {
        // A repeat says nothing about what the first time left undone: its row is for the repair.
        (world.errors().clear(device, event).await, Settlement::Done)
    } else {
        (Ok(()), Settlement::Done)
    };
    match rows {
        Ok(()) => settlement,
        Err(failure) => {
            warn!(device, event, step = failure.step, why = failure.why, "the error table is out of reach");
            Settlement::Again { failure, noted_ms: None }
        }
    }
}

/// How old a record is.
pub fn age_ms<W: World>(world: &W, record: &Record) -> u64 {
    world.clock().now_ms().saturating_sub(record.created_ms)
}

async fn one<W: World>(world: &W, policies: &Policies, record: &Record) -> Outcome<Applied> {
    let row = record.row.as_ref().map_err(|why| Failure::permanent("decode", why))?;
    let event = Event::read(row).map_err(|why| Failure::permanent("read event", why))?;
    apply(world, policies, &event).await
}

/// The sort key of an event's error row: the event's own. Documents share theirs, whatever was seen; so
/// that an older one's row never hides a newer one's, a document's has the time of its look, too.
pub fn error_key(record: &Record) -> Cow<'_, str> {
    let looked_ms = record.row.as_ref().ok().and_then(|row| row.get("looked_ms")?.as_u64());
    looked_ms.map_or(Cow::Borrowed(&record.event), |ms| Cow::Owned(format!("{}#{ms}", record.event)))
}

/// Writes one row for all remarks on a record, and says since when there is one, in milliseconds.
pub async fn note<W: World>(world: &W, record: &Record, remarks: &[Failure]) -> Outcome<u64> {
    let row = record.row.as_ref().ok();
    let row = error_row(world.clock().now_ms(), &record.device, &error_key(record), row, remarks);
    let ErrorRow { device, event, what, why, .. } = &row;
    warn!(device, event, what, why, "not applied in full");
    world.errors().record(&row).await
}

/// The row of an event with all remarks on it: its key is the event's.
pub fn error_row(
    seen_ms: u64,
    device: &str,
    event: &str,
    row: Option<&Map<String, Value>>,
    remarks: &[Failure],
) -> ErrorRow {
    let join = |part: fn(&Failure) -> &str| remarks.iter().map(part).collect::<Vec<_>>().join("; ");
    ErrorRow {
        device: device.to_owned(),
        event: event.to_owned(),
        what: join(|failure| failure.step),
        why: join(|failure| &failure.why),
        seen_ms,
        attempts: 1,
        row: row.cloned(),
    }
}

/// Writes the row of a record that cannot even be named.
pub async fn note_nameless<E: Errors>(errors: &E, now_ms: u64, raw: &Value, index: usize) -> Outcome<()> {
    let event = raw["eventID"].as_str().map_or_else(|| format!("record#{index}"), str::to_owned);
    warn!(event, "a record without keys or sequence number");
    let why = Failure::permanent("read record", "it has no keys or no sequence number");
    errors.record(&error_row(now_ms, "-", &event, None, &[why])).await.map(drop)
}
