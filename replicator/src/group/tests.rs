//! Groups: parents and children in any order, and what is not replicated is named.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::checks::{after_an_end, at_every_call, at_once, some_end};
use crate::model::Thing;
use crate::order::LEASE_MS;
use crate::simulation::Twins;

fn event(name: &str, id: &str, version: u64, at_s: u64, deleted: bool) -> GroupEvent {
    let mark = GroupMark { id: id.into(), version, timestamp_ms: at_s * 1_000, deleted };
    let group = Group {
        name: name.into(),
        parent: None,
        description: Some(format!("{id} {version}")),
        attributes: BTreeMap::from([("event".to_owned(), format!("{id} {version}"))]),
    };
    GroupEvent { group, parent_id: None, dynamic: false, mark }
}

fn under(mut event: GroupEvent, parent: &str, parent_id: &str) -> GroupEvent {
    (event.group.parent, event.parent_id) = (Some(parent.into()), Some(parent_id.into()));
    event
}

fn created() -> GroupEvent {
    event("g", "a", 1, 1_000, false)
}

async fn run(twins: &Twins, event: &GroupEvent) -> Outcome<Applied> {
    apply(twins.world(), event, false).await
}

async fn again(twins: &Twins, event: &GroupEvent) -> Outcome<Applied> {
    apply(twins.world(), event, true).await
}

fn there(twins: &Twins, name: &str) -> Option<Group> {
    twins.inner().secondary.groups.get(name).map(|there| there.group.clone())
}

fn member(twins: &Twins, name: &str) {
    let mut inner = twins.inner();
    inner.secondary.create_thing(&Thing { name: "t".into(), ..Thing::default() }).unwrap();
    inner.secondary.add_to_group(name, "t").unwrap();
}

#[tokio::test]
async fn d27_a_group_that_is_there_gets_description_and_attributes() {
    let twins = Twins::new();
    let empty = Group { name: "g".into(), ..Group::default() };
    twins.inner().secondary.create_group(&empty).unwrap();
    run(&twins, &created()).await.unwrap();
    assert_eq!(there(&twins, "g"), Some(created().group));
}

#[tokio::test]
async fn d30_a_group_loses_what_was_cleared() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    let mut cleared = event("g", "a", 2, 1_001, false);
    (cleared.group.description, cleared.group.attributes) = (None, BTreeMap::new());
    twins.clear_calls();
    run(&twins, &cleared).await.unwrap();
    assert_eq!(there(&twins, "g"), Some(cleared.group));
    assert_eq!(twins.calls(), ["state.take", "secondary.update_group", "state.put"]);
    run(&twins, &created()).await.unwrap();
    assert_eq!(there(&twins, "g").unwrap().attributes, BTreeMap::new(), "a version never goes backwards");
}

#[tokio::test]
async fn d03_a_group_waits_for_its_parent_and_comes_under_it() {
    let twins = Twins::new();
    let child = under(created(), "p", "pa");
    let applied = run(&twins, &child).await.unwrap();
    assert_eq!(applied.remarks[0].why, "g waits for group p");
    assert_eq!(twins.inner().slept_ms, WAITS_MS.iter().sum::<u64>());
    run(&twins, &event("p", "pa", 1, 999, false)).await.unwrap();
    assert_eq!(again(&twins, &child).await.unwrap().remarks, []);
    assert_eq!(there(&twins, "g").unwrap().parent.as_deref(), Some("p"));
    // An old event waits for nobody.
    twins.at_s(5_000);
    let slept_ms = twins.inner().slept_ms;
    run(&twins, &under(event("h", "h", 1, 1_000, false), "q", "qa")).await.unwrap();
    assert_eq!(twins.inner().slept_ms, slept_ms);
}

#[tokio::test]
async fn a_deletion_waits_for_the_groups_under_it() {
    let twins = Twins::new();
    run(&twins, &event("p", "pa", 1, 999, false)).await.unwrap();
    run(&twins, &under(created(), "p", "pa")).await.unwrap();
    let gone = event("p", "pa", 1, 1_001, true);
    assert_eq!(run(&twins, &gone).await.unwrap().remarks[0].step, "delete group");
    run(&twins, &under(event("g", "a", 1, 1_000, true), "p", "pa")).await.unwrap();
    assert_eq!(again(&twins, &gone).await.unwrap().remarks, []);
    assert_eq!((there(&twins, "p"), there(&twins, "g")), (None, None));
    assert_eq!(run(&twins, &event("p", "pa", 1, 999, false)).await.unwrap().change, Change::Superseded);
}

#[tokio::test]
async fn a_group_made_again_has_no_members_of_the_one_before() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    member(&twins, "g");
    run(&twins, &event("g", "b", 1, 1_002, false)).await.unwrap();
    assert_eq!(twins.inner().secondary.thing_groups("t"), Vec::<String>::new());
    assert_eq!(run(&twins, &event("g", "a", 1, 1_001, true)).await.unwrap().change, Change::Superseded);
    assert_eq!(there(&twins, "g"), Some(event("g", "b", 1, 1_002, false).group));
}

/// A tree that was taken down and made again, all of whose deletions come last: neither blocks the other.
#[tokio::test]
async fn a_tree_made_again_ends_right_in_the_worst_order() {
    let twins = Twins::new();
    run(&twins, &event("p", "pa", 1, 990, false)).await.unwrap();
    run(&twins, &under(event("g", "a", 1, 991, false), "p", "pa")).await.unwrap();
    let parent = event("p", "pb", 1, 1_002, false);
    let child = under(event("g", "b", 1, 1_003, false), "p", "pb");
    assert_eq!(run(&twins, &parent).await.unwrap().remarks.len(), 1);
    assert_eq!(run(&twins, &child).await.unwrap().remarks.len(), 1);
    assert_eq!(again(&twins, &parent).await.unwrap().remarks, []);
    assert_eq!(again(&twins, &child).await.unwrap().remarks, []);
    assert_eq!((there(&twins, "p"), there(&twins, "g")), (Some(parent.group), Some(child.group)));
}

/// The parent before was made by a function that ended: nothing comes under it.
#[tokio::test]
async fn a_child_comes_under_no_parent_that_was_not_brought() {
    let twins = Twins::new();
    twins.fail_next("state.put", Class::Transient, 1);
    run(&twins, &event("p", "pa", 1, 990, false)).await.unwrap_err();
    twins.advance_ms(LEASE_MS);
    let parent = event("p", "pb", 1, 1_000, false);
    let child = under(event("g", "b", 1, 1_001, false), "p", "pb");
    assert_eq!(run(&twins, &child).await.unwrap().remarks.len(), 1);
    assert_eq!(run(&twins, &parent).await.unwrap().remarks, []);
    assert_eq!(again(&twins, &child).await.unwrap().remarks, []);
    assert_eq!((there(&twins, "p"), there(&twins, "g")), (Some(parent.group), Some(child.group)));
}

#[tokio::test]
async fn d04_a_dynamic_group_is_named_and_not_made() {
    let twins = Twins::new();
    let dynamic = GroupEvent { dynamic: true, ..created() };
    let applied = run(&twins, &dynamic).await.unwrap();
    assert_eq!(applied.remarks[0].why, "g is a dynamic group, which is not replicated");
    assert_eq!(twins.region_calls(), Vec::<String>::new());
    assert_eq!(run(&twins, &dynamic).await.unwrap().remarks.len(), 1, "delivered again");
    assert_eq!(again(&twins, &dynamic).await.unwrap().remarks.len(), 1);
    let gone = GroupEvent { dynamic: true, ..event("g", "a", 1, 1_005, true) };
    assert_eq!(run(&twins, &gone).await.unwrap().remarks, []);
    assert_eq!(again(&twins, &dynamic).await.unwrap().change, Change::Superseded);
}

#[tokio::test]
async fn a_parent_that_cannot_be_changed_is_remarked() {
    let twins = Twins::new();
    run(&twins, &event("p", "pa", 1, 990, false)).await.unwrap();
    twins.inner().secondary.create_group(&Group { name: "g".into(), ..Group::default() }).unwrap();
    let applied = run(&twins, &under(created(), "p", "pa")).await.unwrap();
    assert_eq!(applied.remarks[0].why, "g has another parent, which AWS does not change");
}

#[tokio::test]
async fn whatever_fails_the_group_ends_right() {
    let with_parent = || {
        let twins = Twins::new();
        at_once(run(&twins, &event("p", "pa", 1, 990, false))).unwrap();
        twins
    };
    let child = under(created(), "p", "pa");
    at_every_call(
        with_parent,
        async |twins| run(twins, &child).await,
        |twins, story| {
            assert_eq!(there(twins, "g").as_ref(), Some(&child.group), "{story}");
        },
    )
    .await;
    let with_member = || {
        let twins = Twins::new();
        at_once(run(&twins, &created())).unwrap();
        member(&twins, "g");
        twins
    };
    let made_again = event("g", "b", 1, 1_002, false);
    at_every_call(
        with_member,
        async |twins| run(twins, &made_again).await,
        |twins, story| {
            assert_eq!(there(twins, "g").as_ref(), Some(&made_again.group), "{story}");
            assert_eq!(twins.inner().secondary.thing_groups("t"), Vec::<String>::new(), "{story}");
        },
    )
    .await;
    let gone = event("g", "a", 1, 1_001, true);
    at_every_call(
        with_member,
        async |twins| run(twins, &gone).await,
        |twins, story| {
            assert_eq!(there(twins, "g"), None, "{story}");
        },
    )
    .await;
}

/// Lives of a parent and of a child inside them; each tree is taken down before the next.
fn history() -> impl Strategy<Value = Vec<GroupEvent>> {
    (prop::collection::vec(1_u64..3, 1..4), 0_usize..3).prop_map(|(lives, left)| {
        let (mut events, mut at_s, count) = (Vec::new(), 1_000, lives.len());
        let mut push = |make: &dyn Fn(u64) -> GroupEvent| {
            events.push(make(at_s));
            at_s += 10;
        };
        for (index, versions) in lives.into_iter().enumerate() {
            let (parent, child) = (["p1", "p2", "p3"][index], ["c1", "c2", "c3"][index]);
            push(&|at_s| event("p", parent, 1, at_s, false));
            for version in 1..=versions {
                push(&|at_s| under(event("c", child, version, at_s, false), "p", parent));
            }
            if index + 1 < count || left > 0 {
                push(&|at_s| under(event("c", child, versions, at_s, true), "p", parent));
            }
            if index + 1 < count || left > 1 {
                push(&|at_s| event("p", parent, 1, at_s, true));
            }
        }
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_order_of_a_history_ends_like_the_primary(
        (events, mixed) in history().prop_flat_map(|events| {
            let twice: Vec<_> = events.iter().chain(&events).cloned().collect();
            (Just(events), Just(twice).prop_shuffle())
        }),
        ends in prop::collection::vec(some_end(1..8), 40),
    ) {
        let twins = Twins::new();
        at_once(async {
            let mut rows = Vec::new();
            for (event, end) in mixed.iter().zip(ends) {
                let applied = after_an_end(&twins, end, async || run(&twins, event).await).await;
                if !applied.remarks.is_empty() {
                    rows.push(event.clone());
                }
            }
            for _ in 0..5 {
                let mut left = Vec::new();
                for event in rows {
                    if !again(&twins, &event).await.unwrap().remarks.is_empty() {
                        left.push(event);
                    }
                }
                rows = left;
            }
            assert_eq!(rows, [], "the error table empties");
        });
        for name in ["p", "c"] {
            let last = events.iter().rev().find(|event| event.group.name == name).unwrap();
            prop_assert_eq!(there(&twins, name), (!last.mark.deleted).then(|| last.group.clone()));
        }
    }
}
