//! Functions of texts. Other values are texts as JSON has them; null is none, which makes the result undefined.

use std::fmt::Write as _;

use aws_lc_rs::digest::{self, Algorithm};
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::{Call, Function, function};

/// Longest text that a function makes of others.
pub(super) const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// AWS's widest padding.
const PADDING_MAX: i64 = 1_000;
/// What AWS takes for white space.
const BLANKS: [char; 2] = [' ', '\t'];

pub(super) static FUNCTIONS: &[Function] = &[
    function("lower", 1..=1, |call| of(call, str::to_lowercase)),
    function("upper", 1..=1, |call| of(call, str::to_uppercase)),
    function("trim", 1..=1, |call| of(call, |s| s.trim().to_owned())),
    function("ltrim", 1..=1, |call| of(call, |s| s.trim_start_matches(BLANKS).to_owned())),
    function("rtrim", 1..=1, |call| of(call, |s| s.trim_end_matches(BLANKS).to_owned())),
    function("length", 1..=1, |call| Some(json!(call.text(0)?.chars().count()))),
    function("numbytes", 1..=1, |call| Some(json!(call.text(0)?.len()))),
    function("lpad", 2..=2, |call| Some(json!(padding(call)? + &call.text(0)?))),
    function("rpad", 2..=2, |call| Some(json!(call.text(0)? + &padding(call)?))),
    function("chr", 1..=1, |call| {
        let code = u8::try_from(call.whole(0)?).ok().filter(u8::is_ascii)?;
        Some(json!(char::from(code).to_string()))
    }),
    function("startswith", 2..=2, |call| Some(json!(call.text(0)?.starts_with(&call.text(1)?)))),
    function("endswith", 2..=2, |call| Some(json!(call.text(0)?.ends_with(&call.text(1)?)))),
    function("indexof", 2..=2, index_of),
    function("substring", 2..=3, substring),
    function("replace", 3..=3, replace),
    function("regexp_matches", 2..=2, |call| Some(json!(call.pattern()?.is_match(&call.text(0)?)))),
    function("regexp_substr", 2..=2, |call| {
        call.pattern()?.find(&call.text(0)?).map(|found| json!(found.as_str()))
    }),
    function("regexp_replace", 3..=3, regexp_replace),
    function("md5", 1..=1, |call| Some(json!(hex::encode(Md5::digest(call.text(0)?))))),
    function("sha1", 1..=1, |call| sha(call, &digest::SHA1_FOR_LEGACY_USE_ONLY)),
    function("sha224", 1..=1, |call| sha(call, &digest::SHA224)),
    function("sha256", 1..=1, |call| sha(call, &digest::SHA256)),
    function("sha384", 1..=1, |call| sha(call, &digest::SHA384)),
    function("sha512", 1..=1, |call| sha(call, &digest::SHA512)),
];

fn of(call: &Call<'_>, how: fn(&str) -> String) -> Option<Value> {
    Some(json!(how(&call.text(0)?)))
}

fn padding(call: &Call<'_>) -> Option<String> {
    let width = usize::try_from(call.whole(1)?.clamp(0, PADDING_MAX)).ok()?;
    Some(" ".repeat(width))
}

/// Counted in characters from 0; -1 if it is not in there.
fn index_of(call: &Call<'_>) -> Option<Value> {
    let text = call.text(0)?;
    let found = text.find(&call.text(1)?);
    Some(found.map_or(json!(-1), |at| json!(text[..at].chars().count())))
}

/// From one character up to another, counted from 0; what is out of bounds is cut.
fn substring(call: &Call<'_>) -> Option<Value> {
    let text = call.text(0)?;
    let place = |n: usize| match call.number(n)?.rounded(bigdecimal::RoundingMode::Floor) {
        Some(place) => usize::try_from(place).ok().or(Some(0)),
        // Too large for a machine word.
        None => Some(if call.number(n)?.double() < 0.0 { 0 } else { usize::MAX }),
    };
    let from = place(1)?;
    let to = if call.arguments.len() == 3 { place(2)? } else { usize::MAX };
    let part: String = text.chars().skip(from).take(to.saturating_sub(from)).collect();
    Some(json!(part))
}

fn replace(call: &Call<'_>) -> Option<Value> {
    let (text, what, with) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let added = text.matches(&what).count().saturating_mul(with.len());
    (text.len().saturating_add(added) <= TEXT_BYTES_MAX).then(|| json!(text.replace(&what, &with)))
}

fn regexp_replace(call: &Call<'_>) -> Option<Value> {
    let (text, with) = (call.text(0)?, replacement(&call.text(2)?)?);
    let pattern = call.pattern()?;
    let (mut out, mut end) = (String::new(), 0);
    for found in pattern.captures_iter(&text) {
        let whole = found.get(0)?;
        out.push_str(&text[end..whole.start()]);
        found.expand(&with, &mut out);
        end = whole.end();
        if out.len() > TEXT_BYTES_MAX {
            return None;
        }
    }
    out.push_str(&text[end..]);
    Some(json!(out))
}

/// A replacement as Java writes it, as this engine does: `$1x` is group 1 and an x, a backslash takes what follows as it
/// is.
fn replacement(java: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = java.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next()? {
                '$' => out.push_str("$$"),
                c => out.push(c),
            },
            '$' => {
                let mut group = String::new();
                while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                    group.push(digit);
                }
                if group.is_empty() {
                    return None;
                }
                let _ = write!(out, "${{{group}}}");
            }
            c => out.push(c),
        }
    }
    Some(out)
}

fn sha(call: &Call<'_>, algorithm: &'static Algorithm) -> Option<Value> {
    Some(json!(hex::encode(digest::digest(algorithm, call.text(0)?.as_bytes()).as_ref())))
}
