//! Numbers of the SQL: whole ones, and decimals of 34 digits, so that 0.1 + 0.2 is 0.3 as on AWS. A decimal without a
//! fraction is a whole number (`10.0` is 10), which makes its division whole, too: version 2016-03-23 says so.

use std::cmp::Ordering;

use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive, Zero};
use serde_json::{Value, json};

/// Digits of a decimal.
const DIGITS_MAX: u64 = 34;
/// Largest power of ten, of either sign.
const EXPONENT_MAX: i64 = 999;
/// Longest text that is read as a number.
const TEXT_BYTES_MAX: usize = 1_100;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    Decimal(BigDecimal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Number {
    /// The number that a JSON value is, or that a text can be read as.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(n) => {
                let whole = n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from));
                whole.map(Self::Whole).or_else(|| Self::of_double(n.as_f64()?))
            }
            Value::String(text) => Self::parse(text),
            _ => None,
        }
    }

    /// A result of double precision; `None` if it is not finite.
    pub(super) fn of_double(double: f64) -> Option<Self> {
        if !double.is_finite() {
            return None;
        }
        Self::normal(format!("{double:e}").parse().ok()?)
    }

    /// `-1.2`, `5E-12`: no sign but minus, digits on both sides of the point.
    fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let is_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let exponent_value = match exponent {
            Some(e) if is_digits(e.strip_prefix('-').unwrap_or(e)) => e.parse::<i64>().ok()?,
            Some(_) => return None,
            None => 0,
        };
        let fits = text.len() <= TEXT_BYTES_MAX && exponent_value.abs() <= EXPONENT_MAX;
        if !fits || !is_digits(whole) || !fraction.is_none_or(is_digits) {
            return None;
        }
        Self::normal(text.parse().ok()?)
    }

    /// Whole where there is no fraction, else rounded to its digits; `None` if it is too large.
    fn normal(decimal: BigDecimal) -> Option<Self> {
        if decimal.is_zero() {
            return Some(Self::Whole(0));
        }
        let decimal = if decimal.digits() > DIGITS_MAX { decimal.with_prec(DIGITS_MAX) } else { decimal };
        let (_, scale) = decimal.as_bigint_and_exponent();
        if scale.abs() > EXPONENT_MAX + i64::try_from(DIGITS_MAX).unwrap_or(0) {
            return None;
        }
        match decimal.is_integer().then(|| decimal.to_i128()).flatten() {
            Some(whole) => Some(Self::Whole(whole)),
            None => Some(Self::Decimal(decimal)),
        }
    }

    fn decimal(&self) -> BigDecimal {
        match self {
            Self::Whole(whole) => BigDecimal::from(*whole),
            Self::Decimal(decimal) => decimal.clone(),
        }
    }

    /// As JSON has it; `None` if it is larger than JSON numbers are here.
    pub(super) fn json(&self) -> Option<Value> {
        if let Self::Whole(whole) = self {
            if let Ok(whole) = i64::try_from(*whole) {
                return Some(json!(whole));
            }
            if let Ok(whole) = u64::try_from(*whole) {
                return Some(json!(whole));
            }
        }
        serde_json::Number::from_f64(self.double()).map(Value::Number)
    }

    pub(super) fn double(&self) -> f64 {
        match self {
            Self::Whole(whole) => *whole as f64,
            // The shortest way that rounds right.
            Self::Decimal(decimal) => decimal.to_scientific_notation().parse().unwrap_or(f64::NAN),
        }
    }

    /// Rounded to a whole number that fits a machine word.
    pub(super) fn rounded(&self, mode: RoundingMode) -> Option<i64> {
        match self.with_places(0, mode)? {
            Self::Whole(whole) => i64::try_from(whole).ok(),
            Self::Decimal(_) => None,
        }
    }

    /// Rounded to so many decimal places.
    pub(super) fn with_places(&self, places: i64, mode: RoundingMode) -> Option<Self> {
        match self {
            Self::Whole(whole) => Some(Self::Whole(*whole)),
            Self::Decimal(decimal) => Self::normal(decimal.with_scale_round(places, mode)),
        }
    }

    pub(super) fn absolute(&self) -> Option<Self> {
        match self {
            Self::Whole(whole) => whole.checked_abs().map(Self::Whole),
            Self::Decimal(decimal) => Some(Self::Decimal(decimal.abs())),
        }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(b),
            _ => self.decimal().cmp(&other.decimal()),
        }
    }

    /// `None`: division by zero, or a result that is too large. Two whole numbers give a whole one.
    pub(super) fn calculate(&self, op: Arithmetic, other: &Self) -> Option<Self> {
        if let (Self::Whole(a), Self::Whole(b)) = (self, other) {
            let whole = match op {
                Arithmetic::Add => a.checked_add(*b),
                Arithmetic::Subtract => a.checked_sub(*b),
                Arithmetic::Multiply => a.checked_mul(*b),
                Arithmetic::Divide => return a.checked_div(*b).map(Self::Whole),
                Arithmetic::Remainder => return a.checked_rem(*b).map(Self::Whole),
            };
            if let Some(whole) = whole {
                return Some(Self::Whole(whole));
            }
        }
        let (a, b) = (self.decimal(), other.decimal());
        let divides = matches!(op, Arithmetic::Divide | Arithmetic::Remainder);
        if divides && b.is_zero() {
            return None;
        }
        Self::normal(match op {
            Arithmetic::Add => a + b,
            Arithmetic::Subtract => a - b,
            Arithmetic::Multiply => a * b,
            Arithmetic::Divide => a / b,
            Arithmetic::Remainder => a % b,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_decimal_and_whole_ones_are_whole() {
        let number = |text: &str| Number::parse(text).unwrap();
        let sum = number("0.1").calculate(Arithmetic::Add, &number("0.2")).unwrap();
        assert_eq!(sum.json(), Some(json!(0.3)));
        assert_eq!(number("10.0"), Number::Whole(10));
        let third = number("10.0").calculate(Arithmetic::Divide, &number("3")).unwrap();
        assert_eq!(third, Number::Whole(3));
        let third = number("1.5").calculate(Arithmetic::Divide, &number("9")).unwrap();
        assert_eq!(third.json(), Some(json!(0.166_666_666_666_666_66)));
        assert_eq!(number("1").calculate(Arithmetic::Divide, &number("0.0")), None);
    }

    #[test]
    fn texts_are_numbers_as_aws_reads_them() {
        for (text, expected) in
            [("0", Some(json!(0))), ("-1.2", Some(json!(-1.2))), ("5E-12", Some(json!(5e-12)))]
        {
            assert_eq!(Number::of(&json!(text)).and_then(|n| n.json()), expected, "{text}");
        }
        for text in ["", "+1", "1.", ".5", "1E+2", "0x1", " 1", "1E9999", "NaN"] {
            assert_eq!(Number::of(&json!(text)), None, "{text}");
        }
    }

    #[test]
    fn what_is_too_large_is_undefined() {
        let huge = Number::parse("9E999").unwrap();
        assert_eq!(huge.calculate(Arithmetic::Multiply, &huge), None);
        assert_eq!(huge.json(), None);
        let large = Number::Whole(i128::MAX).calculate(Arithmetic::Multiply, &Number::Whole(3)).unwrap();
        assert!(matches!(large, Number::Decimal(_)));
    }
}
