//! Card and social security numbers that tenants send although nobody asks for them: taken out before
//! a text is stored or shown to a model (`rules.md` R30, PCI DSS 3.3).

use std::borrow::Cow;
use std::ops::Range;

/// What stands in a text instead of a card number.
const CARD: &str = "[card number removed]";
/// What stands in a text instead of a social security or taxpayer number.
const SOCIAL: &str = "[social security number removed]";
/// What stands in a text instead of a card's security code.
const CODE: &str = "[code removed]";

/// A text without card numbers (13 to 19 digits that pass the check digit), social security numbers
/// and card security codes. Borrowed when there is none in it. Linear in the text.
#[must_use]
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let groups = groups(text);
    let mut found: Vec<(Range<usize>, &str)> = Vec::new();
    let mut at = 0;
    while let Some(group) = groups.get(at) {
        let secret = card(text, &groups, at).or_else(|| social(text, &groups, at));
        if let Some((end, instead)) = secret {
            let last = groups.get(end - 1).map_or(group.end, |g| g.end);
            found.push((group.start..last, instead));
            at = end;
            continue;
        }
        if is_code(text, group) {
            found.push((group.clone(), CODE));
        }
        at += 1;
    }
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (range, instead) in found {
        out.push_str(text.get(from..range.start).unwrap_or_default());
        out.push_str(instead);
        from = range.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

/// Runs of ASCII digits.
fn groups(text: &str) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, c) in text.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
        match groups.last_mut() {
            Some(last) if last.end == at => last.end = at + c.len_utf8(),
            _ => groups.push(at..at + c.len_utf8()),
        }
    }
    groups
}

/// Whether one blank, dash or point alone stands between two groups.
fn adjoin(text: &str, a: &Range<usize>, b: &Range<usize>) -> bool {
    let between = text.get(a.end..b.start).unwrap_or_default();
    matches!(between, " " | "-" | "." | "\u{2013}" | "\u{a0}" | " - ")
}

/// A card number that begins with a group: where it ends, the longest that passes.
fn card(text: &str, groups: &[Range<usize>], at: usize) -> Option<(usize, &'static str)> {
    let mut digits = String::new();
    let mut found = None;
    for (i, group) in groups.iter().enumerate().skip(at) {
        if i > at && !adjoin(text, groups.get(i - 1)?, group) {
            break;
        }
        digits.push_str(text.get(group.clone())?);
        if digits.len() > 19 {
            break;
        }
        // 2 to 6: every network that issues payment cards.
        let network = digits.starts_with(['2', '3', '4', '5', '6']);
        if digits.len() >= 13 && network && passes_luhn(&digits) {
            found = Some((i + 1, CARD));
        }
    }
    found
}

/// The check digit of ISO/IEC 7812.
fn passes_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte - b'0');
            let doubled = digit * (1 + u32::from(at % 2 == 1));
            doubled / 10 + doubled % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// `123-45-6789`, or nine digits in a text that speaks of such a number.
fn social(text: &str, groups: &[Range<usize>], at: usize) -> Option<(usize, &'static str)> {
    let digits = |at: usize| text.get(groups.get(at)?.clone());
    let (first, second, third) = (groups.get(at)?, groups.get(at + 1), groups.get(at + 2));
    if let Some((second, third)) = second.zip(third)
        && adjoin(text, first, second)
        && adjoin(text, second, third)
        && let (Some(area), Some(middle), Some(serial)) =
            (digits(at), digits(at + 1), digits(at + 2))
        && (area.len(), middle.len(), serial.len()) == (3, 2, 4)
        && !matches!(area, "000" | "666")
        && middle != "00"
        && serial != "0000"
    {
        return Some((at + 3, SOCIAL));
    }
    let spoken = || {
        let lower = text.to_lowercase();
        ["ssn", "social", "itin"].iter().any(|w| lower.contains(w))
    };
    (digits(at)?.len() == 9 && spoken()).then_some((at + 1, SOCIAL))
}

/// Three or four digits right behind "CVV".
fn is_code(text: &str, group: &Range<usize>) -> bool {
    let before = text.get(..group.start).unwrap_or_default().to_lowercase();
    let before = before.trim_end_matches([' ', ':', '#', '=']);
    let before = before.strip_suffix(" is").unwrap_or(before);
    let named = ["cvv", "cvc", "cvv2", "security code", "código de seguridad"];
    (3..=4).contains(&group.len()) && named.iter().any(|name| before.ends_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_and_social_security_numbers_are_taken_out() {
        let cases = [
            ("4111 1111 1111 1111", CARD.to_owned()),
            (
                "my card is 4111111111111111 exp 12/27 cvv 123",
                format!("my card is {CARD} exp 12/27 cvv {CODE}"),
            ),
            ("5555-5555-5555-4444 12 27", format!("{CARD} 12 27")),
            (
                "amex 3782 822463 10005, thanks",
                format!("amex {CARD}, thanks"),
            ),
            ("ssn 123-45-6789", format!("ssn {SOCIAL}")),
            ("social: 123456789", format!("social: {SOCIAL}")),
            ("it is 123 45 6789.", format!("it is {SOCIAL}.")),
            ("CVV: 4321", format!("CVV: {CODE}")),
        ];
        for (text, left) in cases {
            assert_eq!(without_secrets(text), left, "{text}");
        }
    }

    #[test]
    fn phones_amounts_dates_and_references_stay() {
        for text in [
            "call me at 860-555-0143 or 860 555 0199",
            "I can pay $150 on 12/15 and $150.50 on 12-29-2026",
            "confirmation 4111111111111112",
            "money order 123456789",
            "unit 12-34-5678",
            "my zip is 06106-1234",
            "75 a week for 8 weeks starting 11 21 2026",
            "",
        ] {
            assert!(matches!(without_secrets(text), Cow::Borrowed(_)), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_surrounds_it_a_card_does_not_stay(
            before in "[a-zA-Z ,.!]{0,20}", after in "[a-zA-Z ,.!]{0,20}", dash in "[ -]?",
        ) {
            let card = ["4012", "8888", "8888", "1881"].join(&dash);
            let text = format!("{before}{card}{after}");
            let left = without_secrets(&text);
            proptest::prop_assert!(!left.contains("8888"), "{left}");
            proptest::prop_assert!(left.starts_with(&before) && left.ends_with(&after));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "(?s).{0,120}") {
            let _ = without_secrets(&text);
        }
    }
}
