//! The mathematical functions of filters that Rust's floats have.

use jaq_core::RunPtr;
use jaq_core::native::{Filter, bome, unary, v};
use jaq_core::{Error, ValR};
use jaq_std::ValT as _;

use super::Data;
use super::value::Val;

fn float(value: &Val) -> Result<f64, Error<Val>> {
    value
        .as_f64()
        .ok_or_else(|| Error::typ(value.clone(), "number"))
}

fn of(value: &Val, function: fn(f64) -> f64) -> ValR<Val> {
    Ok(Val::Float(function(float(value)?)))
}

fn of_two(cv: jaq_core::Cv<'_, Data>, function: fn(f64, f64) -> f64) -> jaq_core::ValXs<'_, Val> {
    let mut cv = cv;
    let second = cv.0.pop_var();
    unary(cv, move |_, first| {
        Ok(Val::Float(function(float(&first)?, float(&second)?)))
    })
}

macro_rules! functions {
    ($($name:literal = $one:expr),* ; $($name2:literal = $two:expr),*) => {
        Box::new([
            $(($name, v(0), |cv| bome(of(&cv.1, $one))),)*
            $(($name2, v(2), |cv| of_two(cv, $two)),)*
        ])
    };
}

pub(super) fn functions() -> Box<[Filter<RunPtr<Data>>]> {
    functions! {
        "acos" = f64::acos, "acosh" = f64::acosh, "asin" = f64::asin, "asinh" = f64::asinh,
        "atan" = f64::atan, "atanh" = f64::atanh, "cbrt" = f64::cbrt, "cos" = f64::cos,
        "cosh" = f64::cosh, "exp" = f64::exp, "exp10" = |x| 10_f64.powf(x), "exp2" = f64::exp2,
        "expm1" = f64::exp_m1, "fabs" = f64::abs, "log" = f64::ln, "log10" = f64::log10,
        "log1p" = f64::ln_1p, "log2" = f64::log2, "nearbyint" = f64::round_ties_even,
        "pow10" = |x| 10_f64.powf(x), "rint" = f64::round_ties_even, "sin" = f64::sin,
        "sinh" = f64::sinh, "sqrt" = f64::sqrt, "tan" = f64::tan, "tanh" = f64::tanh,
        "trunc" = f64::trunc;
        "atan2" = f64::atan2, "copysign" = f64::copysign, "fmax" = f64::max, "fmin" = f64::min,
        "fmod" = |a, b| a % b, "hypot" = f64::hypot, "ldexp" = |x, n| x * n.exp2(),
        "pow" = f64::powf, "scalb" = |x, n| x * n.exp2(), "scalbln" = |x, n| x * n.exp2()
    }
}
