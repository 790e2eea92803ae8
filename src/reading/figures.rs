//! What a cluster of digits is: an amount, a date, a clock time, a phone number.

use super::lexicon::{Sym, sym};
use super::tokens::Figure;

/// Largest figure taken for an amount, in hundredths: a million dollars, the limit of the plan
/// endpoint. Longer digit strings are account and confirmation numbers.
const MAX_HUNDREDTHS: i64 = 100_000_000;

/// Classifies digits with inner `, . : / -` (US conventions, labelling guide §1.8). Never fails;
/// what is nothing known is [`Figure::Other`].
pub(crate) fn classify(body: &str) -> (Sym, Figure) {
    if body
        .bytes()
        .all(|b| b.is_ascii_digit() || b == b',' || b == b'.')
    {
        return match decimal(body) {
            Some((hundredths, grouped)) => (
                sym::NUM,
                Figure::Number {
                    hundredths,
                    grouped,
                },
            ),
            None => (sym::JUNK, Figure::Other),
        };
    }
    if body.contains(':') {
        return (sym::CLOCK, Figure::Other);
    }
    let slash = body.contains('/');
    let parts: Vec<&str> = body.split(['/', '-']).collect();
    let small = |s: &str| (s.len() <= 2).then(|| s.parse::<u32>().ok()).flatten();
    match parts.as_slice() {
        [y, m, d] if y.len() == 4 && !slash => {
            if let (Ok(year), Some(month), Some(day)) = (y.parse(), small(m), small(d)) {
                return date(month, day, Some(year));
            }
        }
        [m, d, y] => {
            if let (Some(month), Some(day), Some(year)) = (small(m), small(d), year(y)) {
                return date(month, day, Some(year));
            }
        }
        [m, d] if slash => {
            if let (Some(month), Some(day)) = (small(m), small(d)) {
                return date(month, day, None);
            }
            if let (Some((low, _)), Some((high, _))) = (decimal(m), decimal(d)) {
                return (sym::NUM_RANGE, Figure::Range(low, high));
            }
        }
        [low, high] if !slash => {
            // `555-0121` is a phone number: a range never starts its upper bound with a zero.
            if let (Some((a, _)), Some((b, _))) = (decimal(low), decimal(high))
                && !high.starts_with('0')
                && a < b
                && low.len() + high.len() <= 10
                && !(low.len() == 3 && high.len() == 4 && b > 20 * a)
            {
                return (sym::NUM_RANGE, Figure::Range(a, b));
            }
        }
        _ => {}
    }
    (sym::JUNK, Figure::Other)
}

fn date(month: u32, day: u32, year: Option<i32>) -> (Sym, Figure) {
    // Tenants from day-first countries write 25/12; US order is the rule, the other is taken only
    // when it alone makes a date.
    let (month, day) = if month > 12 && day <= 12 {
        (day, month)
    } else {
        (month, day)
    };
    if (1..=12).contains(&month) && (1..=31).contains(&day) {
        (sym::NUMERIC_DATE, Figure::Date { month, day, year })
    } else {
        (sym::JUNK, Figure::Other)
    }
}

fn year(text: &str) -> Option<i32> {
    let value: i32 = text.parse().ok()?;
    match text.len() {
        4 if (1990..2100).contains(&value) => Some(value),
        2 => Some(2000 + value),
        _ => None,
    }
}

/// US decimal: `1,200.50`. Returns hundredths and whether it was grouped or had decimals. Two places
/// after a lone comma are cents (`50,00`), three after a lone point are thousands (`1.200`): nobody
/// quotes tenths of a cent.
fn decimal(body: &str) -> Option<(i64, bool)> {
    let grouped = body.contains([',', '.']);
    let (whole, cents) = match body.rfind(['.', ',']) {
        Some(at) => {
            let tail = &body[at + 1..];
            let comma = body.as_bytes()[at] == b',';
            match tail.len() {
                3 => (body, ""),
                1 | 2 if !comma || tail.len() == 2 => (&body[..at], tail),
                _ if comma => return None,
                _ => (&body[..at], tail),
            }
        }
        None => (body, ""),
    };
    // A leading zero, or more digits than an amount has, is a code of some kind.
    if !grouped && whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    let mut value: i64 = 0;
    for b in whole.bytes().filter(u8::is_ascii_digit) {
        value = value.checked_mul(10)?.checked_add(i64::from(b - b'0'))?;
        if value > MAX_HUNDREDTHS / 100 {
            return None;
        }
    }
    value *= 100;
    for (place, b) in cents.bytes().enumerate() {
        let digit = i64::from(b.checked_sub(b'0').filter(|d| *d <= 9)?);
        match place {
            0 => value += digit * 10,
            1 => value += digit,
            2 => value += i64::from(digit >= 5),
            _ => {}
        }
    }
    Some((value, grouped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_what_people_mean_by_them() {
        let number = |hundredths, grouped| Figure::Number {
            hundredths,
            grouped,
        };
        for (body, expected) in [
            ("75", number(7_500, false)),
            ("1,200.50", number(120_050, true)),
            ("1.200", number(120_000, true)),
            ("50,00", number(5_000, true)),
            ("1.5", number(150, true)),
            ("100-150", Figure::Range(10_000, 15_000)),
            ("6-8", Figure::Range(600, 800)),
            ("614-555-0182", Figure::Other),
            ("555-0121", Figure::Other),
            ("6145550182", Figure::Other),
            ("3:30", Figure::Other),
            (
                "11/20",
                Figure::Date {
                    month: 11,
                    day: 20,
                    year: None,
                },
            ),
            (
                "12/05/2025",
                Figure::Date {
                    month: 12,
                    day: 5,
                    year: Some(2025),
                },
            ),
            ("99999999999999999999", Figure::Other),
        ] {
            assert_eq!(classify(body).1, expected, "{body}");
        }
    }
}
