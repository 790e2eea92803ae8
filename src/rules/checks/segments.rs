//! How many SMS segments a text costs: GSM 03.38 with its extension table, else UCS-2.

/// How a text is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Seven bits a character: 160 in one segment, 153 in each of several.
    Gsm7,
    /// Sixteen bits: 70 and 67. One character outside GSM 03.38 is enough.
    Ucs2,
}

/// Size of a text on the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    /// How it is sent.
    pub encoding: Encoding,
    /// Characters as the network counts them.
    pub units: usize,
    /// Segments it takes.
    pub count: usize,
}

const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Behind an escape: two characters each.
const EXTENDED: &str = "^{}\\[~]|€";

/// Counts. The Spanish accented á, í, ó and ú are not in GSM 03.38: such a text is UCS-2.
#[must_use]
pub fn segments(text: &str) -> Segments {
    let mut sizes = Vec::with_capacity(text.len());
    for c in text.chars() {
        if BASIC.contains(c) {
            sizes.push(1);
        } else if EXTENDED.contains(c) {
            sizes.push(2);
        } else {
            return count(
                Encoding::Ucs2,
                &text.chars().map(char::len_utf16).collect::<Vec<_>>(),
                70,
                67,
            );
        }
    }
    count(Encoding::Gsm7, &sizes, 160, 153)
}

/// A character of two units is never split over two segments.
fn count(encoding: Encoding, sizes: &[usize], single: usize, several: usize) -> Segments {
    let units: usize = sizes.iter().sum();
    let mut count = usize::from(units > 0);
    if units > single {
        let mut filled = 0;
        for size in sizes {
            if filled + size > several {
                count += 1;
                filled = 0;
            }
            filled += size;
        }
    }
    Segments {
        encoding,
        units,
        count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_counted_as_carriers_do() {
        use Encoding::{Gsm7, Ucs2};
        let cases = [
            (String::new(), Gsm7, 0),
            ("a".repeat(160), Gsm7, 1),
            ("a".repeat(161), Gsm7, 2),
            ("a".repeat(306), Gsm7, 2),
            ("a".repeat(307), Gsm7, 3),
            ("€".repeat(80), Gsm7, 1),
            ("€".repeat(81), Gsm7, 2),
            // 153 is odd: the escape of the 77th euro goes to the next segment.
            ("€".repeat(152), Gsm7, 2),
            ("€".repeat(153), Gsm7, 3),
            ("ñ".repeat(160), Gsm7, 1),
            ("á".repeat(70), Ucs2, 1),
            ("á".repeat(71), Ucs2, 2),
            ("🙂".repeat(35), Ucs2, 1),
            ("🙂".repeat(36), Ucs2, 2),
        ];
        for (text, encoding, segments_taken) in cases {
            let found = segments(&text);
            assert_eq!(
                (found.encoding, found.count),
                (encoding, segments_taken),
                "{} of {:?}",
                text.chars().count(),
                text.chars().next()
            );
        }
    }
}
