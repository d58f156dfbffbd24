//! Is this event newer than what was applied?
//!
//! Events arrive in any order and any number of times. The replicator keeps one row a thing and one
//! a shadow with the newest event applied so far; everything about order is decided here, from that
//! row and the event alone, so that any permutation of a history ends in the same state.
//!
//! Things: within one incarnation (`thingId`) the version number decides, and nothing comes after
//! the deletion. Between incarnations the time of the event decides; at the same millisecond a
//! living incarnation follows a deleted one.
//!
//! Shadows: the higher version wins. A shadow that was made again counts from the start, so a
//! difference in time beyond [`RESTART_GAP_S`] outweighs the version. AWS keeps the counter of a
//! deleted shadow for 48 hours, so a restart is never closer than that.
//!
//! A shadow event older than the deletion of its thing belongs to what was deleted.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::event::{Operation, ShadowEvent, ThingEvent};

/// The difference in the time of two shadow events beyond which time outweighs the version. It is
/// larger than the disagreement of clocks inside a Region, and smaller than the time in which a
/// shadow can be deleted and its counter forgotten.
pub const RESTART_GAP_S: u64 = 5;

/// What is to be done with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is newer: apply it.
    Newer,
    /// It is the one applied last: done.
    Duplicate,
    /// Something newer was applied: done.
    Stale,
}

/// The newest event applied to a thing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThingMark {
    /// The incarnation.
    pub thing_id: String,
    /// Its version number.
    pub version: u64,
    /// The event's time.
    pub timestamp_ms: u64,
    /// The incarnation is deleted: the row is its tombstone.
    pub deleted: bool,
}

/// The newest event applied to a shadow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowMark {
    /// Its version in the primary.
    pub version: u64,
    /// The event's time.
    pub timestamp_s: u64,
}

impl From<&ThingEvent> for ThingMark {
    fn from(event: &ThingEvent) -> Self {
        Self {
            thing_id: event.thing_id.clone(),
            version: event.version,
            timestamp_ms: event.timestamp_ms,
            deleted: event.operation == Operation::Deleted,
        }
    }
}

impl From<&ShadowEvent> for ShadowMark {
    fn from(event: &ShadowEvent) -> Self {
        Self { version: event.version, timestamp_s: event.timestamp_s }
    }
}

/// Judges a registry event by the newest one applied.
pub fn thing(event: &ThingMark, applied: Option<&ThingMark>) -> Verdict {
    let Some(applied) = applied else { return Verdict::Newer };
    if event.thing_id == applied.thing_id {
        return match (applied.deleted, event.deleted) {
            (true, true) => Verdict::Duplicate,
            (false, true) => Verdict::Newer,
            (false, false) if event.version > applied.version => Verdict::Newer,
            (false, false) if event.version == applied.version => Verdict::Duplicate,
            (_, false) => Verdict::Stale,
        };
    }
    // The identity comes last only so that even an impossible tie ends the same way everywhere.
    let rank = |mark: &ThingMark| (mark.timestamp_ms, !mark.deleted, mark.thing_id.clone());
    if rank(event) > rank(applied) { Verdict::Newer } else { Verdict::Stale }
}

/// Judges a shadow event by the newest one applied.
pub fn shadow(event: ShadowMark, applied: Option<ShadowMark>) -> Verdict {
    let Some(applied) = applied else { return Verdict::Newer };
    let by_version = event.version.cmp(&applied.version);
    let by_time = event.timestamp_s.cmp(&applied.timestamp_s);
    let far_apart = event.timestamp_s.abs_diff(applied.timestamp_s) > RESTART_GAP_S;
    // If they disagree although the times are far apart, the counter started again in between.
    match if far_apart { by_time } else { by_version } {
        Ordering::Greater => Verdict::Newer,
        Ordering::Equal => Verdict::Duplicate,
        Ordering::Less => Verdict::Stale,
    }
}

/// Whether a shadow event was before the last known deletion of its thing, and so died with it.
///
/// Shadows know seconds only. Within the second of the deletion a shadow is kept: a leftover is
/// mended by the next event, a loss is not.
pub fn shadow_died_with_thing(timestamp_s: u64, deleted_at_ms: Option<u64>) -> bool {
    deleted_at_ms.is_some_and(|deleted_at_ms| timestamp_s < deleted_at_ms / 1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(thing_id: &str, version: u64, timestamp_ms: u64, deleted: bool) -> ThingMark {
        ThingMark { thing_id: thing_id.into(), version, timestamp_ms, deleted }
    }

    fn fold(history: &[ThingMark]) -> Option<ThingMark> {
        history.iter().fold(None, |applied, event| match thing(event, applied.as_ref()) {
            Verdict::Newer => Some(event.clone()),
            _ => applied,
        })
    }

    /// Incarnations one after the other, each with some updates; the last may live on.
    fn thing_history() -> impl Strategy<Value = (Vec<ThingMark>, ThingMark)> {
        (prop::collection::vec((0_u64..4, 1_u64..50), 1..4), any::<bool>()).prop_map(|(lives, last_lives)| {
            let mut clock_ms = 1_000;
            let mut history = Vec::new();
            let count = lives.len();
            for (index, (updates, step_ms)) in lives.into_iter().enumerate() {
                let id = format!("id-{index}");
                for version in 1..=updates + 1 {
                    history.push(mark(&id, version, clock_ms, false));
                    clock_ms += step_ms;
                }
                if index + 1 < count || !last_lives {
                    // AWS does not raise the version for the deletion.
                    history.push(mark(&id, updates + 1, clock_ms, true));
                }
                clock_ms += step_ms % 2;
            }
            let last = history.last().cloned().unwrap_or_default();
            (history, last)
        })
    }

    proptest! {
        #[test]
        fn any_permutation_with_duplicates_ends_at_the_last_event_of_a_thing(
            ((_, last), mixed) in thing_history().prop_flat_map(|(history, last)| {
                let mut twice = history.clone();
                twice.extend(history.iter().cloned());
                (Just((history, last)), Just(twice).prop_shuffle())
            })
        ) {
            prop_assert_eq!(fold(&mixed), Some(last));
        }

        #[test]
        fn any_permutation_with_duplicates_ends_at_the_last_event_of_a_shadow(
            (last, mixed) in (1_u64..30, 0_u64..30, 0_u64..3).prop_flat_map(|(first, second, slow)| {
                // Two lives of a shadow, the second counting from the start again.
                let mut history: Vec<_> = (1..=first)
                    .map(|version| ShadowMark { version, timestamp_s: 1_000 + version * slow })
                    .collect();
                history.extend((1..=second).map(|version| ShadowMark { version, timestamp_s: 200_000 + version }));
                let last = history.last().copied();
                let twice: Vec<_> = history.iter().chain(&history).copied().collect();
                (Just(last), Just(twice).prop_shuffle())
            })
        ) {
            let end = mixed.iter().fold(None, |applied, event| match shadow(*event, applied) {
                Verdict::Newer => Some(*event),
                _ => applied,
            });
            prop_assert_eq!(end, last);
        }
    }

    #[test]
    fn a_late_event_of_a_deleted_incarnation_does_nothing() {
        let tombstone = mark("a", 3, 30, true);
        assert_eq!(thing(&mark("a", 9, 20, false), Some(&tombstone)), Verdict::Stale);
        assert_eq!(thing(&tombstone, Some(&tombstone)), Verdict::Duplicate);
    }

    #[test]
    fn a_late_delete_after_a_re_create_does_nothing() {
        let alive = mark("b", 1, 40, false);
        assert_eq!(thing(&mark("a", 3, 30, true), Some(&alive)), Verdict::Stale);
        assert_eq!(thing(&mark("a", 3, 40, true), Some(&alive)), Verdict::Stale);
        assert_eq!(thing(&alive, Some(&mark("a", 3, 40, true))), Verdict::Newer);
    }

    #[test]
    fn the_version_outweighs_clocks_that_disagree_a_little() {
        let applied = Some(ShadowMark { version: 5, timestamp_s: 100 });
        assert_eq!(shadow(ShadowMark { version: 6, timestamp_s: 98 }, applied), Verdict::Newer);
        assert_eq!(shadow(ShadowMark { version: 4, timestamp_s: 102 }, applied), Verdict::Stale);
        assert_eq!(shadow(ShadowMark { version: 5, timestamp_s: 100 }, applied), Verdict::Duplicate);
    }

    #[test]
    fn a_shadow_made_again_counts_from_the_start() {
        let old = ShadowMark { version: 50, timestamp_s: 100 };
        let new = ShadowMark { version: 1, timestamp_s: 100_000 };
        assert_eq!(shadow(new, Some(old)), Verdict::Newer);
        assert_eq!(shadow(old, Some(new)), Verdict::Stale);
        let same_number = ShadowMark { version: 50, timestamp_s: 100_000 };
        assert_eq!(shadow(same_number, Some(old)), Verdict::Newer);
        assert_eq!(shadow(old, Some(same_number)), Verdict::Stale);
    }

    #[test]
    fn a_shadow_dies_with_its_thing_unless_it_is_of_the_same_second() {
        assert!(shadow_died_with_thing(9, Some(10_500)));
        assert!(!shadow_died_with_thing(10, Some(10_500)));
        assert!(!shadow_died_with_thing(9, None));
    }
}
