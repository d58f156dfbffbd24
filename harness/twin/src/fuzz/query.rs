//! Fuzz target: fleet-index queries, over a registry that has things.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::{
    fuzz::fuzz,
    registry::{Registry, THINGS_INDEX, ThingSettings},
};

const SEEDS: [&str; 7] = [
    "thingName:lamp*",
    "attributes.site:berlin AND NOT thingName:lamp-1",
    "(thingName:(lamp-1 OR lamp-2) attributes.site:\"new-york\") OR -connectivity.connected:true",
    "connectivity.connected:false",
    "*",
    "thingName:?amp*",
    "l\\*mp OR thingGroupNames:a* OR thingTypeName:b AND thingId:*",
];
const TOKENS: [&str; 9] =
    [" AND ", " OR ", " NOT ", "-", "thingName:", "attributes.site:", "connectivity.connected:", "?", "\\"];

fn registry() -> Registry {
    let mut registry = Registry::new("us-east-1", "123456789012");
    let on = json!({"thingIndexingConfiguration":
        {"thingIndexingMode": "REGISTRY", "thingConnectivityIndexingMode": "STATUS"}});
    registry.set_indexing(&on).unwrap();
    for (name, site) in [("lamp-1", "berlin"), ("lamp-2", "new-york"), ("fan", "Berlin")] {
        let attributes = BTreeMap::from([("site".to_owned(), site.to_owned())]);
        registry.create_thing(name, ThingSettings { attributes, ..ThingSettings::default() }, 0).unwrap();
    }
    registry
}

/// The things that a query finds, or none if it is refused.
fn found(registry: &Registry, query: &str) -> Option<BTreeSet<String>> {
    let connected = BTreeSet::from(["lamp-1".to_owned()]);
    let (found, _) = registry.search(THINGS_INDEX, query, &connected, None, None).ok()?;
    Some(found.into_iter().map(|found| found.thing.name.clone()).collect())
}

#[test]
fn the_seeds_are_queries() {
    let registry = registry();
    for seed in SEEDS {
        assert!(found(&registry, seed).is_some(), "{seed}");
    }
}

#[test]
fn any_text_is_a_query_or_refused() {
    let registry = registry();
    let all = found(&registry, "*").unwrap();
    fuzz!(SEEDS, TOKENS, |input: &[u8]| {
        let query = String::from_utf8_lossy(input);
        let Some(these) = found(&registry, &query) else { return };
        // What a query does not find, its negation does: unless it grows too long for being one.
        if let Some(others) = found(&registry, &format!("NOT ({query})")) {
            assert!(these.is_disjoint(&others), "{query}");
            assert_eq!(these.union(&others).cloned().collect::<BTreeSet<_>>(), all, "{query}");
        }
    });
}

#[test]
fn parentheses_without_end_are_refused() {
    assert_eq!(found(&registry(), &"(".repeat(100_000)), None);
    assert_eq!(found(&registry(), &"(".repeat(900)), None);
}
