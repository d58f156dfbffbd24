//! Functions that end half way, and any interleaving of the Regions.

use super::*;

#[tokio::test]
async fn whatever_fails_the_shadow_ends_right() {
    at_every_call(
        Twins::new,
        async |twins| apply(twins.world(), &simple(1, 90), false).await,
        |twins, story| {
            assert_eq!(reported(twins), Some(json!({"a": 1})), "{story}");
        },
    )
    .await;
    let with_device = || {
        let twins = Twins::new();
        at_once(run(&twins, &simple(1, 90))).unwrap();
        twins.advance_ms(10_000);
        twins.device_writes("t", &json!({"reported": {"own": 1}}));
        twins
    };
    at_every_call(
        with_device,
        async |twins| apply(twins.world(), &simple(2, 91), false).await,
        |twins, story| {
            assert_eq!(reported(twins), Some(json!({"a": 2, "own": 1})), "{story}");
        },
    )
    .await;
    at_every_call(
        with_device,
        async |twins| apply(twins.world(), &deleted(1, 92), false).await,
        |twins, story| {
            assert_eq!(reported(twins), Some(json!({"own": 1})), "{story}");
        },
    )
    .await;
    let mine = || {
        let twins = Twins::new();
        at_once(run(&twins, &simple(1, 90))).unwrap();
        twins
    };
    at_every_call(
        mine,
        async |twins| apply(twins.world(), &deleted(1, 92), false).await,
        |twins, story| {
            assert_eq!(reported(twins), None, "{story}");
        },
    )
    .await;
}

/// One step of a device that is in one Region at a time.
#[derive(Debug, Clone)]
enum Step {
    /// It writes a key in the primary, or removes it.
    Primary(&'static str, bool),
    /// It writes a key in the secondary.
    Secondary(&'static str),
    /// One of the first events that were not delivered yet is, after a function ended at that call.
    Deliver(usize, Option<Crash>),
}

fn step() -> impl Strategy<Value = Step> {
    let key = || prop_oneof![Just("a"), Just("b")];
    prop_oneof![
        3 => (key(), prop::bool::weighted(0.1)).prop_map(|(key, gone)| Step::Primary(key, gone)),
        2 => key().prop_map(Step::Secondary),
        4 => (0_usize..3, some_end(1..7)).prop_map(|(index, end)| Step::Deliver(index, end)),
    ]
}

/// The document of the primary: value and time of each key.
type Leaves = BTreeMap<&'static str, (u64, u64)>;

fn of_primary(version: u64, now_s: u64, leaves: &Leaves) -> ShadowEvent {
    let part = |value: fn(&(u64, u64)) -> Value| -> Value {
        leaves
            .iter()
            .map(|(key, leaf)| ((*key).to_owned(), value(leaf)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let stamps = part(|(_, at_s)| json!({ "timestamp": at_s }));
    event(version, now_s, &part(|(value, _)| json!(value)), &stamps)
}

async fn deliver(twins: &Twins, event: &ShadowEvent, end: Option<Crash>) {
    after_an_end(twins, end, async || apply(twins.world(), event, false).await).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Key by key the newest write stays, in whatever order the events of the primary come and wherever
    /// functions end. A key that was removed in the primary after a write in the secondary may stay.
    #[test]
    fn the_newest_write_of_each_key_stays(steps in prop::collection::vec(step(), 1..24)) {
        let twins = Twins::new();
        let mut newest: BTreeMap<&str, Option<u64>> = BTreeMap::new();
        let mut in_secondary: BTreeMap<&str, u64> = BTreeMap::new();
        let mut primary = Leaves::new();
        let mut waiting: Vec<ShadowEvent> = Vec::new();
        let mut version = 0;
        for step in &steps {
            // A device is in one Region at a time, and moving takes longer than a second.
            twins.advance_ms(2_000);
            let now_s = twins.now_ms() / 1_000;
            match step {
                Step::Primary(key, gone) => {
                    version += 1;
                    if *gone {
                        primary.remove(key);
                    } else {
                        primary.insert(key, (now_s, now_s));
                    }
                    newest.insert(key, (!gone).then_some(now_s));
                    waiting.push(of_primary(version, now_s, &primary));
                }
                Step::Secondary(key) => {
                    newest.insert(key, Some(now_s));
                    in_secondary.insert(key, now_s);
                    let mut reported = serde_json::Map::new();
                    reported.insert((*key).to_owned(), json!(now_s));
                    twins.device_writes("t", &json!({ "reported": reported }));
                }
                Step::Deliver(index, end) => {
                    if *index < waiting.len() {
                        let event = waiting.remove(*index);
                        at_once(deliver(&twins, &event, *end));
                    }
                }
            }
        }
        at_once(async {
            for event in &waiting {
                deliver(&twins, event, None).await;
            }
        });
        let there = reported(&twins).unwrap_or_default();
        for (key, value) in newest {
            match value {
                Some(value) => prop_assert_eq!(&there[key], &json!(value), "{}: {:?}", key, twins.row("shadow#t#")),
                None => prop_assert!(there[key].is_null() || in_secondary.get(key).map(|at_s| json!(at_s)).as_ref() == Some(&there[key])),
            }
        }
    }
}
