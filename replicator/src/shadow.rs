//! Brings a shadow of the secondary to the state that an event carries.
//!
//! What it guarantees: an older event never undoes a newer one; a leaf that someone else wrote in
//! the secondary after the primary's value is left alone, however often later events repeat that
//! older value, and one that someone else removed stays away; nothing is written when nothing differs;
//! a repeat after a crash at any step ends the same way.
//!
//! How it knows what is there: the state row holds the secondary's document after the replicator's last
//! write ([`known`]). The next write is bound to that version, so in the usual case it is the only call.
//! If someone else wrote in between the write is refused, the document is read, and each leaf that is
//! not as it was left is someone else's. What the replicator is about to write is the intent with which
//! the key is taken: after a crash such values are not taken for a device's.

pub mod diff;
mod known;
mod removed;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::event::ShadowEvent;
use crate::order::{self, ShadowMark, Verdict};
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::patience::wrong_row;
use crate::ports::{Clock, Row, ShadowRow, Shadows, State, Taken, World};
use crate::replicate::{Applied, Change};
use crate::shadow::diff::{Document, Kept, Place};
use crate::tables;

/// How often a write is tried when someone else writes the same shadow in between. A device writes
/// a shadow some times a second at most, a try takes tens of milliseconds.
pub const WRITE_TRIES_MAX: u32 = 5;

/// Applies a shadow event.
pub async fn apply<W: World>(world: &W, event: &ShadowEvent, again: bool) -> Outcome<Applied> {
    let key = tables::shadow_key(&event.thing, &event.shadow);
    let intent = json!({ "mark": event.mark, "state": event.state });
    let mut taken = world.state().take(&key, &intent, world.clock().now_ms()).await?;
    let Some(mut row) = row_if_newer(&taken, event, again)? else {
        world.state().release(&taken).await?;
        return Ok(Change::Superseded.into());
    };
    let begun = taken.unfinished.as_ref().and_then(|begun| ShadowMark::deserialize(&begun["mark"]).ok());
    if order::shadow(event.mark, begun) == Verdict::Stale {
        // A newer one was begun, perhaps written, and will come again: the shadow never goes backwards.
        world.state().release(&taken).await?;
        return Ok(Change::Superseded.into());
    }
    if again || taken.unfinished.is_some() {
        // Nothing is certain: look first. What is found is noted before anything more is written.
        let found = world.region().shadow(&event.thing, &event.shadow).await?;
        known::see(&mut row, found, taken.unfinished.as_ref().map(|begun| &begun["state"]));
        let noted = Row::Shadow(row);
        taken = world.state().note(&taken, &noted, &intent, world.clock().now_ms()).await?;
        let Some(newest) = row_if_newer(&taken, event, again)? else {
            world.state().release(&taken).await?;
            return Ok(Change::Superseded.into());
        };
        row = newest;
    }
    let mut writer = Writer { world, event, row };
    let change = if event.mark.deleted { writer.remove().await? } else { writer.write().await? };
    let row = ShadowRow {
        mark: Some(event.mark),
        state: event.state.clone(),
        metadata: event.metadata.clone(),
        ..writer.row
    };
    world.state().put(&taken, &Row::Shadow(row)).await?;
    Ok(change.into())
}

fn row_if_newer(taken: &Taken, event: &ShadowEvent, again: bool) -> Outcome<Option<ShadowRow>> {
    let row = match &taken.row {
        None => ShadowRow::default(),
        Some(Row::Shadow(row)) => row.clone(),
        Some(_) => return Err(wrong_row(&taken.key)),
    };
    Ok(order::shadow(event.mark, row.mark).applies(again).then_some(row))
}

struct Writer<'a, W> {
    world: &'a W,
    event: &'a ShadowEvent,
    row: ShadowRow,
}

impl<W: World> Writer<'_, W> {
    /// Writes what differs from what is known to be there.
    async fn write(&mut self) -> Outcome<Change> {
        let (thing, shadow) = (&self.event.thing, &self.event.shadow);
        let (mut is_refused_new, mut has_looked) = (false, false);
        for _ in 0..WRITE_TRIES_MAX {
            let (update, kept) = self.update();
            // An empty state still makes a shadow: the primary has one.
            let update = update.or_else(|| self.row.target_version.is_none().then(|| json!({})));
            let Some(update) = update else {
                if !has_looked && known::is_restated(&self.row, &self.event.state, &self.event.metadata) {
                    // No write would tell that someone else wrote something older in between.
                    has_looked = true;
                    let found = self.world.region().shadow(thing, shadow).await?;
                    known::see(&mut self.row, found, None);
                    continue;
                }
                known::keep_only(&mut self.row, &kept);
                return Ok(Change::Unchanged);
            };
            // Zero says that there must be none. A shadow deleted not long ago still has its
            // counter, on which a service may insist; then the merge into nothing is unconditional.
            let version = self.row.target_version.unwrap_or_default();
            let expected = (!is_refused_new).then_some(version);
            match self.world.region().update_shadow(thing, shadow, &update, expected).await {
                Ok(written) => {
                    known::wrote(&mut self.row, &update, written, expected.is_some());
                    known::keep_only(&mut self.row, &kept);
                    return Ok(Change::Changed);
                }
                Err(failure) if failure.class == Class::Conflict => {}
                Err(failure) if failure.class == Class::Permanent && expected == Some(0) => {}
                Err(failure) => return Err(failure),
            }
            let found = self.world.region().shadow(thing, shadow).await?;
            (is_refused_new, has_looked) = (found.is_none(), true);
            known::see(&mut self.row, found, None);
        }
        Err(Failure::transient("update shadow", "someone else wrote in between at every try"))
    }

    /// Deletes the shadow, but for what someone else wrote after the primary's was deleted. No deletion
    /// can be bound to a version, so it looks first.
    async fn remove(&mut self) -> Outcome<Change> {
        let (thing, shadow) = (&self.event.thing, &self.event.shadow);
        for _ in 0..WRITE_TRIES_MAX {
            let found = self.world.region().shadow(thing, shadow).await?;
            known::see(&mut self.row, found, None);
            if self.row.target_version.is_none() {
                return Ok(Change::Unchanged);
            }
            let (update, kept) = self.update();
            if kept.is_empty() {
                self.world.region().delete_shadow(thing, shadow).await.settled(Class::NotFound)?;
                known::see(&mut self.row, None, None);
                return Ok(Change::Changed);
            }
            let Some(update) = update else {
                known::keep_only(&mut self.row, &kept);
                return Ok(Change::Unchanged);
            };
            let version = self.row.target_version;
            match self.world.region().update_shadow(thing, shadow, &update, version).await {
                Ok(written) => {
                    known::wrote(&mut self.row, &update, written, true);
                    known::keep_only(&mut self.row, &kept);
                    return Ok(Change::Changed);
                }
                Err(failure) if failure.class == Class::Conflict => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::transient("delete shadow", "someone else wrote in between at every try"))
    }

    /// The update that makes the document what the event wants, and the leaves it leaves alone.
    fn update(&self) -> (Option<Value>, Kept) {
        let (row, event) = (&self.row, self.event);
        if row.target_version.is_none() {
            let nothing = Document { state: &Value::Null, metadata: &Value::Null };
            let wanted = Document { state: &event.state, metadata: &event.metadata };
            return diff::update(&nothing, &wanted, |_| false);
        }
        let state = removed::without(
            Document { state: &event.state, metadata: &event.metadata },
            Document { state: &row.state, metadata: &row.metadata },
            &row.target_state,
        );
        let current = Document { state: &row.target_state, metadata: &row.target_metadata };
        let wanted = Document { state: &state, metadata: &event.metadata };
        diff::update(&current, &wanted, |place| self.is_newer(place))
    }

    /// Whether a leaf of the secondary is someone else's and newer than the primary's value.
    ///
    /// A leaf that the primary does not have counts as newer, unless the primary had it after that time:
    /// that the primary never heard of it must not delete what a device wrote during an outage.
    fn is_newer(&self, place: Place<'_>) -> bool {
        let Some(stamp_s) = known::kept_s(&self.row, place.pointer) else { return false };
        if self.event.mark.deleted {
            return stamp_s > self.event.mark.timestamp_s;
        }
        if place.wanted.is_none() {
            let had = self.row.state.pointer(place.pointer).is_some();
            return !(had && self.row.mark.is_some_and(|mark| stamp_s <= mark.timestamp_s));
        }
        // Without metadata the primary's value may be as new as the event.
        let wanted_s = diff::newest_s(place.wanted_metadata).unwrap_or(self.event.mark.timestamp_s);
        stamp_s > wanted_s
    }
}

#[cfg(test)]
mod tests;
