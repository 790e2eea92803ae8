//! One line per text, in columns that fit the terminal.

/// Of a terminal that does not say how wide it is, and of a file.
const WIDE: usize = 200;

/// What is left for the last column at least; narrower terminals wrap.
const NARROWEST: usize = 24;

pub(super) struct Line<'a> {
    pub number: &'a str,
    pub who: &'a str,
    pub text: &'a str,
    pub became: &'a str,
    pub because: &'a str,
    pub phone: &'a str,
}

pub(super) fn print(line: &Line<'_>) {
    println!(
        "{:>2}  {}  {}  {}  {}  {}",
        line.number,
        column(line.who, 15),
        column(line.text, 38),
        column(line.became, 19),
        column(line.because, 44),
        cut(line.phone, last_column()),
    );
}

fn last_column() -> usize {
    let before_it = 2 + 15 + 38 + 19 + 44 + 5 * 2;
    let width = rustix::termios::tcgetwinsize(std::io::stdout())
        .map_or(WIDE, |size| usize::from(size.ws_col));
    // Some terminals answer zero.
    let width = if width == 0 { WIDE } else { width };
    width.saturating_sub(before_it + 1).max(NARROWEST)
}

fn column(text: &str, width: usize) -> String {
    let text = cut(text, width);
    format!("{text}{}", " ".repeat(width - text.chars().count()))
}

/// At most so many characters, on one line.
pub(super) fn cut(text: &str, width: usize) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= width {
        return flat;
    }
    let kept: String = flat.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::{column, cut};

    #[test]
    fn columns_count_characters_not_bytes() {
        assert_eq!(column("año", 5), "año  ");
        assert_eq!(cut("¿Cuánto debo?", 8), "¿Cuánto…");
        assert_eq!(cut("two\nlines", 20), "two lines");
    }
}
