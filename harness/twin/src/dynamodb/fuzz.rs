//! Fuzz targets: DynamoDB's expressions with the names, values and item that they meet, and its numbers.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::{
    condition::project,
    expression::{Placeholders, parse_condition, parse_projection},
    item::{Item, check_item},
    number::Number,
    update::parse_update,
};
use crate::fuzz::fuzz;

/// An expression, names, values and an item, a line each.
const SEEDS: [&str; 9] = [
    "a = :v AND (size(m.l) >= :n OR NOT contains(s, :v)) AND begins_with(#x, :v)\n{\"#x\":\"size\"}\n\
     {\":v\":{\"S\":\"x\"},\":n\":{\"N\":\"1\"}}\n{\"a\":{\"S\":\"x\"},\"s\":{\"SS\":[\"x\",\"y\"]},\"m\":{\"M\":{\"l\":{\"L\":[{\"N\":\"1\"}]}}}}",
    "attribute_not_exists(#a.b[0]) OR attribute_type(n, :t) AND n BETWEEN :l AND :h OR n IN (:l, :h)\n{\"#a\":\"a\"}\n\
     {\":t\":{\"S\":\"N\"},\":l\":{\"N\":\"-1.5\"},\":h\":{\"N\":\"1e3\"}}\n{\"n\":{\"N\":\"7\"},\"a\":{\"M\":{\"b\":{\"L\":[]}}}}",
    "SET a = if_not_exists(b, :n) + :n, l = list_append(l, :l), m.k = m, #x[0] = :n REMOVE c, d[1] ADD n :n DELETE s :s\n\
     {\"#x\":\"list\"}\n{\":n\":{\"N\":\"1\"},\":l\":{\"L\":[{\"S\":\"z\"}]},\":s\":{\"SS\":[\"x\"]}}\n\
     {\"l\":{\"L\":[]},\"m\":{\"M\":{}},\"list\":{\"L\":[{\"N\":\"0\"}]},\"d\":{\"L\":[{\"N\":\"0\"}]},\"n\":{\"N\":\"9.99e125\"},\"s\":{\"SS\":[\"x\"]}}",
    "SET n = n - :n\n{}\n{\":n\":{\"N\":\"1e-130\"}}\n{\"n\":{\"N\":\"12345678901234567890123456789012345678\"}}",
    "REMOVE l[0], l[2]\n{}\n{}\n{\"l\":{\"L\":[{\"S\":\"a\"},{\"S\":\"b\"},{\"S\":\"c\"}]}}",
    "ADD s :s\n{}\n{\":s\":{\"NS\":[\"1\",\"1.0\",\"2\"]}}\n{\"s\":{\"NS\":[\"3\"]}}",
    "a, m.l[1].k, #x\n{\"#x\":\"na.me\"}\n{}\n{\"a\":{\"B\":\"AQI=\"},\"m\":{\"M\":{\"l\":{\"L\":[{\"BOOL\":true},{\"M\":{\"k\":{\"NULL\":true}}}]}}},\"na.me\":{\"S\":\"\"}}",
    "pk = :a AND begins_with(sk, :b)\n{}\n{\":a\":{\"S\":\"p\"},\":b\":{\"S\":\"\"}}\n{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"q\"}}",
    "b = :b AND contains(b, :e)\n{}\n{\":b\":{\"B\":\"AQI=\"},\":e\":{\"B\":\"\"}}\n{\"b\":{\"B\":\"AQI=\"}}",
];
const TOKENS: [&str; 20] = [
    " AND ",
    " OR ",
    "NOT ",
    "a",
    ":v",
    "#x",
    "[0]",
    "[99999999999999999999]",
    ".",
    ", ",
    "<>",
    "size(",
    "contains(",
    "list_append(",
    "if_not_exists(",
    "SET ",
    "REMOVE ",
    " BETWEEN ",
    " IN (",
    "{\"N\":\"1\"}",
];

/// What the line says, or nothing.
fn line<T: DeserializeOwned + Default>(text: Option<&str>) -> T {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Which of the three languages takes the expression.
fn tried(text: &str) -> [bool; 3] {
    let mut lines = text.splitn(4, '\n');
    let expression = lines.next().unwrap_or_default();
    let (names, values): (BTreeMap<String, String>, Item) = (line(lines.next()), line(lines.next()));
    let item: Item = line(lines.next());
    let placeholders = || Placeholders::new(Some(names.clone()), Some(values.clone()));
    let condition = parse_condition(expression, &mut placeholders()).ok();
    if let Some(condition) = &condition {
        // The words are names as long as nothing else fits: an expression that is too long for a NOT is left.
        if let Ok(negated) = parse_condition(&format!("NOT ({expression})"), &mut placeholders()) {
            assert_ne!(condition.holds(&item), negated.holds(&item), "{text}");
        }
    }
    let projection = parse_projection(expression, &mut placeholders()).ok();
    if let Some(paths) = &projection {
        let projected = project(&item, paths);
        assert!(projected.keys().all(|name| item.contains_key(name)), "{text}");
    }
    let update = parse_update(expression, &mut placeholders()).ok();
    if let Some(update) = &update
        && let Ok(after) = update.apply(&item)
    {
        let written: Vec<&str> = update.attributes().collect();
        for name in item.keys().chain(after.keys()).filter(|name| !written.contains(&name.as_str())) {
            assert_eq!(item.get(name), after.get(name), "{text}");
        }
        if check_item(&after).is_ok() {
            let told = serde_json::to_string(&after).unwrap();
            assert_eq!(serde_json::from_str::<Item>(&told).unwrap(), after, "{text}");
        }
    }
    [condition.is_some(), projection.is_some(), update.is_some()]
}

#[test]
fn the_seeds_are_expressions() {
    for seed in SEEDS {
        assert!(tried(seed).contains(&true), "{seed}");
    }
}

#[test]
fn any_text_is_an_expression_or_refused() {
    fuzz!(SEEDS, TOKENS, |input: &[u8]| {
        tried(&String::from_utf8_lossy(input));
    });
}

#[test]
fn any_text_is_a_number_or_refused() {
    let seeds = [
        "0",
        "-1.50e-3",
        "12345678901234567890123456789012345678",
        "1e125",
        "-1e-130",
        "+0.0",
        ".5",
        "1e-9223372036854775808",
    ];
    fuzz!(
        seeds,
        ["E", "e-", ".", "_", "0000000000", "9223372036854775807", "NaN", "inf"],
        |input: &[u8]| {
            let text = String::from_utf8_lossy(input);
            let Ok(number) = text.parse::<Number>() else { return };
            let told = number.to_string();
            assert_eq!(told.parse::<Number>().unwrap(), number, "{text}");
            assert_eq!(number.subtract(&number).unwrap().to_string(), "0", "{text}");
            let digits = |c: char| c.is_ascii_digit() || ".-".contains(c);
            assert!(
                told.chars().all(digits) && text.trim().chars().all(|c| digits(c) || "+eE".contains(c)),
                "{text:?}"
            );
        }
    );
}

#[test]
fn nesting_without_end_is_refused() {
    for open in [
        "(",
        "NOT ",
        "NOT (",
        "a.",
        "a[0]",
        "size(",
        "SET a = (",
        "SET a = list_append(",
        "SET a = if_not_exists(a,",
    ] {
        for times in [100_000, 4_000 / open.len()] {
            assert_eq!(tried(&open.repeat(times)), [false; 3], "{open}");
        }
    }
    let path = "a.".repeat(2_000) + "a";
    assert_eq!(tried(&path), [false; 3]);
    let deep = format!("{}{{\"S\":\"x\"}}{}", "{\"L\":[".repeat(100_000), "]}".repeat(100_000));
    assert!(serde_json::from_str::<super::item::Value>(&deep).is_err());
}

/// An update may put what an item has into that item, one level deeper each time.
#[test]
fn an_item_does_not_nest_in_itself_without_end() {
    let mut item: Item = serde_json::from_str("{\"m\":{\"M\":{}}}").unwrap();
    let update = parse_update("SET m.x = m", &mut Placeholders::default()).unwrap();
    let levels = (0..100).take_while(|_| {
        item = update.apply(&item).unwrap();
        check_item(&item).is_ok()
    });
    assert_eq!(levels.count(), 31);
}
