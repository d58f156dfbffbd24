//! Memberships: of which thing in which group, whichever comes first.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::checks::{after_an_end, at_every_call, at_once, some_end};
use crate::event::{GroupEvent, ThingEvent};
use crate::model::{Group, Thing};
use crate::order::LEASE_MS;
use crate::ports::GroupRow;
use crate::simulation::Twins;
use crate::{group, thing};

/// A membership with an identity of its own; thing and group as they are.
fn event(id: &str, thing_id: &str, group_id: &str, at_s: u64, deleted: bool) -> MembershipEvent {
    let life = LifeMark { id: id.into(), version: at_s * 1_000, timestamp_ms: at_s * 1_000, deleted };
    let mark = MembershipMark { life, group_id: group_id.into(), thing_id: thing_id.into() };
    MembershipEvent { thing: "t".into(), group: "g".into(), mark }
}

fn added() -> MembershipEvent {
    event("m", "t1", "g1", 1_000, false)
}

fn removed() -> MembershipEvent {
    event("m", "t1", "g1", 1_001, true)
}

fn life(id: &str, at_s: u64, deleted: bool) -> LifeMark {
    LifeMark { id: id.into(), version: 1, timestamp_ms: at_s * 1_000, deleted }
}

async fn thing(twins: &Twins, id: &str, at_s: u64, deleted: bool) {
    let thing = Thing { name: "t".into(), ..Thing::default() };
    let event = ThingEvent { thing, mark: life(id, at_s, deleted) };
    thing::apply(twins.world(), &event, false).await.unwrap();
}

async fn group(twins: &Twins, id: &str, at_s: u64, deleted: bool) {
    let group = Group { name: "g".into(), ..Group::default() };
    let event = GroupEvent { group, parent_id: None, dynamic: false, mark: life(id, at_s, deleted) };
    group::apply(twins.world(), &event, false).await.unwrap();
}

/// Thing and group are there.
fn both() -> Twins {
    let twins = Twins::new();
    at_once(async {
        thing(&twins, "t1", 990, false).await;
        group(&twins, "g1", 990, false).await;
    });
    twins
}

async fn run(twins: &Twins, event: &MembershipEvent) -> Outcome<Applied> {
    apply(twins.world(), event, false).await
}

fn is_in(twins: &Twins) -> bool {
    twins.inner().secondary.thing_groups("t") == ["g"]
}

#[tokio::test]
async fn an_addition_is_one_call_and_so_is_a_removal() {
    let twins = both();
    for (event, call) in [(added(), "secondary.add_to_group"), (removed(), "secondary.remove_from_group")] {
        twins.clear_calls();
        assert_eq!(run(&twins, &event).await.unwrap(), Change::Changed.into());
        assert_eq!(twins.region_calls(), [call]);
        assert_eq!(is_in(&twins), !event.mark.life.deleted);
    }
}

#[tokio::test]
async fn a_removal_that_overtakes_the_addition_is_kept() {
    let twins = both();
    run(&twins, &removed()).await.unwrap();
    assert_eq!(run(&twins, &added()).await.unwrap().change, Change::Superseded);
    assert!(!is_in(&twins));
    // As another membership it is in again, however AWS names the two ends of one.
    run(&twins, &event("m3", "t1", "g1", 1_003, true)).await.unwrap();
    run(&twins, &event("m2", "t1", "g1", 1_002, false)).await.unwrap();
    assert!(!is_in(&twins));
    run(&twins, &event("m4", "t1", "g1", 1_004, false)).await.unwrap();
    assert!(is_in(&twins));
}

#[tokio::test]
async fn a_thing_that_comes_later_finds_its_group() {
    let twins = Twins::new();
    group(&twins, "g1", 990, false).await;
    assert_eq!(run(&twins, &added()).await.unwrap().remarks, []);
    assert!(!is_in(&twins));
    thing(&twins, "t1", 990, false).await;
    assert!(is_in(&twins));
}

#[tokio::test]
async fn d27_a_group_that_comes_later_is_waited_for_and_not_made() {
    let twins = Twins::new();
    thing(&twins, "t1", 990, false).await;
    let applied = run(&twins, &added()).await.unwrap();
    assert_eq!(applied.remarks[0].why, "g: waits for the group");
    assert_eq!(twins.inner().slept_ms, WAITS_MS.iter().sum::<u64>());
    assert_eq!(run(&twins, &added()).await.unwrap().remarks.len(), 1, "delivered again");
    assert!(twins.inner().secondary.groups.is_empty());
    group(&twins, "g1", 990, false).await;
    let mended = apply(twins.world(), &added(), true).await.unwrap();
    assert_eq!((mended.remarks.len(), is_in(&twins)), (0, true));
}

#[tokio::test]
async fn a_late_membership_puts_nothing_into_what_came_after() {
    let twins = both();
    thing(&twins, "t2", 1_010, false).await;
    assert_eq!(run(&twins, &added()).await.unwrap(), Change::Unchanged.into());
    assert!(!is_in(&twins));
    let twins = both();
    group(&twins, "g2", 1_010, false).await;
    assert_eq!(run(&twins, &added()).await.unwrap(), Change::Unchanged.into());
    assert!(!is_in(&twins));
    let twins = both();
    group(&twins, "g1", 1_010, true).await;
    assert_eq!(run(&twins, &added()).await.unwrap(), Change::Unchanged.into());
}

#[tokio::test]
async fn a_membership_in_the_group_to_come_is_none_in_the_one_before() {
    let twins = both();
    let next = event("m", "t1", "g2", 1_005, false);
    assert_eq!(run(&twins, &next).await.unwrap().remarks.len(), 1);
    assert!(!is_in(&twins));
    group(&twins, "g2", 1_002, false).await;
    assert_eq!(apply(twins.world(), &next, true).await.unwrap().remarks, []);
    assert!(is_in(&twins));
}

#[tokio::test]
async fn a_thing_that_changes_groups_of_one_hierarchy_gets_there_in_any_order() {
    let twins = Twins::new();
    thing(&twins, "t1", 990, false).await;
    for (name, parent) in [("root", None), ("old", Some("root")), ("g", Some("root"))] {
        let group = Group { name: name.into(), parent: parent.map(str::to_owned), ..Group::default() };
        twins.inner().secondary.create_group(&group).unwrap();
    }
    for (name, id) in [("old", "o1"), ("g", "g1")] {
        let row = GroupRow { mark: Some(life(id, 980, false)), undone: false };
        twins.put_row(&tables::group_key(name), Row::Group(row));
    }
    let old = MembershipEvent { group: "old".into(), ..event("o", "t1", "o1", 999, false) };
    run(&twins, &old).await.unwrap();
    assert_eq!(run(&twins, &added()).await.unwrap().remarks.len(), 1, "it is in the other one still");
    let left = MembershipEvent { group: "old".into(), ..event("o", "t1", "o1", 1_000, true) };
    run(&twins, &left).await.unwrap();
    assert_eq!(apply(twins.world(), &added(), true).await.unwrap().remarks, []);
    assert!(is_in(&twins));
}

#[tokio::test]
async fn whatever_fails_the_membership_ends_right() {
    let in_it = || {
        let twins = both();
        at_once(run(&twins, &event("m0", "t1", "g1", 995, false))).unwrap();
        twins
    };
    at_every_call(
        both,
        async |twins| run(twins, &added()).await,
        |twins, story| {
            assert!(is_in(twins), "{story}");
        },
    )
    .await;
    at_every_call(
        in_it,
        async |twins| run(twins, &removed()).await,
        |twins, story| {
            assert!(!is_in(twins), "{story}");
        },
    )
    .await;
    let no_thing = || {
        let twins = Twins::new();
        at_once(group(&twins, "g1", 990, false));
        twins
    };
    at_every_call(
        no_thing,
        async |twins| run(twins, &added()).await,
        |twins, story| {
            at_once(thing(twins, "t1", 990, false));
            assert!(is_in(twins), "{story}");
        },
    )
    .await;
}

/// The thing is made at every point in which the membership's function can be: one of them finishes.
#[tokio::test]
async fn whoever_comes_second_finishes_at_every_point_in_between() {
    for at in 1..=12 {
        for after in [false, true] {
            let twins = Twins::new();
            group(&twins, "g1", 990, false).await;
            twins.crash(Some(crate::simulation::Crash { at, after }));
            let _ = run(&twins, &added()).await;
            twins.crash(None);
            // The lease of the one that ended makes the thing's function wait, and try again.
            let event = ThingEvent {
                thing: Thing { name: "t".into(), attributes: BTreeMap::new(), thing_type: None },
                mark: life("t1", 990, false),
            };
            while thing::apply(twins.world(), &event, false).await.is_err() {
                twins.advance_ms(LEASE_MS);
            }
            twins.advance_ms(LEASE_MS);
            run(&twins, &added()).await.unwrap();
            assert!(is_in(&twins), "at {at}, {after}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Thing, group and memberships in any order, all delivered, some ended half way; what had remarks
    /// is repaired.
    #[test]
    fn any_order_ends_like_the_primary(
        (memberships, things, groups, mixed) in (1_usize..4, 1_usize..3, 1_usize..3).prop_flat_map(
            |(memberships, things, groups)| {
                let count = memberships + things * 2 + groups * 2;
                let order: Vec<_> = (0..count).chain(0..count).collect();
                (Just(memberships), Just(things), Just(groups), Just(order).prop_shuffle())
            }
        ),
        ends in prop::collection::vec(some_end(1..12), 30),
    ) {
        let twins = Twins::new();
        // Lives of thing and group; the memberships are of the last ones.
        let (thing_id, group_id) = (format!("t{things}"), format!("g{groups}"));
        let mut events = Vec::new();
        for index in 0..memberships {
            let at_s = 2_000 + index as u64;
            let id = format!("m{}", index / 2);
            events.push(Any::Membership(event(&id, &thing_id, &group_id, at_s, index % 2 == 1)));
        }
        for index in 1..=things {
            let (id, at_s) = (format!("t{index}"), 1_000 + index as u64 * 10);
            // The last one's deletion never happens: its creation again, instead.
            for (at_s, deleted) in [(at_s, false), (at_s + if index < things { 5 } else { 0 }, index < things)] {
                let thing = Thing { name: "t".into(), ..Thing::default() };
                events.push(Any::Thing(ThingEvent { thing, mark: life(&id, at_s, deleted) }));
            }
        }
        for index in 1..=groups {
            let (id, at_s) = (format!("g{index}"), 1_000 + index as u64 * 10);
            for (at_s, deleted) in [(at_s, false), (at_s + if index < groups { 5 } else { 0 }, index < groups)] {
                let group = Group { name: "g".into(), ..Group::default() };
                let mark = life(&id, at_s, deleted);
                events.push(Any::Group(GroupEvent { group, parent_id: None, dynamic: false, mark }));
            }
        }
        at_once(async {
            let mut rows = Vec::new();
            for (index, end) in mixed.iter().zip(ends) {
                let event = &events[*index];
                let applied = after_an_end(&twins, end, async || event.run(&twins, false).await).await;
                if !applied.remarks.is_empty() {
                    rows.push(*index);
                }
            }
            for _ in 0..3 {
                let mut left = Vec::new();
                for index in rows {
                    if !events[index].run(&twins, true).await.unwrap().remarks.is_empty() {
                        left.push(index);
                    }
                }
                rows = left;
            }
            assert!(rows.is_empty(), "the error table empties");
        });
        prop_assert_eq!(is_in(&twins), memberships % 2 == 1);
    }
}

#[derive(Debug, Clone)]
enum Any {
    Membership(MembershipEvent),
    Thing(ThingEvent),
    Group(GroupEvent),
}

impl Any {
    async fn run(&self, twins: &Twins, again: bool) -> Outcome<Applied> {
        let world = twins.world();
        match self {
            Self::Membership(event) => apply(world, event, again).await,
            Self::Thing(event) => thing::apply(world, event, again).await,
            Self::Group(event) => group::apply(world, event, again).await,
        }
    }
}
