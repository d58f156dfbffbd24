//! Is this event newer than what was applied?
//!
//! Events arrive in any order and any number of times. The replicator keeps one row a key with the
//! newest event applied so far; everything about order is decided here, from that row and the event
//! alone, so that any permutation of a history ends in the same state.
//!
//! | What | Its order |
//! |---|---|
//! | thing, group | Of one incarnation (`thingId`, `thingGroupId`) the higher version; nothing comes after its deletion. Between incarnations the later time; at the same millisecond a living one follows a deleted one. |
//! | thing type | The same, with the time instead of the version, which types lack. |
//! | membership | The same, an incarnation being one membership (`membershipId`), which begins and ends, and may begin again. |
//! | shadow | The higher version; a deletion has the version of what it deleted and follows it. A shadow that was made again long after counts from the start: a difference in time beyond [`RESTART_GAP_S`] outweighs the version. AWS keeps the counter of a deleted shadow for 48 hours, so a restart is never closer than that. |
//! | document | The later look: see [`crate::document`]. Nothing older undoes what was begun and may be half done. |
//!
//! Two that work on one key at the same time are kept apart by taking the key
//! ([`crate::ports::State::take`]); order is about what comes after what, not about who writes when.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The difference in the time of two shadow events beyond which time outweighs the version. It is
/// larger than the disagreement of clocks inside a Region, and smaller than the time in which a
/// shadow can be deleted and its counter forgotten.
pub const RESTART_GAP_S: u64 = 5;

/// How long a key stays taken by a holder that ended without letting go. Longer than one event may
/// take with its last call still on the way ([`crate::settle::EVENT_MS_MAX`]).
pub const LEASE_MS: u64 = 15_000;

/// What is to be done with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is newer: apply it.
    Newer,
    /// It is the one applied last: done, unless something was left undone.
    Duplicate,
    /// Something newer was applied: done.
    Stale,
}

impl Verdict {
    /// Whether an event is to be applied; `again` if it was sent to mend what it left undone.
    pub fn applies(self, again: bool) -> bool {
        self == Self::Newer || again && self == Self::Duplicate
    }
}

/// The newest event applied to something that is made, changes and goes, and may be made again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeMark {
    /// The incarnation.
    pub id: String,
    /// Rises with each change of one incarnation.
    pub version: u64,
    /// The event's time.
    pub timestamp_ms: u64,
    /// The incarnation is gone: the row is its tombstone.
    pub deleted: bool,
}

/// Of a thing.
pub type ThingMark = LifeMark;
/// Of a group.
pub type GroupMark = LifeMark;
/// Of a thing type; its version is the time.
pub type TypeMark = LifeMark;

/// The newest event of a thing's membership in one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipMark {
    /// One membership; `deleted` when the thing was taken out.
    pub life: LifeMark,
    /// The incarnation of the group.
    pub group_id: String,
    /// The incarnation of the thing; empty if it is not known.
    #[serde(default)]
    pub thing_id: String,
}

/// The newest event applied to a shadow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowMark {
    /// Its version in the primary.
    pub version: u64,
    /// The event's time.
    pub timestamp_s: u64,
    /// It was deleted at that version.
    pub deleted: bool,
}

/// Judges an event of something that has lives by the newest one applied.
pub fn life(event: &LifeMark, applied: Option<&LifeMark>) -> Verdict {
    let Some(applied) = applied else { return Verdict::Newer };
    if event.id == applied.id {
        return match (applied.deleted, event.deleted) {
            (true, true) => Verdict::Duplicate,
            (false, true) => Verdict::Newer,
            (false, false) if event.version > applied.version => Verdict::Newer,
            // What was seen of that version, and not told, claims a time that is early.
            (false, false)
                if event.version == applied.version && event.timestamp_ms > applied.timestamp_ms =>
            {
                Verdict::Newer
            }
            (false, false) if event.version == applied.version => Verdict::Duplicate,
            (_, false) => Verdict::Stale,
        };
    }
    // The identity comes last only so that even an impossible tie ends the same way everywhere.
    let rank = |mark: &LifeMark| (mark.timestamp_ms, !mark.deleted, mark.id.clone());
    if rank(event) > rank(applied) { Verdict::Newer } else { Verdict::Stale }
}

/// The mark after an event was applied. Of one incarnation the latest time is kept: what is only seen
/// claims to be earlier than it is, and would let late events of the incarnation before seem newer.
pub fn after(event: &LifeMark, applied: Option<&LifeMark>) -> LifeMark {
    let known_ms = applied.filter(|applied| applied.id == event.id).map_or(0, |applied| applied.timestamp_ms);
    LifeMark { timestamp_ms: event.timestamp_ms.max(known_ms), ..event.clone() }
}

/// What was begun, by an intent that holds its mark. One that cannot be read is of some other incarnation.
pub fn begun(intent: &Value) -> LifeMark {
    LifeMark::deserialize(intent).unwrap_or_default()
}

/// Judges a membership by the newest one applied. As [`life`], but that nobody promises another identity
/// to one that begins again: within an identity the later time decides, and at the same millisecond the
/// end follows the beginning.
pub fn membership(event: &LifeMark, applied: Option<&LifeMark>) -> Verdict {
    match applied {
        Some(applied) if event.id == applied.id => {
            let rank = |mark: &LifeMark| (mark.timestamp_ms, mark.deleted);
            match rank(event).cmp(&rank(applied)) {
                Ordering::Greater => Verdict::Newer,
                Ordering::Equal => Verdict::Duplicate,
                Ordering::Less => Verdict::Stale,
            }
        }
        applied => life(event, applied),
    }
}

/// Judges a shadow event by the newest one applied.
pub fn shadow(event: ShadowMark, applied: Option<ShadowMark>) -> Verdict {
    let Some(applied) = applied else { return Verdict::Newer };
    let by_version = (event.version, event.deleted).cmp(&(applied.version, applied.deleted));
    let by_time = event.timestamp_s.cmp(&applied.timestamp_s);
    let far_apart = event.timestamp_s.abs_diff(applied.timestamp_s) > RESTART_GAP_S;
    // If they disagree although the times are far apart, the counter started again in between.
    match (if far_apart { by_time } else { by_version }, by_time) {
        // The same, told with its time after it was only seen: that claims a time that is early.
        (Ordering::Greater, _) | (Ordering::Equal, Ordering::Greater) => Verdict::Newer,
        (Ordering::Equal, _) => Verdict::Duplicate,
        (Ordering::Less, _) => Verdict::Stale,
    }
}

/// Judges a document by when the newest one applied was looked at, and the newest one that was begun and did
/// not come to its end (0: none). That comes again.
pub fn document(looked_ms: u64, applied_ms: Option<u64>, begun_ms: u64) -> Verdict {
    if begun_ms > looked_ms {
        return Verdict::Stale;
    }
    match applied_ms.map_or(Ordering::Greater, |applied_ms| looked_ms.cmp(&applied_ms)) {
        Ordering::Greater => Verdict::Newer,
        Ordering::Equal => Verdict::Duplicate,
        Ordering::Less => Verdict::Stale,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(id: &str, version: u64, timestamp_ms: u64, deleted: bool) -> LifeMark {
        LifeMark { id: id.into(), version, timestamp_ms, deleted }
    }

    fn fold(history: &[LifeMark]) -> Option<LifeMark> {
        history.iter().fold(None, |applied, event| match life(event, applied.as_ref()) {
            Verdict::Newer => Some(event.clone()),
            _ => applied,
        })
    }

    /// Incarnations one after the other, each with some updates; the last may live on.
    fn thing_history() -> impl Strategy<Value = (Vec<LifeMark>, LifeMark)> {
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
                    .map(|version| ShadowMark { version, timestamp_s: 1_000 + version * slow, deleted: false })
                    .collect();
                history.extend((1..=second).map(|version| ShadowMark { version, timestamp_s: 200_000 + version, deleted: false }));
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
        assert_eq!(life(&mark("a", 9, 20, false), Some(&tombstone)), Verdict::Stale);
        assert_eq!(life(&tombstone, Some(&tombstone)), Verdict::Duplicate);
    }

    #[test]
    fn a_late_delete_after_a_re_create_does_nothing() {
        let alive = mark("b", 1, 40, false);
        assert_eq!(life(&mark("a", 3, 30, true), Some(&alive)), Verdict::Stale);
        assert_eq!(life(&mark("a", 3, 40, true), Some(&alive)), Verdict::Stale);
        assert_eq!(life(&alive, Some(&mark("a", 3, 40, true))), Verdict::Newer);
    }

    #[test]
    fn what_was_only_seen_gives_way_to_nothing_older_once_its_own_event_came() {
        let (before, own) = (mark("a", 1, 97, false), mark("b", 1, 100, false));
        let seen = mark("b", 1, 95, false);
        assert_eq!(life(&own, Some(&seen)), Verdict::Newer);
        assert_eq!(life(&seen, Some(&own)), Verdict::Duplicate);
        assert_eq!(after(&seen, Some(&own)), own);
        assert_eq!(life(&before, Some(&after(&seen, Some(&own)))), Verdict::Stale);
        let gone = ShadowMark { version: 3, timestamp_s: 100, deleted: true };
        let seen = ShadowMark { timestamp_s: 98, ..gone };
        assert_eq!(
            (shadow(gone, Some(seen)), shadow(seen, Some(gone))),
            (Verdict::Newer, Verdict::Duplicate)
        );
    }

    #[test]
    fn the_version_outweighs_clocks_that_disagree_a_little() {
        let applied = Some(ShadowMark { version: 5, timestamp_s: 100, deleted: false });
        assert_eq!(
            shadow(ShadowMark { version: 6, timestamp_s: 98, deleted: false }, applied),
            Verdict::Newer
        );
        assert_eq!(
            shadow(ShadowMark { version: 4, timestamp_s: 102, deleted: false }, applied),
            Verdict::Stale
        );
        assert_eq!(
            shadow(ShadowMark { version: 5, timestamp_s: 100, deleted: false }, applied),
            Verdict::Duplicate
        );
    }

    #[test]
    fn a_shadow_made_again_counts_from_the_start() {
        let old = ShadowMark { version: 50, timestamp_s: 100, deleted: false };
        let new = ShadowMark { version: 1, timestamp_s: 100_000, deleted: false };
        assert_eq!(shadow(new, Some(old)), Verdict::Newer);
        assert_eq!(shadow(old, Some(new)), Verdict::Stale);
        let same_number = ShadowMark { version: 50, timestamp_s: 100_000, deleted: false };
        assert_eq!(shadow(same_number, Some(old)), Verdict::Newer);
        assert_eq!(shadow(old, Some(same_number)), Verdict::Stale);
    }

    #[test]
    fn a_deletion_of_a_shadow_follows_what_it_deleted_and_nothing_else() {
        let at = |version, deleted| ShadowMark { version, timestamp_s: 100, deleted };
        assert_eq!(shadow(at(4, true), Some(at(4, false))), Verdict::Newer);
        assert_eq!(shadow(at(4, false), Some(at(4, true))), Verdict::Stale);
        assert_eq!(shadow(at(5, false), Some(at(4, true))), Verdict::Newer);
        assert_eq!(shadow(at(4, true), Some(at(5, false))), Verdict::Stale);
    }

    #[test]
    fn a_membership_may_begin_again_under_its_identity() {
        let (begun, ended, again) =
            (mark("m", 10, 10, false), mark("m", 20, 20, true), mark("m", 30, 30, false));
        assert_eq!(membership(&again, Some(&ended)), Verdict::Newer);
        assert_eq!(membership(&ended, Some(&again)), Verdict::Stale);
        assert_eq!(membership(&begun, Some(&ended)), Verdict::Stale);
        assert_eq!(membership(&mark("m", 10, 10, true), Some(&begun)), Verdict::Newer);
        assert_eq!(membership(&mark("n", 20, 20, false), Some(&ended)), Verdict::Newer);
    }

    #[test]
    fn a_document_gives_way_to_a_later_one_that_was_applied_or_begun() {
        assert_eq!(document(20, Some(10), 0), Verdict::Newer);
        assert_eq!(document(20, Some(20), 20), Verdict::Duplicate);
        assert_eq!(document(20, Some(30), 0), Verdict::Stale);
        assert_eq!((document(20, Some(10), 30), document(20, None, 30)), (Verdict::Stale, Verdict::Stale));
        assert_eq!((document(30, Some(10), 30), document(40, None, 30)), (Verdict::Newer, Verdict::Newer));
    }

    #[test]
    fn an_event_sent_to_mend_is_applied_again_unless_it_is_old() {
        assert!(Verdict::Duplicate.applies(true) && !Verdict::Duplicate.applies(false));
        assert!(!Verdict::Stale.applies(true) && Verdict::Newer.applies(false));
    }
}
