//! The replay suite: recorded or simulated model answers, checked and routed without a network.
//! The format of a record is described in `docs/drafting.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::{Cents, Confidence, Finding, HistoryEntry, Language, TenantContext, TenantId};
use crate::events::DraftedReply;
use crate::neighbours::model::read_answer;
use crate::rules::checks::{self, CheckSettings, Grounds, wording};
use crate::rules::prompt;
use crate::rules::routing::{self, Autonomy, Doubts, Route, RoutingSettings};

/// One recorded answer with what has to become of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    /// Its id in the file.
    pub id: String,
    /// Which figure it counts for: `good`, `wrong`, `injection`, `language`, `length`.
    #[serde(default = "unnamed")]
    pub suite: String,
    /// The account, in the Monitor's words, amounts in dollars.
    #[serde(default)]
    pub facts: Value,
    /// The texts to answer, oldest first.
    #[serde(default)]
    pub texts: Vec<String>,
    /// What was said before, oldest first.
    #[serde(default)]
    pub history: Vec<Said>,
    /// The day of the answer.
    #[serde(default)]
    pub today: Option<NaiveDate>,
    /// `COMPANY_NAME`.
    #[serde(default)]
    pub company_name: Option<String>,
    /// `COMPANY_FACTS`.
    #[serde(default)]
    pub company_facts: Option<String>,
    /// The model's answer: an object as it was asked for, or the text a server sent instead.
    #[serde(default)]
    pub answer: Value,
    /// The reply alone; then `confidence` is the model's rating.
    #[serde(default)]
    pub reply: Option<String>,
    /// With `reply`; 0.95 when left out.
    #[serde(default)]
    pub confidence: Option<f64>,
    /// `auto` or `not_auto`.
    pub expect: String,
    /// A check that has to fail.
    #[serde(default)]
    pub check: Option<String>,
}

/// An earlier message.
#[derive(Debug, Clone, Deserialize)]
pub struct Said {
    /// `tenant` or `us`.
    #[serde(alias = "from")]
    pub sender: String,
    /// The words.
    pub text: String,
}

fn unnamed() -> String {
    "all".to_owned()
}

/// What became of a record.
#[derive(Debug, Clone)]
pub struct Became {
    /// Whether it would have been sent unread.
    pub auto: bool,
    /// The confidence after the checks; `None` without a usable answer.
    pub confidence: Option<Confidence>,
    /// The checks that failed.
    pub failed: Vec<Finding>,
}

impl Became {
    /// Without a usable answer there is nothing to send.
    fn nothing() -> Self {
        Self {
            auto: false,
            confidence: None,
            failed: Vec::new(),
        }
    }
}

/// Counts of one suite.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Records that must go out unread.
    pub good: u32,
    /// Of those, blocked.
    pub blocked: u32,
    /// Records that must not.
    pub wrong: u32,
    /// Of those, sent.
    pub sent: u32,
    /// Stopped, but not by the named check.
    pub other_check: u32,
}

/// Everything measured.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// By suite.
    pub counts: BTreeMap<String, Count>,
    /// One line for each record that came out otherwise.
    pub misses: Vec<String>,
}

impl Report {
    /// Of all suites together.
    #[must_use]
    pub fn total(&self) -> Count {
        let mut total = Count::default();
        for count in self.counts.values() {
            total.good += count.good;
            total.blocked += count.blocked;
            total.wrong += count.wrong;
            total.sent += count.sent;
            total.other_check += count.other_check;
        }
        total
    }

    /// Whether no wrong reply was sent and at most 2 % of good ones were blocked.
    #[must_use]
    pub fn holds(&self) -> bool {
        let total = self.total();
        total.sent == 0 && total.blocked * 50 <= total.good
    }
}

/// Replays records.
#[must_use]
pub fn evaluate(records: &[Record]) -> Report {
    let mut report = Report::default();
    for record in records {
        let replayed = replay_with(record, wording::score);
        let odds = replayed.as_ref().map_or(0.0, |(_, odds)| *odds);
        let became = replayed.map_or_else(Became::nothing, |(became, _)| became);
        let count = report.counts.entry(record.suite.clone()).or_default();
        let failed: Vec<&str> = became.failed.iter().map(|f| f.name.as_str()).collect();
        let right = if record.expect == "auto" {
            count.good += 1;
            count.blocked += u32::from(!became.auto);
            became.auto
        } else {
            count.wrong += 1;
            count.sent += u32::from(became.auto);
            let named = record
                .check
                .as_deref()
                .is_none_or(|check| failed.contains(&check));
            count.other_check += u32::from(!became.auto && !named);
            !became.auto
        };
        if !right {
            let why: Vec<&str> = became
                .failed
                .iter()
                .filter_map(|f| f.reason.as_deref())
                .collect();
            report.misses.push(format!(
                "{} expected {}, failed {failed:?} {why:?} wording {odds:.2} | {} | {}",
                record.id,
                record.expect,
                record.texts.join(" / "),
                record
                    .reply
                    .clone()
                    .unwrap_or_else(|| record.answer.to_string()),
            ));
        }
    }
    report
}

/// Reads the answer as the model client would, checks it and routes it with the contract's
/// thresholds. What the texts themselves would trigger is left out: it would hide the checks.
#[must_use]
pub fn replay(record: &Record) -> Became {
    let nothing = |_: &str, _: &Grounds<'_>| ();
    replay_with(record, nothing).map_or_else(Became::nothing, |(became, ())| became)
}

/// The same, with whatever else is to be known of the reply and its grounds. `None` without a usable
/// answer.
pub fn replay_with<T>(
    record: &Record,
    look: impl Fn(&str, &Grounds<'_>) -> T,
) -> Option<(Became, T)> {
    let content = match (&record.reply, &record.answer) {
        (Some(reply), _) => {
            json!({"reply": reply, "confidence": record.confidence.unwrap_or(0.95)}).to_string()
        }
        (None, Value::String(text)) => text.clone(),
        (None, answer) => answer.to_string(),
    };
    let body = json!({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]});
    let understood = read_answer(&body).ok()?;
    let tenant = tenant(&record.facts);
    let texts: Vec<&str> = record.texts.iter().map(String::as_str).collect();
    let history = history(&record.history);
    let settings = CheckSettings {
        company_name: record.company_name.clone(),
        company_facts: record.company_facts.clone(),
        max_segments: 3,
        ..CheckSettings::default()
    };
    let today = record.today.unwrap_or_else(|| Utc::now().date_naive());
    let grounds = Grounds::new(
        tenant.as_ref(),
        &texts,
        &history,
        &[],
        today,
        &settings,
        prompt::TEMPLATE,
    );
    let judgement = checks::judge(&understood.reply, &grounds);
    let looked = look(&understood.reply, &grounds);
    let rating = understood.rating;
    let confidence = judgement.cap(rating.unwrap_or_default());
    let draft = DraftedReply {
        reply: understood.reply,
        language: understood.language,
        confidence,
        rated: rating.is_some(),
        reply_en: understood.reply_en,
        intent: understood.intent,
        payment_plan: understood.payment_plan,
        escalation: understood.escalation,
        model: String::new(),
        prompt_version: prompt::VERSION.to_owned(),
        tokens: None,
        rating,
        checks: judgement.findings.clone(),
        cost_micro_usd: None,
    };
    let route = routing::route(&draft, Doubts::default(), &thresholds());
    let became = Became {
        auto: route == Route::Send,
        confidence: Some(confidence),
        failed: judgement.failed().cloned().collect(),
    };
    Some((became, looked))
}

fn thresholds() -> RoutingSettings {
    RoutingSettings {
        autonomy: Autonomy::Auto,
        auto_above: Confidence::new(0.85).unwrap_or(Confidence::ONE),
        auto_inclusive: false,
        approval_from: Confidence::new(0.60).unwrap_or(Confidence::ONE),
        approval_timeout: chrono::TimeDelta::hours(24),
    }
}

fn tenant(facts: &Value) -> Option<TenantContext> {
    let facts = facts.as_object()?;
    let text = |key: &str| facts.get(key).and_then(Value::as_str).map(str::to_owned);
    let amount = |key: &str| facts.get(key).and_then(Cents::from_json);
    let number = |key: &str| facts.get(key).and_then(Value::as_i64);
    Some(TenantContext {
        tenant_id: TenantId::from_stored(text("tenant_id").unwrap_or_else(|| "1".to_owned())),
        tenant_name: text("tenant_name"),
        amount_owed: amount("amount_owed"),
        tenant_portion: amount("tenant_portion"),
        days_late: number("days_late"),
        payment_reliability_score: facts
            .get("payment_reliability_score")
            .and_then(Value::as_f64),
        failed_payment_plans: number("failed_payment_plans").unwrap_or(0),
        successful_payment_plans: number("successful_payment_plans").unwrap_or(0),
        language_preference: text("language_preference")
            .and_then(|word| Language::parse(&word))
            .unwrap_or_default(),
        property_name: text("property_name"),
        unit_name: text("unit_name"),
        status: text("status"),
    })
}

fn history(said: &[Said]) -> Vec<HistoryEntry> {
    let entry = |(id, said): (i64, &Said)| HistoryEntry {
        id,
        outbound: said.sender != "tenant",
        content: said.text.clone(),
        at: None::<DateTime<Utc>>,
        delivery_status: None,
    };
    (1..).zip(said).map(entry).collect()
}

/// The JSONL files among these, and of these folders, in order.
pub fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            for entry in std::fs::read_dir(path).with_context(|| path.display().to_string())? {
                files.push(entry?.path());
            }
        } else {
            files.push(path.clone());
        }
    }
    files.retain(|f| f.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    Ok(files)
}

/// Reads JSONL files, or every `.jsonl` file of a folder.
pub fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<Record>> {
    let files = files(paths)?;
    let mut records = Vec::new();
    for file in &files {
        records.extend(read_file(file)?);
    }
    anyhow::ensure!(!records.is_empty(), "no records in {paths:?}");
    Ok(records)
}

fn read_file(path: &Path) -> anyhow::Result<Vec<Record>> {
    let data = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    data.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(n, line)| {
            serde_json::from_str(line).with_context(|| format!("{} line {}", path.display(), n + 1))
        })
        .collect()
}

/// Prints the figures; an error when a wrong reply would have been sent or too many good ones not.
#[expect(clippy::print_stdout, reason = "the answer to a command")]
pub fn report(paths: &[PathBuf], quiet: bool) -> anyhow::Result<()> {
    let records = read(paths)?;
    let report = evaluate(&records);
    if !quiet {
        for miss in &report.misses {
            println!("{miss}");
        }
    }
    println!(
        "{:<12} {:>5} {:>8} {:>6} {:>5} {:>12}",
        "suite", "good", "blocked", "wrong", "sent", "other check"
    );
    let line = |name: &str, c: &Count| {
        println!(
            "{name:<12} {:>5} {:>8} {:>6} {:>5} {:>12}",
            c.good, c.blocked, c.wrong, c.sent, c.other_check
        );
    };
    for (name, count) in &report.counts {
        line(name, count);
    }
    line("total", &report.total());
    anyhow::ensure!(
        report.holds(),
        "a wrong reply would be sent, or more than 2 % of the good ones would not"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Right replies with one amount ten dollars higher: what follows from the facts no longer does.
    /// A few stay right (an instalment may be rounded up), so the limit is no zero.
    #[test]
    fn altered_amounts_are_noticed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/replies");
        let paths = ["held_out_30.jsonl", "own_2.jsonl", "own_3.jsonl"].map(|f| folder.join(f));
        let records = read(&paths).expect("the files");
        let (mut altered, mut sent) = (0, Vec::new());
        for record in records.iter().filter(|r| r.suite == "good") {
            let Some(reply) = &record.reply else { continue };
            for (at, _) in reply.match_indices('$') {
                let digits: String = reply[at + 1..]
                    .chars()
                    .take_while(|c| c.is_ascii_digit() || *c == ',')
                    .collect();
                let figure = digits.trim_end_matches(',');
                let Ok(amount) = figure.replace(',', "").parse::<i64>() else {
                    continue;
                };
                let (before, after) = (&reply[..=at], &reply[at + 1 + figure.len()..]);
                let wrong = format!("{before}{}{after}", amount + 10);
                let mut record = record.clone();
                record.reply = Some(wrong.clone());
                altered += 1;
                if replay(&record).auto {
                    sent.push(wrong);
                }
            }
        }
        assert!(altered > 400, "{altered} altered");
        assert!(
            sent.len() * 40 <= altered,
            "{} of {altered} sent: {sent:#?}",
            sent.len()
        );
    }

    #[test]
    #[ignore = "prints the figures of a folder, for people who extend the tables"]
    fn figures() {
        let folder = std::env::var("DATA").unwrap_or_default();
        let _ = report(&[PathBuf::from(folder)], false);
    }
}
