//! How sure we are that a draft may go out unread.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A score from 0 to 1 in ten-thousandths, because the contract rounds to four decimals *before*
/// comparing with the thresholds (`http-api.md` §2): 0.85001 is 0.85, which a person sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Confidence(u16);

impl Confidence {
    /// Certainty.
    pub const ONE: Self = Self(10_000);

    /// Rounds to four decimals. `None` outside 0..=1 and for NaN: such a rating makes the model's
    /// answer unusable, it is never clamped into something plausible (`model-reply.md`).
    pub fn new(score: f64) -> Option<Self> {
        (0.0..=1.0).contains(&score).then(|| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Self((score * 10_000.0).round() as u16)
        })
    }

    /// The score as a number between 0 and 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }

    /// Whole percent, rounded half up, for lists that people read.
    pub fn percent(self) -> u16 {
        (self.0 + 50) / 100
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

impl Serialize for Confidence {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Confidence {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let score = f64::deserialize(from)?;
        Self::new(score).ok_or_else(|| serde::de::Error::custom("confidence must be 0 to 1"))
    }
}

impl JsonSchema for Confidence {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Confidence".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "number", "minimum": 0, "maximum": 1})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_rounded_before_they_are_compared() {
        let limit = Confidence::new(0.85).expect("a score");
        assert_eq!(Confidence::new(0.850_04), Some(limit));
        assert!(Confidence::new(0.8501).expect("a score") > limit);
        assert_eq!(limit.percent(), 85);
        assert_eq!(serde_json::to_string(&limit).expect("json"), "0.85");
    }

    #[test]
    fn a_rating_outside_the_scale_is_no_rating() {
        for bad in [-0.01, 1.01, f64::NAN, f64::INFINITY] {
            assert_eq!(Confidence::new(bad), None);
        }
    }
}
