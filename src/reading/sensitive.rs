//! What no machine answers: violence at home, disability, discrimination, a death, a minor, military
//! service (`rules.md` R23), and repairs (R24).

use std::sync::LazyLock;

use super::pattern::Fault;
use super::phrases::Phrases;
use super::plain_words;

static PHRASES: LazyLock<Phrases> = LazyLock::new(|| build().0);

fn build() -> (Phrases, Vec<Fault>) {
    Phrases::build(include_str!("data/sensitive.txt"))
}

/// The reason code of the first such matter in a text, in the table's order; `None` for most texts.
#[must_use]
pub fn sensitive_matter(text: &str) -> Option<&'static str> {
    let found = PHRASES.found(text).first().copied();
    found.or_else(|| names_a_minors_age(text).then_some("minor"))
}

/// "I'm only 16", "tengo 15 años": the table has no numbers by value.
fn names_a_minors_age(text: &str) -> bool {
    let words = plain_words(text);
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    (0..words.len()).any(|at| {
        let mut next = match (word(at), word(at + 1)) {
            ("im" | "tengo", _) => at + 1,
            ("i", "am" | "m") => at + 2,
            _ => return false,
        };
        next += usize::from(matches!(word(next), "only" | "just" | "still" | "solo"));
        let young = word(next)
            .parse()
            .is_ok_and(|age: u8| (10..18).contains(&age));
        young
            && matches!(
                word(next + 1),
                "" | "years" | "yrs" | "year" | "yo" | "anos"
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_compiles() {
        assert_eq!(build().1, []);
    }

    #[test]
    fn matters_for_a_person_are_found() {
        let cases = [
            (
                "My husband beats me and took the money",
                "domestic_violence",
            ),
            (
                "I have a restraining order against my ex",
                "domestic_violence",
            ),
            ("mi marido me pega", "domestic_violence"),
            (
                "I need a reasonable accommodation to pay on the 5th",
                "disability_accommodation",
            ),
            ("this is about my service dog", "disability_accommodation"),
            ("You only do this because I'm black", "discrimination"),
            ("I'll report you to fair housing", "discrimination"),
            ("the tenant passed away last month", "deceased"),
            ("She is deceased", "deceased"),
            ("im only 16", "minor"),
            ("soy menor de edad", "minor"),
            ("I'm 17 years old", "minor"),
            ("tengo 16 años", "minor"),
            ("I'm on active duty until June", "military"),
            ("I got deployed", "military"),
            ("there's no heat in my apartment", "habitability"),
            ("the toilet is still broken", "habitability"),
            ("we have roaches everywhere", "habitability"),
            ("No hay agua caliente", "habitability"),
            ("when will you fix my sink", "habitability"),
            ("I'm withholding my rent", "withholding"),
            ("not paying until you fix the leak", "withholding"),
        ];
        for (text, code) in cases {
            assert_eq!(sensitive_matter(text), Some(code), "{text}");
        }
    }

    #[test]
    fn ordinary_texts_are_not() {
        for text in [
            "What do I owe?",
            "I can pay $75 a week for 8 weeks",
            "My car broke down and I have to fix the brakes",
            "I lost my job last month",
            "my mother passed away last week, I need more time",
            "can I pay at the front desk",
            "my hours got cut at work",
            "I'll be in the office when the lights are on lol",
            "the water bill ate my check",
            "im 30 years old and tired",
            "i am 15 days late",
            "tengo 15 dias de atraso",
            "I'm 10 minutes away",
            "",
        ] {
            assert_eq!(sensitive_matter(text), None, "{text}");
        }
    }

    #[test]
    #[ignore = "prints what it finds in the labelled files, for people who extend the table"]
    fn in_the_labelled_files() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
        let mut all = 0;
        for file in std::fs::read_dir(directory).expect("labelled files") {
            let path = file.expect("a file").path();
            if path.extension().is_none_or(|e| e != "jsonl") {
                continue;
            }
            let lines = std::fs::read_to_string(&path).expect("a file");
            for line in lines.lines() {
                let record: serde_json::Value = serde_json::from_str(line).expect("a record");
                let Some(text) = record["text"].as_str() else {
                    continue;
                };
                all += 1;
                if let Some(code) = sensitive_matter(text) {
                    eprintln!("{code} {} {text}", record["triggers"]);
                }
            }
        }
        eprintln!("of {all}");
    }
}
