//! Precision, recall and F1 of the reader on a labelled file (labelling guide §5).

pub mod learning;
pub mod replies;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use chrono::NaiveDate;
use serde::Deserialize;

use crate::domain::money::Cents;
use crate::reading::{self, Reading, Trigger};

/// One labelled record.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    /// Its id in the file.
    pub id: String,
    /// The SMS.
    pub text: String,
    /// ISO 639-1.
    pub language: String,
    /// The labelled plan.
    #[serde(default)]
    pub payment_plan: Option<PlanLabel>,
    /// The labelled triggers, by name.
    #[serde(default)]
    pub triggers: Vec<String>,
    /// The labelled promise.
    #[serde(default)]
    pub promise: Option<PromiseLabel>,
    /// Whether a person should look.
    #[serde(default)]
    pub needs_review: bool,
    /// Only the language counts.
    #[serde(default)]
    pub lang_only: bool,
}

/// The plan label.
#[derive(Debug, Clone, Deserialize)]
pub struct PlanLabel {
    /// Dollars a week.
    pub weekly_amount: f64,
    /// Number of weeks, when stated.
    pub weeks: Option<u32>,
    /// The words that say when, as written.
    pub start: Option<String>,
    /// Dollars before the recurring payments.
    pub down_payment: Option<f64>,
}

/// The promise label.
#[derive(Debug, Clone, Deserialize)]
pub struct PromiseLabel {
    /// Dollars, when stated.
    pub amount: Option<f64>,
    /// The words that say when, as written.
    pub when: Option<String>,
}

/// Right, wrong and missed answers of one field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Score {
    /// Given and as labelled.
    pub right: u32,
    /// Given and not as labelled.
    pub wrong: u32,
    /// Labelled and not given.
    pub missed: u32,
}

impl Score {
    /// Share of given answers that are right; 1 when none was given.
    #[must_use]
    pub fn precision(self) -> f64 {
        ratio(self.right, self.right + self.wrong)
    }

    /// Share of labels that were found; 1 when there is none.
    #[must_use]
    pub fn recall(self) -> f64 {
        ratio(self.right, self.right + self.missed)
    }

    /// Harmonic mean of the two.
    #[must_use]
    pub fn f1(self) -> f64 {
        ratio(2 * self.right, 2 * self.right + self.wrong + self.missed)
    }

    fn note(&mut self, given: bool, wanted: bool, equal: bool) {
        match (given, wanted) {
            (true, true) if equal => self.right += 1,
            (true, true) => {
                self.wrong += 1;
                self.missed += 1;
            }
            (true, false) => self.wrong += 1,
            (false, true) => self.missed += 1,
            (false, false) => {}
        }
    }
}

fn ratio(part: u32, whole: u32) -> f64 {
    if whole == 0 {
        1.0
    } else {
        f64::from(part) / f64::from(whole)
    }
}

/// Everything measured on one file.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// By field: `plan` (found), `plan_exact` (amount and weeks), `start`, …, and by trigger.
    pub scores: BTreeMap<String, Score>,
    /// One line for each difference: record, field, wanted, given.
    pub misses: Vec<String>,
    /// Harmless texts (no plan labelled) read as a plan, and how many there were.
    pub false_plans: (u32, u32),
}

impl Report {
    /// The score of a field; empty when it was never asked for.
    #[must_use]
    pub fn score(&self, field: &str) -> Score {
        self.scores.get(field).copied().unwrap_or_default()
    }

    fn note(&mut self, field: &str, given: bool, wanted: bool, equal: bool) {
        self.scores
            .entry(field.to_owned())
            .or_default()
            .note(given, wanted, equal);
    }
}

/// Reads every record and compares.
#[must_use]
pub fn evaluate(records: &[Record], reference: NaiveDate) -> Report {
    let mut report = Report::default();
    for record in records {
        let reading = reading::read(&record.text, reference);
        compare(record, &reading, &mut report);
    }
    report
}

fn compare(record: &Record, reading: &Reading, report: &mut Report) {
    let mut miss = |what: &str, wanted: String, given: String| {
        report.misses.push(format!(
            "{} {what}: want {wanted}, got {given} | {}",
            record.id, record.text
        ));
    };
    let language = reading.language.code == record.language;
    if !language {
        miss(
            "language",
            record.language.clone(),
            reading.language.code.to_owned(),
        );
    }
    let mut notes: Vec<(String, bool, bool, bool)> =
        vec![("language".to_owned(), true, true, language)];
    if record.lang_only {
        for (field, given, wanted, equal) in notes {
            report.note(&field, given, wanted, equal);
        }
        return;
    }
    let (want, got) = (record.payment_plan.as_ref(), reading.plan.as_ref());
    let exact = want.zip(got).is_some_and(|(w, g)| {
        close(Some(w.weekly_amount), Some(g.weekly_amount)) && w.weeks == g.weeks
    });
    notes.push(("plan".to_owned(), got.is_some(), want.is_some(), true));
    notes.push((
        "plan_exact".to_owned(),
        got.is_some(),
        want.is_some(),
        exact,
    ));
    if want.is_some() != got.is_some() || got.is_some() && !exact {
        let show = |w: Option<f64>, n: Option<u32>| format!("{w:?} x {n:?}");
        miss(
            "plan",
            show(want.map(|w| w.weekly_amount), want.and_then(|w| w.weeks)),
            show(
                got.map(|g| g.weekly_amount.as_dollars_f64()),
                got.and_then(|g| g.weeks),
            ),
        );
    }
    if let (Some(w), Some(g)) = (want, got) {
        let start = same_words(w.start.as_deref(), g.start.as_deref());
        let down = close(w.down_payment, g.down_payment);
        notes.push((
            "start".to_owned(),
            g.start.is_some(),
            w.start.is_some(),
            start,
        ));
        notes.push((
            "down_payment".to_owned(),
            g.down_payment.is_some(),
            w.down_payment.is_some(),
            down,
        ));
        if !start {
            miss("start", format!("{:?}", w.start), format!("{:?}", g.start));
        }
        if !down {
            miss(
                "down_payment",
                format!("{:?}", w.down_payment),
                format!("{:?}", g.down_payment),
            );
        }
    }
    let (want, got) = (record.promise.as_ref(), reading.promise.as_ref());
    let same = want.zip(got).is_some_and(|(w, g)| {
        close(w.amount, g.amount) && same_words(w.when.as_deref(), g.when.as_deref())
    });
    notes.push(("promise".to_owned(), got.is_some(), want.is_some(), true));
    notes.push((
        "promise_exact".to_owned(),
        got.is_some(),
        want.is_some(),
        same,
    ));
    if want.is_some() != got.is_some() || got.is_some() && !same {
        miss(
            "promise",
            format!("{:?}", want.map(|w| (w.amount, &w.when))),
            format!(
                "{:?}",
                got.map(|g| (g.amount.map(Cents::as_dollars_f64), &g.when))
            ),
        );
    }
    notes.push((
        "needs_review".to_owned(),
        reading.needs_review,
        record.needs_review,
        true,
    ));
    if reading.needs_review != record.needs_review {
        miss(
            "needs_review",
            record.needs_review.to_string(),
            reading.needs_review.to_string(),
        );
    }
    for trigger in Trigger::ALL {
        let name = trigger.as_str();
        let (given, wanted) = (
            reading.has(trigger),
            record.triggers.iter().any(|t| t == name),
        );
        notes.push((name.to_owned(), given, wanted, true));
        notes.push(("triggers_micro".to_owned(), given, wanted, true));
        if given != wanted {
            let reason = reading
                .triggers
                .iter()
                .find(|t| t.trigger == trigger)
                .map_or(String::new(), |t| {
                    format!(" {} {:?}", t.reason, record.text.get(t.span.clone()))
                });
            miss(name, wanted.to_string(), format!("{given}{reason}"));
        }
    }
    for (field, given, wanted, equal) in notes {
        report.note(&field, given, wanted, equal);
    }
    if record.payment_plan.is_none() {
        report.false_plans.1 += 1;
        report.false_plans.0 += u32::from(reading.plan.is_some());
    }
}

/// Equal within one cent.
fn close(wanted: Option<f64>, given: Option<Cents>) -> bool {
    match (wanted, given) {
        (None, None) => true,
        (Some(w), Some(g)) => (w - g.as_dollars_f64()).abs() < 0.0101,
        _ => false,
    }
}

/// Case, accents, punctuation and leading prepositions or articles are ignored; the given words may
/// surround the wanted ones.
fn same_words(wanted: Option<&str>, given: Option<&str>) -> bool {
    const LEAD: &[&str] = &[
        "on", "by", "at", "the", "el", "la", "los", "las", "para", "al", "de", "del", "in", "from",
        "en",
    ];
    let plain = |s: &str| -> Vec<String> {
        let words: Vec<String> = reading::plain_words(s);
        let skip = words
            .iter()
            .take_while(|w| LEAD.contains(&w.as_str()))
            .count();
        words[skip.min(words.len())..].to_vec()
    };
    match (wanted, given) {
        (None, None) => true,
        (Some(w), Some(g)) => {
            let (w, g) = (plain(w), plain(g));
            !w.is_empty() && g.windows(w.len()).any(|part| part == w.as_slice())
        }
        _ => false,
    }
}
/// Reads a labelled file, prints the figures and the misses, and fails below a floor: on F1
/// (`plan_exact=0.93`) or, with `recall:`, on recall (`recall:opt_out=1`).
///
/// # Errors
/// When the file cannot be read, a line is not a record, or a floor is not reached.
#[expect(clippy::print_stdout, reason = "the answer to a command")]
pub fn report(file: &Path, floors: &[String], quiet: bool) -> anyhow::Result<()> {
    let data = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut records = Vec::new();
    for (index, line) in data
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let place = || format!("{}:{}", file.display(), index + 1);
        records.push(serde_json::from_str(line).with_context(place)?);
    }
    let reference = NaiveDate::from_ymd_opt(2025, 11, 17).context("the guide's day")?;
    let report = evaluate(&records, reference);
    if !quiet {
        report.misses.iter().for_each(|miss| println!("{miss}"));
    }
    println!(
        "{:28} {:>6} {:>6} {:>6}  right wrong missed",
        "field", "P", "R", "F1"
    );
    for (field, s) in &report.scores {
        let (p, r, f1) = (s.precision(), s.recall(), s.f1());
        println!(
            "{field:28} {p:6.3} {r:6.3} {f1:6.3}  {:5} {:5} {:6}",
            s.right, s.wrong, s.missed
        );
    }
    let (false_plans, harmless) = report.false_plans;
    println!(
        "harmless read as plan: {false_plans} of {harmless}; records: {}",
        records.len()
    );
    for floor in floors {
        let (field, least) = floor.split_once('=').context("--floor wants field=value")?;
        let least: f64 = least.parse().with_context(|| format!("--floor {floor}"))?;
        let value = match field.strip_prefix("recall:") {
            Some(name) => report.score(name).recall(),
            None => report.score(field).f1(),
        };
        anyhow::ensure!(
            value + 1e-9 >= least,
            "{field} is {value:.3}, below {least}"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    /// The files strangers wrote (`docs/reading.md`): what is read once stays read.
    #[test]
    fn the_texts_of_strangers_stay_read() {
        let floors = [
            "plan_exact=0.98",
            "triggers_micro=0.98",
            "language=0.98",
            "recall:opt_out=1",
            "recall:self_harm=1",
        ]
        .map(str::to_owned);
        for number in 1..=19 {
            let file = format!("tests/data/fresh_{number}.jsonl");
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(&file);
            if let Err(error) = super::report(&path, &floors, true) {
                panic!("{file}: {error:#}");
            }
        }
    }
}
