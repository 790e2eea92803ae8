//! What an answer of the model costs.

use std::fmt;

/// Millionths of a dollar: a token costs a few of them, and a cent would round it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct MicroUsd(pub i64);

impl MicroUsd {
    /// Reads dollars with up to six decimals: `0.15`, `10`.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 6 {
            return None;
        }
        let whole: i64 = whole.parse().ok().filter(|w| *w <= 1_000_000)?;
        let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
        Some(Self(whole * 1_000_000 + fraction))
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Dollars for a million tokens in and out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// Of the prompt.
    pub prompt: MicroUsd,
    /// Of the answer.
    pub completion: MicroUsd,
}

impl Prices {
    /// Rounded up: a bill is never smaller than the sum of its items.
    pub fn cost(self, tokens: (i64, i64)) -> MicroUsd {
        let part = |count: i64, price: MicroUsd| i128::from(count) * i128::from(price.0);
        let total = part(tokens.0, self.prompt) + part(tokens.1, self.completion);
        MicroUsd(i64::try_from((total + 999_999) / 1_000_000).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_cost_what_the_price_list_says() {
        let price = |text| MicroUsd::parse(text).expect("a price");
        let turbo = Prices {
            prompt: price("10"),
            completion: price("30"),
        };
        assert_eq!(turbo.cost((400, 60)), MicroUsd(5_800));
        let small = Prices {
            prompt: price("0.075"),
            completion: price("0.3"),
        };
        assert_eq!(small.cost((1, 0)), MicroUsd(1), "never nothing");
        assert_eq!(small.cost((1_000_000, 0)).to_string(), "0.075000");
        for bad in ["", "-1", "1e3", "0.1234567", "a", "99999999"] {
            assert_eq!(MicroUsd::parse(bad), None, "{bad}");
        }
    }
}
