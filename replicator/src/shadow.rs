//! Brings a shadow of the secondary to the state that an event carries.
//!
//! What it guarantees: an older event never undoes a newer one; a leaf that someone else wrote in
//! the secondary after the primary's value is left alone, however often later events repeat that
//! older value; nothing is written when nothing differs; a repeat after a crash at any step ends
//! the same way.
//!
//! How it knows a leaf of someone else's: the state row holds the secondary's version at the
//! replicator's last look. If that is still the version, every leaf is the replicator's. If not, a
//! leaf is someone else's when it was stamped since the replicator's last write and is not what the
//! replicator wrote; what it is about to write is put into the row *before* the write. Leaves that
//! were left alone are remembered, so that the replicator's next write does not make them its own.

pub mod diff;

use serde_json::Value;

use crate::event::ShadowEvent;
use crate::order::{self, ShadowMark, Verdict};
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::ports::{Document, Row, Secondary, ShadowRow, State, ThingRow, World};
use crate::shadow::diff::{Kept, Place};
use crate::tables;

/// How often a write is tried when someone else writes the same shadow in between. A device writes
/// a shadow some times a second at most, a try takes tens of milliseconds.
pub const WRITE_TRIES_MAX: u32 = 5;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The secondary was changed.
    Changed,
    /// The secondary was as it should be.
    Unchanged,
    /// The event was a duplicate or older than what was applied.
    Superseded,
}

/// Applies a shadow event.
pub async fn apply<W: World>(world: &W, event: &ShadowEvent) -> Outcome<Applied> {
    let key = tables::shadow_key(&event.thing, &event.shadow);
    let (thing, shadow) =
        futures::join!(thing_row(world, &event.thing), shadow_row(world, &event.thing, &event.shadow));
    let (thing, (row, revision)) = (thing?, shadow?);
    let mark = ShadowMark::from(event);
    if order::shadow_died_with_thing(event.timestamp_s, thing.deleted_at_ms)
        || order::shadow(mark, row.mark) != Verdict::Newer
    {
        return Ok(Applied::Superseded);
    }
    Writer { world, event, key, row, revision }.run().await
}

/// Deletes the classic shadow of a thing that was deleted, unless the shadow is younger than that.
pub async fn remove_with_thing<W: World>(world: &W, thing: &str, deleted_at_ms: u64) -> Outcome<()> {
    let (row, revision) = shadow_row(world, thing, "").await?;
    let younger = |mark: ShadowMark| !order::shadow_died_with_thing(mark.timestamp_s, Some(deleted_at_ms));
    if row.mark.is_some_and(younger) {
        return Ok(());
    }
    world.secondary().delete_shadow(thing, "").await.settled(Class::NotFound)?;
    if revision.is_some() {
        // The mark stays, so that what came before it stays known as old.
        let emptied = ShadowRow { mark: row.mark, ..ShadowRow::default() };
        world.state().put(&tables::shadow_key(thing, ""), &Row::Shadow(emptied), revision).await?;
    }
    Ok(())
}

async fn thing_row<W: World>(world: &W, thing: &str) -> Outcome<ThingRow> {
    match world.state().get(&tables::thing_key(thing)).await? {
        Some((Row::Thing(row), _)) => Ok(row),
        Some((Row::Shadow(_), _)) => Err(Failure::permanent("state", "a shadow's row under a thing's key")),
        None => Ok(ThingRow::default()),
    }
}

async fn shadow_row<W: World>(world: &W, thing: &str, shadow: &str) -> Outcome<(ShadowRow, Option<u64>)> {
    match world.state().get(&tables::shadow_key(thing, shadow)).await? {
        Some((Row::Shadow(row), revision)) => Ok((row, Some(revision))),
        Some((Row::Thing(_), _)) => Err(Failure::permanent("state", "a thing's row under a shadow's key")),
        None => Ok((ShadowRow::default(), None)),
    }
}

struct Writer<'a, W> {
    world: &'a W,
    event: &'a ShadowEvent,
    key: String,
    row: ShadowRow,
    revision: Option<u64>,
}

impl<W: World> Writer<'_, W> {
    async fn run(mut self) -> Outcome<Applied> {
        let (thing, shadow) = (&self.event.thing, &self.event.shadow);
        let mut refused_new = false;
        for _ in 0..WRITE_TRIES_MAX {
            let found = self.world.secondary().shadow(thing, shadow).await?;
            let document = found.clone().unwrap_or_default();
            let (update, kept) = self.update(&document, found.is_some());
            let Some(update) = update else {
                self.row.target_version = found.map(|found| found.version);
                self.row.kept = kept;
                self.commit().await?;
                return Ok(Applied::Unchanged);
            };
            self.announce(&update).await?;
            // Zero says that there must be none. A shadow deleted not long ago still has its
            // counter, on which a service may insist; then the merge into nothing is unconditional.
            let refused = found.is_none() && refused_new;
            let expected = if refused { None } else { Some(document.version) };
            match self.world.secondary().update_shadow(thing, shadow, &update, expected).await {
                Ok(written) => {
                    if written.timestamp_s != self.row.target_timestamp_s {
                        self.row.wrote = Value::Null;
                    }
                    self.row.target_version = Some(written.version);
                    self.row.target_timestamp_s = written.timestamp_s;
                    self.row.kept = kept;
                    self.commit().await?;
                    return Ok(Applied::Changed);
                }
                Err(failure) if failure.class == Class::Conflict => refused_new = found.is_none(),
                Err(failure) if failure.class == Class::Permanent && found.is_none() && !refused => {
                    refused_new = true;
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::transient("update shadow", "someone else wrote in between at every try"))
    }

    /// The update that makes the document what the event wants, and the leaves it leaves alone.
    fn update(&self, document: &Document, exists: bool) -> (Option<Value>, Kept) {
        let current = diff::Document { state: &document.state, metadata: &document.metadata };
        let wanted = diff::Document { state: &self.event.state, metadata: &self.event.metadata };
        let (update, kept) = diff::update(&current, &wanted, |place| self.is_newer(place, document.version));
        // An empty state still makes a shadow: the primary has one.
        let update = if exists {
            update
        } else {
            Some(update.unwrap_or_else(|| Value::Object(serde_json::Map::new())))
        };
        (update, kept)
    }

    /// Whether a leaf of the secondary is someone else's and newer than the primary's value.
    ///
    /// A leaf that the primary does not have, and someone else wrote, counts as newer: that the
    /// primary never heard of it must not delete what a device wrote during an outage.
    fn is_newer(&self, place: Place<'_>, document_version: u64) -> bool {
        let Some(stamp_s) = diff::newest_s(place.current_metadata) else { return false };
        // Without metadata the primary's value may be as new as the event.
        let wanted_s = || diff::newest_s(place.wanted_metadata).unwrap_or(self.event.timestamp_s);
        let newer = place.wanted.is_none() || stamp_s > wanted_s();
        newer && self.is_foreign(place, stamp_s, document_version)
    }

    fn is_foreign(&self, place: Place<'_>, stamp_s: u64, document_version: u64) -> bool {
        if self.row.kept.get(place.pointer) == Some(&stamp_s) {
            return true;
        }
        if self.row.target_version == Some(document_version) || stamp_s < self.row.target_timestamp_s {
            return false;
        }
        let own = [&self.row.wrote, &self.row.announced];
        !own.iter().any(|own| own.pointer(place.pointer).is_some_and(|own| diff::same(own, place.current)))
    }

    /// Puts down what is about to be written, so that after a crash it is not taken for a device's.
    async fn announce(&mut self, update: &Value) -> Outcome<()> {
        diff::remember(update, &mut self.row.announced);
        self.put().await
    }

    async fn commit(&mut self) -> Outcome<()> {
        let announced = std::mem::take(&mut self.row.announced);
        if !announced.is_null() {
            diff::remember(&announced, &mut self.row.wrote);
        }
        self.row.mark = Some(ShadowMark::from(self.event));
        self.put().await
    }

    async fn put(&mut self) -> Outcome<()> {
        let row = Row::Shadow(self.row.clone());
        self.revision = Some(self.world.state().put(&self.key, &row, self.revision).await?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fakes::Twins;

    fn event(version: u64, timestamp_s: u64, reported: &Value, stamps: &Value) -> ShadowEvent {
        ShadowEvent {
            thing: "t".into(),
            shadow: String::new(),
            state: json!({"reported": reported}),
            metadata: json!({"reported": stamps}),
            version,
            timestamp_s,
        }
    }

    #[tokio::test]
    async fn an_older_version_never_undoes_a_newer_one() {
        let twins = Twins::new();
        let newer = event(2, 20, &json!({"a": 2}), &json!({"a": {"timestamp": 20}}));
        let older =
            event(1, 19, &json!({"a": 1, "b": 1}), &json!({"a": {"timestamp": 19}, "b": {"timestamp": 19}}));
        assert_eq!(apply(&twins, &newer).await.unwrap(), Applied::Changed);
        assert_eq!(apply(&twins, &older).await.unwrap(), Applied::Superseded);
        assert_eq!(apply(&twins, &newer).await.unwrap(), Applied::Superseded);
        assert_eq!(twins.shadow_state("t", ""), Some(json!({"reported": {"a": 2}})));
    }

    #[tokio::test]
    async fn keys_that_the_primary_lost_go_and_equal_documents_cost_no_write() {
        let twins = Twins::new();
        let first = event(1, 10, &json!({"a": 1, "o": {"x": 1}}), &json!({}));
        apply(&twins, &first).await.unwrap();
        let second = event(2, 11, &json!({"a": 1}), &json!({}));
        assert_eq!(apply(&twins, &second).await.unwrap(), Applied::Changed);
        assert_eq!(twins.shadow_state("t", ""), Some(json!({"reported": {"a": 1}})));
        let third = event(3, 12, &json!({"a": 1.0}), &json!({}));
        assert_eq!(apply(&twins, &third).await.unwrap(), Applied::Unchanged);
    }

    #[tokio::test]
    async fn a_devices_own_write_is_not_overwritten_by_any_number_of_older_ones() {
        let twins = Twins::new();
        twins.at_s(100);
        let stamps = json!({"a": {"timestamp": 90}, "b": {"timestamp": 90}});
        apply(&twins, &event(1, 90, &json!({"a": 1, "b": 1}), &stamps)).await.unwrap();
        twins.at_s(110);
        twins.device_writes("t", &json!({"reported": {"a": "device"}}));
        twins.at_s(120);
        for version in 2..5 {
            // The primary goes on writing b; its a is the one from before the outage.
            let stamps = json!({"a": {"timestamp": 95}, "b": {"timestamp": 115 + version}});
            let late = event(version, 115 + version, &json!({"a": 2, "b": version}), &stamps);
            assert_eq!(apply(&twins, &late).await.unwrap(), Applied::Changed);
            assert_eq!(twins.shadow_state("t", ""), Some(json!({"reported": {"a": "device", "b": version}})));
        }
        let stamps = json!({"a": {"timestamp": 130}, "b": {"timestamp": 119}});
        apply(&twins, &event(9, 130, &json!({"a": 3, "b": 4}), &stamps)).await.unwrap();
        assert_eq!(twins.shadow_state("t", ""), Some(json!({"reported": {"a": 3, "b": 4}})));
    }

    #[tokio::test]
    async fn a_late_event_wins_over_what_the_replicator_wrote_itself_even_beside_a_devices_write() {
        let twins = Twins::new();
        twins.at_s(200);
        // Applied long after it happened, so its stamp in the secondary is newer than the next event.
        apply(&twins, &event(1, 90, &json!({"a": 1}), &json!({"a": {"timestamp": 90}}))).await.unwrap();
        twins.device_writes("t", &json!({"reported": {"own": true}}));
        let next = event(2, 91, &json!({"a": 2}), &json!({"a": {"timestamp": 91}}));
        apply(&twins, &next).await.unwrap();
        assert_eq!(twins.shadow_state("t", ""), Some(json!({"reported": {"a": 2, "own": true}})));
    }

    #[tokio::test]
    async fn a_write_in_between_is_read_again() {
        let twins = Twins::new();
        apply(&twins, &event(1, 10, &json!({"a": 1}), &json!({}))).await.unwrap();
        twins.fail_next("update_shadow", Class::Conflict, 2);
        assert_eq!(
            apply(&twins, &event(2, 11, &json!({"a": 2}), &json!({}))).await.unwrap(),
            Applied::Changed
        );
        twins.fail_next("update_shadow", Class::Conflict, WRITE_TRIES_MAX);
        assert!(apply(&twins, &event(3, 12, &json!({"a": 3}), &json!({}))).await.unwrap_err().is_transient());
    }

    #[tokio::test]
    async fn an_event_from_before_the_things_deletion_makes_no_ghost() {
        let twins = Twins::new();
        let row = Row::Thing(ThingRow { deleted_at_ms: Some(50_000), ..ThingRow::default() });
        twins.put_row(&tables::thing_key("t"), row);
        assert_eq!(
            apply(&twins, &event(7, 49, &json!({"a": 1}), &json!({}))).await.unwrap(),
            Applied::Superseded
        );
        assert_eq!(twins.shadow_state("t", ""), None);
    }
}
