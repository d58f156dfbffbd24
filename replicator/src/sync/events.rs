//! Events of what was seen, not of what happened.
//!
//! They take their place among the real ones by [`crate::order`], so they must never claim to be
//! newer than they are. What has an identity and a version in the primary says both. Where time
//! decides, it is the time *before* the look less [`CLOCK_MARGIN_MS`]: a change that the look did not
//! see, because it came later, because a list of AWS was behind or because the clocks disagree, is
//! then the newer one. A look that is too careful is repeated at the next run; one that is not would
//! lose a change.

use serde_json::Value;

use crate::event::{Event, GroupEvent, MembershipEvent, ShadowEvent, ThingEvent, TypeEvent, What};
use crate::model::{DescribedThing, Group, Incarnation, Shadow, Thing, ThingType};
use crate::order::{LifeMark, MembershipMark, ShadowMark};
use crate::outcome::{Failure, Outcome};
use crate::shadow::diff;

/// How far clocks may disagree, and lists may be behind.
pub const CLOCK_MARGIN_MS: u64 = 5_000;

/// The time that an event of a look claims.
pub fn claimed_ms(looked_ms: u64) -> u64 {
    looked_ms.saturating_sub(CLOCK_MARGIN_MS)
}

fn mend(what: What) -> Event {
    Event { what, again: true }
}

/// A thing that is there.
pub fn thing(seen: &DescribedThing, looked_ms: u64) -> Outcome<Event> {
    let id =
        seen.thing_id.clone().ok_or_else(|| Failure::permanent("describe thing", "it has no identity"))?;
    let mark = LifeMark { id, version: seen.version, timestamp_ms: claimed_ms(looked_ms), deleted: false };
    Ok(mend(What::Thing(ThingEvent { thing: seen.thing.clone(), mark })))
}

/// A thing that is gone; `mark` is the newest event that was applied to it.
pub fn thing_gone(name: &str, mark: Option<&LifeMark>, looked_ms: u64) -> Event {
    let thing = Thing { name: name.to_owned(), ..Thing::default() };
    mend(What::Thing(ThingEvent { thing, mark: end(mark, looked_ms) }))
}

/// A type that is there. It began when it says so, so that the late deletion of the one before is older.
pub fn thing_type(seen: ThingType, life: Incarnation, looked_ms: u64) -> Event {
    let (version, timestamp_ms) = (claimed_ms(looked_ms), claimed_ms(looked_ms).max(life.begun_ms));
    let mark = LifeMark { id: life.id, version, timestamp_ms, deleted: false };
    mend(What::Type(TypeEvent { thing_type: seen, mark }))
}

/// A type that is gone.
pub fn thing_type_gone(name: &str, mark: Option<&LifeMark>, looked_ms: u64) -> Event {
    let thing_type = ThingType { name: name.to_owned(), ..ThingType::default() };
    mend(What::Type(TypeEvent { thing_type, mark: end(mark, looked_ms) }))
}

/// A static group that is there, and the incarnation of the group above it. It began when it says so, so that
/// the late deletion of the one before is older.
pub fn group(seen: Group, parent_id: Option<String>, life: Incarnation, looked_ms: u64) -> Event {
    let timestamp_ms = claimed_ms(looked_ms).max(life.begun_ms);
    let mark = LifeMark { id: life.id, version: life.version, timestamp_ms, deleted: false };
    mend(What::Group(GroupEvent { group: seen, parent_id, dynamic: false, mark }))
}

/// A group that is gone.
pub fn group_gone(name: &str, mark: Option<&LifeMark>, looked_ms: u64) -> Event {
    let group = Group { name: name.to_owned(), ..Group::default() };
    mend(What::Group(GroupEvent { group, parent_id: None, dynamic: false, mark: end(mark, looked_ms) }))
}

/// A thing that is in a group.
pub fn member(thing: &str, thing_id: String, group: &str, group_id: String, looked_ms: u64) -> Event {
    let at_ms = claimed_ms(looked_ms);
    let life = LifeMark { id: seen_id(at_ms), version: at_ms, timestamp_ms: at_ms, deleted: false };
    membership(thing, group, MembershipMark { life, group_id, thing_id })
}

/// A thing that is not in a group any more; `mark` is the newest event that was applied.
pub fn no_member(thing: &str, group: &str, mark: Option<&MembershipMark>, looked_ms: u64) -> Event {
    let known = mark.cloned().unwrap_or_default();
    let life = end(mark.map(|mark| &mark.life), looked_ms);
    membership(thing, group, MembershipMark { life, ..known })
}

fn membership(thing: &str, group: &str, mark: MembershipMark) -> Event {
    mend(What::Membership(MembershipEvent { thing: thing.to_owned(), group: group.to_owned(), mark }))
}

/// A shadow that is there.
///
/// Its version places it; its time has to be near enough to that of the version's own event for
/// [`crate::order::RESTART_GAP_S`]. It is never below the newest leaf, which that event wrote at the
/// latest.
pub fn shadow(thing: &str, name: &str, seen: Shadow, looked_ms: u64) -> Event {
    let newest_s = diff::newest_s(&seen.metadata).unwrap_or_default();
    let timestamp_s = newest_s.max(claimed_ms(looked_ms) / 1_000);
    let mark = ShadowMark { version: seen.version, timestamp_s, deleted: false };
    let state = if seen.state.is_object() { seen.state } else { Value::Object(serde_json::Map::new()) };
    let (thing, shadow) = (thing.to_owned(), name.to_owned());
    mend(What::Shadow(ShadowEvent { thing, shadow, state, metadata: seen.metadata, mark }))
}

/// A shadow that is gone; `mark` is the newest event that was applied to it. Nobody knows when it went:
/// so that nothing goes with it that a device wrote since, it claims to have gone right then.
pub fn shadow_gone(thing: &str, name: &str, mark: Option<ShadowMark>, looked_ms: u64) -> Event {
    let nothing = ShadowMark { timestamp_s: claimed_ms(looked_ms) / 1_000, ..ShadowMark::default() };
    let mark = ShadowMark { deleted: true, ..mark.unwrap_or(nothing) };
    let (thing, shadow, state) = (thing.to_owned(), name.to_owned(), Value::Object(serde_json::Map::new()));
    mend(What::Shadow(ShadowEvent { thing, shadow, state, metadata: Value::Null, mark }))
}

/// The end of the incarnation that was applied last, or of one that nothing is known of.
fn end(mark: Option<&LifeMark>, looked_ms: u64) -> LifeMark {
    let at_ms = claimed_ms(looked_ms);
    match mark {
        Some(mark) => LifeMark { timestamp_ms: mark.timestamp_ms.max(at_ms), deleted: true, ..mark.clone() },
        None => LifeMark { id: seen_id(at_ms), version: at_ms, timestamp_ms: at_ms, deleted: true },
    }
}

/// An identity for what has none that can be looked up, as a membership: each look has its own, so
/// that time decides between looks, and nothing that was seen later belongs to a life that ended.
fn seen_id(at_ms: u64) -> String {
    format!("seen-{at_ms}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::order::{self, Verdict};

    const LOOKED_MS: u64 = 1_000_000;

    fn mark(event: &Event) -> LifeMark {
        match &event.what {
            What::Thing(event) => event.mark.clone(),
            What::Membership(event) => event.mark.life.clone(),
            other => panic!("no life: {other:?}"),
        }
    }

    fn real(id: &str, version: u64, timestamp_ms: u64, deleted: bool) -> LifeMark {
        LifeMark { id: id.into(), version, timestamp_ms, deleted }
    }

    fn seen(id: &str, version: u64) -> LifeMark {
        let seen = DescribedThing { thing_id: Some(id.into()), version, ..DescribedThing::default() };
        mark(&thing(&seen, LOOKED_MS).unwrap())
    }

    #[test]
    fn what_is_seen_of_a_thing_undoes_nothing_newer() {
        let seen = seen("a", 3);
        assert_eq!(order::life(&seen, Some(&real("a", 4, 10, false))), Verdict::Stale);
        assert_eq!(order::life(&seen, Some(&real("a", 3, 10, true))), Verdict::Stale);
        assert!(order::life(&seen, Some(&real("a", 3, 10, false))).applies(true), "mends it");
        assert_eq!(order::life(&seen, Some(&real("a", 2, 10, false))), Verdict::Newer);
        // Deleted and made again while it was looked, with a clock that is four seconds ahead.
        let again = real("b", 1, LOOKED_MS - 4_000, false);
        assert_eq!(order::life(&again, Some(&seen)), Verdict::Newer);
        assert_eq!(order::life(&seen, Some(&again)), Verdict::Stale);
    }

    #[test]
    fn the_late_end_of_a_group_does_not_take_the_one_that_was_seen_after_it() {
        let life = Incarnation { id: "b".into(), version: 1, begun_ms: LOOKED_MS - 2_000 };
        let What::Group(seen) = group(Group::default(), None, life, LOOKED_MS).what else { panic!() };
        let late = real("a", 1, LOOKED_MS - 2_001, true);
        assert_eq!(
            order::life(&late, Some(&seen.mark)),
            Verdict::Stale,
            "though it was looked at within the margin"
        );
        let own = real("b", 1, LOOKED_MS - 1_000, true);
        assert_eq!(order::life(&own, Some(&seen.mark)), Verdict::Newer);
    }

    #[test]
    fn the_end_of_a_thing_outweighs_its_life_and_not_the_next_one() {
        let applied = real("a", 3, 900_000, false);
        let gone = mark(&thing_gone("t", Some(&applied), LOOKED_MS));
        assert_eq!(order::life(&gone, Some(&applied)), Verdict::Newer);
        assert_eq!(order::life(&real("b", 1, LOOKED_MS, false), Some(&gone)), Verdict::Newer);
        assert_eq!(order::life(&gone, Some(&real("b", 1, LOOKED_MS, false))), Verdict::Stale);
        // A row that is already newer than the look, of the same life: it is gone all the same.
        let late = real("a", 4, LOOKED_MS + 1, false);
        assert_eq!(order::life(&mark(&thing_gone("t", Some(&late), LOOKED_MS)), Some(&late)), Verdict::Newer);
    }

    #[test]
    fn a_membership_that_was_seen_gives_way_to_a_later_removal_and_comes_back_after_it() {
        let seen = mark(&member("t", "ti".into(), "g", "i".into(), LOOKED_MS));
        let removed = real("m", LOOKED_MS, LOOKED_MS, true);
        assert_eq!(order::life(&removed, Some(&seen)), Verdict::Newer);
        assert_eq!(order::life(&seen, Some(&removed)), Verdict::Stale);
        let later = mark(&member("t", "ti".into(), "g", "i".into(), LOOKED_MS + 60_000));
        assert_eq!(order::life(&later, Some(&removed)), Verdict::Newer);
        let later = MembershipMark { life: later, ..MembershipMark::default() };
        let gone = mark(&no_member("t", "g", Some(&later), LOOKED_MS + 120_000));
        let later = later.life;
        assert_eq!(order::life(&gone, Some(&later)), Verdict::Newer);
        let back = mark(&member("t", "ti".into(), "g", "i".into(), LOOKED_MS + 180_000));
        assert_eq!(order::life(&back, Some(&gone)), Verdict::Newer);
    }

    #[test]
    fn what_is_seen_of_a_shadow_undoes_nothing_newer() {
        let at = |version, timestamp_s, deleted| ShadowMark { version, timestamp_s, deleted };
        let of = |event: &Event| match &event.what {
            What::Shadow(event) => event.mark,
            other => panic!("no shadow: {other:?}"),
        };
        let metadata = json!({"reported": {"a": {"timestamp": 400}}});
        let seen = of(&shadow("t", "", Shadow { state: json!({}), metadata, version: 7 }, LOOKED_MS));
        assert_eq!(order::shadow(at(8, 1_001, false), Some(seen)), Verdict::Newer);
        assert_eq!(order::shadow(at(8, 1_900, false), Some(seen)), Verdict::Newer);
        assert_eq!(order::shadow(at(7, 400, false), Some(seen)), Verdict::Stale);
        assert_eq!(order::shadow(seen, Some(at(8, 1_000, false))), Verdict::Stale);
        assert_eq!(order::shadow(at(1, 900_000, false), Some(seen)), Verdict::Newer, "made again");
        let gone = of(&shadow_gone("t", "", Some(at(7, 400, false)), LOOKED_MS));
        assert_eq!(gone, at(7, 400, true), "nothing goes with it that a device wrote since");
        assert_eq!(order::shadow(gone, Some(at(7, 400, false))), Verdict::Newer);
        assert_eq!(order::shadow(at(8, 1_001, false), Some(gone)), Verdict::Newer);
        assert_eq!(order::shadow(at(6, 395, false), Some(gone)), Verdict::Stale);
    }
}
