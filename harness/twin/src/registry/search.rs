//! Searching things: `SearchIndex` over the registry and, where connectivity is indexed, who is connected.

use std::collections::BTreeSet;

use super::{
    Group, Paging, Registry, Thing, ThingFilter, invalid, not_found,
    query::{Field, Pattern, Query, refused},
};
use crate::error::AwsError;

/// The index of things.
pub(crate) const THINGS_INDEX: &str = "AWS_Things";
/// Things on one page, and when nothing else is asked for.
const RESULTS_MAX: usize = 100;

/// A thing that a search found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found<'a> {
    pub(crate) thing: &'a Thing,
    pub(crate) groups: Vec<&'a str>,
    /// `None` when connectivity is not indexed.
    pub(crate) connected: Option<bool>,
}

impl Registry {
    /// The things that a query finds, by name, and the token of the next page. `connected` holds the client ids that are
    /// connected; a thing's client id is its name.
    pub(crate) fn search<'a>(
        &'a self,
        index: &str,
        query: &str,
        connected: &BTreeSet<String>,
        token: Option<&str>,
        max: Option<u64>,
    ) -> Result<(Vec<Found<'a>>, Option<String>), AwsError> {
        if index != THINGS_INDEX {
            return Err(not_found(format!("Index {index} does not exist")));
        }
        if !self.indexing.has_things() {
            return Err(AwsError::new(
                400,
                "IndexNotReadyException",
                format!("Index {index} is not ready: thing indexing is off"),
            ));
        }
        let size = match max.map(usize::try_from) {
            None => RESULTS_MAX,
            Some(Ok(size)) if (1..=RESULTS_MAX).contains(&size) => size,
            Some(_) => return Err(invalid(format!("maxResults must be from 1 to {RESULTS_MAX}"))),
        };
        let query = Query::parse(query)?;
        if query.needs_connectivity() && !self.indexing.has_connectivity() {
            return Err(refused("the field connectivity.connected is not indexed"));
        }
        let paging = Paging::new(token, size)?;
        let found = self
            .things(ThingFilter::default(), paging.after())
            .map(|thing| self.found(thing, connected))
            .filter(|found| fits(&query, found));
        Ok(paging.take(found, |found| found.thing.name.as_str()))
    }

    fn found<'a>(&'a self, thing: &'a Thing, connected: &BTreeSet<String>) -> Found<'a> {
        let groups = self.groups_of(&thing.name).into_iter().map(|g: &Group| g.name.as_str()).collect();
        let connected = self.indexing.has_connectivity().then(|| connected.contains(&thing.name));
        Found { thing, groups, connected }
    }
}

fn fits(query: &Query, found: &Found<'_>) -> bool {
    match query {
        Query::Term(field, pattern) => term(field, pattern, found),
        Query::Not(query) => !fits(query, found),
        Query::And(queries) => queries.iter().all(|q| fits(q, found)),
        Query::Or(queries) => queries.iter().any(|q| fits(q, found)),
    }
}

fn term(field: &Field, pattern: &Pattern, found: &Found<'_>) -> bool {
    let thing = found.thing;
    match field {
        Field::ThingName => pattern.matches(&thing.name),
        Field::ThingId => pattern.matches(&thing.id),
        Field::TypeName => thing.type_name.as_ref().is_some_and(|name| pattern.matches(name)),
        Field::GroupName => found.groups.iter().any(|name| pattern.matches(name)),
        Field::Attribute(name) => thing.attributes.get(name).is_some_and(|value| pattern.matches(value)),
        Field::Connected => {
            found.connected.is_some_and(|on| pattern.matches(if on { "true" } else { "false" }))
        }
        Field::Any => {
            let fields = [Field::ThingName, Field::ThingId, Field::TypeName, Field::GroupName];
            fields.iter().any(|field| term(field, pattern, found))
                || thing.attributes.values().any(|value| pattern.matches(value))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::registry::{GroupChange, ThingSettings, TypeProperties};

    fn registry() -> Registry {
        let mut r = Registry::new("us-east-1", "123456789012");
        r.set_indexing(&json!({"thingIndexingConfiguration":
            {"thingIndexingMode": "REGISTRY", "thingConnectivityIndexingMode": "STATUS"}}))
            .unwrap();
        r.create_thing_type("pump", TypeProperties::default(), 0).unwrap();
        r.create_group("north", None, GroupChange::default(), 0).unwrap();
        for (n, os) in ["linux", "linux", "rtos", "Linux"].iter().enumerate() {
            let settings = ThingSettings {
                attributes: BTreeMap::from([("os".to_owned(), (*os).to_owned())]),
                type_name: (n < 2).then(|| "pump".to_owned()),
            };
            r.create_thing(&format!("t{n}"), settings, 0).unwrap();
        }
        r.create_thing("other", ThingSettings::default(), 0).unwrap();
        r.add_to_group("north", "t1", 0).unwrap();
        r
    }

    fn names(r: &Registry, query: &str) -> Vec<String> {
        let connected = BTreeSet::from(["t0".to_owned()]);
        let (found, next) = r.search(THINGS_INDEX, query, &connected, None, None).unwrap();
        assert_eq!(next, None);
        found.iter().map(|f| f.thing.name.clone()).collect()
    }

    #[test]
    fn the_guides_queries() {
        let r = registry();
        for (query, expected) in [
            ("thingName:*", "other t0 t1 t2 t3"),
            ("*", "other t0 t1 t2 t3"),
            ("thingName:t*", "t0 t1 t2 t3"),
            ("thingName:t1", "t1"),
            ("attributes.os:linux", "t0 t1 t3"),
            ("attributes.os:linux AND thingTypeName:pump", "t0 t1"),
            ("thingTypeName:pump thingGroupNames:north", "t1"),
            ("connectivity.connected:true", "t0"),
            ("thingName:t* AND connectivity.connected:false", "t1 t2 t3"),
            ("thingName:t* AND NOT attributes.os:linux", "t2"),
            ("(thingName:t0 OR thingName:t2) AND attributes.os:rtos", "t2"),
            ("thingName:(t* AND -t3)", "t0 t1 t2"),
            ("NOT attributes.os:*", "other"),
            ("rtos", "t2"),
        ] {
            assert_eq!(names(&r, query).join(" "), expected, "{query}");
        }
    }

    #[test]
    fn what_is_not_indexed_cannot_be_searched() {
        let mut r = registry();
        let search = |r: &Registry, index, query| {
            r.search(index, query, &BTreeSet::new(), None, None).map(|_| ()).map_err(|e| e.code)
        };
        assert_eq!(search(&r, "AWS_Other", "*"), Err("ResourceNotFoundException"));
        assert_eq!(search(&r, THINGS_INDEX, "a AND"), Err("InvalidQueryException"));
        for size in [0, 101] {
            let refused = r.search(THINGS_INDEX, "*", &BTreeSet::new(), None, Some(size)).unwrap_err();
            assert_eq!(refused.code, "InvalidRequestException");
        }
        r.set_indexing(&json!({"thingIndexingConfiguration": {"thingIndexingMode": "REGISTRY"}})).unwrap();
        assert_eq!(search(&r, THINGS_INDEX, "connectivity.connected:true"), Err("InvalidQueryException"));
        r.set_indexing(&json!({"thingIndexingConfiguration": {"thingIndexingMode": "OFF"}})).unwrap();
        assert_eq!(search(&r, THINGS_INDEX, "*"), Err("IndexNotReadyException"));
    }

    fn queries() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("thingName:t*".to_owned()),
            Just("attributes.os:linux".to_owned()),
            Just("thingTypeName:pump".to_owned()),
            Just("connectivity.connected:true".to_owned()),
        ];
        leaf.prop_recursive(2, 6, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
                inner.prop_map(|a| format!("(NOT {a})")),
            ]
        })
    }

    proptest! {
        /// For all queries: NOT finds exactly the rest, and pages of any size join to the whole.
        #[test]
        fn not_is_the_complement_and_pages_join(query in queries(), size in 1u64..4) {
            let r = registry();
            let (yes, no) = (names(&r, &query), names(&r, &format!("NOT {query}")));
            let mut all: Vec<String> = yes.iter().chain(&no).cloned().collect();
            all.sort();
            prop_assert_eq!(all, ["other", "t0", "t1", "t2", "t3"]);
            let connected = BTreeSet::from(["t0".to_owned()]);
            let (mut paged, mut token) = (Vec::new(), None::<String>);
            loop {
                let (page, next) = r.search(THINGS_INDEX, &query, &connected, token.as_deref(), Some(size)).unwrap();
                paged.extend(page.iter().map(|f| f.thing.name.clone()));
                token = next;
                if token.is_none() {
                    break;
                }
            }
            prop_assert_eq!(paged, yes);
        }
    }
}
