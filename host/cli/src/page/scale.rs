//! Axes: round numbers that span values, and how they are written.

/// A span of values, from one round number to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) step: f64,
}

impl Scale {
    /// Spans all values in about so many steps; from zero when that wastes little room, or is asked for.
    pub(super) fn over(values: impl Iterator<Item = f64>, zero: bool, steps: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            // Beyond this the span of two values is none that could be computed, nor is a step between smaller ones.
            let value = match value.clamp(-1e300, 1e300) {
                tiny if tiny.abs() < 1e-300 => 0.0,
                value => value,
            };
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if zero || (low > 0.0 && low < 0.6 * high) {
            low = low.min(0.0);
        }
        if zero || (high < 0.0 && high > 0.6 * low) {
            high = high.max(0.0);
        }
        if low == high {
            let room = if low == 0.0 { 1.0 } else { low.abs() / 2.0 };
            (low, high) = (low - room, high + room);
        }
        let rough = (high - low) / steps;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|nice| nice * power)
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        Self {
            from: (low / step).floor() * step,
            to: (high / step).ceil() * step,
            step,
        }
    }

    /// Spans all values and no more, with round numbers between.
    pub(super) fn within(values: impl Iterator<Item = f64> + Clone, steps: f64) -> Self {
        let scale = Self::over(values.clone(), false, steps);
        let values = values.map(|value| value.clamp(-1e300, 1e300));
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        if low < high {
            Self {
                from: low,
                to: high,
                ..scale
            }
        } else {
            scale
        }
    }

    /// Where a value is, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    /// The round numbers.
    pub(super) fn ticks(&self) -> Vec<f64> {
        // A little more than the span, as sums of steps are not exact.
        let first = (self.from / self.step - 1e-9).ceil() * self.step;
        let count = ((self.to - first) / self.step + 1e-9)
            .floor()
            .clamp(0.0, 50.0) as u32;
        (0..=count)
            .map(|tick| first + f64::from(tick) * self.step)
            .collect()
    }

    /// A tick in as many digits as tell it from the next.
    pub(super) fn label(&self, tick: f64) -> String {
        let largest = self.from.abs().max(self.to.abs());
        let (unit, suffix) = match largest {
            size if size >= 1e15 || (size < 1e-4 && size > 0.0) => return format!("{tick:.2e}"),
            size if size >= 1e12 => (1e12, "T"),
            size if size >= 1e9 => (1e9, "G"),
            size if size >= 1e6 => (1e6, "M"),
            size if size >= 1e4 => (1e3, "k"),
            _ => (1.0, ""),
        };
        let step = self.step / unit;
        let digits = (0..9)
            .find(|digits| {
                let scaled = step * 10_f64.powi(*digits);
                (scaled - scaled.round()).abs() < 1e-6 * scaled
            })
            .unwrap_or(9);
        let value = tick / unit;
        // No negative zero.
        let value = if value.abs() < step / 2.0 { 0.0 } else { value };
        let label = format!("{value:.0$}", usize::try_from(digits).unwrap_or(0));
        if value == 0.0 { label } else { label + suffix }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], zero: bool) -> Vec<String> {
        let scale = Scale::over(values.iter().copied(), zero, 5.0);
        scale
            .ticks()
            .into_iter()
            .map(|tick| scale.label(tick))
            .collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            labels(&[3.0, 97.0], false),
            ["0", "20", "40", "60", "80", "100"]
        );
        assert_eq!(labels(&[0.11, 0.52], true), ["0.0", "0.2", "0.4", "0.6"]);
        assert_eq!(
            labels(&[-1500.0, 1500.0], true),
            ["-2000", "-1000", "0", "1000", "2000"]
        );
        assert_eq!(
            labels(&[98.0, 99.0], false),
            ["98.0", "98.2", "98.4", "98.6", "98.8", "99.0"]
        );
        assert_eq!(
            labels(&[12_000.0, 48_000.0], true),
            ["0", "10k", "20k", "30k", "40k", "50k"]
        );
        assert_eq!(labels(&[0.0], false), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
    }

    #[test]
    fn a_tight_scale_ends_with_the_values() {
        let scale = Scale::within([1.0, 21.0].into_iter(), 8.0);
        assert_eq!((scale.from, scale.to), (1.0, 21.0));
        assert_eq!(scale.ticks(), [5.0, 10.0, 15.0, 20.0]);
        let scale = Scale::within([3.0].into_iter(), 8.0);
        assert!(scale.from < 3.0 && scale.to > 3.0);
    }

    #[test]
    fn nothing_is_out_of_bounds() {
        for values in [
            &[][..],
            &[1e308, -1e308],
            &[5e-324],
            &[f64::MAX],
            &[f64::MIN_POSITIVE, 1.0],
            &[1e300, 1e300 + 1e290],
        ] {
            let scale = Scale::over(values.iter().copied(), false, 5.0);
            assert!(scale.ticks().len() <= 51, "{values:?}");
            for value in values {
                let place = scale.place(*value);
                assert!(
                    (0.0..=1.0).contains(&place),
                    "{values:?}: {place} {scale:?}"
                );
            }
        }
    }
}
