//! `analyze`: texts in, one line of JSON each out.

use std::io::{self, BufRead, Write};

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::jsonl::{self, Counts};
use crate::reading::{self, Keyword, Reading, Trigger};

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    id: Option<Value>,
    text: String,
    #[serde(default)]
    reference_date: Option<NaiveDate>,
}

/// Reads texts, plain lines or JSON objects with `text` and optional `id` and `reference_date`, and
/// writes one JSON object a line. A line that starts with `{` must be JSON. Blank lines are skipped.
///
/// # Errors
/// Only those of reading and writing; a bad line gives `{"line": n, "error": …}` and the rest goes on.
pub fn analyze(
    input: impl BufRead,
    output: impl Write,
    reference: NaiveDate,
) -> io::Result<Counts> {
    jsonl::each_line(input, output, |line, number| one(line, number, reference))
}

fn one(line: &str, number: u64, reference: NaiveDate) -> Result<Option<Value>, String> {
    let (id, text, date) = if line.trim_start().starts_with('{') {
        let request: Request = serde_json::from_str(line).map_err(|e| e.to_string())?;
        let id = request.id.unwrap_or_else(|| json!(number.to_string()));
        (
            id,
            request.text,
            request.reference_date.unwrap_or(reference),
        )
    } else {
        (json!(number.to_string()), line.to_owned(), reference)
    };
    let reading = reading::read(&text, date);
    Ok(Some(to_json(id, &text, &reading)))
}

/// A reading with the field names of the labelling guide.
#[must_use]
pub fn to_json(id: Value, text: &str, reading: &Reading) -> Value {
    let plan = reading.plan.as_ref().map(|p| {
        json!({
            "weekly_amount": p.weekly_amount.as_dollars_f64(),
            "weeks": p.weeks,
            "start": p.start,
            "start_date": p.start_date,
            "down_payment": p.down_payment.map(|d| d.as_dollars_f64()),
            "needs_review": p.needs_review,
        })
    });
    let promise = reading.promise.as_ref().map(|p| {
        json!({
            "amount": p.amount.map(|a| a.as_dollars_f64()),
            "when": p.when,
        })
    });
    let names: Vec<&str> = reading
        .triggers
        .iter()
        .map(|t| t.trigger.as_str())
        .collect();
    let spans: Vec<Value> = reading
        .triggers
        .iter()
        .map(|t| {
            json!({
                "trigger": t.trigger.as_str(),
                "start": t.span.start,
                "end": t.span.end,
                "text": text.get(t.span.clone()),
                "reason": t.reason,
            })
        })
        .collect();
    let confidence = (f64::from(reading.language.confidence) * 1e4).round() / 1e4;
    json!({
        "id": id,
        "payment_plan": plan,
        "promise": promise,
        "triggers": names,
        "spans": spans,
        "language": reading.language.code,
        "language_confidence": confidence,
        "opt_out": reading.has(Trigger::OptOut),
        "help": reading.has(Trigger::HelpRequest),
        "start_keyword": reading.keyword == Some(Keyword::Start),
        "needs_review": reading.needs_review,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(input: &[u8]) -> (Counts, Vec<Value>) {
        let mut output = Vec::new();
        let day = NaiveDate::from_ymd_opt(2025, 11, 17).unwrap();
        let counts = analyze(input, &mut output, day).unwrap();
        let lines = output.split(|b| *b == b'\n').filter(|l| !l.is_empty());
        (
            counts,
            lines.map(|l| serde_json::from_slice(l).unwrap()).collect(),
        )
    }

    #[test]
    fn plain_lines_and_json_lines_may_be_mixed() {
        let (counts, lines) = run(
            b"75 a week for 8 weeks\r\n\n{\"id\": 7, \"text\": \"STOP\"}\n{\"text\": \"75 a week starting tomorrow\", \"reference_date\": \"2026-01-31\"}",
        );
        assert_eq!((counts.read, counts.failed), (3, 0));
        assert_eq!(lines[0]["payment_plan"]["weekly_amount"], 75.0);
        assert_eq!(lines[0]["payment_plan"]["weeks"], 8);
        assert_eq!(lines[1]["id"], 7);
        assert_eq!(lines[1]["opt_out"], true);
        assert_eq!(lines[1]["triggers"], json!(["opt_out"]));
        assert_eq!(lines[2]["payment_plan"]["start_date"], "2026-02-01");
    }

    #[test]
    fn a_bad_line_is_reported_with_its_number_and_the_rest_goes_on() {
        let (counts, lines) = run(b"{\"text\": 5}\n\xff\xfe\nhello\n{oops\n");
        assert_eq!((counts.read, counts.failed), (1, 3));
        assert_eq!(lines[0]["line"], 1);
        assert_eq!(lines[1]["line"], 2);
        assert_eq!(lines[2]["id"], "3");
        assert_eq!(lines[3]["line"], 4);
        assert!(lines[3]["error"].is_string());
    }
}
