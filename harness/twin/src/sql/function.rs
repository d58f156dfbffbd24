//! The functions of the SQL, by name. A wrong number of arguments, or one of a wrong type, gives undefined.

mod collection;
mod math;
mod text;
mod time;

use std::{borrow::Cow, fmt, ops::RangeInclusive};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bigdecimal::RoundingMode;
use regex::{Regex, RegexBuilder};
use serde_json::{Value, json};

use super::{budget::Budget, convert, message::Message, number::Number};

/// The one scheme of `encode` and `decode`.
pub(super) const BASE64: &str = "base64";
/// Memory of one compiled regular expression.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// A function: how many arguments it takes, and what it does.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) arity: RangeInclusive<usize>,
    pub(super) body: Body,
}

type Body = fn(&Call<'_>) -> Option<Value>;

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A function that is being called.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) arguments: Vec<Option<Cow<'a, Value>>>,
    pub(super) pattern: Option<&'a Regex>,
    pub(super) message: &'a Message<'a>,
    pub(super) budget: &'a Budget,
}

impl Call<'_> {
    fn value(&self, n: usize) -> Option<&Value> {
        self.arguments.get(n)?.as_deref()
    }

    fn text(&self, n: usize) -> Option<String> {
        convert::text(self.value(n)?)
    }

    fn number(&self, n: usize) -> Option<Number> {
        Number::of(self.value(n)?)
    }

    fn whole(&self, n: usize) -> Option<i64> {
        self.number(n)?.rounded(RoundingMode::Floor)
    }

    /// The second argument as a regular expression.
    fn pattern(&self) -> Option<Cow<'_, Regex>> {
        match self.pattern {
            Some(known) => Some(Cow::Borrowed(known)),
            None => pattern(&self.text(1)?).map(Cow::Owned),
        }
    }
}

impl Function {
    pub(super) fn takes_pattern(&self) -> bool {
        self.name.starts_with("regexp_")
    }
}

/// A regular expression, if it is one. Java's look-around and back references are not had.
pub(super) fn pattern(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build().ok()
}

/// The function of a name in lower case.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    [ABOUT, text::FUNCTIONS, math::FUNCTIONS, time::FUNCTIONS, collection::FUNCTIONS]
        .into_iter()
        .flatten()
        .find(|function| function.name == name)
}

const fn function(name: &'static str, arity: RangeInclusive<usize>, body: Body) -> Function {
    Function { name, arity, body }
}

/// What is about the message or about undefined.
static ABOUT: &[Function] = &[
    function("accountid", 0..=0, |call| Some(json!(call.message.account))),
    function("clientid", 0..=0, |call| Some(json!(call.message.client_id.unwrap_or("n/a")))),
    function("principal", 0..=0, |call| call.message.principal.map(|p| json!(p))),
    function("traceid", 0..=0, |call| call.message.client_id.map(|_| json!(call.message.trace_id()))),
    function("topic", 0..=1, topic),
    function("newuuid", 0..=0, |_| Some(json!(uuid::Uuid::new_v4().to_string()))),
    function("isnull", 1..=1, |call| Some(json!(call.value(0).is_some_and(Value::is_null)))),
    function("isundefined", 1..=1, |call| Some(json!(call.value(0).is_none()))),
    function("nanvl", 2..=2, |call| call.value(0).filter(|v| !v.is_null()).or(call.value(1)).cloned()),
    function("encode", 2..=2, encode),
    function("decode", 2..=2, decode),
    function("get_thing_shadow", 2..=3, shadow),
];

fn topic(call: &Call<'_>) -> Option<Value> {
    let topic = call.message.topic;
    if call.arguments.is_empty() {
        return Some(json!(topic));
    }
    let n = usize::try_from(call.whole(0)?).ok()?;
    topic.split('/').nth(n.checked_sub(1)?).map(|segment| json!(segment))
}

fn encode(call: &Call<'_>) -> Option<Value> {
    let fits = call.value(1)? == BASE64;
    fits.then(|| call.text(0)).flatten().map(|text| json!(STANDARD.encode(text)))
}

/// What cannot be decoded is null; what is JSON then, is that.
fn decode(call: &Call<'_>) -> Option<Value> {
    if call.value(1)? != BASE64 {
        return None;
    }
    let bytes = call.text(0).and_then(|text| STANDARD.decode(text).ok());
    let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return Some(Value::Null);
    };
    Some(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The last argument is a role, which is not looked at.
fn shadow(call: &Call<'_>) -> Option<Value> {
    let name = if call.arguments.len() == 3 { call.text(1)? } else { String::new() };
    call.message.lookup.shadow(&call.text(0)?, &name)
}
