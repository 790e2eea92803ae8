//! Learns the table of the check `wording` from labelled replies: logistic regression by stochastic
//! gradient descent with a step for each feature (AdaGrad). The order is fixed, so the same files
//! give the same table.
//!
//! Right replies are examples of right wording. Wrong ones are examples of wrong wording only when no
//! check of figures fails: "you owe $75" is put as well as the right amount would be.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::replies::{self, Record};
use crate::rules::checks::wording::{Features, Weights, scale};

/// A feature has to occur in so many replies.
const LEAST: usize = 2;
const ROUNDS: u32 = 8;
const STEP: f64 = 0.5;
const DECAY: f64 = 1e-3;
/// Limits that [`leave_one_out`] tries.
const LIMITS: &[f64] = &[-1.5, -1.0, -0.5, 0.0, 0.5];

/// Checks that judge figures, form or language and not wording.
const NOT_WORDING: &[&str] = &[
    "amounts",
    "percentages",
    "dates",
    "durations",
    "figures",
    "links",
    "phones",
    "names",
    "subsidy",
    "language",
    "length",
    "placeholders",
    "control_lines",
];

struct Example {
    features: Features,
    wrong: bool,
    /// Another check stops it as well.
    stopped: bool,
}

/// The examples of a record, none when it is no example of wording.
fn example(record: &Record) -> Option<Example> {
    let wrong = record.expect != "auto";
    if wrong && matches!(record.suite.as_str(), "language" | "length") {
        return None;
    }
    let (became, features) = replies::replay_with(record, Features::of)?;
    let figures = became
        .failed
        .iter()
        .any(|f| NOT_WORDING.contains(&f.name.as_str()));
    let stopped = became.failed.iter().any(|f| f.name != "wording");
    (!wrong || !figures).then_some(Example {
        features,
        wrong,
        stopped,
    })
}

/// The examples written for learning alone: `+ text | reply` is right, `- text | reply` wrong.
fn written(data: &str) -> Vec<Example> {
    let lines = data.lines().filter_map(|line| {
        let (text, reply) = line.get(2..)?.split_once(" | ")?;
        let expect = match line.get(..2)? {
            "+ " => "auto",
            "- " => "not_auto",
            _ => return None,
        };
        serde_json::from_value::<Record>(serde_json::json!({
            "id": "", "texts": [text], "reply": reply, "expect": expect,
            "facts": {"tenant_name": "Maria"}, "company_name": "Stanton Management",
        }))
        .ok()
    });
    lines
        .filter_map(|record| {
            let (_, features) = replies::replay_with(&record, Features::of)?;
            let wrong = record.expect != "auto";
            Some(Example {
                features,
                wrong,
                stopped: false,
            })
        })
        .collect()
}

/// The written examples, twice: there are fewer of them, and each stands for a kind that the files
/// lacked.
fn all_written() -> Vec<Example> {
    let written = || written(include_str!("../rules/checks/wording/examples.txt"));
    written().into_iter().chain(written()).collect()
}

/// Writes the table that these files teach.
///
/// # Errors
/// Files that cannot be read or written.
pub fn learn(files: &[PathBuf], table: &PathBuf) -> anyhow::Result<()> {
    let mut examples = all_written();
    examples.extend(replies::read(files)?.iter().filter_map(example));
    let (base, names, weights) = fit(&examples.iter().collect::<Vec<_>>());
    let mut text = String::from(
        "# Learned by `make learn` from tests/data/replies. Do not edit: add replies and learn again.\n",
    );
    writeln!(text, "{base:.2}")?;
    for (name, weight) in names.iter().zip(&weights) {
        writeln!(text, "{weight:.2}\t{name}")?;
    }
    std::fs::write(table, text)?;
    Ok(())
}

/// Base, features in their order and the weight of each.
fn fit<'a>(examples: &[&'a Example]) -> (f64, Vec<&'a str>, Vec<f64>) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for example in examples {
        for feature in &example.features.all {
            *counts.entry(feature).or_default() += 1;
        }
    }
    counts.retain(|_, count| *count >= LEAST);
    let mut names: Vec<&str> = counts.keys().copied().collect();
    names.extend(Features::marks());
    names.sort_unstable();
    let places: HashMap<&str, usize> = names.iter().enumerate().map(|(i, n)| (*n, i)).collect();
    let rows: Vec<(Vec<usize>, f64)> = examples
        .iter()
        .map(|e| {
            let known = e.features.known(|f| places.contains_key(f));
            let row = known.iter().filter_map(|f| places.get(f).copied());
            (row.collect(), f64::from(u8::from(e.wrong)))
        })
        .collect();
    let (base, weights) = descend(&rows, names.len());
    (base, names, weights)
}

/// Prints [`leave_one_out`].
///
/// # Errors
/// Files that cannot be read.
#[expect(clippy::print_stdout, reason = "the answer to a command")]
pub fn report_leave_one_out(files: &[PathBuf]) -> anyhow::Result<()> {
    print!("{}", leave_one_out(files)?);
    Ok(())
}

/// What the table makes of each file when it learned from the others: for several limits the right
/// replies above it and the wrong ones below that no other check stops. The written examples stay: some were written after
/// reading the misses of a file, so the figures flatter a little.
///
/// # Errors
/// Files that cannot be read.
pub fn leave_one_out(files: &[PathBuf]) -> anyhow::Result<String> {
    let written = all_written();
    let mut read = Vec::new();
    for file in replies::files(files)? {
        let records = replies::read(std::slice::from_ref(&file))?;
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let examples: Vec<Example> = records.iter().filter_map(example).collect();
        read.push((name, examples));
    }
    let mut text = String::from(
        "file, right, wrong; for each limit right ones above it / wrong ones below it, left to no other check\n",
    );
    let mut total = vec![(0, 0); LIMITS.len()];
    let (mut right, mut wrong) = (0, 0);
    for (at, (name, own)) in read.iter().enumerate() {
        let others = read.iter().enumerate().filter(|(other, _)| *other != at);
        let mut examples: Vec<&Example> = written.iter().collect();
        examples.extend(others.flat_map(|(_, (_, examples))| examples));
        let (base, names, weights) = fit(&examples);
        let of = names
            .iter()
            .zip(&weights)
            .map(|(n, w)| ((*n).to_owned(), *w))
            .collect();
        let table = Weights::new(base, of);
        right += own.iter().filter(|e| !e.wrong).count();
        wrong += own.iter().filter(|e| e.wrong).count();
        write!(
            text,
            "{name:>14} {:>4} {:>4} ",
            own.iter().filter(|e| !e.wrong).count(),
            own.iter().filter(|e| e.wrong).count()
        )?;
        let odds: Vec<f64> = own.iter().map(|e| table.score(&e.features)).collect();
        for (limit, sum) in LIMITS.iter().zip(&mut total) {
            let rows = || own.iter().zip(&odds);
            let above = rows().filter(|(e, odds)| !e.wrong && *odds > limit).count();
            let below = rows()
                .filter(|(e, odds)| e.wrong && !e.stopped && *odds <= limit)
                .count();
            sum.0 += above;
            sum.1 += below;
            write!(text, " {limit:>5}: {above}/{below}")?;
        }
        text.push('\n');
    }
    write!(text, "{:>14} {right:>4} {wrong:>4} ", "all")?;
    for (limit, (above, below)) in LIMITS.iter().zip(total) {
        write!(text, " {limit:>5}: {above}/{below}")?;
    }
    text.push('\n');
    Ok(text)
}

fn descend(rows: &[(Vec<usize>, f64)], features: usize) -> (f64, Vec<f64>) {
    let mut base = 0.0;
    let mut weights = vec![0.0_f64; features];
    let mut slopes = vec![0.0_f64; features];
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut state = 3_u64;
    for _ in 0..ROUNDS {
        shuffle(&mut order, &mut state);
        for (row, wrong) in order.iter().filter_map(|i| rows.get(*i)) {
            let size = scale(row.len());
            let sum: f64 = row.iter().filter_map(|f| weights.get(*f)).sum();
            let odds: f64 = (base + sum / size).clamp(-30.0, 30.0);
            let slope = 1.0 / (1.0 + (-odds).exp()) - wrong;
            base -= 0.05 * slope;
            for at in row {
                if let (Some(weight), Some(total)) = (weights.get_mut(*at), slopes.get_mut(*at)) {
                    let own = slope / size + DECAY * *weight;
                    *total += own * own;
                    *weight -= STEP * own / (*total + 1e-6).sqrt();
                }
            }
        }
    }
    (base, weights)
}

/// Another order each round, the same each run: a linear congruential generator (Knuth's constants).
fn shuffle(order: &mut [usize], state: &mut u64) {
    for at in (1..order.len()).rev() {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(*state >> 33).unwrap_or_default() % (at + 1);
        order.swap(at, other);
    }
}
