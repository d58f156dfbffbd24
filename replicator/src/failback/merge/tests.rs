use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A history of one shadow: both Regions begin alike, then each goes its own way.
#[derive(Debug, Clone)]
struct Histories {
    base: (Value, Value),
    primary: (Value, Value),
    secondary: (Value, Value),
}

#[derive(Debug, Clone)]
struct Write {
    at_s: u64,
    section: &'static str,
    key: &'static str,
    /// None removes it.
    value: Option<i64>,
}

fn write(range: std::ops::Range<u64>) -> impl Strategy<Value = Write> {
    let section = prop_oneof![Just("reported"), Just("desired")];
    let key = prop_oneof![Just("a"), Just("b"), Just("timestamp"), Just("o/p")];
    (range, section, key, prop::option::weighted(0.8, 0_i64..4))
        .prop_map(|(at_s, section, key, value)| Write { at_s, section, key, value })
}

fn replay(mut document: (Value, Value), mut writes: Vec<Write>) -> (Value, Value) {
    writes.sort_by_key(|write| write.at_s);
    for Write { at_s, section, key, value } in writes {
        match value {
            Some(value) => {
                document.0[section][key] = json!({"n": value});
                document.1[section][key] = json!({"n": {"timestamp": at_s}});
            }
            None => {
                for part in [&mut document.0, &mut document.1] {
                    if let Some(section) = part.get_mut(section).and_then(Value::as_object_mut) {
                        section.remove(key);
                    }
                }
            }
        }
    }
    document
}

fn histories() -> impl Strategy<Value = Histories> {
    let writes = |range| prop::collection::vec(write(range), 0..6);
    (writes(0..100), writes(100..120), writes(100..120)).prop_map(|(before, here, there)| {
        let base = replay((json!({}), json!({})), before);
        let (primary, secondary) = (replay(base.clone(), here), replay(base.clone(), there));
        Histories { base, primary, secondary }
    })
}

fn sides<'a>(of: &'a Histories, primary: &'a (Value, Value), kept: &'a BTreeMap<String, u64>) -> Sides<'a> {
    let document = |of: &'a (Value, Value)| Document { state: &of.0, metadata: &of.1 };
    Sides {
        primary: document(primary),
        secondary: document(&of.secondary),
        base: document(&of.base),
        left: document(&of.base),
        kept,
    }
}

fn leaves() -> impl Iterator<Item = (&'static str, String)> {
    ["reported", "desired"].into_iter().flat_map(|section| {
        ["a", "b", "timestamp", "o~1p"].into_iter().map(move |key| (section, format!("/{section}/{key}/n")))
    })
}

proptest! {
    #[test]
    fn each_leaf_is_the_newest_one_and_what_one_side_changed_is_kept(of in histories()) {
        let kept = BTreeMap::new();
        let (merged, _) = merge(&sides(&of, &of.primary, &kept), false);
        for (section, pointer) in leaves() {
            let [base, here, there] = [&of.base, &of.primary, &of.secondary]
                .map(|(state, metadata)| (state.pointer(&pointer), metadata.pointer(&pointer).and_then(newest_s)));
            let found = merged.pointer(&pointer);
            let both = here.0.is_some() && there.0.is_some();
            let newer = there.1 > here.1 || (there.1 == here.1 && section == "reported");
            let takes = there != base && (here == base || both && newer);
            let expected = if takes { there.0 } else { here.0 };
            prop_assert_eq!(found, expected, "{}", pointer);
        }
    }

    #[test]
    fn nothing_older_overwrites_anything_newer(of in histories(), resurrect in any::<bool>()) {
        let kept = BTreeMap::new();
        let (merged, _) = merge(&sides(&of, &of.primary, &kept), resurrect);
        for (_, pointer) in leaves() {
            let (before, after) = (of.primary.0.pointer(&pointer), merged.pointer(&pointer));
            if before != after && before.is_some() && after.is_some() {
                let [here, there] = [&of.primary.1, &of.secondary.1]
                    .map(|metadata| metadata.pointer(&pointer).and_then(newest_s));
                prop_assert!(there >= here, "{} of {:?} went over {:?}", pointer, there, here);
            }
        }
    }

    #[test]
    fn after_the_update_nothing_is_left_to_do(of in histories(), resurrect in any::<bool>()) {
        let kept = BTreeMap::new();
        let (merged, _) = merge(&sides(&of, &of.primary, &kept), resurrect);
        let mut home = of.primary.clone();
        if let Some(update) = update(&of.primary.0, &merged) {
            diff::merge(&update, &mut home.0);
            for (_, pointer) in leaves() {
                if of.primary.0.pointer(&pointer) != home.0.pointer(&pointer)
                    && let Some(section) = pointer.split('/').nth(1)
                    && let Some(key) = pointer.split('/').nth(2).map(|key| key.replace("~1", "/"))
                {
                    home.1[section][&key] = json!({"n": {"timestamp": 500}});
                }
            }
        }
        let (again, _) = merge(&sides(&of, &home, &kept), resurrect);
        prop_assert_eq!(update(&home.0, &again), None);
    }
}

#[test]
fn a_leaf_that_was_deleted_here_and_written_there_is_said_and_not_brought_back() {
    let of = Histories {
        base: (json!({"reported": {"a": 1}}), json!({"reported": {"a": {"timestamp": 5}}})),
        primary: (json!({"reported": {}}), json!({"reported": {}})),
        secondary: (json!({"reported": {"a": 2}}), json!({"reported": {"a": {"timestamp": 50}}})),
    };
    let kept = BTreeMap::new();
    let (merged, leaves) = merge(&sides(&of, &of.primary, &kept), false);
    assert_eq!((update(&of.primary.0, &merged), leaves[0].verdict), (None, Verdict::Resurrects));
    let (merged, _) = merge(&sides(&of, &of.primary, &kept), true);
    assert_eq!(update(&of.primary.0, &merged), Some(json!({"reported": {"a": 2}})));
}

#[test]
fn a_devices_own_leaf_that_the_replicator_left_alone_is_taken_home() {
    // The replicator's last write left `a` as the device had written it: it is in what it left.
    let written = (json!({"reported": {"a": 2}}), json!({"reported": {"a": {"timestamp": 50}}}));
    let base = (json!({"reported": {"a": 1}}), json!({"reported": {"a": {"timestamp": 5}}}));
    let kept = BTreeMap::from([("/reported/a".to_owned(), 50)]);
    let document = |of: &'static (Value, Value)| Document { state: &of.0, metadata: &of.1 };
    let (written, base) = (Box::leak(Box::new(written)), Box::leak(Box::new(base)));
    let mut sides = Sides {
        primary: document(base),
        secondary: document(written),
        base: document(base),
        left: document(written),
        kept: &kept,
    };
    let (merged, leaves) = merge(&sides, false);
    assert_eq!((merged, leaves[0].verdict), (json!({"reported": {"a": 2}}), Verdict::TakenHome));
    let nothing = BTreeMap::new();
    sides.kept = &nothing;
    assert_eq!(
        merge(&sides, false).0,
        json!({"reported": {"a": 1}}),
        "what the replicator wrote is not news"
    );
}

#[test]
fn at_the_same_second_a_device_wins_and_an_application_does_not() {
    let at = |value: i64| {
        let state = json!({"reported": {"a": value}, "desired": {"a": value}});
        (state, json!({"reported": {"a": {"timestamp": 9}}, "desired": {"a": {"timestamp": 9}}}))
    };
    let of = Histories { base: (json!({}), json!({})), primary: at(1), secondary: at(2) };
    let (merged, _) = merge(&sides(&of, &of.primary, &BTreeMap::new()), false);
    assert_eq!(merged, json!({"reported": {"a": 2}, "desired": {"a": 1}}));
}

#[test]
fn a_value_that_became_an_object_is_one_leaf() {
    let of = Histories {
        base: (json!({"reported": {"a": 1}}), json!({"reported": {"a": {"timestamp": 5}}})),
        primary: (json!({"reported": {"a": 1}}), json!({"reported": {"a": {"timestamp": 5}}})),
        secondary: (
            json!({"reported": {"a": {"x": 1, "y": 2}}}),
            json!({"reported": {"a": {"x": {"timestamp": 60}, "y": {"timestamp": 50}}}}),
        ),
    };
    let (merged, leaves) = merge(&sides(&of, &of.primary, &BTreeMap::new()), false);
    assert_eq!((&merged, leaves.len()), (&of.secondary.0, 1));
}
