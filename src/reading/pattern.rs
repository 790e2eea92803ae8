//! Token patterns: the small language of the phrase tables, and the machine that runs it.
//!
//! A pattern is a sequence over [`Sym`]s. It is compiled to a short program and started only at
//! tokens that can begin it, so a table of two thousand phrases costs a text little more than one of
//! twenty. Every pattern has a fixed greatest length (gaps are bounded), hence the work is linear in
//! the text.
//!
//! Syntax, one pattern a line:
//!
//! | form | meaning |
//! | --- | --- |
//! | `word` | that word, spelled folded (lower case, no accents, no apostrophe) |
//! | `a\|b` | either word |
//! | `mand{e,en}{,me}` | each stem with each ending: mande, manden, mandeme, mandenme |
//! | `word?`, `(…)?` | optional |
//! | `(a b\|c d)` | either sequence |
//! | `@name` | a sequence of an earlier `@name = …` line |
//! | `..` / `..N` | up to 3 / N words or commas, never across a sentence end |
//! | `^` `$` | start / end of a sentence; `^^` `$$` of the text; `$` holds before a word of `@tail` too |
//! | `!a\|b` | next word is none of these; `<!a\|b` the one before is none of these |
//! | `NUM`, `MONEY` … | a symbol of [`sym::NAMES`] |

mod build;
mod members;
mod needs;
mod parse;

pub(crate) use build::{Fault, TableBuilder};

use self::members::{Members, in_row};
use super::lexicon::{Sym, sym};

type SetId = u16;
/// The tables passed 65,536 steps when the phrases became classes.
type Pc = u32;

#[derive(Debug, Clone, Copy)]
enum Op {
    One(Sym),
    Set(SetId),
    Split(Pc, Pc),
    Jump(Pc),
    Gap(u8),
    /// The gap that ends an exception: it takes as many words as it may, to reach the hit.
    Reach(u8),
    SentenceStart,
    SentenceEnd,
    TextStart,
    TextEnd,
    NotNext(SetId),
    NotPrevious(SetId),
    Match,
}

/// One line of a table: which label it gives and whether it gives or takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    /// Index into [`Table::labels`].
    pub label: u16,
    /// A `-` line: takes away every hit of the label's name that it overlaps.
    pub exception: bool,
    /// Index into [`Table::lines`].
    entry: u16,
}

/// A header `[name reason]` of a table. A name `a+b` on `-` lines takes hits from both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub name: &'static str,
    pub reason: &'static str,
}

/// A match of one pattern: tokens `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    pub tag: Tag,
    pub start: usize,
    pub end: usize,
}

/// A compiled phrase table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub labels: Vec<Label>,
    code: Vec<Op>,
    sets: Vec<Vec<Sym>>,
    entries: Vec<(Pc, Tag)>,
    /// The lines the entries were written on, for people who extend the tables.
    lines: Vec<&'static str>,
    by_first: Vec<Vec<Candidate>>,
    firsts: Vec<Vec<Sym>>,
    /// Words that may trail after a finished sentence without a mark ("please", "im serious"): the
    /// class `@tail` of the table. `$` holds before them.
    tails: Vec<Sym>,
    /// The sets, and the filters of candidates, gaps and choices, word by word.
    in_set: Members,
    in_filter: Members,
    /// For each gap the filter of what can follow it, for each long choice that of what can begin it:
    /// most words end there, without trying one alternative after the other.
    ahead: Vec<Option<u16>>,
}

/// A pattern that can start at a word, with the words that may follow that one. Most of a text's
/// words begin hundreds of patterns ("i", "you"); the filter rejects nearly all of them without
/// running their programs.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    entry: u16,
    filter: Option<u16>,
    /// The filter of words one of which the text must have somewhere.
    needs: Option<u16>,
}

impl Table {
    /// Every match in `syms`, by start; for each pattern and start at most one.
    pub(super) fn hits(&self, syms: &[Sym], out: &mut Vec<Hit>) {
        let present = self.in_filter.any(syms);
        for start in 0..syms.len() {
            self.hits_from(syms, start, Some(&present), out);
        }
    }

    /// Every match that starts at one token.
    pub(super) fn hits_at(&self, syms: &[Sym], start: usize, out: &mut Vec<Hit>) {
        self.hits_from(syms, start, None, out);
    }

    fn hits_from(&self, syms: &[Sym], start: usize, present: Option<&[u64]>, out: &mut Vec<Hit>) {
        let Some(bucket) = syms.get(start).and_then(|s| self.by_first.get(*s as usize)) else {
            return;
        };
        let next = syms.get(start + 1).map(|s| self.in_filter.row(*s));
        for candidate in bucket {
            if let (Some(needs), Some(present)) = (candidate.needs, present)
                && !in_row(present, needs)
            {
                continue;
            }
            if let Some(filter) = candidate.filter {
                let Some(next) = next else { continue };
                if !in_row(next, filter) {
                    continue;
                }
            }
            let (pc, tag) = self.entries[usize::from(candidate.entry)];
            if let Some(end) = self.run(pc, start, syms) {
                out.push(Hit { tag, start, end });
            }
        }
    }

    pub(super) fn label(&self, tag: Tag) -> &Label {
        &self.labels[usize::from(tag.label)]
    }

    /// The line of the data file that a hit comes from.
    pub(super) fn line(&self, tag: Tag) -> &'static str {
        self.lines
            .get(usize::from(tag.entry))
            .copied()
            .unwrap_or("")
    }

    fn fails_at_once(&self, pc: Pc, next: Option<Sym>) -> bool {
        match self.code[pc as usize] {
            Op::One(s) => next != Some(s),
            Op::Set(id) => next.is_none_or(|s| !self.in_set.has(s, id)),
            _ => false,
        }
    }

    /// The symbols that can come second in a match of a pattern; `None` when anything can, or
    /// nothing has to.
    fn second_words(&self, entry: u16, size: usize) -> Option<Box<[u64]>> {
        let (pc, _) = self.entries[usize::from(entry)];
        self.words_at(pc, false, size)
    }

    /// The symbols a match can go on with at a step, or, with `second` unset, after the next word.
    fn words_at(&self, pc: Pc, second: bool, size: usize) -> Option<Box<[u64]>> {
        let mut bits = vec![0u64; size / 64 + 1].into_boxed_slice();
        let mut open = vec![(pc, second)];
        let mut seen = std::collections::HashSet::new();
        while let Some((pc, second)) = open.pop() {
            if !seen.insert((pc, second)) {
                continue;
            }
            match self.code[pc as usize] {
                Op::One(_) | Op::Set(_) if !second => open.push((pc + 1, true)),
                Op::One(s) => bits[s as usize / 64] |= 1 << (s % 64),
                Op::Set(id) => {
                    for s in &self.sets[usize::from(id)] {
                        bits[*s as usize / 64] |= 1 << (s % 64);
                    }
                }
                Op::Split(a, b) => open.extend([(a, second), (b, second)]),
                Op::Jump(to) => open.push((to, second)),
                Op::Gap(_) | Op::Reach(_) | Op::Match => return None,
                Op::SentenceEnd | Op::TextEnd if second => return None,
                Op::SentenceStart
                | Op::SentenceEnd
                | Op::TextStart
                | Op::TextEnd
                | Op::NotNext(_)
                | Op::NotPrevious(_) => open.push((pc + 1, second)),
            }
        }
        Some(bits)
    }

    fn can_follow(&self, filter: Option<u16>, word: Option<&Sym>) -> bool {
        filter.is_none_or(|filter| word.is_some_and(|s| self.in_filter.has(*s, filter)))
    }

    fn is_tail(&self, word: Sym) -> bool {
        self.tails.binary_search(&word).is_ok()
    }

    /// Whether what follows a finished sentence only trails after it, with or without a comma.
    fn only_trails(&self, syms: &[Sym], at: usize) -> bool {
        let word = at + usize::from(syms.get(at) == Some(&sym::COMMA));
        syms.get(word).is_some_and(|s| self.is_tail(*s))
    }

    /// Backtracking is safe here: programs are short, have no loops and gaps are bounded.
    fn run(&self, mut pc: Pc, mut at: usize, syms: &[Sym]) -> Option<usize> {
        loop {
            match self.code[pc as usize] {
                Op::One(s) => {
                    if syms.get(at) != Some(&s) {
                        return None;
                    }
                    at += 1;
                }
                Op::Set(id) => {
                    let s = syms.get(at)?;
                    if !self.in_set.has(*s, id) {
                        return None;
                    }
                    at += 1;
                }
                Op::Split(a, b) => {
                    let begins = self.ahead.get(pc as usize).copied().flatten();
                    if !self.can_follow(begins, syms.get(at)) {
                        return None;
                    }
                    // Most branches fail at their first word; seeing that here saves the call.
                    if self.fails_at_once(a, syms.get(at).copied()) {
                        pc = b;
                        continue;
                    }
                    if let Some(end) = self.run(a, at, syms) {
                        return Some(end);
                    }
                    pc = b;
                    continue;
                }
                Op::Jump(to) => {
                    pc = to;
                    continue;
                }
                Op::Reach(n) => {
                    let rest = syms.get(at..).unwrap_or(&[]);
                    let words = rest.iter().take(usize::from(n));
                    return Some(at + words.take_while(|s| !sym::ends_sentence(**s)).count());
                }
                Op::Gap(n) => {
                    let next = self.ahead.get(pc as usize).copied().flatten();
                    for skipped in 0..=usize::from(n) {
                        if self.can_follow(next, syms.get(at + skipped))
                            && let Some(end) = self.run(pc + 1, at + skipped, syms)
                        {
                            return Some(end);
                        }
                        match syms.get(at + skipped) {
                            Some(s) if !sym::ends_sentence(*s) => {}
                            _ => return None,
                        }
                    }
                    return None;
                }
                Op::SentenceStart => {
                    if at != 0 && !sym::ends_sentence(syms[at - 1]) {
                        return None;
                    }
                }
                Op::SentenceEnd => {
                    let open = |s: &Sym| !sym::ends_sentence(*s);
                    if syms.get(at).is_some_and(open) && !self.only_trails(syms, at) {
                        return None;
                    }
                }
                Op::TextStart => {
                    if at != 0 {
                        return None;
                    }
                }
                Op::TextEnd => {
                    if syms[at.min(syms.len())..]
                        .iter()
                        .any(|s| !sym::ends_sentence(*s) && *s != sym::COMMA && !self.is_tail(*s))
                    {
                        return None;
                    }
                }
                Op::NotNext(id) => {
                    if let Some(s) = syms.get(at)
                        && self.in_set.has(*s, id)
                    {
                        return None;
                    }
                }
                Op::NotPrevious(id) => {
                    if at > 0 && self.in_set.has(syms[at - 1], id) {
                        return None;
                    }
                }
                Op::Match => return Some(at),
            }
            pc += 1;
        }
    }
}
