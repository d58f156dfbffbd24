//! Statements as users write them, and AWS's own examples.

mod property;

use std::cell::OnceCell;

use serde_json::{Value, json};

use super::*;

const VERSION: &str = "2016-03-23";

/// A Region with one shadow.
struct OneShadow;

impl Lookup for OneShadow {
    fn shadow(&self, thing: &str, shadow: &str) -> Option<Value> {
        (thing == "lamp").then(|| json!({"state": {"reported": {"shadow": shadow}}}))
    }
}

fn message<'a>(topic: &'a str, bytes: &'a [u8]) -> Message<'a> {
    Message {
        topic,
        payload: Payload::new(bytes),
        now_ms: 1_700_000_000_999,
        account: "123456789012",
        client_id: Some("lamp-1"),
        principal: Some("abcd"),
        lookup: &OneShadow,
        trace: OnceCell::new(),
    }
}

fn run(sql: &str, topic: &str, payload: &Value) -> Option<Value> {
    let bytes = payload.to_string();
    match Query::parse(sql, VERSION).unwrap().run(&message(topic, bytes.as_bytes()))? {
        Output::Json(value) => Some(value),
        Output::Raw(_) => panic!("no JSON"),
    }
}

/// What an expression comes to; `None` is undefined.
fn eval(expression: &str, payload: &Value) -> Option<Value> {
    run(&format!("SELECT ({expression}) AS x FROM 't'"), "t", payload).unwrap().get("x").cloned()
}

#[test]
fn the_archived_solutions_registry_rule() {
    let sql = "SELECT newuuid() as uuid, (timestamp()/1000)+172800 as expires, * FROM '$aws/events/#' \
               WHERE topic(3) = 'thing' OR topic(3) = 'thingGroup'";
    let payload = json!({"eventType": "THING_EVENT", "attributes": {"a": null}});
    let out = run(sql, "$aws/events/thing/t1/created", &payload).unwrap();
    assert_eq!(out["expires"], json!(1_700_172_800));
    assert_eq!(out["attributes"], json!({"a": null}));
    assert_eq!(out["uuid"].as_str().unwrap().len(), 36);
    assert_eq!(run(sql, "$aws/events/job/t1/created", &payload), None);
}

#[test]
fn our_shadow_rule() {
    let sql = "SELECT topic(3) AS device, concat('shadow##', current.version) AS event, \
               floor(timestamp() / 1000) + 172800 AS expires, 'us-east-1' AS origin, current.state AS state, \
               current.version AS version, timestamp AS timestamp FROM '$aws/things/+/shadow/update/documents'";
    let payload =
        json!({"current": {"state": {"reported": {"n": 1}}, "version": 7}, "timestamp": 1_700_000_000});
    let out = run(sql, "$aws/things/dev-1/shadow/update/documents", &payload).unwrap();
    assert_eq!(
        out,
        json!({"device": "dev-1", "event": "shadow##7", "expires": 1_700_172_800, "origin": "us-east-1",
               "state": {"reported": {"n": 1}}, "version": 7, "timestamp": 1_700_000_000})
    );
}

#[test]
fn undefined_is_left_out_and_never_true() {
    let out = run("SELECT a.b AS x, c AS y FROM 't'", "t", &json!({"c": null})).unwrap();
    assert_eq!(out, json!({"y": null}));
    assert_eq!(run("SELECT * FROM 't' WHERE missing = 1", "t", &json!({})), None);
    assert_eq!(run("SELECT * FROM 't' WHERE NOT (missing = 1)", "t", &json!({})), None);
    assert_eq!(
        run("SELECT * FROM 't' WHERE isUndefined(a) AND NOT isNull(a)", "t", &json!({"b": 1})),
        Some(json!({"b": 1}))
    );
    assert_eq!(eval("true OR missing", &json!({})), None);
    assert_eq!(eval("'TRUE' AND true", &json!({})), Some(json!(true)));
    assert_eq!(eval("n = null", &json!({"n": null})), Some(json!(true)));
    assert_eq!(eval("n = missing", &json!({"n": null})), None);
}

#[test]
fn what_is_not_sql_is_refused() {
    let deep = format!("SELECT {}1{} AS x FROM 't'", "(".repeat(100), ")".repeat(100));
    let long = format!("SELECT 1{} AS x FROM 't'", "+1".repeat(300));
    let huge = format!("SELECT '{}' AS x FROM 't'", "x".repeat(18_000));
    for sql in [
        "",
        "DELETE FROM 't'",
        "SELECT 1 + 1 FROM 't'",
        "SELECT * FROM 'a', 'b'",
        "SELECT * FROM a/b",
        "SELECT * FROM 'a' LIMIT 1",
        "SELECT * FROM 'a' GROUP BY b",
        "SELECT DISTINCT a FROM 'a'",
        "SELECT * FROM 'a' UNION SELECT * FROM 'b'",
        "SELECT nothing(1) AS x FROM 'a'",
        "SELECT aws_lambda('f', *) AS x FROM 'a'",
        "SELECT a[0] AS x FROM 'a'",
        "SELECT cast(a AS date) AS x FROM 'a'",
        "SELECT a || b AS x FROM 'a'",
        "SELECT * FROM 'a' WHERE a BETWEEN 1 AND 2",
        "SELECT * FROM 'a'; SELECT * FROM 'b'",
        &deep,
        &long,
        &huge,
    ] {
        assert_eq!(Query::parse(sql, VERSION).map(|_| ()).unwrap_err().code, "SqlParseException", "{sql}");
    }
}

#[test]
fn the_longest_statements_need_little_stack() {
    let check = || {
        let chain = format!("1{}", "+1".repeat(200));
        assert_eq!(eval(&chain, &json!({})), Some(json!(201)));
        let nested = |depth: usize| format!("{}1{}", "abs(".repeat(depth), ")".repeat(depth));
        // As deep as the parser goes.
        let deepest = (1..100)
            .take_while(|depth| Template::parse(&format!("${{{}}}", nested(*depth)), VERSION).is_ok());
        let deepest = deepest.last().unwrap();
        assert!(deepest >= 20, "{deepest}");
        assert_eq!(eval(&nested(deepest - 3), &json!({})), Some(json!(1)));
        for (open, close) in [
            ("[", "]"),
            ("{'k': ", "}"),
            ("(", ")"),
            ("CASE 1 WHEN 1 THEN ", " END"),
            ("NOT ", ""),
            ("-", ""),
            ("1 + (", ")"),
            ("get((SELECT VALUE a FROM b WHERE ", "), 0)"),
        ] {
            for depth in 1..60 {
                let text = format!("SELECT VALUE {}true{} FROM 't'", open.repeat(depth), close.repeat(depth));
                if let Ok(query) = Query::parse(&text, VERSION) {
                    query.run(&message("t", br#"{"b":[{"a":1}]}"#));
                }
            }
        }
        let wide: Vec<String> = (0..1_000).map(|n| format!("a.b AS c{n}")).collect();
        let out = run(&format!("SELECT {} FROM 't'", wide.join(", ")), "t", &json!({"a": {"b": 1}})).unwrap();
        assert_eq!(out.as_object().unwrap().len(), 1_000);
    };
    // Half of what a worker has, of which the rest is for what calls the rules.
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(check).unwrap().join().unwrap();
}

#[test]
fn from_is_optional_and_a_semicolon_harmless() {
    assert_eq!(Query::parse("SELECT * WHERE a = 1", VERSION).unwrap().filter, None);
    assert_eq!(Query::parse("select * from 'a/+/#';", VERSION).unwrap().filter.as_deref(), Some("a/+/#"));
}

#[test]
fn aws_examples_of_clauses() {
    let payload = json!({"color": {"red": 255}, "temperature": 50, "values": [1, 2], "value": 3,
                         "e": [{"n": "temperature", "v": 22.5}, {"n": "light", "v": 135}],
                         "lat_long": [47.606, -122.332]});
    for (sql, expected) in [
        ("SELECT *, 15 AS speed FROM 't' WHERE false", None),
        ("SELECT VALUE values FROM 't'", Some(json!([1, 2]))),
        ("SELECT VALUE color.red FROM 't'", Some(json!(255))),
        ("SELECT value FROM 't'", Some(json!({"value": 3}))),
        ("SELECT value * 2 AS x FROM 't'", Some(json!({"x": 6}))),
        ("SELECT color.red FROM 't'", Some(json!({"red": 255}))),
        ("SELECT (temperature - 32) * 5 / 9 AS celsius FROM 't'", Some(json!({"celsius": 10}))),
        (
            "SELECT {'latitude': get(lat_long, 0), \"longitude\": get(lat_long, 1)} AS l FROM 't'",
            Some(json!({"l": {"latitude": 47.606, "longitude": -122.332}})),
        ),
        ("SELECT [value, temperature, missing] AS l FROM 't'", Some(json!({"l": [3, 50]}))),
        (
            "SELECT (SELECT VALUE n FROM e) AS sensors FROM 't'",
            Some(json!({"sensors": ["temperature", "light"]})),
        ),
        (
            "SELECT (SELECT v FROM e WHERE n = 'temperature') AS temperature FROM 't'",
            Some(json!({"temperature": [{"v": 22.5}]})),
        ),
        (
            "SELECT get((SELECT v FROM e WHERE n = 'temperature'), 0).v AS temperature FROM 't'",
            Some(json!({"temperature": 22.5})),
        ),
        ("SELECT value FROM 't' WHERE 'light' IN (SELECT VALUE n FROM e)", Some(json!({"value": 3}))),
        ("SELECT value FROM 't' WHERE exists (SELECT * FROM e WHERE v > 1000)", None),
        (
            "SELECT CASE value WHEN 1 THEN 'one' WHEN 3 THEN 'three' ELSE 'many' END AS x FROM 't'",
            Some(json!({"x": "three"})),
        ),
        ("SELECT CASE WHEN value > 2 THEN 'some' END AS x FROM 't'", Some(json!({"x": "some"}))),
        ("SELECT CASE missing WHEN 1 THEN 2 ELSE 3 END AS x FROM 't'", Some(json!({}))),
        ("SELECT value FROM 't' WHERE value NOT IN (1, 2)", Some(json!({"value": 3}))),
        ("SELECT * AS m FROM 't' WHERE get(get(*, 'color'), 'red') = 255", Some(json!({"m": payload}))),
    ] {
        assert_eq!(run(sql, "t", &payload), expected, "{sql}");
    }
}

#[test]
fn transform_as_aws_shows_it() {
    let payload = json!({"data2": {"a": 1, "b": 2, "c": [{"y": true}, {"y": false}]}});
    let sql = "select value transform('enrichArray', (select a, b from data2), (select value c from data2)) from 'A/B'";
    let expected = json!([{"y": true, "a": 1, "b": 2}, {"y": false, "a": 1, "b": 2}]);
    assert_eq!(run(sql, "A/B", &payload), Some(expected));
}

#[test]
fn functions_as_aws_shows_them() {
    for (expression, expected) in [
        ("abs(-5)", json!(5)),
        ("abs('-5.123')", json!(5.123)),
        ("acos(0)", json!(std::f64::consts::FRAC_PI_2)),
        ("atan2(1, 0)", json!(std::f64::consts::FRAC_PI_2)),
        ("bitand(13, 5)", json!(5)),
        ("bitor(8, 5)", json!(13)),
        ("bitxor(13, 5)", json!(8)),
        ("cast(true as Int)", json!(1)),
        ("ceil(-1.2)", json!(-1)),
        ("chr(65)", json!("A")),
        ("concat([1, 2, 3], \"hello\", [4])", json!([1, 2, 3, "hello", 4])),
        ("concat(1, \"hello\")", json!("1hello")),
        ("cosh(2.3)", json!(5.037_220_649_268_761)),
        ("endswith(\"cat\",\"at\")", json!(true)),
        ("floor(-1.2)", json!(-2)),
        ("get([\"a\", \"b\", \"c\"], 1)", json!("b")),
        ("get({\"a\":\"b\"}, \"a\")", json!("b")),
        ("md5(\"hello\")", json!("5d41402abc4b2a76b9719d911017c592")),
        ("sha1('hello')", json!("aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d")),
        ("sha256('')", json!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
        ("indexof(\"abcd\", \"bc\")", json!(1)),
        ("length(false)", json!(5)),
        ("log(100)", json!(2)),
        ("lower([\"HELLO\"])", json!("[\"hello\"]")),
        ("lpad(\"hello\", 2)", json!("  hello")),
        ("rpad(1, 3)", json!("1   ")),
        ("ltrim(\" h i \")", json!("h i ")),
        ("rtrim(' h i ')", json!(" h i")),
        ("Trim(\" hi \")", json!("hi")),
        ("mod(8, 3)", json!(2)),
        ("Nanvl(8, 3)", json!(8)),
        ("nanvl(missing, 3)", json!(3)),
        ("numbytes(\"€\")", json!(3)),
        ("power(2, 5)", json!(32)),
        ("regexp_matches(\"aaaa\", \"a{2,}\")", json!(true)),
        ("regexp_matches(\"aaaa\", \"b\")", json!(false)),
        ("regexp_replace(\"abcd\", \"b(.*)d\", \"$1x\")", json!("acx")),
        ("regexp_substr(\"hihihello\", \"(hi)*\")", json!("hihi")),
        ("replace(\"abcdabcd\", \"b\", \"x\")", json!("axcdaxcd")),
        ("Round(1.5)", json!(2)),
        ("Round(-1.5)", json!(-2)),
        ("sign(-7)", json!(-1)),
        ("sqrt(9)", json!(3)),
        ("startswith(\"ranger\",\"ran\")", json!(true)),
        ("substring(\"012345\", 2.745)", json!("2345")),
        ("substring(\"012345\", -1)", json!("012345")),
        ("substring(false, -2.411E247)", json!("false")),
        ("substring(\"012345\", 1, 3)", json!("12")),
        ("substring(\"012345\", 3, 1)", json!("")),
        ("trunc(2.3123, 2)", json!(2.31)),
        ("trunc(2.00, 5)", json!(2)),
        ("topic()", json!("t")),
        ("clientid()", json!("lamp-1")),
        ("principal()", json!("abcd")),
        ("accountid()", json!("123456789012")),
        ("sql_version()", json!("2016-03-23")),
        ("encode('hi', 'base64')", json!("aGk=")),
        ("decode('eyAidGVtcGVyYXR1cmUiOiAzMyB9Cg==', 'base64').temperature", json!(33)),
        ("decode('!', 'base64')", json!(null)),
        ("get_thing_shadow('lamp', 'arn:r').state.reported.shadow", json!("")),
        ("get_thing_shadow('lamp', 'night', 'arn:r').state.reported.shadow", json!("night")),
        (
            "parse_time(\"yyyy.MM.dd G 'at' HH:mm:ss z\", 100000000, 'America/Belize')",
            json!("1970.01.01 AD at 21:46:40 CST"),
        ),
        (
            "parse_time('EEE d MMM yy, h:mm:ss.SSS a XXX', 1585903518042)",
            json!("Fri 3 Apr 20, 8:45:18.042 AM Z"),
        ),
        (
            "time_to_epoch(\"2020-04-03 09:45:18 UTC+01:00\", \"yyyy-MM-dd HH:mm:ss VV\")",
            json!(1_585_903_518_000_i64),
        ),
        ("time_to_epoch(\"18 December 2015\", \"dd MMMM yyyy\")", json!(1_450_396_800_000_i64)),
        (
            "time_to_epoch(\"2007-12-03 10:15:30.592 America/Los_Angeles\", \"yyyy-MM-dd HH:mm:ss.SSS z\")",
            json!(1_196_705_730_592_i64),
        ),
    ] {
        assert_eq!(eval(expression, &json!({})), Some(expected), "{expression}");
    }
}

#[test]
fn what_functions_cannot_take_is_undefined() {
    for expression in [
        "abs(true)",
        "abs('x')",
        "sqrt(-1)",
        "ln(0)",
        "1 / 0",
        "'a' < 'b'",
        "'a' * 2",
        "lower(null)",
        "chr(200)",
        "get([1], 1)",
        "get([1], -1)",
        "regexp_matches('a', '(')",
        "topic(0)",
        "topic(9)",
        "topic(1, 2)",
        "concat()",
        "parse_time('Q', 0)",
        "parse_time('yyyy', 0, 'Nowhere/Else')",
        "time_to_epoch('x', 'yyyy')",
        "get_thing_shadow('none', 'arn:r')",
        "trunc(1)",
    ] {
        assert_eq!(eval(expression, &json!({})), None, "{expression}");
    }
}

#[test]
fn what_is_no_json_passes_as_it_is() {
    let bytes = [0xff, 0x00, 0x41];
    let go = |sql: &str, bytes: &[u8]| Query::parse(sql, VERSION).unwrap().run(&message("t", bytes));
    assert_eq!(go("SELECT * FROM 't'", &bytes), Some(Output::Raw(Bytes::copy_from_slice(&bytes))));
    assert_eq!(go("SELECT * FROM 't'", b"80"), Some(Output::Raw(Bytes::from_static(b"80"))));
    assert_eq!(go("SELECT * FROM 't' WHERE a = 1", &bytes), None);
    assert_eq!(
        go("SELECT encode(*, 'base64') AS data FROM 't'", &bytes),
        Some(Output::Json(json!({"data": "/wBB"})))
    );
    assert_eq!(go("SELECT *, principal() AS p FROM 't'", &bytes), Some(Output::Json(json!({"p": "abcd"}))));
    let decoded = "SELECT decode(encode(*, 'base64'), 'base64') AS value FROM 't' \
                   WHERE decode(encode(*, 'base64'), 'base64') > 50";
    assert_eq!(go(decoded, b"80"), Some(Output::Json(json!({"value": 80}))));
    assert_eq!(go("SELECT *, 1 AS one FROM 't'", b""), Some(Output::Json(json!({"one": 1}))));
    assert_eq!(go("SELECT VALUE missing FROM 't'", b"{}"), Some(Output::Raw(Bytes::new())));
}

#[test]
fn templates_are_filled() {
    let payload = json!({"id": "a}b", "n": 2}).to_string();
    let message = message("dt/lamp/x", payload.as_bytes());
    for (template, expected) in [
        ("plain", "plain"),
        ("${topic(2)}/${id}", "lamp/a}b"),
        ("a/${get({'k': '}'}, 'k')}/${n + 1}", "a/}/3"),
        ("${missing}x", "x"),
        ("$$aws/things/${topic(2)}/shadow/update", "$$aws/things/lamp/shadow/update"),
    ] {
        assert_eq!(Template::parse(template, VERSION).unwrap().fill(&message), expected, "{template}");
    }
    for template in ["${", "${nothing()}", "${a b}", "${}"] {
        assert!(Template::parse(template, VERSION).is_err(), "{template}");
    }
}

#[test]
fn keys_of_a_value_however_many_nest_no_deeper() {
    let payload = json!({"a": [{"b": {"b": 7}}]});
    assert_eq!(eval("get(a, 0).b.b", &payload), Some(json!(7)));
    assert_eq!(eval("{'k': a}.k", &payload), Some(payload["a"].clone()));
    let keys = ".b".repeat(8_900);
    assert_eq!(eval(&format!("get(a, 0){keys}"), &payload), None);
    let template = Template::parse(&format!("${{get(a, 0){keys}}}"), VERSION).unwrap();
    assert_eq!(template.fill(&message("t", payload.to_string().as_bytes())), "");
}

#[test]
fn what_an_evaluation_makes_is_bounded() {
    let payload = json!({"a": ["x".repeat(100_000)], "s": "y".repeat(100_000), "n": 1});
    let run = |sql: &str| run(sql, "t", &payload);
    let many = |what: &str, between: &str| vec![what; 100].join(between);
    assert!(run("SELECT *, concat(a, a) AS x, s + s AS y FROM 't'").is_some());
    for sql in [
        format!("SELECT concat({}) AS x FROM 't'", many("a", ", ")),
        format!("SELECT [{}] AS x FROM 't'", many("a", ", ")),
        format!("SELECT {} AS x FROM 't'", many("s", " + ")),
        format!("SELECT {{{}}} AS x FROM 't'", many("'k': a", ", ")),
        format!("SELECT n FROM 't' WHERE isundefined([{}])", many("s", ", ")),
        format!("SELECT {} FROM 't'", (0..100).map(|n| format!("s AS k{n}")).collect::<Vec<_>>().join(", ")),
    ] {
        assert_eq!(run(&sql), None, "{sql}");
    }
    let payload = payload.to_string();
    let fill =
        |text: &str| Template::parse(text, VERSION).unwrap().fill(&message("t", payload.as_bytes())).len();
    assert_eq!((fill("${s}${s}"), fill(&"${s}".repeat(11))), (200_000, 0));
}
