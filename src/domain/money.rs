//! Money as integer cents.
//!
//! Binary floating point is kept out of every sum: `0.1 + 0.2` style errors would make a schedule
//! whose instalments do not add up. Floats appear only at the JSON edge, where the contract asks
//! for plain numbers.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount in US cents. May be negative (a credit). Arithmetic is checked: an overflow is a
/// `None`, never a wrapped figure. In events it is the number of cents; HTTP answers show dollars.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Cents(pub i64);

/// Why a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoneyError {
    /// Nothing that looks like a number.
    NotANumber,
    /// More digits than any rent has; see [`Cents::MAX_MAGNITUDE`].
    TooLarge,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "not a decimal amount",
            Self::TooLarge => "amount too large",
        })
    }
}

impl std::error::Error for MoneyError {}

impl Cents {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Largest magnitude accepted from text or JSON: ten billion dollars. It leaves room for every
    /// product the plan rules build (times 520 weeks) inside an `i64`.
    pub const MAX_MAGNITUDE: i64 = 1_000_000_000_000;

    /// From whole cents.
    #[must_use]
    pub const fn new(cents: i64) -> Self {
        Self(cents)
    }

    /// From whole dollars; saturates at the limits of the type.
    #[must_use]
    pub const fn from_dollars(dollars: i64) -> Self {
        Self(dollars.saturating_mul(100))
    }

    /// The number of cents.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Sum, or `None` on overflow.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(v) => Some(Self(v)),
            None => None,
        }
    }

    /// Difference, or `None` on overflow.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(v) => Some(Self(v)),
            None => None,
        }
    }

    /// Product with a count, or `None` on overflow.
    #[must_use]
    pub const fn checked_mul(self, count: i64) -> Option<Self> {
        match self.0.checked_mul(count) {
            Some(v) => Some(Self(v)),
            None => None,
        }
    }

    /// `self x numerator / denominator` rounded half up (labelling guide §1.3); `None` when the
    /// denominator is not positive or the result does not fit.
    ///
    /// Half up means towards positive infinity, so that a negative half rounds up as well: one rule
    /// for both signs keeps `a/b` monotone in `a`.
    #[must_use]
    pub fn scaled(self, numerator: i64, denominator: i64) -> Option<Self> {
        if denominator <= 0 {
            return None;
        }
        let product = i128::from(self.0) * i128::from(numerator);
        let denominator = i128::from(denominator);
        let rounded = (2 * product + denominator).div_euclid(2 * denominator);
        i64::try_from(rounded).ok().map(Self)
    }

    /// Division by a count, rounded half up.
    #[must_use]
    pub fn divided_by(self, count: i64) -> Option<Self> {
        self.scaled(1, count)
    }

    /// Division by a count, rounded up to the next cent: the smallest payment that still covers the
    /// whole in `count` payments.
    #[must_use]
    pub fn divided_by_ceil(self, count: i64) -> Option<Self> {
        if count <= 0 {
            return None;
        }
        let quotient = self.0.div_euclid(count);
        let up = i64::from(self.0.rem_euclid(count) != 0);
        quotient.checked_add(up).map(Self)
    }

    /// Reads US decimal text: optional `$`, optional sign, comma for thousands, point for decimals.
    /// A third and later decimal rounds half up.
    ///
    /// # Errors
    /// [`MoneyError`] when the text is not such a number or exceeds [`Cents::MAX_MAGNITUDE`].
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let text = text.trim();
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let rest = rest.strip_prefix('$').unwrap_or(rest).trim();
        let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(MoneyError::NotANumber);
        }
        let mut cents: i64 = 0;
        for c in whole.chars() {
            if c == ',' {
                continue;
            }
            let digit = c.to_digit(10).ok_or(MoneyError::NotANumber)?;
            cents = cents
                .checked_mul(10)
                .and_then(|v| v.checked_add(i64::from(digit) * 100))
                .filter(|v| *v <= Self::MAX_MAGNITUDE)
                .ok_or(MoneyError::TooLarge)?;
        }
        let mut scale = 10;
        for (place, c) in fraction.chars().enumerate() {
            let digit = i64::from(c.to_digit(10).ok_or(MoneyError::NotANumber)?);
            match place {
                0 | 1 => {
                    cents += digit * scale;
                    scale /= 10;
                }
                2 => cents += i64::from(digit >= 5),
                _ => {}
            }
        }
        Ok(Self(if negative { -cents } else { cents }))
    }

    /// Reads a neighbour's JSON number or string (`upstreams.md` §1.1); anything else is unknown,
    /// never zero.
    #[must_use]
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::String(text) => Self::parse(text).ok(),
            // Sums computed elsewhere arrive as 566.9999999.
            serde_json::Value::Number(number) => Self::from_dollars_f64(number.as_f64()?),
            _ => None,
        }
    }

    /// From a JSON number of dollars, rounded to the nearest cent; `None` when it is not finite or
    /// exceeds [`Cents::MAX_MAGNITUDE`].
    #[must_use]
    pub fn from_dollars_f64(dollars: f64) -> Option<Self> {
        let cents = (dollars * 100.0).round();
        // The bound is checked on the float: a cast of an out-of-range float saturates silently.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        (cents.abs() <= Self::MAX_MAGNITUDE as f64).then_some(Self(cents as i64))
    }

    /// As a number of dollars for JSON. Exact to the cent within [`Cents::MAX_MAGNITUDE`].
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn as_dollars_f64(self) -> f64 {
        self.0 as f64 / 100.0
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        write!(f, "{sign}${}.{:02}", magnitude / 100, magnitude % 100)
    }
}

/// `#[serde(with = "dollars")]`: an amount as a JSON number of dollars.
pub mod dollars {
    use super::{Cents, Deserialize, Deserializer, Serializer};

    /// Writes the amount as a number of dollars.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn serialize<S: Serializer>(value: &Cents, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(value.as_dollars_f64())
    }

    /// Reads a number of dollars.
    ///
    /// # Errors
    /// When the value is not a number or out of range.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cents, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Cents::from_dollars_f64(value)
            .ok_or_else(|| serde::de::Error::custom("amount out of range"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_is_read_to_the_cent() {
        for (text, cents) in [
            ("75", 7_500),
            ("$1,200.50", 120_050),
            ("0.005", 1),
            ("0.004", 0),
            (".5", 50),
            ("-3.10", -310),
        ] {
            assert_eq!(Cents::parse(text), Ok(Cents::new(cents)), "{text}");
        }
    }

    #[test]
    fn neighbours_amounts_are_read_as_they_write_them() {
        for (value, cents) in [
            (serde_json::json!("1,247.00"), Some(124_700)),
            (serde_json::json!(" $567 "), Some(56_700)),
            (serde_json::json!(912.5), Some(91_250)),
            (serde_json::json!(566.999_999_9), Some(56_700)),
            (serde_json::json!("a lot"), None),
            (serde_json::json!(true), None),
        ] {
            assert_eq!(Cents::from_json(&value), cents.map(Cents), "{value}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "$", ".", "abc", "1.2.3", "12a", "99999999999999999999"] {
            assert!(Cents::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn division_rounds_half_up() {
        assert_eq!(Cents::new(10_001).divided_by(2), Some(Cents::new(5_001)));
        assert_eq!(Cents::new(10_000).divided_by(3), Some(Cents::new(3_333)));
        assert_eq!(Cents::new(5).scaled(1, 0), None);
        assert_eq!(Cents::new(100).divided_by_ceil(3), Some(Cents::new(34)));
    }

    #[test]
    fn overflow_is_none_not_a_wrong_figure() {
        assert_eq!(Cents::new(i64::MAX).checked_add(Cents::new(1)), None);
        assert_eq!(Cents::new(i64::MAX).scaled(7, 1), None);
        assert_eq!(Cents::from_dollars_f64(f64::NAN), None);
        assert_eq!(Cents::from_dollars_f64(1e300), None);
    }

    proptest::proptest! {
        #[test]
        fn display_and_parse_agree(cents in -Cents::MAX_MAGNITUDE..Cents::MAX_MAGNITUDE) {
            let value = Cents::new(cents);
            proptest::prop_assert_eq!(Cents::parse(&value.to_string()), Ok(value));
            proptest::prop_assert_eq!(Cents::from_dollars_f64(value.as_dollars_f64()), Some(value));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*") {
            let _ = Cents::parse(&text);
        }
    }
}
