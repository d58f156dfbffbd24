//! Fuzz target: the rules' SQL, as it comes in: a rule is created and a message published to it. Nothing here knows how
//! SQL is read.

use serde_json::json;

use super::site::Site;
use crate::fuzz::{Script, fuzz};

const SEEDS: [&str; 6] = [
    "SELECT newuuid() as uuid, (timestamp()/1000)+172800 as expires, * FROM 'dt/#' \
     WHERE topic(2) = 'thing' OR topic(2) = 'thingGroup'",
    "SELECT topic(2) AS device, concat('shadow##', current.version) AS event, floor(a / 7) + 1 AS n, \
     upper(b) AS u FROM 'dt/+' WHERE NOT isUndefined(a)",
    "SELECT * FROM 'dt/thing' WHERE a IN (1, 2.5, 'x') AND b <> \"y\" AND -a <= 3 % 2",
    "SELECT ceil(a * 1.5) AS c, lower(current.name) AS n FROM 'dt/thing'",
    "SELECT a FROM 'dt/thing'",
    "SELECT current.list AS l, isNull(z) AS n FROM '$aws/things/+/shadow/update/documents' WHERE a = null",
];
const TOKENS: [&str; 14] = [
    " AND ",
    " OR ",
    "NOT ",
    " AS x",
    ", ",
    "1+",
    "-",
    "/0",
    "%0",
    "topic(",
    "concat(",
    "WHERE ",
    "SELECT ",
    "CASE WHEN ",
];
const PAYLOADS: [&str; 4] = [
    r#"{"a":1,"b":"x","z":null,"current":{"version":7,"name":"N","list":[1,{"k":2}]}}"#,
    r#"{"a":-9223372036854775808,"b":1e308,"current":[]}"#,
    "[1]",
    "\u{0}no json",
];

#[test]
fn the_seeds_are_rules() {
    let site = Site::new();
    for (n, sql) in SEEDS.iter().enumerate() {
        assert_eq!(create(&site, &format!("r{n}"), sql), 200, "{sql}");
    }
}

fn create(site: &Site, rule: &str, sql: &str) -> u16 {
    let action = json!({"dynamoDBv2": {"roleArn": "arn:aws:iam::123456789012:role/r", "putItem": {"tableName": "none"}}});
    let body = json!({"sql": sql, "awsIotSqlVersion": "2016-03-23", "actions": [action]});
    site.status(&format!("POST iot /rules/{rule}\n\n{body}"))
}

#[test]
fn any_text_is_a_rule_or_refused() {
    let site = Site::new();
    fuzz!(SEEDS, TOKENS, |input: &[u8]| {
        let sql = String::from_utf8_lossy(input);
        if create(&site, "r", &sql) == 200 {
            let payload = PAYLOADS[Script::new(input).below(PAYLOADS.len())];
            assert_eq!(site.status(&format!("POST iotdata /topics/dt/thing\n\n{payload}")), 200);
            assert_eq!(site.status("DELETE iot /rules/r\n\n"), 200);
        }
    });
}

#[test]
fn parentheses_without_end_are_refused() {
    let site = Site::new();
    for open in ["(", "[", "upper(", "NOT ", "-"] {
        let sql = format!("SELECT {} AS x FROM 'a'", open.repeat(100_000));
        assert_eq!(create(&site, "r", &sql), 400, "{open}");
    }
}
