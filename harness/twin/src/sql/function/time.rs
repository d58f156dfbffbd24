//! Functions of time. `parse_time` formats a time and `time_to_epoch` parses one, both by a [`pattern`].

mod pattern;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use self::pattern::Pattern;
use super::{Call, Function, function};

pub(super) static FUNCTIONS: &[Function] = &[
    function("timestamp", 0..=0, |call| Some(json!(call.message.now_ms))),
    function("parse_time", 2..=3, parse_time),
    function("time_to_epoch", 2..=2, |call| {
        let pattern = Pattern::parse(&call.text(1)?)?;
        Some(json!(pattern.read(&call.text(0)?)?.as_millisecond()))
    }),
];

fn parse_time(call: &Call<'_>) -> Option<Value> {
    let zone = if call.arguments.len() == 3 { pattern::zone(&call.text(2)?)? } else { TimeZone::UTC };
    let at = Timestamp::from_millisecond(call.whole(1)?).ok()?.to_zoned(zone);
    Pattern::parse(&call.text(0)?)?.write(&at).map(|text| json!(text))
}
