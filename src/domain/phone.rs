//! Phone numbers, normalised once at the door (`http-api.md` §0.4, §12.2).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An E.164 number: `+` and 10-15 digits. Plausibility is not checked: `+1234567890` is valid.
///
/// `Debug` hides the number, because errors and logs carry ids, never phone numbers.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Phone(String);

/// The text is not a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a phone number of 10 to 15 digits, optionally with a leading +")]
pub struct InvalidPhone;

impl Phone {
    /// Removes blanks, `-`, `.`, `(`, `)`; a number that starts with `+` keeps its digits; ten
    /// digits get `+1`, everything else a bare `+`.
    pub fn parse(text: &str) -> Result<Self, InvalidPhone> {
        let compact: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && !"-.()".contains(*c))
            .collect();
        let (international, digits) = match compact.strip_prefix('+') {
            Some(digits) => (true, digits),
            None => (false, compact.as_str()),
        };
        if !(10..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidPhone);
        }
        let country = if !international && digits.len() == 10 {
            "1"
        } else {
            ""
        };
        Ok(Self(format!("+{country}{digits}")))
    }

    /// Takes a value that was normalised when it was stored.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The E.164 text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_normalised_to_e164() {
        let cases = [
            ("+12025550143", "+12025550143"),
            ("(202) 555-0143", "+12025550143"),
            ("202.555.0143", "+12025550143"),
            ("12025550143", "+12025550143"),
            ("+1234567890", "+1234567890"),
            ("447700900123", "+447700900123"),
            (" +44 7700 900123 ", "+447700900123"),
        ];
        for (said, stored) in cases {
            assert_eq!(Phone::parse(said).expect(said).as_str(), stored);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "+",
            "555-0143",
            "1234567890123456",
            "+12025550143x",
            "call me",
        ] {
            assert_eq!(Phone::parse(bad), Err(InvalidPhone), "{bad}");
        }
    }

    #[test]
    fn a_number_never_prints_itself() {
        let phone = Phone::parse("+12025550143").expect("valid");
        assert_eq!(format!("{phone:?}"), "Phone(…)");
    }
}
