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

/// The rules for a primary Region: registry events, classic shadows, named shadows.
pub fn all(primary_region: &str) -> Vec<Rule> {
    vec![thing_events(primary_region), classic_shadows(primary_region), named_shadows(primary_region)]
}

fn expires() -> String {
    format!("floor(timestamp() / 1000) + {EVENT_LIFE_S} AS expires")
}

fn thing_events(region: &str) -> Rule {
    // `$aws/events/thing/<name>/<operation>`: the name is the fourth level.
    let sql = format!(
        "SELECT topic(4) AS device, concat('thing#', eventId) AS event, {expires}, '{region}' AS origin, * \
         FROM '$aws/events/thing/+/+'",
        expires = expires(),
    );
    Rule { name: "thing_events", sql_version: SQL_VERSION, sql }
}

fn shadow_columns(name: &str, region: &str) -> String {
    format!(
        "topic(3) AS device, concat('shadow#', {name}, '#', current.version) AS event, {expires}, \
         '{region}' AS origin, 'SHADOW_EVENT' AS eventType, 'UPDATED' AS operation, {name} AS shadow, \
         current.state AS state, current.metadata AS metadata, current.version AS version, timestamp",
        expires = expires(),
    )
}

fn classic_shadows(region: &str) -> Rule {
    let columns = shadow_columns("''", region);
    let sql = format!("SELECT {columns} FROM '$aws/things/+/shadow/update/documents'");
    Rule { name: "classic_shadows", sql_version: SQL_VERSION, sql }
}

fn named_shadows(region: &str) -> Rule {
    // `$aws/things/<thing>/shadow/name/<shadow>/update/documents`: the shadow is the sixth level.
    let columns = shadow_columns("topic(6)", region);
    let sql = format!("SELECT {columns} FROM '$aws/things/+/shadow/name/+/update/documents'");
    Rule { name: "named_shadows", sql_version: SQL_VERSION, sql }
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
    fn a_shadow_rule_takes_the_whole_document_and_not_the_request() {
        let rules = all("eu-west-1");
        assert!(rules[1].sql.ends_with("FROM '$aws/things/+/shadow/update/documents'"));
        assert!(rules[2].sql.contains("concat('shadow#', topic(6), '#', current.version) AS event"));
        assert!(rules[2].sql.contains("current.state AS state"));
    }
}
