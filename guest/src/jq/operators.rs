//! The operators `+ - * / %` and the comparisons of filters.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::rc::Rc;

use jaq_core::ops::Math;
use jaq_core::{Error, ValR};

use super::number::{self, Number};
use super::value::Val;

/// Bytes that a repeated string may have.
const MAX_REPEATED: usize = 1 << 30;

impl From<Number> for Val {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(int) => Self::Int(int),
            Number::Float(float) => Self::Float(float),
        }
    }
}

impl Add for Val {
    type Output = ValR<Self>;

    fn add(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::Null, value) | (value, Self::Null) => Ok(value),
            (Self::Text(mut text), Self::Text(more)) => {
                Rc::make_mut(&mut text).push_str(&more);
                Ok(Self::Text(text))
            }
            (Self::List(mut list), Self::List(more)) => {
                Rc::make_mut(&mut list).extend(&more);
                Ok(Self::List(list))
            }
            (Self::Object(mut object), Self::Object(more)) => {
                Rc::make_mut(&mut object).extend(&more);
                Ok(Self::Object(object))
            }
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => Ok(a.calculate(b, i64::checked_add, |a, b| a + b).into()),
                _ => Err(Error::math(a, Math::Add, b)),
            },
        }
    }
}

impl Sub for Val {
    type Output = ValR<Self>;

    fn sub(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::List(mut list), Self::List(less)) => {
                let less: BTreeSet<&Self> = less.items().iter().collect();
                Rc::make_mut(&mut list).retain(|item| !less.contains(item));
                Ok(Self::List(list))
            }
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => Ok(a.calculate(b, i64::checked_sub, |a, b| a - b).into()),
                _ => Err(Error::math(a, Math::Sub, b)),
            },
        }
    }
}

impl Mul for Val {
    type Output = ValR<Self>;

    fn mul(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::Object(mut object), Self::Object(more)) => {
                Rc::make_mut(&mut object).merge(&more);
                Ok(Self::Object(object))
            }
            (Self::Text(text), times) | (times, Self::Text(text)) => match times.number() {
                Some(times) => repeated(&text, times),
                None => Err(Error::math(Self::Text(text), Math::Mul, times)),
            },
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => Ok(a.calculate(b, i64::checked_mul, |a, b| a * b).into()),
                _ => Err(Error::math(a, Math::Mul, b)),
            },
        }
    }
}

/// Repeats a string. Null for zero times, as in jq.
fn repeated(text: &str, times: Number) -> ValR<Val> {
    let count = times.float();
    // This includes NaN.
    if !matches!(count.partial_cmp(&0.0), Some(Ordering::Greater)) {
        return Ok(Val::Null);
    }
    let bytes = text.len() as f64 * count;
    if bytes > MAX_REPEATED as f64 {
        let message = format_args!("a string repeated to {bytes} bytes is too long");
        return Err(Error::str(message));
    }
    // Repeating an empty string costs nothing.
    let count = if text.is_empty() { 1.0 } else { count.ceil() };
    Ok(Val::from(text.repeat(count as usize)))
}

impl Div for Val {
    type Output = ValR<Self>;

    fn div(self, other: Self) -> ValR<Self> {
        if let (Self::Text(text), Self::Text(by)) = (&self, &other) {
            let parts: Vec<String> = match (text.is_empty(), by.is_empty()) {
                (true, _) => Vec::new(),
                (_, true) => text.chars().map(String::from).collect(),
                _ => text.split(by.as_str()).map(str::to_owned).collect(),
            };
            return Ok(parts.into_iter().map(Self::from).collect());
        }
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a.divide(b).map(Self::from).ok_or_else(|| by_zero(&self)),
            _ => Err(Error::math(self, Math::Div, other)),
        }
    }
}

impl Rem for Val {
    type Output = ValR<Self>;

    fn rem(self, other: Self) -> ValR<Self> {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a.remainder(b).map(Self::from).ok_or_else(|| by_zero(&self)),
            _ => Err(Error::math(self, Math::Rem, other)),
        }
    }
}

fn by_zero(value: &Val) -> Error<Val> {
    Error::str(format_args!("cannot divide {value} by zero"))
}

impl Neg for Val {
    type Output = ValR<Self>;

    fn neg(self) -> ValR<Self> {
        match self.number() {
            Some(number) => {
                let zero = Number::Int(0);
                // 0 - x would not give a negative zero.
                let negated = match number {
                    Number::Float(float) => Number::Float(-float),
                    int => zero.calculate(int, i64::checked_sub, |a, b| a - b),
                };
                Ok(negated.into())
            }
            None => Err(Error::typ(self, "number")),
        }
    }
}

impl PartialEq for Val {
    fn eq(&self, other: &Self) -> bool {
        // As in jq, NaN equals no number.
        let nan = |value: &Self| matches!(value, Self::Float(float) if float.is_nan());
        !nan(self) && self.cmp(other).is_eq()
    }
}

impl Eq for Val {}

#[expect(
    clippy::non_canonical_partial_ord_impl,
    reason = "`<` of filters is not the order that they sort by"
)]
impl PartialOrd for Val {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        // As in jq, NaN is less than every number, including itself.
        match self {
            Self::Float(float) if float.is_nan() && other.number().is_some() => {
                Some(Ordering::Less)
            }
            _ => Some(self.cmp(other)),
        }
    }
}

impl Ord for Val {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a.items().cmp(b.items()),
            (Self::Object(a), Self::Object(b)) => {
                let (a, b) = (a.entries(), b.entries());
                // Compares the keys first, as in jq.
                a.keys()
                    .cmp(b.keys())
                    .then_with(|| a.values().cmp(b.values()))
            }
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => number::compare(a, b),
                _ => a.rank().cmp(&b.rank()),
            },
        }
    }
}

impl Val {
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Int(_) | Self::Float(_) => 2,
            Self::Text(_) => 3,
            Self::List(_) => 4,
            Self::Object(_) => 5,
        }
    }
}
