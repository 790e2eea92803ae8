//! Folding of characters: one spelling for letters that people and keyboards write many ways.

use unicode_normalization::char::decompose_compatible;

/// What a character means to the tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folded {
    /// A letter, lower case, without marks.
    Letter(char),
    /// ASCII digit.
    Digit(u8),
    /// Joins nothing and separates nothing: combining marks, zero-width characters.
    Nothing,
    /// Any kind of apostrophe or acute used as one.
    Apostrophe,
    /// Anything that separates words; newlines are `'\n'`, blanks are `' '`.
    Mark(char),
}

/// Folds one character. Only the first letter of a compatibility decomposition is kept: ligatures
/// are rare in texts and a token must keep a one-to-one relation to source positions.
pub(crate) fn fold(c: char) -> Folded {
    if c.is_ascii() {
        return match c {
            'a'..='z' => Folded::Letter(c),
            'A'..='Z' => Folded::Letter(c.to_ascii_lowercase()),
            #[allow(clippy::cast_possible_truncation)]
            '0'..='9' => Folded::Digit(c as u8 - b'0'),
            '\'' | '`' => Folded::Apostrophe,
            '\n' | '\r' => Folded::Mark('\n'),
            c if c.is_ascii_whitespace() || c.is_ascii_control() => Folded::Mark(' '),
            c => Folded::Mark(c),
        };
    }
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201B}' | '\u{00B4}' | '\u{02BC}' | '\u{FF07}' => {
            return Folded::Apostrophe;
        }
        '\u{2010}'..='\u{2015}' | '\u{2212}' => return Folded::Mark('-'),
        '\u{2026}' => return Folded::Mark('\u{2026}'),
        '¿' | '¡' | '\u{3002}' => return Folded::Mark('.'),
        '\u{061F}' | '\u{FF1F}' => return Folded::Mark('?'),
        '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{FE0E}' | '\u{FE0F}' => {
            return Folded::Nothing;
        }
        '\u{2028}' | '\u{2029}' | '\u{0085}' => return Folded::Mark('\n'),
        _ => {}
    }
    let mut base = None;
    decompose_compatible(c, |part| {
        if base.is_none() && !is_combining(part) {
            base = Some(part);
        }
    });
    match base {
        None => Folded::Nothing,
        Some(b) if b.is_ascii() => fold(b),
        Some(b) if b.is_alphabetic() => Folded::Letter(b.to_lowercase().next().unwrap_or(b)),
        Some(b) if is_combining(b) => Folded::Nothing,
        Some(b) if b.is_whitespace() => Folded::Mark(' '),
        Some(b) => Folded::Mark(b),
    }
}

const fn is_combining(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{20D0}'..='\u{20FF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_case_and_fancy_letters_fold_to_plain_ones() {
        for (c, plain) in [('Ñ', 'n'), ('é', 'e'), ('Ａ', 'a'), ('𝐒', 's'), ('Ü', 'u')] {
            assert_eq!(fold(c), Folded::Letter(plain), "{c}");
        }
    }

    #[test]
    fn curly_apostrophes_and_long_dashes_are_their_plain_selves() {
        assert_eq!(fold('’'), Folded::Apostrophe);
        assert_eq!(fold('—'), Folded::Mark('-'));
        assert_eq!(fold('\u{200B}'), Folded::Nothing);
    }
}
