//! Money in whole cents.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An amount in US cents. Never a float: a wrong amount texted about a real debt is a serious failure.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Cents(pub i64);

impl Cents {
    /// Reads `1,247.00`, `$567`, ` 12.5 `: optional `$`, thousands commas, blanks, at most two
    /// decimals (`upstreams.md` §1.1). Anything else is `None`, never a guess.
    pub fn parse(text: &str) -> Option<Self> {
        let compact: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != ',' && *c != '$')
            .collect();
        let (sign, digits) = match compact.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, compact.as_str()),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || fraction.len() > 2 {
            return None;
        }
        if !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let dollars: i64 = whole.parse().ok()?;
        let cents: i64 = format!("{fraction:0<2}").parse().ok()?;
        dollars
            .checked_mul(100)?
            .checked_add(cents)?
            .checked_mul(sign)
            .map(Self)
    }

    /// Reads a JSON number or string.
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::String(text) => Self::parse(text),
            serde_json::Value::Number(number) => Self::parse(&number.to_string()).or_else(|| {
                // Sums computed elsewhere arrive as 566.9999999; more than a million dollars
                // a month of rent does not.
                let cents = (number.as_f64()? * 100.0).round();
                #[expect(clippy::cast_possible_truncation)]
                (cents.abs() < 1e14).then_some(Self(cents as i64))
            }),
            _ => None,
        }
    }

    /// Dollars for a JSON answer. Exact for every amount below 90 trillion dollars.
    pub fn dollars(self) -> f64 {
        #[expect(clippy::cast_precision_loss)]
        let cents = self.0 as f64;
        cents / 100.0
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}${}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_neighbours_write_them() {
        let cases = [
            ("1247.00", Some(124_700)),
            ("$1,247.5", Some(124_750)),
            (" 567 ", Some(56_700)),
            ("-3.05", Some(-305)),
            ("12.345", None),
            ("", None),
            (".", None),
            ("a lot", None),
            ("99999999999999999999", None),
        ];
        for (said, cents) in cases {
            assert_eq!(Cents::parse(said), cents.map(Cents), "{said}");
        }
        assert_eq!(
            Cents::from_json(&serde_json::json!(912.5)),
            Some(Cents(91_250))
        );
        assert_eq!(
            Cents::from_json(&serde_json::json!(566.999_999_9)),
            Some(Cents(56_700))
        );
    }

    #[test]
    fn amounts_are_shown_as_people_write_them() {
        assert_eq!(Cents(124_705).to_string(), "$1247.05");
        assert_eq!(Cents(-5).to_string(), "-$0.05");
    }
}
