//! What a pattern says of one value: the comparison operators.

use std::{cmp::Ordering, net::IpAddr};

use serde_json::{Map, Value as Json};

/// Values in one `anything-but`.
const VALUES_MAX: usize = 300;

/// One entry of a field's list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Check {
    /// A string, number, truth value or null; numbers as they are written: 3 is not 3.0.
    Equals(Json),
    Text(Text),
    /// Any value but these; the field must be there.
    AnythingBut(Vec<Self>),
    /// All of these.
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
    Cidr(Block),
}

/// What is said of a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    Prefix(String),
    Suffix(String),
    PrefixIgnoreCase(String),
    SuffixIgnoreCase(String),
    EqualsIgnoreCase(String),
    /// The pieces between the asterisks.
    Wildcard(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Below,
    UpTo,
    Equal,
    From,
    Above,
}

/// A block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    base: IpAddr,
    prefix_bits: u32,
}

impl Check {
    pub(super) fn parse(value: &Json) -> Result<Self, String> {
        let Json::Object(object) = value else { return scalar(value) };
        let (name, operand) = only(object)?;
        match name {
            "exists" => operand
                .as_bool()
                .map(Self::Exists)
                .ok_or_else(|| "exists match pattern must be either true or false.".to_owned()),
            "anything-but" => anything_but(operand),
            "numeric" => numeric(operand),
            "cidr" => Block::parse(string(operand)?).map(Self::Cidr),
            _ => Text::parse(name, operand).map(Self::Text),
        }
    }

    /// Whether it holds of a value, or of none.
    pub(super) fn holds(&self, value: Option<&Json>) -> bool {
        let leaf = value.filter(|v| !v.is_object() && !v.is_array());
        let Some(leaf) = leaf else { return *self == Self::Exists(false) && value.is_none() };
        match self {
            Self::Equals(wanted) => wanted == leaf,
            Self::Text(text) => leaf.as_str().is_some_and(|s| text.holds(s)),
            Self::AnythingBut(others) => !others.iter().any(|other| other.holds(value)),
            Self::Numeric(ranges) => leaf
                .as_f64()
                .is_some_and(|n| ranges.iter().all(|(comparison, limit)| comparison.holds(n, *limit))),
            Self::Exists(wanted) => *wanted,
            Self::Cidr(block) => leaf.as_str().and_then(|s| s.parse().ok()).is_some_and(|ip| block.has(ip)),
        }
    }
}

fn scalar(value: &Json) -> Result<Check, String> {
    if value.is_array() {
        return Err("Match value must be String, number, true, false, or null".to_owned());
    }
    Ok(Check::Equals(value.clone()))
}

fn only(object: &Map<String, Json>) -> Result<(&str, &Json), String> {
    match object.iter().next() {
        Some((name, value)) if object.len() == 1 => Ok((name, value)),
        _ => Err("Only one key allowed in match expression".to_owned()),
    }
}

fn string(value: &Json) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "match pattern must be a string".to_owned())
}

fn anything_but(operand: &Json) -> Result<Check, String> {
    let others: Vec<Check> = match operand {
        Json::Array(list) if list.is_empty() => return Err("Empty lists are not allowed".to_owned()),
        Json::Array(list) if list.len() > VALUES_MAX => return Err("Too many values".to_owned()),
        Json::Array(list) if list.iter().all(|v| v.is_string() || v.is_number()) => {
            list.iter().map(scalar).collect::<Result<_, _>>()?
        }
        Json::String(_) | Json::Number(_) => vec![scalar(operand)?],
        Json::Object(object) => {
            let (name, operand) = only(object)?;
            match operand {
                Json::Array(list) if !list.is_empty() && list.len() <= VALUES_MAX => {
                    list.iter().map(|o| Text::parse(name, o).map(Check::Text)).collect::<Result<_, _>>()?
                }
                _ => vec![Check::Text(Text::parse(name, operand)?)],
            }
        }
        _ => return Err("Value of anything-but must be an array or single string/number value.".to_owned()),
    };
    Ok(Check::AnythingBut(others))
}

fn numeric(operand: &Json) -> Result<Check, String> {
    let bad = || "Invalid numeric match: operators and numbers in turn, one or two of each".to_owned();
    let list = operand.as_array().filter(|l| matches!(l.len(), 2 | 4)).ok_or_else(bad)?;
    let pair = |pair: &[Json]| {
        let comparison = Comparison::parse(pair.first()?.as_str()?)?;
        Some((comparison, pair.get(1)?.as_f64()?))
    };
    let ranges: Vec<_> = list.chunks(2).map(pair).collect::<Option<_>>().ok_or_else(bad)?;
    if ranges.len() == 2 && ranges.iter().any(|(comparison, _)| *comparison == Comparison::Equal) {
        return Err(bad());
    }
    Ok(Check::Numeric(ranges))
}

impl Text {
    fn parse(name: &str, operand: &Json) -> Result<Self, String> {
        let bare = operand.as_object().map(only).transpose()?;
        match (name, bare) {
            ("prefix", None) => Ok(Self::Prefix(string(operand)?.to_owned())),
            ("suffix", None) => Ok(Self::Suffix(string(operand)?.to_owned())),
            ("prefix", Some(("equals-ignore-case", of))) => {
                Ok(Self::PrefixIgnoreCase(string(of)?.to_lowercase()))
            }
            ("suffix", Some(("equals-ignore-case", of))) => {
                Ok(Self::SuffixIgnoreCase(string(of)?.to_lowercase()))
            }
            ("equals-ignore-case", None) => Ok(Self::EqualsIgnoreCase(string(operand)?.to_lowercase())),
            ("wildcard", None) => pieces(string(operand)?).map(Self::Wildcard),
            (other, _) => Err(format!("Unrecognized match type {other}")),
        }
    }

    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::PrefixIgnoreCase(prefix) => text.to_lowercase().starts_with(prefix),
            Self::SuffixIgnoreCase(suffix) => text.to_lowercase().ends_with(suffix),
            Self::EqualsIgnoreCase(wanted) => text.to_lowercase() == *wanted,
            Self::Wildcard(pieces) => fits(pieces, text),
        }
    }
}

/// Cuts a wildcard at its asterisks; `\*` and `\\` stand for themselves.
fn pieces(wildcard: &str) -> Result<Vec<String>, String> {
    let mut pieces = vec![String::new()];
    let mut chars = wildcard.chars();
    let mut after_asterisk = false;
    while let Some(c) = chars.next() {
        let literal = match c {
            '*' if after_asterisk => return Err("Consecutive wildcard characters".to_owned()),
            '*' => None,
            '\\' => Some(
                chars
                    .next()
                    .filter(|c| "*\\".contains(*c))
                    .ok_or_else(|| "Invalid escape character in wildcard".to_owned())?,
            ),
            c => Some(c),
        };
        after_asterisk = literal.is_none();
        match (literal, pieces.last_mut()) {
            (Some(c), Some(piece)) => piece.push(c),
            _ => pieces.push(String::new()),
        }
    }
    Ok(pieces)
}

/// Leftmost fits are enough: what stands between two pieces may be anything.
fn fits(pieces: &[String], text: &str) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return false };
    let Some((last, middle)) = rest.split_last() else { return text == first };
    let Some(mut left) = text.strip_prefix(first.as_str()).and_then(|t| t.strip_suffix(last.as_str())) else {
        return false;
    };
    middle.iter().all(|piece| {
        left.find(piece.as_str()).is_some_and(|at| {
            left = &left[at + piece.len()..];
            true
        })
    })
}

impl Comparison {
    fn parse(symbol: &str) -> Option<Self> {
        match symbol {
            "<" => Some(Self::Below),
            "<=" => Some(Self::UpTo),
            "=" => Some(Self::Equal),
            ">=" => Some(Self::From),
            ">" => Some(Self::Above),
            _ => None,
        }
    }

    fn holds(self, value: f64, limit: f64) -> bool {
        let order = value.partial_cmp(&limit);
        match self {
            Self::Below => order == Some(Ordering::Less),
            Self::UpTo => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Equal => order == Some(Ordering::Equal),
            Self::From => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            Self::Above => order == Some(Ordering::Greater),
        }
    }
}

impl Block {
    fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("Malformed CIDR, one '/' required: {text}");
        let (base, bits) = text.split_once('/').ok_or_else(bad)?;
        let base: IpAddr = base.parse().map_err(|_| bad())?;
        let bits_max = if base.is_ipv4() { 32 } else { 128 };
        let prefix_bits = bits.parse().ok().filter(|bits| *bits <= bits_max).ok_or_else(bad)?;
        Ok(Self { base, prefix_bits })
    }

    fn has(&self, ip: IpAddr) -> bool {
        match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let shift = 32 - self.prefix_bits;
                base.to_bits().checked_shr(shift) == ip.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let shift = 128 - self.prefix_bits;
                base.to_bits().checked_shr(shift) == ip.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}
