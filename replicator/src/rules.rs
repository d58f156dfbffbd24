//! The topic rules of the primary Region, as the text that AWS IoT runs.
//!
//! They are exported so that whoever deploys them (a template, a test, the twin) uses these very
//! words. Every rule writes with the `DynamoDBv2` action, which turns each selected column into an
//! attribute; the columns `device` and `event` are the key of [`crate::tables::EVENTS`].
//!
//! The sort key carries the event's identity, so no event ever overwrites another.

/// The version of the rules language in which [`Rule::sql`] is written.
pub const SQL_VERSION: &str = "2016-03-23";

/// How long a row of the event table lives. Twice the 24 hours for which a stream remembers, so
/// that a row is still there to read whenever its record can still be delivered.
pub const EVENT_LIFE_S: u64 = 172_800;

/// One topic rule of the primary Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// A name for the rule; a deployment may put a prefix before it.
    pub name: &'static str,
    /// The version of the rules language.
    pub sql_version: &'static str,
    /// The statement.
    pub sql: String,
}

/// What the replicator's own equipment is called: its things, and their shadows and events, stay in
/// their Region. So does whatever a deployment gives such a name.
pub const EXCLUDED_PREFIX: &str = "gameday-health-";

/// Whether something of that name is the replicator's own, and stays in its Region.
pub fn is_own(name: &str) -> bool {
    name.starts_with(EXCLUDED_PREFIX)
}

/// The rule for just-in-time registration, the same in both Regions.
pub fn registration() -> Rule {
    Rule {
        name: "registered_certificates",
        sql_version: SQL_VERSION,
        sql: "SELECT * FROM '$aws/events/certificates/registered/#' WHERE certificateStatus = 'PENDING_ACTIVATION'"
            .to_owned(),
    }
}

/// The rules for a primary Region. Type associations and the hierarchy of groups need none: the events
/// of things and groups carry the same.
pub fn all(primary_region: &str) -> Vec<Rule> {
    let region = primary_region;
    vec![
        registry("thing_events", region, "thing", "topic(4)", "thing/+/+", &["topic(4)"]),
        registry("type_events", region, "type", "concat('type#', topic(4))", "thingType/+/+", &["topic(4)"]),
        registry(
            "group_events",
            region,
            "group",
            "concat('group#', topic(4))",
            "thingGroup/+/+",
            &["topic(4)"],
        ),
        // Neither things nor groups that stay have memberships elsewhere.
        registry(
            "membership_events",
            region,
            "membership",
            "topic(7)",
            "thingGroupMembership/+/+/+/+/+",
            &["topic(7)", "topic(5)"],
        ),
        shadow_updates("classic_shadows", region, "''", "shadow"),
        shadow_updates("named_shadows", region, "topic(6)", "shadow/name/+"),
        shadow_deletes("classic_shadow_deletes", region, "''", "shadow"),
        shadow_deletes("named_shadow_deletes", region, "topic(6)", "shadow/name/+"),
    ]
}

fn expires() -> String {
    format!("floor(timestamp() / 1000) + {EVENT_LIFE_S} AS expires")
}

/// `named` are the names that must not be the replicator's own.
fn rule(name: &'static str, columns: &str, region: &str, from: &str, device: &str, named: &[&str]) -> Rule {
    let is_other = |of: &&str| format!("NOT startswith({of}, '{EXCLUDED_PREFIX}')");
    let sql = format!(
        "SELECT {device} AS device, {expires}, '{region}' AS origin, {columns} FROM '{from}' WHERE {condition}",
        expires = expires(),
        condition = named.iter().map(is_other).collect::<Vec<_>>().join(" AND "),
    );
    Rule { name, sql_version: SQL_VERSION, sql }
}

/// `$aws/events/<kind>/<name>/<operation>`: the name is the fourth level; of memberships
/// `.../thingGroup/<group>/thing/<thing>/<operation>`, group and thing are the fifth and the seventh.
fn registry(name: &'static str, region: &str, kind: &str, device: &str, from: &str, named: &[&str]) -> Rule {
    let columns = format!("concat('{kind}#', eventId) AS event, *");
    rule(name, &columns, region, &format!("$aws/events/{from}"), device, named)
}

/// `$aws/things/<thing>/shadow/...` or `$aws/things/<thing>/shadow/name/<shadow>/...`: the shadow is
/// the sixth level.
fn shadow_updates(name: &'static str, region: &str, shadow: &str, level: &str) -> Rule {
    let columns = format!(
        "concat('shadow#', {shadow}, '#', current.version) AS event, 'SHADOW_EVENT' AS eventType, \
         'UPDATED' AS operation, {shadow} AS shadow, current.state AS state, \
         current.metadata AS metadata, current.version AS version, timestamp"
    );
    rule(
        name,
        &columns,
        region,
        &format!("$aws/things/+/{level}/update/documents"),
        "topic(3)",
        &["topic(3)"],
    )
}

fn shadow_deletes(name: &'static str, region: &str, shadow: &str, level: &str) -> Rule {
    let columns = format!(
        "concat('shadow#', {shadow}, '#', version, '#deleted') AS event, 'SHADOW_EVENT' AS eventType, \
         'DELETED' AS operation, {shadow} AS shadow, version, timestamp"
    );
    rule(name, &columns, region, &format!("$aws/things/+/{level}/delete/accepted"), "topic(3)", &["topic(3)"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_names_the_key_the_origin_and_the_life_of_its_row() {
        for rule in all("eu-west-1") {
            for column in ["AS device", "AS event", "AS expires", "'eu-west-1' AS origin"] {
                assert!(rule.sql.contains(column), "{} lacks {column}: {}", rule.name, rule.sql);
            }
        }
    }

    #[test]
    fn d26_a_shadow_rule_takes_the_whole_document_and_not_the_request() {
        let rules = all("eu-west-1");
        assert!(rules[4].sql.contains("FROM '$aws/things/+/shadow/update/documents'"));
        assert!(rules[5].sql.contains("concat('shadow#', topic(6), '#', current.version) AS event"));
        assert!(rules[5].sql.contains("current.state AS state"));
    }

    #[test]
    fn the_excluded_prefix_stays_in_its_region() {
        assert!(all("r").iter().all(|rule| rule.sql.contains("WHERE NOT startswith(")));
    }
}
