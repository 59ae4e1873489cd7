//! Numbers of filters: 64-bit integers and floats, as in Lua. Overflow makes a float.

use std::cmp::Ordering;

/// Compares values exactly. For sorting, NaN equals itself and is less than all others.
pub(super) fn compare(a: Number, b: Number) -> Ordering {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => a.cmp(&b),
        (Number::Float(a), Number::Float(b)) => compare_floats(a, b),
        (Number::Int(a), Number::Float(b)) => compare_mixed(a, b),
        (Number::Float(a), Number::Int(b)) => compare_mixed(b, a).reverse(),
    }
}

/// A number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    pub(super) fn float(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }

    /// The number without its fraction, if it fits into 64 bits.
    pub(super) fn whole(self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(int),
            // Both bounds are exact floats: -2^63 is an i64, 2^63 is not.
            Self::Float(float) if (-(2_f64.powi(63))..2_f64.powi(63)).contains(&float) => {
                Some(float.floor() as i64)
            }
            Self::Float(_) => None,
        }
    }

    /// Uses `integers` if both are integers and the result fits, otherwise `floats`.
    pub(super) fn calculate(
        self,
        other: Self,
        integers: fn(i64, i64) -> Option<i64>,
        floats: fn(f64, f64) -> f64,
    ) -> Self {
        if let (Self::Int(a), Self::Int(b)) = (self, other)
            && let Some(result) = integers(a, b)
        {
            return Self::Int(result);
        }
        Self::Float(floats(self.float(), other.float()))
    }

    /// The quotient, as an integer if it is one. None for a division by zero.
    pub(super) fn divide(self, other: Self) -> Option<Self> {
        if other.float() == 0.0 {
            return None;
        }
        let exact = |a: i64, b: i64| (a.checked_rem(b) == Some(0)).then(|| a.checked_div(b))?;
        Some(self.calculate(other, exact, |a, b| a / b))
    }

    /// The remainder without fractions, as in jq. None for a division by zero.
    pub(super) fn remainder(self, other: Self) -> Option<Self> {
        let (this, other) = (self.truncated(), other.truncated());
        if other.float() == 0.0 {
            return None;
        }
        let remainder = |a: i64, b: i64| Some(a.checked_rem(b).unwrap_or(0));
        Some(this.calculate(other, remainder, |a, b| a % b))
    }

    /// Without its fraction: an integer if it fits into 64 bits.
    fn truncated(self) -> Self {
        let whole = Self::Float(self.float().trunc());
        match self {
            Self::Int(_) => self,
            Self::Float(_) => whole.whole().map_or(whole, Self::Int),
        }
    }
}

fn compare_floats(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    }
}

fn compare_mixed(int: i64, float: f64) -> Ordering {
    if float.is_nan() {
        return Ordering::Greater;
    }
    if float >= 2_f64.powi(63) {
        return Ordering::Less;
    }
    if float < -(2_f64.powi(63)) {
        return Ordering::Greater;
    }
    int.cmp(&(float.floor() as i64))
        .then(compare_floats(0.0, float - float.floor()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_compare_exactly() {
        let big = (1_i64 << 53) + 1;
        for (int, float, expected) in [
            (1, 1.0, Ordering::Equal),
            (1, 1.5, Ordering::Less),
            (-1, -1.5, Ordering::Greater),
            (big, (1_i64 << 53) as f64, Ordering::Greater),
            (i64::MAX, 2_f64.powi(63), Ordering::Less),
            (i64::MIN, -(2_f64.powi(63)), Ordering::Equal),
            (0, f64::NEG_INFINITY, Ordering::Greater),
            (0, f64::NAN, Ordering::Greater),
        ] {
            let (int, float) = (Number::Int(int), Number::Float(float));
            assert_eq!(compare(int, float), expected, "{int:?} {float:?}");
            assert_eq!(compare(float, int), expected.reverse());
        }
    }

    #[test]
    fn what_overflows_is_a_float() {
        let max = Number::Int(i64::MAX);
        let sum = max.calculate(Number::Int(1), i64::checked_add, |a, b| a + b);
        assert!(matches!(sum, Number::Float(float) if float == 2_f64.powi(63)));
        assert!(matches!(
            Number::Int(i64::MIN).remainder(Number::Int(-1)),
            Some(Number::Int(0))
        ));
        assert!(matches!(
            Number::Int(6).divide(Number::Int(3)),
            Some(Number::Int(2))
        ));
        assert!(Number::Int(6).divide(Number::Float(0.0)).is_none());
    }
}
