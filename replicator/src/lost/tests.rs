//! For every rule, what is made of a lost message is what the rule's own statement makes of it. The
//! statement is run here by a reader of just the words that the rules use.

use super::*;
use crate::rules;

const NOW_MS: u64 = 1_700_000_000_123;
const REGION: &str = "us-east-1";

/// A name of the replicator's own in the samples. A shadow's name is none.
const OWN: &str = "/gameday-health-x/";

/// Splits at commas that stand in no parentheses and no quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut is_quoted, mut start, mut parts) = (0, false, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '\'' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth -= 1,
            ',' if !is_quoted && depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn value(expression: &str, topic: &str, payload: &Value) -> Option<Value> {
    let inner = |name: &str| expression.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(text) = expression.strip_prefix('\'') {
        return Some(json!(text.strip_suffix('\'').unwrap()));
    }
    if let Some(level) = inner("topic") {
        let level: usize = level.parse().unwrap();
        return Some(json!(topic.split('/').nth(level - 1)?));
    }
    if let Some(parts) = inner("concat") {
        let parts = split(parts).into_iter().map(|part| match value(part, topic, payload) {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => panic!("{part} is undefined"),
        });
        return Some(json!(parts.collect::<String>()));
    }
    if let Some(life) = expression.strip_prefix("floor(timestamp() / 1000) + ") {
        return Some(json!(NOW_MS / 1_000 + life.parse::<u64>().unwrap()));
    }
    expression.split('.').try_fold(payload, |value, name| value.get(name)).cloned()
}

fn matches(filter: &str, topic: &str) -> bool {
    let (filter, topic) = (filter.split('/'), topic.split('/'));
    filter.clone().count() == topic.clone().count()
        && filter.zip(topic).all(|(wanted, level)| wanted == "+" || wanted == level)
}

/// What the rule writes, if it takes the message.
fn by_statement(sql: &str, topic: &str, payload: &Value) -> Option<Map<String, Value>> {
    let (columns, rest) = sql.strip_prefix("SELECT ").unwrap().split_once(" FROM '").unwrap();
    let (filter, condition) = rest.split_once("' WHERE ").unwrap();
    let is_excluded = condition.split(" AND ").any(|one| {
        let tested = one.strip_prefix("NOT startswith(").unwrap().strip_suffix(')').unwrap();
        let [tested, prefix] = split(tested)[..] else { panic!("{one} tests one name") };
        let text = |expression| value(expression, topic, payload).unwrap().as_str().unwrap().to_owned();
        text(tested).starts_with(&text(prefix))
    });
    if !matches(filter, topic) || is_excluded {
        return None;
    }
    let mut row = Map::new();
    for column in split(columns) {
        if column == "*" {
            row.extend(payload.as_object().unwrap().clone());
            continue;
        }
        let (expression, name) = column.rsplit_once(" AS ").unwrap_or((column, column));
        if let Some(value) = value(expression, topic, payload) {
            row.insert(name.to_owned(), value);
        }
    }
    Some(row)
}

fn samples(name: &str) -> Vec<(&'static str, Value)> {
    let registry = |kind: &str| {
        json!({"eventType": kind, "eventId": "e-1", "timestamp": 1_604_934_523_456_u64, "operation": "CREATED",
            "accountId": "1", "attributes": {"S": "v"}, "thingTypeName": null, "versionNumber": 3})
    };
    let updated = json!({"previous": {"version": 6}, "current": {"state": {"desired": {"M": [1, null]}},
        "metadata": {"desired": {"M": {"timestamp": 5}}}, "version": 7}, "timestamp": 1_604_934_523, "clientToken": "x"});
    let emptied = json!({"current": {"version": 8}, "timestamp": 1_604_934_524});
    let deleted = json!({"version": 9, "timestamp": 1_604_934_525});
    match name {
        "thing_events" => vec![
            ("$aws/events/thing/pump:1/created", registry("THING_EVENT")),
            ("$aws/events/thing/gameday-health-x/created", registry("THING_EVENT")),
        ],
        "type_events" => vec![
            ("$aws/events/thingType/pump/updated", registry("THING_TYPE_EVENT")),
            ("$aws/events/thingType/gameday-health-x/updated", registry("THING_TYPE_EVENT")),
        ],
        "group_events" => vec![
            ("$aws/events/thingGroup/g/deleted", registry("THING_GROUP_EVENT")),
            ("$aws/events/thingGroup/gameday-health-x/deleted", registry("THING_GROUP_EVENT")),
        ],
        "membership_events" => [
            "$aws/events/thingGroupMembership/thingGroup/g/thing/t/added",
            "$aws/events/thingGroupMembership/thingGroup/gameday-health-x/thing/t/added",
            "$aws/events/thingGroupMembership/thingGroup/g/thing/gameday-health-x/removed",
        ]
        .map(|topic| (topic, registry("THING_GROUP_MEMBERSHIP_EVENT")))
        .into(),
        "classic_shadows" => vec![
            ("$aws/things/t/shadow/update/documents", updated.clone()),
            ("$aws/things/t/shadow/update/documents", emptied),
            ("$aws/things/gameday-health-x/shadow/update/documents", updated),
        ],
        "named_shadows" => vec![("$aws/things/t/shadow/name/n/update/documents", updated)],
        "classic_shadow_deletes" => vec![("$aws/things/t/shadow/delete/accepted", deleted)],
        "named_shadow_deletes" => vec![
            ("$aws/things/t/shadow/name/n/delete/accepted", deleted.clone()),
            ("$aws/things/t/shadow/name/gameday-health-of-t/delete/accepted", deleted),
        ],
        other => panic!("no sample for the rule {other}"),
    }
}

#[test]
fn d20_what_a_rule_could_not_write_is_the_row_that_it_would_have_written() {
    for rule in rules::all(REGION) {
        for (topic, payload) in samples(rule.name) {
            let expected = by_statement(&rule.sql, topic, &payload);
            let made = row(topic, payload.as_object().unwrap(), REGION, NOW_MS).unwrap();
            assert_eq!(made, expected, "{}", rule.name);
            assert_eq!(made.is_none(), topic.contains(OWN), "{}", rule.name);
        }
    }
}

#[test]
fn what_no_rule_takes_is_said() {
    let payload = Map::new();
    for topic in ["a/b", "$aws/things/t/shadow/update/accepted", "$aws/events/jobs/j/created"] {
        assert!(row(topic, &payload, REGION, NOW_MS).is_err(), "{topic}");
    }
    assert!(row("$aws/events/thing/t/created", &payload, REGION, NOW_MS).is_err());
    let not_json =
        json!({"topic": "$aws/events/thing/t/created", "base64OriginalPayload": STANDARD.encode("{")});
    assert!(super::payload(&not_json).is_err() && is_lost(&not_json));
}
