//! Numbers as DynamoDB has them: decimal, up to 38 significant digits, from 1E-130 to 9.99…E+125, compared by value
//! and written in one normal form, so that `1.0` and `1` are the same number.

use std::{fmt, ops, str::FromStr};

use bigdecimal::{BigDecimal, ToPrimitive as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::error::AwsError;

const SIGNIFICANT_DIGITS_MAX: u64 = 38;
const EXPONENT_MAX: i64 = 125;
const EXPONENT_MIN: i64 = -130;
/// Exponents further from zero than this are out of range whatever they stand behind, and are not computed with.
const EXPONENT_TEXT_MAX: i64 = 1_000;
/// Long enough for every number in plain notation; what is longer is not worth parsing.
const TEXT_CHARS_MAX: usize = 400;
const OVERFLOW: &str =
    "Number overflow. Attempting to store a number with magnitude larger than supported range";
const UNDERFLOW: &str =
    "Number underflow. Attempting to store a number with magnitude smaller than supported range";

/// A number within DynamoDB's limits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Number(BigDecimal);

impl Number {
    fn checked(value: &BigDecimal) -> Result<Self, AwsError> {
        let value = value.normalized();
        let digits = value.digits();
        if digits > SIGNIFICANT_DIGITS_MAX {
            return Err(invalid("Attempting to store more than 38 significant digits in a Number"));
        }
        let (_, scale) = value.as_bigint_and_exponent();
        let exponent = i64::try_from(digits).unwrap_or(i64::MAX) - 1 - scale;
        if exponent > EXPONENT_MAX {
            return Err(invalid(OVERFLOW));
        }
        if exponent < EXPONENT_MIN {
            return Err(invalid(UNDERFLOW));
        }
        Ok(Self(value))
    }

    pub(crate) fn from_count(count: usize) -> Self {
        Self(BigDecimal::from(u64::try_from(count).unwrap_or(u64::MAX)).normalized())
    }

    /// Seconds and millionths of them.
    pub(crate) fn seconds(nanoseconds: i128) -> Self {
        Self(BigDecimal::from_bigint((nanoseconds / 1000).into(), 6).normalized())
    }

    pub(crate) fn add(&self, other: &Self) -> Result<Self, AwsError> {
        Self::checked(&ops::Add::add(&self.0, &other.0))
    }

    pub(crate) fn subtract(&self, other: &Self) -> Result<Self, AwsError> {
        Self::checked(&ops::Sub::sub(&self.0, &other.0))
    }

    /// The whole seconds of a time-to-live attribute; none if the number is no time.
    pub(crate) fn whole(&self) -> Option<i64> {
        self.0.to_i64()
    }

    /// Bytes that the number counts for: two digits a byte, and one.
    pub(crate) fn size_bytes(&self) -> usize {
        usize::try_from(self.0.digits().div_ceil(2)).unwrap_or(usize::MAX) + 1
    }
}

impl FromStr for Number {
    type Err = AwsError;

    fn from_str(text: &str) -> Result<Self, AwsError> {
        let not_a_number =
            || invalid(format!("The parameter cannot be converted to a numeric value: {text}"));
        // The parser below takes `1_000`; DynamoDB does not.
        if text.len() > TEXT_CHARS_MAX || text.contains('_') {
            return Err(not_a_number());
        }
        if let Some((_, exponent)) = text.trim().split_once(['e', 'E']) {
            let exponent: i64 = exponent.parse().map_err(|_| not_a_number())?;
            if !(-EXPONENT_TEXT_MAX..=EXPONENT_TEXT_MAX).contains(&exponent) {
                return Err(invalid(if exponent > 0 { OVERFLOW } else { UNDERFLOW }));
            }
        }
        let value = BigDecimal::from_str(text.trim()).map_err(|_| not_a_number())?;
        Self::checked(&value)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_plain_string())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|e: AwsError| D::Error::custom(e.message))
    }
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationException", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_have_one_normal_form() {
        for (from, to) in [
            ("1.0", "1"),
            ("007", "7"),
            ("-0.00", "0"),
            ("1e3", "1000"),
            ("1.50E-2", "0.015"),
            ("+5", "5"),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ] {
            assert_eq!(from.parse::<Number>().unwrap().to_string(), to, "{from}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for text in [
            "",
            "abc",
            "1_000",
            "_",
            "1e126",
            "1e-131",
            "1e999999999999",
            "123456789012345678901234567890123456789",
        ] {
            assert!(text.parse::<Number>().is_err(), "{text}");
        }
        assert!("9.9e125".parse::<Number>().is_ok());
        assert!("1e-130".parse::<Number>().is_ok());
    }

    #[test]
    fn thirty_eight_digits_add_exactly() {
        let big: Number = "10000000000000000000000000000000000001".parse().unwrap();
        let one: Number = "1".parse().unwrap();
        assert_eq!(big.add(&one).unwrap().to_string(), "10000000000000000000000000000000000002");
        assert_eq!(one.subtract(&big).unwrap().to_string(), "-10000000000000000000000000000000000000");
    }

    proptest! {
        /// Whole numbers order and add as integers do, and survive being written and read.
        #[test]
        fn whole_numbers_behave_as_integers(a in any::<i64>(), b in any::<i64>()) {
            let (x, y): (Number, Number) = (a.to_string().parse().unwrap(), b.to_string().parse().unwrap());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.add(&y).unwrap().to_string(), (i128::from(a) + i128::from(b)).to_string());
            prop_assert_eq!(x.to_string().parse::<Number>().unwrap(), x);
        }
    }
}
