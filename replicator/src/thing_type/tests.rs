//! Thing types: nothing of them is lost in any order, and a deletion that is refused comes later.

use proptest::prelude::*;

use super::*;
use crate::checks::{after_an_end, at_every_call, at_once, some_end};
use crate::model::Thing;
use crate::order::{LEASE_MS, TypeMark};
use crate::simulation::Twins;

fn kind(deprecated: bool) -> ThingType {
    let searchable_attributes = vec!["model".to_owned(), "site".to_owned()];
    ThingType {
        name: "pump".into(),
        description: Some("moves water".into()),
        searchable_attributes,
        deprecated,
    }
}

fn event(id: &str, at_s: u64, deprecated: bool, deleted: bool) -> TypeEvent {
    let mark = TypeMark { id: id.into(), version: at_s * 1_000, timestamp_ms: at_s * 1_000, deleted };
    TypeEvent { thing_type: kind(deprecated), mark }
}

fn created() -> TypeEvent {
    event("a", 1_000, false, false)
}

async fn run(twins: &Twins, event: &TypeEvent) -> Outcome<Applied> {
    apply(twins.world(), event, false).await
}

fn there(twins: &Twins) -> Option<ThingType> {
    twins.inner().secondary.types.get("pump").map(|there| there.thing_type.clone())
}

/// A type that was deprecated long enough ago.
fn ripe() -> Twins {
    let twins = Twins::new();
    at_once(run(&twins, &created())).unwrap();
    at_once(run(&twins, &event("a", 1_001, true, false))).unwrap();
    twins.at_s(2_000);
    twins
}

#[tokio::test]
async fn d32_a_type_comes_with_its_description_and_searchable_attributes() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    assert_eq!(there(&twins), Some(kind(false)));
    assert_eq!(twins.region_calls(), ["secondary.create_thing_type"]);
}

#[tokio::test]
async fn d29_a_deprecation_that_overtakes_the_creation_is_kept() {
    let twins = Twins::new();
    run(&twins, &event("a", 1_001, true, false)).await.unwrap();
    run(&twins, &created()).await.unwrap();
    assert_eq!(there(&twins), Some(kind(true)));
}

#[tokio::test]
async fn d29_a_deletion_that_overtakes_the_creation_is_kept() {
    let twins = Twins::new();
    run(&twins, &event("a", 1_400, true, true)).await.unwrap();
    run(&twins, &created()).await.unwrap();
    assert_eq!(there(&twins), None);
}

#[tokio::test]
async fn an_older_event_waits_for_a_newer_one_whose_function_ended_after_its_call() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    twins.fail_next("state.put", Class::Transient, 1);
    run(&twins, &event("a", 1_002, true, false)).await.unwrap_err();
    twins.advance_ms(LEASE_MS);
    assert_eq!(run(&twins, &event("a", 1_001, false, false)).await.unwrap().change, Change::Superseded);
    assert_eq!(there(&twins), Some(kind(true)));
    run(&twins, &event("a", 1_002, true, false)).await.unwrap();
    assert_eq!(there(&twins), Some(kind(true)));
}

#[tokio::test]
async fn a_deprecation_is_one_call_and_so_is_taking_it_back() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    for (at_s, deprecated) in [(1_001, true), (1_002, false)] {
        twins.clear_calls();
        run(&twins, &event("a", at_s, deprecated, false)).await.unwrap();
        assert_eq!(twins.region_calls(), ["secondary.deprecate_thing_type"]);
        assert_eq!(there(&twins), Some(kind(deprecated)));
    }
}

#[tokio::test]
async fn a_deletion_that_is_refused_is_remarked_and_comes_with_the_repair() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    let thing = Thing { name: "t".into(), thing_type: Some("pump".into()), ..Thing::default() };
    twins.inner().secondary.create_thing(&thing).unwrap();
    // Its deprecation is lost on the way.
    let gone = event("a", 1_400, true, true);
    assert_eq!(run(&twins, &gone).await.unwrap().remarks[0].step, "delete thing type");
    assert_eq!(there(&twins), Some(kind(true)), "so that it can be deleted some time");
    assert_eq!(run(&twins, &event("a", 1_300, false, false)).await.unwrap().change, Change::Superseded);
    for _ in 0..6 {
        twins.advance_ms(60_000);
        assert_eq!(run(&twins, &gone).await.unwrap().remarks.len(), 1, "whoever brings it again");
    }
    twins.inner().secondary.delete_thing("t").unwrap();
    assert_eq!(apply(twins.world(), &gone, true).await.unwrap().remarks, []);
    assert_eq!(there(&twins), None);
}

#[tokio::test]
async fn a_type_made_again_takes_the_place_of_the_one_before() {
    let twins = ripe();
    let mut other = event("b", 1_500, false, false);
    other.thing_type.description = Some("another".into());
    run(&twins, &other).await.unwrap();
    assert_eq!(there(&twins), Some(other.thing_type));
    // Its deletion comes late.
    assert_eq!(run(&twins, &event("a", 1_400, true, true)).await.unwrap().change, Change::Superseded);
    let same = event("c", 1_600, false, false);
    twins.inner().secondary.deprecate_thing_type("pump", true, 0).unwrap();
    run(&twins, &same).await.unwrap();
    assert_eq!(there(&twins), Some(kind(false)));
}

#[tokio::test]
async fn what_cannot_be_changed_is_remarked() {
    let twins = Twins::new();
    let other = ThingType { description: None, ..kind(false) };
    twins.inner().secondary.create_thing_type(&other).unwrap();
    let applied = run(&twins, &event("a", 1_000, true, false)).await.unwrap();
    assert_eq!(applied.remarks.len(), 1);
    assert_eq!(there(&twins), Some(ThingType { deprecated: true, ..other }));
}

#[tokio::test]
async fn whatever_fails_the_type_ends_right() {
    let deprecated = event("a", 1_001, true, false);
    at_every_call(
        Twins::new,
        async |twins| run(twins, &deprecated).await,
        |twins, story| {
            assert_eq!(there(twins), Some(kind(true)), "{story}");
        },
    )
    .await;
    let gone = event("a", 1_400, true, true);
    at_every_call(
        ripe,
        async |twins| run(twins, &gone).await,
        |twins, story| {
            assert_eq!(there(twins), None, "{story}");
        },
    )
    .await;
    let again = event("b", 1_500, false, false);
    at_every_call(
        ripe,
        async |twins| run(twins, &again).await,
        |twins, story| {
            assert_eq!(there(twins), Some(kind(false)), "{story}");
        },
    )
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_order_of_a_history_ends_like_the_primary(
        (deprecations, end, mixed) in (prop::collection::vec(any::<bool>(), 1..6), any::<bool>())
            .prop_flat_map(|(deprecations, end)| {
                let count = deprecations.len() + usize::from(end);
                let order: Vec<_> = (0..count).chain(0..count).collect();
                (Just(deprecations), Just(end), Just(order).prop_shuffle())
            }),
        ends in prop::collection::vec(some_end(1..6), 14),
    ) {
        let twins = Twins::new();
        let mut events: Vec<_> = deprecations.iter().zip(1_000..)
            .map(|(deprecated, at_s)| event("a", at_s, *deprecated, false)).collect();
        if end {
            events.push(event("a", 1_900, true, true));
        }
        at_once(async {
            for (index, end) in mixed.iter().zip(ends) {
                after_an_end(&twins, end, async || run(&twins, &events[*index]).await).await;
            }
            twins.advance_ms(400_000);
            apply(twins.world(), events.last().unwrap(), true).await.unwrap();
        });
        let wanted = (!end).then(|| kind(*deprecations.last().unwrap()));
        prop_assert_eq!(there(&twins), wanted);
    }
}
