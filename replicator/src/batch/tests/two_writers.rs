//! A device that writes in the secondary while late events of the primary arrive, ended at any call:
//! key by key the newest write stays.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::histories::{crash, deliver};
use super::*;

/// One second of the story.
#[derive(Debug, Clone)]
enum Step {
    /// The device, connected to the primary, writes a key there.
    Primary(&'static str),
    /// The device, connected to the secondary, writes a key there.
    Secondary(&'static str),
    /// The oldest events that were not delivered yet are, with a failure perhaps.
    Deliver(usize, Option<crate::fakes::Crash>),
}

fn step() -> impl Strategy<Value = Step> {
    let key = || prop_oneof![Just("a"), Just("b")];
    prop_oneof![
        3 => key().prop_map(Step::Primary),
        2 => key().prop_map(Step::Secondary),
        3 => (1_usize..3, crash()).prop_map(|(count, crash)| Step::Deliver(count, crash)),
    ]
}

/// The event of the primary's document after a write.
fn event(version: u64, now_s: u64, document: &BTreeMap<&str, (u64, u64)>) -> Value {
    let part = |value: fn(&(u64, u64)) -> Value| -> serde_json::Map<String, Value> {
        document.iter().map(|(key, leaf)| ((*key).to_owned(), value(leaf))).collect()
    };
    let state = part(|(value, _)| json!({"N": value.to_string()}));
    let metadata = part(|(_, at_s)| json!({"M": {"timestamp": {"N": at_s.to_string()}}}));
    let mut record = shadow("0", "a", version);
    let image = &mut record["dynamodb"]["NewImage"];
    image["timestamp"] = json!({"N": now_s.to_string()});
    image["state"] = json!({"M": {"reported": {"M": state}}});
    image["metadata"] = json!({"M": {"reported": {"M": metadata}}});
    record
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_newest_write_of_each_key_stays(steps in prop::collection::vec(step(), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let twins = Twins::new();
        let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
        let mut primary: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        let mut waiting: Vec<Value> = Vec::new();
        let (mut version, mut now_s) = (0, 100);
        for step in &steps {
            // A device is in one Region at a time, and moving takes longer than a second.
            now_s += 2;
            twins.at_s(now_s);
            match step {
                Step::Primary(key) => {
                    version += 1;
                    primary.insert(key, (now_s, now_s));
                    newest.insert(key, now_s);
                    waiting.push(event(version, now_s, &primary));
                }
                Step::Secondary(key) => {
                    newest.insert(key, now_s);
                    let mut reported = serde_json::Map::new();
                    reported.insert((*key).to_owned(), json!(now_s));
                    twins.device_writes("a", &json!({"reported": reported}));
                }
                Step::Deliver(count, crash) => {
                    let batch: Vec<Value> = waiting.iter().take(*count).cloned().collect();
                    let done = runtime.block_on(deliver(&twins, &batch, &[*crash], 1));
                    waiting.drain(..done);
                }
            }
        }
        now_s += 2;
        twins.at_s(now_s);
        runtime.block_on(deliver(&twins, &waiting, &[], 10));
        let expected: serde_json::Map<String, Value> =
            newest.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let expected = (!expected.is_empty()).then(|| json!({"reported": expected}));
        let state = twins.shadow_state("a", "");
        prop_assert_eq!(state, expected, "{:?}", twins.inner().rows);
    }
}
