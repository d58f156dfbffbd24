//! Functions of numbers. Texts that can be read as numbers are numbers.

use bigdecimal::RoundingMode;
use serde_json::{Value, json};

use super::{Call, Function, function};
use crate::sql::number::{Arithmetic, Number};

/// Decimal places that `trunc` takes at most.
const PLACES_MAX: i64 = 34;

pub(super) static FUNCTIONS: &[Function] = &[
    function("abs", 1..=1, |call| call.number(0)?.absolute()?.json()),
    function("ceil", 1..=1, |call| whole(call, RoundingMode::Ceiling)),
    function("floor", 1..=1, |call| whole(call, RoundingMode::Floor)),
    function("round", 1..=1, |call| whole(call, RoundingMode::HalfUp)),
    function("trunc", 2..=2, |call| {
        let places = call.whole(1)?.clamp(0, PLACES_MAX);
        call.number(0)?.with_places(places, RoundingMode::Down)?.json()
    }),
    function("sign", 1..=1, |call| Some(json!(call.number(0)?.compare(&Number::Whole(0)) as i8))),
    function("mod", 2..=2, remainder),
    function("remainder", 2..=2, remainder),
    function("power", 2..=2, |call| double(call.number(0)?.double().powf(call.number(1)?.double()))),
    function("sqrt", 1..=1, |call| of_double(call, f64::sqrt)),
    function("exp", 1..=1, |call| of_double(call, f64::exp)),
    function("ln", 1..=1, |call| of_double(call, f64::ln)),
    function("log", 1..=1, |call| of_double(call, f64::log10)),
    function("sin", 1..=1, |call| of_double(call, f64::sin)),
    function("cos", 1..=1, |call| of_double(call, f64::cos)),
    function("tan", 1..=1, |call| of_double(call, f64::tan)),
    function("asin", 1..=1, |call| of_double(call, f64::asin)),
    function("acos", 1..=1, |call| of_double(call, f64::acos)),
    function("atan", 1..=1, |call| of_double(call, f64::atan)),
    function("sinh", 1..=1, |call| of_double(call, f64::sinh)),
    function("cosh", 1..=1, |call| of_double(call, f64::cosh)),
    function("tanh", 1..=1, |call| of_double(call, f64::tanh)),
    function("atan2", 2..=2, |call| double(call.number(0)?.double().atan2(call.number(1)?.double()))),
    function("bitand", 2..=2, |call| Some(json!(call.whole(0)? & call.whole(1)?))),
    function("bitor", 2..=2, |call| Some(json!(call.whole(0)? | call.whole(1)?))),
    function("bitxor", 2..=2, |call| Some(json!(call.whole(0)? ^ call.whole(1)?))),
    function("bitnot", 1..=1, |call| Some(json!(!call.whole(0)?))),
    function("rand", 0..=0, |_| Some(json!(rand::random::<f64>()))),
];

fn whole(call: &Call<'_>, mode: RoundingMode) -> Option<Value> {
    call.number(0)?.with_places(0, mode)?.json()
}

fn remainder(call: &Call<'_>) -> Option<Value> {
    call.number(0)?.calculate(Arithmetic::Remainder, &call.number(1)?)?.json()
}

/// Double precision; what is imaginary or infinite is undefined.
fn of_double(call: &Call<'_>, how: fn(f64) -> f64) -> Option<Value> {
    double(how(call.number(0)?.double()))
}

fn double(value: f64) -> Option<Value> {
    Number::of_double(value)?.json()
}
