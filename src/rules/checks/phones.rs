//! Phone numbers: the company's, or one the tenant gave.

use super::{Draft, Finding, Grounds, UNGROUNDED};

const NAME: &str = "phones";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let mut known = numbers(
        grounds
            .settings
            .company_facts
            .as_deref()
            .unwrap_or_default(),
    );
    let company = known.len();
    if !grounds.gives_orders {
        known.extend(grounds.texts.iter().flat_map(|t| numbers(t)));
    }
    // A number that only the tenant gave is theirs, whatever they say it is.
    let ours = |number: &String| known.iter().take(company).any(|k| tail(k) == tail(number));
    if !numbers(draft.reply).iter().all(ours) && calls_us(draft) {
        return Finding::failed(NAME, UNGROUNDED, "phone", "a phone number that is not ours");
    }
    let same = |number: &String| known.iter().any(|k| k == number || tail(k) == tail(number));
    if numbers(draft.reply).iter().all(same) {
        Finding::passed(NAME)
    } else {
        Finding::failed(NAME, UNGROUNDED, "phone", "a phone number that nobody gave")
    }
}

/// "Call the new number of the office": tells the tenant where to call or pay.
fn calls_us(draft: &Draft<'_>) -> bool {
    let words = crate::reading::plain_words(draft.reply);
    words.windows(2).any(|w| {
        matches!(
            (w[0].as_str(), w[1].as_str()),
            ("call", "us" | "the" | "our")
                | ("llame" | "llamar" | "llamenos", "al" | "a" | "en")
                | ("la" | "the" | "our" | "nuestra", "office" | "oficina")
                | ("our", "number")
                | ("nuestro", "numero")
        )
    })
}

fn tail(digits: &str) -> &str {
    digits
        .get(digits.len().saturating_sub(10)..)
        .unwrap_or(digits)
}

/// Runs of seven to fifteen digits with the marks people write between them.
pub(super) fn numbers(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut run = String::new();
    let mut marks = 0;
    let mut close = |run: &mut String| {
        if (7..=15).contains(&run.len()) {
            out.push(std::mem::take(run));
        }
        run.clear();
    };
    for c in text.chars().chain(std::iter::once('\n')) {
        match c {
            c if c.is_ascii_digit() => {
                run.push(c);
                marks = 0;
            }
            ' ' | '-' | '.' | '(' | ')' | '+' | '\u{2013}' if !run.is_empty() && marks < 2 => {
                marks += 1
            }
            _ => {
                close(&mut run);
                marks = 0;
            }
        }
    }
    out
}
