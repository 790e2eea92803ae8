//! The embedded data, compiled once.

use std::sync::LazyLock;

use super::lexicon::Lexicon;
use super::numbers::NumberWords;
use super::pattern::{Fault, Table, TableBuilder};
use super::spelling::Spelling;
use super::tokens::Masks;
use super::words::WordClasses;

/// Everything the reader knows.
#[derive(Debug)]
pub(crate) struct Model {
    pub lexicon: Lexicon,
    pub masks: Masks,
    pub spelling: Spelling,
    pub numbers: NumberWords,
    pub classes: WordClasses,
    pub periods: Table,
    pub dates: Table,
    pub cues: Table,
    pub triggers: Table,
    /// Lines of the data files that could not be compiled; a test proves there are none.
    pub faults: Vec<(&'static str, Vec<Fault>)>,
}

/// For inbound texts. Compiled on first use, a few milliseconds.
pub(crate) static MODEL: LazyLock<Model> = LazyLock::new(|| Model::build(CUE_FILES, TRIGGER_FILES));

/// For drafted replies: the same grammar of figures with phrase tables of its own, so that a phrase
/// added for one side cannot change what the other side reads.
pub(crate) static REPLIES: LazyLock<Model> = LazyLock::new(|| Model::build(&[], REPLY_FILES));

const CUE_FILES: &[&str] = &[
    include_str!("data/cues.txt"),
    include_str!("data/cues_wide.txt"),
    include_str!("data/cues_payers.txt"),
    include_str!("data/cues_promises.txt"),
];

const TRIGGER_FILES: &[&str] = &[
    include_str!("data/triggers_classes.txt"),
    include_str!("data/opt_out.txt"),
    include_str!("data/opt_out_grammar.txt"),
    include_str!("data/self_harm.txt"),
    include_str!("data/hostile.txt"),
    include_str!("data/dispute.txt"),
    include_str!("data/legal.txt"),
    include_str!("data/hardship.txt"),
    include_str!("data/requests.txt"),
    include_str!("data/third_parties.txt"),
    include_str!("data/hardship_wide.txt"),
    include_str!("data/hostile_wide.txt"),
    include_str!("data/threats_wide.txt"),
    include_str!("data/disputes_wide.txt"),
    include_str!("data/contact_wide.txt"),
    include_str!("data/portuguese.txt"),
];

const REPLY_FILES: &[&str] = &[
    include_str!("data/replies_topics.txt"),
    include_str!("data/replies_promises.txt"),
    include_str!("data/replies_roles.txt"),
];

impl Model {
    fn build(cues: &[&'static str], triggers: &[&'static str]) -> Self {
        let mut lexicon = Lexicon::new();
        lexicon.load_variants(include_str!("data/variants.txt"));
        let numbers = NumberWords::load(include_str!("data/numbers.txt"), &mut lexicon);
        let (classes, unknown) = WordClasses::load(include_str!("data/classes.txt"), &mut lexicon);
        let mut masks = Masks::default();
        for word in include_str!("data/masked.txt").split_whitespace() {
            masks.words.push((word.to_owned(), lexicon.intern(word)));
        }
        lexicon.intern("plus");
        // A keyword that no phrase uses is a word all the same.
        for word in super::keywords::words() {
            lexicon.intern(word);
        }
        let mut builders = [
            vec![include_str!("data/periods.txt")],
            vec![include_str!("data/dates.txt")],
            cues.to_vec(),
            triggers.to_vec(),
        ]
        .map(|files| {
            // A cue may be "I can"; a trigger has to say something.
            let mut builder = if files.len() == TRIGGER_FILES.len() {
                TableBuilder::refusing_light(include_str!("data/light.txt"), &mut lexicon)
            } else {
                TableBuilder::default()
            };
            for file in files {
                builder.load(file, &mut lexicon);
            }
            Some(builder)
        });
        let spelling = Spelling::shared(&mut lexicon);
        // Tables are finished only now: their index by word needs the final number of words.
        let mut faults = Vec::new();
        let mut finish = |i: usize, name: &'static str| {
            let (table, wrong) = builders[i].take().unwrap_or_default().finish(&lexicon);
            faults.push((name, wrong));
            table
        };
        let periods = finish(0, "periods");
        let dates = finish(1, "dates");
        let cues = finish(2, "cues");
        let triggers = finish(3, "triggers");
        for _name in unknown {
            faults.push((
                "classes",
                vec![Fault {
                    file: 0,
                    line: 0,
                    what: "unknown class",
                }],
            ));
        }
        Self {
            lexicon,
            masks,
            spelling,
            numbers,
            classes,
            periods,
            dates,
            cues,
            triggers,
            faults,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MODEL, REPLIES};

    #[test]
    fn every_line_of_the_data_compiles() {
        for (name, faults) in MODEL.faults.iter().chain(&REPLIES.faults) {
            assert!(faults.is_empty(), "{name}: {faults:?}");
        }
        assert_eq!(MODEL.classes.is_empty_class(), None);
    }
}
