//! A phrase table of its own: words of its own, one file, labels by name. For readings that must not
//! change what the tables of triggers read.

use super::lexicon::{Lexicon, Sym};
use super::pattern::{Fault, Hit, Table, TableBuilder};
use super::spelling::Spelling;
use super::tokens::{self, Masks};

/// A compiled file.
pub(super) struct Phrases {
    lexicon: Lexicon,
    spelling: Spelling,
    table: Table,
}

impl Phrases {
    /// Compiles a file; with the lines that could not be, of which a test proves there are none.
    pub(super) fn build(data: &'static str) -> (Self, Vec<Fault>) {
        let mut lexicon = Lexicon::new();
        lexicon.load_variants(include_str!("data/variants.txt"));
        let mut builder = TableBuilder::default();
        builder.load(data, &mut lexicon);
        let spelling = Spelling::shared(&mut lexicon);
        let (table, faults) = builder.finish(&lexicon);
        let phrases = Self {
            lexicon,
            spelling,
            table,
        };
        (phrases, faults)
    }

    /// The reasons of all headers with a hit that no exception of the same name touches, in the file's
    /// order. Linear in the text.
    pub(super) fn found(&self, text: &str) -> Vec<&'static str> {
        let tokens = tokens::split(text, &self.lexicon, &Masks::default(), &self.spelling);
        let syms: Vec<Sym> = tokens.iter().map(|t| t.sym).collect();
        let mut hits = Vec::new();
        self.table.hits(&syms, &mut hits);
        let name = |hit: &Hit| self.table.label(hit.tag).name;
        let excepted = |hit: &Hit| {
            let touches = |e: &&Hit| e.start < hit.end && hit.start < e.end;
            let mut exceptions = hits.iter().filter(|e| e.tag.exception);
            exceptions.any(|e| touches(&e) && name(e) == name(hit))
        };
        let mut labels: Vec<u16> = hits
            .iter()
            .filter(|hit| !hit.tag.exception && !excepted(hit))
            .map(|hit| hit.tag.label)
            .collect();
        labels.sort_unstable();
        labels.dedup();
        let reason = |label: u16| Some(self.table.labels.get(usize::from(label))?.reason);
        labels.into_iter().filter_map(reason).collect()
    }
}
