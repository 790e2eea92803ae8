//! Lines in, one JSON object a line out: the shape of the commands that work on files.
//!
//! Streams: memory is bounded by the longest line read, which is cut at [`MAX_LINE`].

use std::io::{self, BufRead, Read, Write};

use serde_json::{Value, json};

/// Longest input line in bytes; a longer one gives an error object. It keeps a file without line
/// ends from filling the memory.
pub const MAX_LINE: u64 = 1 << 20;

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines answered.
    pub read: u64,
    /// Lines answered with an error object.
    pub failed: u64,
}

/// Answers every line; blank ones are skipped, and so is what `answer` has nothing to say about.
///
/// # Errors
/// Only those of reading and writing; a bad line gives `{"line": n, "error": …}` and the rest goes on.
pub fn each_line(
    mut input: impl BufRead,
    mut output: impl Write,
    mut answer: impl FnMut(&str, u64) -> Result<Option<Value>, String>,
) -> io::Result<Counts> {
    let mut counts = Counts::default();
    let mut buffer = Vec::new();
    let mut number = 0u64;
    loop {
        buffer.clear();
        let taken = (&mut input).take(MAX_LINE).read_until(b'\n', &mut buffer)?;
        if taken == 0 {
            break;
        }
        number += 1;
        let cut = taken as u64 == MAX_LINE && buffer.last() != Some(&b'\n');
        if cut {
            skip_line(&mut input)?;
        }
        let answered = if cut {
            Err("line too long".to_owned())
        } else {
            match std::str::from_utf8(&buffer).map(trimmed) {
                Ok("") => Ok(None),
                Ok(line) => answer(line, number),
                Err(_) => Err("not UTF-8".to_owned()),
            }
        };
        match answered {
            Ok(None) => continue,
            Ok(Some(value)) => {
                counts.read += 1;
                serde_json::to_writer(&mut output, &value)?;
            }
            Err(error) => {
                counts.failed += 1;
                serde_json::to_writer(&mut output, &json!({"line": number, "error": error}))?;
            }
        }
        output.write_all(b"\n")?;
    }
    output.flush()?;
    Ok(counts)
}

/// Without the line's end and a mark of byte order; blank lines become empty.
fn trimmed(line: &str) -> &str {
    let line = line.trim_end_matches(['\n', '\r']);
    let line = line.strip_prefix('\u{FEFF}').unwrap_or(line);
    if line.trim().is_empty() { "" } else { line }
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return Ok(());
        }
        match chunk.iter().position(|b| *b == b'\n') {
            Some(at) => {
                input.consume(at + 1);
                return Ok(());
            }
            None => {
                let all = chunk.len();
                input.consume(all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let mut input = vec![b'a'; usize::try_from(MAX_LINE).unwrap() + 10];
        input.extend_from_slice(b"\n \r\n\xff\nhello\n");
        let mut output = Vec::new();
        let counts = each_line(&input[..], &mut output, |line, number| {
            Ok(Some(json!([number, line])))
        });
        assert_eq!(counts.unwrap(), Counts { read: 1, failed: 2 });
        let lines = String::from_utf8(output).unwrap();
        assert!(lines.ends_with("[4,\"hello\"]\n"), "{lines}");
    }
}
