//! Words that may be an opt-out: doubt belongs to a person (`rules.md` R2; 47 CFR 64.1200(a)(10)).

use std::sync::LazyLock;

use super::pattern::Fault;
use super::phrases::Phrases;

static PHRASES: LazyLock<Phrases> = LazyLock::new(|| build().0);

fn build() -> (Phrases, Vec<Fault>) {
    Phrases::build(include_str!("data/opt_out_doubt.txt"))
}

/// Whether a text in which no opt-out was read may still ask for one.
#[must_use]
pub fn may_be_opt_out(text: &str) -> bool {
    !PHRASES.found(text).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Trigger, read};

    #[test]
    fn every_line_of_the_table_compiles() {
        assert_eq!(build().1, []);
    }

    #[test]
    fn what_may_be_an_opt_out_is_noticed_and_what_only_looks_like_one_is_not() {
        for text in [
            "enough with the texts",
            "I'm tired of all these messages",
            "too many texts from you people",
            "why do you keep texting",
            "STOP!! I already paid",
            "can you please stop",
            "I never signed up for this texting",
            "your messages are harassment",
            "how do I unsubscribe from this",
            "im going to block your number",
            "ya basta",
            "estoy harta de tantos mensajes",
        ] {
            assert!(may_be_opt_out(text), "{text}");
        }
        for text in [
            "I can stop by the office on Friday",
            "the bus stop is far, I will be late",
            "can you stop the late fees",
            "I didn't get your messages",
            "please text me the balance",
            "I want to end my lease",
            "got your text, I'll pay Friday",
            "How many payments are left?",
            "when does the autopay stop?",
            "no recibí el mensaje, cuánto debo?",
            // Other lists than ours.
            "unsubscribe from the newsletter",
            "I want to opt out of paperless",
            "can you take me off the lease",
            "get me off the waitlist for the 2 bedroom",
            "take me off autopay",
            "I didn't opt out, I still want the alerts",
            "I don't want you to stop texting me",
            "quíteme el recargo",
            "",
        ] {
            assert!(!may_be_opt_out(text), "{text}");
        }
    }

    /// How often the labelled files have doubt where their authors saw no opt-out: each costs a person
    /// a look. And what neither reading sees is answered by the model.
    #[test]
    fn doubt_is_rare_in_ordinary_texts() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
        let day = chrono::NaiveDate::from_ymd_opt(2026, 11, 21).expect("a day");
        let (mut ordinary, mut doubted, mut missed, mut caught) = (0, Vec::new(), Vec::new(), 0);
        for file in std::fs::read_dir(directory).expect("labelled files") {
            let path = file.expect("a file").path();
            if path.extension().is_none_or(|e| e != "jsonl") {
                continue;
            }
            let lines = std::fs::read_to_string(&path).expect("a file");
            for line in lines.lines() {
                let record: serde_json::Value = serde_json::from_str(line).expect("a record");
                let (Some(text), Some(labels)) =
                    (record["text"].as_str(), record["triggers"].as_array())
                else {
                    continue;
                };
                let opts_out = labels.iter().any(|l| l == "opt_out");
                let read = read(text, day);
                if read.has(Trigger::OptOut) || super::super::contact_times(text).is_some() {
                    continue;
                }
                match (opts_out, may_be_opt_out(text)) {
                    (true, true) => caught += 1,
                    (true, false) => missed.push(text.to_owned()),
                    (false, doubt) => {
                        ordinary += 1;
                        doubted.extend(doubt.then(|| text.to_owned()));
                    }
                }
            }
        }
        eprintln!("{ordinary} ordinary, doubted {doubted:#?}, caught {caught}, missed {missed:#?}");
        assert!(ordinary > 2000, "{ordinary}");
        assert!(doubted.len() * 200 < ordinary, "{doubted:#?}");
    }
}
