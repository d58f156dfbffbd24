//! Brings a thing of the secondary to the state of the primary.
//!
//! A thing has incarnations: one that is deleted and made again under its name is another thing. What
//! was attached to the old one must not be lent to the new one, so the old one goes before the new one
//! is made, however late its own deletion comes.
//!
//! What belongs to a thing, principals and groups, comes with other events, before or after it. Whoever
//! comes second finishes: see [`belongings`].

mod belongings;
mod make;
mod removal;

use serde_json::{Value, json};

use crate::event::ThingEvent;
use crate::order::{self, ThingMark, Verdict};
use crate::outcome::Outcome;
use crate::patience::wrong_row;
use crate::ports::{Clock, Row, State, Taken, ThingRow, World};
use crate::replicate::{Applied, Change};
use crate::tables;

/// The version of a thing that was just made.
const FIRST_VERSION: u64 = 1;

/// Applies a thing event.
pub async fn apply<W: World>(world: &W, event: &ThingEvent, again: bool) -> Outcome<Applied> {
    let (key, intent) = (tables::thing_key(&event.thing.name), json!(event.mark));
    let taken = world.state().take(&key, &intent, world.clock().now_ms()).await?;
    let ThingRow { mark, undone } = row_of(&taken)?;
    let again = again || undone;
    if !order::life(&event.mark, mark.as_ref()).applies(again) {
        return superseded(world, event, &taken).await;
    }
    let begun = taken.begun();
    if begun.iter().any(|begun| order::life(&event.mark, Some(begun)) == Verdict::Stale) {
        // A newer one was begun, perhaps done, and will come again: the thing never goes backwards.
        return superseded(world, event, &taken).await;
    }
    let after = order::after(&event.mark, mark.as_ref());
    let mut applied = Applied::from(Change::Changed);
    let mut taken = taken;
    if event.mark.deleted {
        removal::remove(world, &event.thing.name).await?;
    } else {
        let past = Past::of(event, mark, begun);
        if let Some(old) = &past.old {
            removal::remove(world, &event.thing.name).await?;
            taken = bury(world, event, taken, old, past.mark.as_ref(), &intent).await?;
            // Someone else may have had the key in between, with a newer event.
            let mark = row_of(&taken)?.mark;
            if order::life(&event.mark, mark.as_ref()) == Verdict::Stale {
                return superseded(world, event, &taken).await;
            }
        }
        applied.remarks = bring(world, event, &past, again).await?;
    }
    let undone = !applied.remarks.is_empty();
    let row = Row::Thing(ThingRow { mark: Some(after), undone });
    world.state().put(&taken, &row).await?;
    Ok(applied)
}

/// Lets go of the key. What came after the event may have no type, and would not give back what this one
/// was lent.
async fn superseded<W: World>(world: &W, event: &ThingEvent, taken: &Taken) -> Outcome<Applied> {
    world.state().release(taken).await?;
    make::give_back_late(world, &event.thing).await?;
    Ok(Change::Superseded.into())
}

fn row_of(taken: &Taken) -> Outcome<ThingRow> {
    match &taken.row {
        None => Ok(ThingRow::default()),
        Some(Row::Thing(row)) => Ok(row.clone()),
        Some(_) => Err(wrong_row(&taken.key)),
    }
}

/// What is known of the thing's name before a living thing is brought.
struct Past {
    /// The newest event applied.
    mark: Option<ThingMark>,
    /// The same incarnation was brought before.
    is_known: bool,
    /// Another incarnation that may be there still.
    old: Option<ThingMark>,
    /// Someone began something and did not say how it went.
    is_unsure: bool,
}

impl Past {
    fn of(event: &ThingEvent, mark: Option<ThingMark>, begun: Vec<ThingMark>) -> Self {
        let is_other = |mark: &ThingMark| mark.id != event.mark.id;
        let is_unsure = !begun.is_empty();
        let alive = mark.clone().filter(|mark| !mark.deleted && is_other(mark));
        // Whoever began with an older event saw this very row, and did nothing.
        let acted = |begun: &ThingMark| order::life(begun, mark.as_ref()) != Verdict::Stale;
        Self {
            is_known: mark.as_ref().is_some_and(|mark| !is_other(mark)),
            old: alive.or(begun.into_iter().find(|begun| is_other(begun) && acted(begun))),
            is_unsure,
            mark,
        }
    }

    /// The earliest time at which the event's incarnation can have begun. The first event says it; any
    /// other comes after it, as does one sent to mend, which may say when the thing was seen: then only the
    /// incarnation before is a bound.
    fn begun_ms_min(&self, event: &ThingEvent, again: bool) -> u64 {
        if event.mark.version <= FIRST_VERSION && !again {
            return event.mark.timestamp_ms;
        }
        let before = self.mark.as_ref().filter(|mark| mark.id != event.mark.id);
        before.map_or(0, |mark| mark.timestamp_ms)
    }
}

/// Writes down that the incarnation before is gone, for whoever works on its memberships right now, and
/// holds the key on. Only if it surely is: one whose event was begun and is the newer one will come back.
async fn bury<W: World>(
    world: &W,
    event: &ThingEvent,
    taken: Taken,
    old: &ThingMark,
    applied: Option<&ThingMark>,
    intent: &Value,
) -> Outcome<Taken> {
    let gone = ThingMark { deleted: true, ..old.clone() };
    let follows = |later, earlier| order::life(later, earlier) == Verdict::Newer;
    if !follows(&gone, applied) || !follows(&event.mark, Some(&gone)) {
        return Ok(taken);
    }
    let row = Row::Thing(ThingRow { mark: Some(gone), undone: false });
    world.state().note(&taken, &row, intent, world.clock().now_ms()).await
}

/// Makes or changes the thing, then gives it what belongs to it.
async fn bring<W: World>(
    world: &W,
    event: &ThingEvent,
    past: &Past,
    again: bool,
) -> Outcome<Vec<crate::outcome::Failure>> {
    let made = make::make(world, &event.thing, past.is_known).await?;
    let mut remarks = made.remarks;
    if past.is_unsure {
        make::give_back(world, &event.thing).await?;
    }
    if made.is_new || !past.is_known || past.is_unsure || again {
        remarks
            .extend(belongings::give(world, event, past.begun_ms_min(event, again), past.is_unsure).await?);
    }
    Ok(remarks)
}

#[cfg(test)]
mod tests;
