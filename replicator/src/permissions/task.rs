//! The role of whoever runs `replicator sync` outside of Lambda, such as a task of AWS Fargate: the same
//! calls as the functions make, as a policy document.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{APPLY, DOCUMENTS, EVENTS_THERE, Grant, Kind, SEARCH, Scope, WALK};
use crate::look::Names;

/// The tables that a syncer uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    /// The event table: everything goes through it, and nothing straight to the secondary.
    pub events: Option<String>,
    /// The table of documents; none: they stand in the event table.
    pub documents: Option<String>,
    /// The state table of the secondary.
    pub state: Option<String>,
    /// The error table of the secondary.
    pub errors: Option<String>,
}

/// The policy of a syncer between these Regions.
pub fn policy(names: &Names, tables: &Tables) -> Value {
    let mut actions = BTreeMap::<&str, Vec<String>>::new();
    let mut add = |grants: &[Grant], here: &str, there: &str| {
        for (action, scopes) in grants {
            let arns = scopes.iter().filter_map(|scope| arn(*scope, names, tables, here, there));
            actions.entry(*action).or_default().extend(arns);
        }
    };
    add(WALK, &names.primary, &names.secondary);
    add(SEARCH, &names.primary, &names.secondary);
    if tables.events.is_some() {
        add(DOCUMENTS, &names.primary, &names.secondary);
        add(EVENTS_THERE, &names.primary, &names.secondary);
    } else {
        add(APPLY, &names.secondary, &names.secondary);
    }
    let statements = actions.into_iter().filter_map(|(action, mut resources)| {
        resources.sort();
        resources.dedup();
        (!resources.is_empty()).then(|| json!({"Effect": "Allow", "Action": action, "Resource": resources}))
    });
    json!({"Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>()})
}

fn arn(scope: Scope, names: &Names, tables: &Tables, here: &str, there: &str) -> Option<String> {
    let of = |service: &str, region: &str, resource: String| {
        format!("arn:{}:{service}:{region}:{}:{resource}", crate::policy::partition(region), names.account)
    };
    let table = |region: &str, name: &Option<String>| {
        name.as_ref().map(|name| of("dynamodb", region, format!("table/{name}")))
    };
    match scope {
        Scope::Any => Some("*".to_owned()),
        Scope::Here(kind) => Some(of("iot", here, all(kind))),
        Scope::There(kind) => Some(of("iot", there, all(kind))),
        Scope::EventsTable => table(here, &tables.events),
        Scope::DocumentsTable if tables.documents.is_none() => table(here, &tables.events),
        Scope::DocumentsTable => table(here, &tables.documents),
        Scope::StateTable | Scope::StateTableThere => table(&names.secondary, &tables.state),
        Scope::ErrorTable => table(&names.secondary, &tables.errors),
        _ => None,
    }
}

fn all(kind: Kind) -> String {
    format!("{}/*", kind.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names { primary: "us-east-1".into(), secondary: "us-west-2".into(), account: "1".into() }
    }

    fn resources(policy: &Value, action: &str) -> Vec<String> {
        let statements = policy["Statement"].as_array().unwrap();
        let of = statements.iter().find(|statement| statement["Action"] == action);
        serde_json::from_value(of.map_or(json!([]), |of| of["Resource"].clone())).unwrap()
    }

    #[test]
    fn d44_the_role_has_the_search_and_writes_only_where_it_has_to() {
        let tables = Tables { events: Some("events".into()), ..Tables::default() };
        let policy = super::policy(&names(), &tables);
        assert!(!resources(&policy, "iot:SearchIndex").is_empty());
        assert_eq!(resources(&policy, "iot:CreateThing"), [] as [&str; 0]);
        assert_eq!(resources(&policy, "dynamodb:PutItem"), ["arn:aws:dynamodb:us-east-1:1:table/events"]);
        let tables = Tables { documents: Some("documents".into()), ..tables };
        let both = ["documents", "events"].map(|name| format!("arn:aws:dynamodb:us-east-1:1:table/{name}"));
        let policy = super::policy(&names(), &tables);
        assert_eq!(resources(&policy, "dynamodb:PutItem"), both);
        assert_eq!(resources(&policy, "dynamodb:GetItem"), both);
        let (state, errors) = (Some("state".into()), Some("errors".into()));
        let tables = Tables { state, errors, ..Tables::default() };
        let policy = super::policy(&names(), &tables);
        assert_eq!(resources(&policy, "iot:CreateThing"), ["arn:aws:iot:us-west-2:1:thing/*"]);
        let things = ["arn:aws:iot:us-east-1:1:thing/*", "arn:aws:iot:us-west-2:1:thing/*"];
        assert_eq!(resources(&policy, "iot:DescribeThing"), things);
        assert_eq!(resources(&policy, "dynamodb:Scan"), ["arn:aws:dynamodb:us-west-2:1:table/state"]);
    }
}
