//! Repair: what is in the error table is applied again until nothing is left undone.
//!
//! What it guarantees: a row goes only when its event was applied in full, or something newer was; a
//! row that nobody can decode stays, and is counted. Rows are tried a page at a time, within a page
//! those first that were tried longest ago; a run that ends for want of time says where the next is to
//! begin, so that rows that never heal do not starve the others.

use std::collections::BTreeMap;

use serde::Serialize;
use tracing::{info, warn};

use crate::crowd::Crowd;
use crate::event::Event;
use crate::outcome::{Failure, Outcome};
use crate::policy::Policies;
use crate::ports::{Clock, ErrorRow, Errors, World};
use crate::replicate::Change;
use crate::settle::{self, DEADLINE_MARGIN_MS, error_row};

/// What a run of the repair did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows that were read.
    pub rows: usize,
    /// Those that are gone.
    pub cleared: usize,
    /// Those of them whose event something newer had made pointless.
    pub superseded: usize,
    /// Those that failed again.
    pub left: usize,
    /// Those of them that failed for a reason that may pass.
    pub may_pass: usize,
    /// Those that hold no event that can be read.
    pub unreadable: usize,
    /// Those for which there was no time.
    pub not_tried: usize,
    /// Where the next run is to begin; none: at the start.
    #[serde(skip)]
    pub next: Option<String>,
}

impl Report {
    fn add(&mut self, other: &Self) {
        self.cleared += other.cleared;
        self.superseded += other.superseded;
        self.left += other.left;
        self.may_pass += other.may_pass;
        self.unreadable += other.unreadable;
        self.not_tried += other.not_tried;
    }
}

/// Applies the events of all error rows again, beginning at a page.
///
/// `deadline_ms` is the wall time at which the function is ended.
pub async fn run<W: World>(
    world: &W,
    policies: &Policies,
    crowd: &Crowd,
    from: Option<String>,
    deadline_ms: u64,
) -> Outcome<Report> {
    let (mut report, mut page_at) = (Report::default(), from);
    loop {
        let page = world.errors().rows(page_at.as_deref()).await?;
        report.rows += page.items.len();
        let devices =
            by_device(page.items).into_iter().map(|rows| device(world, policies, rows, deadline_ms));
        for device in crowd.work(world.clock(), devices, |device| device.may_pass == 0).await {
            report.add(&device);
        }
        if report.not_tried > 0 {
            report.next = page_at;
            break;
        }
        page_at = page.next;
        if page_at.is_none() {
            break;
        }
    }
    info!(?report, "repaired");
    Ok(report)
}

/// Those first that were tried longest ago; all of one device together.
fn by_device(mut rows: Vec<ErrorRow>) -> Vec<Vec<ErrorRow>> {
    rows.sort_by_key(|row| row.seen_ms);
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut devices: Vec<Vec<ErrorRow>> = Vec::new();
    for row in rows {
        let place = *places.entry(row.device.clone()).or_insert(devices.len());
        match devices.get_mut(place) {
            Some(device) => device.push(row),
            None => devices.push(vec![row]),
        }
    }
    devices
}

async fn device<W: World>(world: &W, policies: &Policies, rows: Vec<ErrorRow>, deadline_ms: u64) -> Report {
    let mut report = Report::default();
    for row in rows {
        if world.clock().now_ms().saturating_add(DEADLINE_MARGIN_MS) > deadline_ms {
            report.not_tried += 1;
            continue;
        }
        let Some(mut event) = readable(&row) else {
            report.unreadable += 1;
            continue;
        };
        event.again = true;
        match one(world, policies, &row, &event).await {
            Ok(change) => {
                report.cleared += 1;
                report.superseded += usize::from(change == Change::Superseded);
            }
            Err(failure) => {
                let (device, event) = (&row.device, &row.event);
                warn!(device, event, step = failure.step, why = failure.why, "the row stays");
                report.left += 1;
                report.may_pass += usize::from(failure.is_transient());
            }
        }
    }
    report
}

fn readable(row: &ErrorRow) -> Option<Event> {
    Event::read(row.row.as_ref()?).ok()
}

/// Applies an event, and clears its row or counts one more attempt in it.
async fn one<W: World>(world: &W, policies: &Policies, row: &ErrorRow, event: &Event) -> Outcome<Change> {
    let remarks = match settle::apply(world, policies, event).await {
        Ok(applied) if applied.remarks.is_empty() => {
            // Unless another event under the same key has failed meanwhile: its row is not ours.
            world.errors().clear_unchanged(row).await?;
            return Ok(applied.change);
        }
        Ok(applied) => applied.remarks,
        Err(failure) => vec![failure],
    };
    // Without the event: the row has one, and it may be a newer one by now.
    let again = error_row(world.clock().now_ms(), &row.device, &row.event, None, &remarks);
    world.errors().record_again(&again).await?;
    Err(remarks.into_iter().next().unwrap_or_else(|| Failure::transient("repair", "a remark without words")))
}

#[cfg(test)]
mod tests;
