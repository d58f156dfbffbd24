//! Functions that end half way, and events in any order.

use super::*;

#[tokio::test]
async fn whatever_fails_the_new_thing_ends_right() {
    let setup = || {
        let twins = Twins::new();
        let principal = certificate(&twins, "c1");
        group(&twins, "g");
        wants_principals(&twins, 1_001, &[&principal]);
        wants_group(&twins, "g", membership("a", "g1", 1_001, false));
        thing_type(&twins, "pump", true);
        let mark = LifeMark { id: "pump1".into(), version: 1, timestamp_ms: 1, deleted: false };
        let row = TypeRow { mark: Some(mark), deprecated: true, undone: false };
        twins.put_row(&tables::type_key("pump"), Row::Type(row));
        twins
    };
    let event = with_type(created(), "pump");
    let wanted = event.thing.clone();
    at_every_call(
        setup,
        async |twins| run(twins, &event).await,
        |twins, story| {
            assert_eq!(there(twins).as_ref(), Some(&wanted), "{story}");
            assert_eq!((principals(twins).len(), groups(twins).len()), (1, 1), "{story}");
            assert!(is_deprecated(twins, "pump"), "{story}");
        },
    )
    .await;
}

#[tokio::test]
async fn whatever_fails_the_thing_made_again_and_the_deletion_end_right() {
    let setup = || {
        let twins = Twins::new();
        let (old, new) = (certificate(&twins, "old"), certificate(&twins, "new"));
        at_once(run(&twins, &created())).unwrap();
        twins.inner().secondary.attach_principal("t", &old).unwrap();
        wants_principals(&twins, 1_100, &[&new]);
        twins
    };
    let again = event("b", 1, 1_090, false);
    at_every_call(
        setup,
        async |twins| run(twins, &again).await,
        |twins, story| {
            assert_eq!(principals(twins), [arn(SECONDARY, "new")], "{story}");
            assert_eq!(there(twins), Some(thing(&[("event", "b1")])), "{story}");
        },
    )
    .await;
    let deleted = event("a", 1, 1_001, true);
    at_every_call(
        setup,
        async |twins| run(twins, &deleted).await,
        |twins, story| {
            assert_eq!((there(twins), principals(twins)), (None, vec![]), "{story}");
        },
    )
    .await;
}

/// The first events of two incarnations, both ended half way: what the first left must not stay.
#[tokio::test]
async fn d11_what_an_unfinished_incarnation_left_goes_with_it() {
    let twins = Twins::new();
    let (old, new) = (certificate(&twins, "old"), certificate(&twins, "new"));
    wants_principals(&twins, 1_001, &[&old]);
    twins.fail_next("state.put", Class::Transient, 1);
    run(&twins, &created()).await.unwrap_err();
    assert_eq!(principals(&twins), [old]);
    for _ in 0..2 {
        twins.advance_ms(order::LEASE_MS);
        wants_principals(&twins, 1_100, &[&new]);
        twins.fail_next("secondary.thing_principals", Class::Transient, 1);
        run(&twins, &event("b", 1, 1_090, false)).await.unwrap_err();
    }
    twins.advance_ms(order::LEASE_MS);
    run(&twins, &event("b", 1, 1_090, false)).await.unwrap();
    assert_eq!(principals(&twins), [new]);
}

/// A newer event that was begun comes again: what is older than the last of them does nothing, however many ended.
#[tokio::test]
async fn nothing_older_than_the_last_that_was_begun_is_applied() {
    let twins = Twins::new();
    run(&twins, &created()).await.unwrap();
    let deleted = event("a", 4, 1_050, true);
    for begun in [&event("a", 2, 1_020, false), &deleted] {
        twins.fail_next("state.put", Class::Transient, 1);
        run(&twins, begun).await.unwrap_err();
        twins.advance_ms(order::LEASE_MS);
    }
    assert_eq!(there(&twins), None);
    let late = run(&twins, &event("a", 3, 1_030, false)).await.unwrap();
    assert_eq!((late.change, there(&twins)), (Change::Superseded, None), "it stays deleted");
    run(&twins, &deleted).await.unwrap();
    assert_eq!(there(&twins), None);
}

/// Some lives, one after the other; the last may go on.
fn history() -> impl Strategy<Value = Vec<ThingEvent>> {
    (prop::collection::vec(1_u64..3, 1..4), any::<bool>()).prop_map(|(lives, last_lives)| {
        let (mut events, mut at_s, count) = (Vec::new(), 1_000, lives.len());
        for (index, versions) in lives.into_iter().enumerate() {
            let id = ["a", "b", "c"][index];
            for version in 1..=versions {
                events.push(event(id, version, at_s, false));
                at_s += 10;
            }
            if index + 1 < count || !last_lives {
                events.push(event(id, versions, at_s, true));
                at_s += 10;
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
        ends in prop::collection::vec(some_end(1..8), 24),
    ) {
        let twins = Twins::new();
        let principal = certificate(&twins, "c1");
        let last = events.last().unwrap();
        // The look that follows the last incarnation's beginning.
        let begun = events.iter().find(|event| event.mark.id == last.mark.id).unwrap();
        wants_principals(&twins, begun.mark.timestamp_ms / 1_000 + 1, &[&principal]);
        at_once(async {
            for (event, end) in mixed.iter().zip(ends) {
                after_an_end(&twins, end, async || run(&twins, event).await).await;
            }
        });
        let lives = !last.mark.deleted;
        prop_assert_eq!(there(&twins), lives.then(|| last.thing.clone()));
        prop_assert_eq!(principals(&twins).len(), usize::from(lives));
    }
}

/// A function made the thing and ended before it said so; a membership of the thing before, of which nothing says that
/// it is over, then found a thing of that name.
#[tokio::test]
async fn a_thing_that_was_there_before_it_was_said_to_be_is_in_no_group_of_the_one_before() {
    let twins = Twins::new();
    group(&twins, "g");
    twins.crash(Some(crate::simulation::Crash { at: 2, after: true }));
    assert!(run(&twins, &created()).await.is_err());
    twins.crash(None);
    assert_eq!(there(&twins), Some(created().thing));
    twins.inner().secondary.add_to_group("g", "t").unwrap();
    wants_group(&twins, "g", membership("z", "g1", 900, false));
    twins.advance_ms(crate::order::LEASE_MS);
    run(&twins, &created()).await.unwrap();
    assert_eq!(groups(&twins), Vec::<String>::new());
}
