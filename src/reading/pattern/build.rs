//! Compiling data files into a [`Table`].

use std::collections::{HashMap, HashSet};

use super::members::Members;
use super::needs;
use super::parse::{Node, Parser};
use super::{Candidate, Label, Op, Pc, SetId, Table, Tag};
use crate::reading::lexicon::{Lexicon, Sym, sym};

/// A mistake in an embedded table. Embedded data is proved by a test, so at run time a faulty line
/// is left out instead of stopping the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Which of the files of the table, from 0.
    pub file: usize,
    pub line: usize,
    pub what: &'static str,
}

/// Builds one [`Table`] from one or more data files sharing definitions.
#[derive(Debug, Default)]
pub(crate) struct TableBuilder {
    table: Table,
    classes: HashMap<&'static str, Node>,
    /// Words that give no label by themselves; see [`Node::can_be_light`].
    light: HashSet<Sym>,
    files: usize,
    /// For each entry the groups of words it needs ([`needs::groups`]).
    needs: Vec<Vec<Vec<Sym>>>,
    pub faults: Vec<Fault>,
}

impl TableBuilder {
    /// A builder that refuses phrases that could match on the words of `light` alone.
    pub(crate) fn refusing_light(light: &str, lexicon: &mut Lexicon) -> Self {
        let words = light
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(str::split_whitespace);
        let mut set: HashSet<Sym> = words.map(|w| lexicon.intern(w)).collect();
        set.insert(sym::UNKNOWN);
        Self {
            light: set,
            ..Self::default()
        }
    }

    /// Adds a data file.
    pub(crate) fn load(&mut self, data: &'static str, lexicon: &mut Lexicon) {
        for (index, line) in data.lines().enumerate() {
            let line = line.split(" #").next().unwrap_or("").trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(what) = self.line(line, lexicon) {
                self.faults.push(Fault {
                    file: self.files,
                    line: index + 1,
                    what,
                });
            }
        }
        self.files += 1;
    }

    fn line(&mut self, line: &'static str, lexicon: &mut Lexicon) -> Result<(), &'static str> {
        if let Some(header) = line.strip_prefix('[') {
            let mut words = header
                .strip_suffix(']')
                .ok_or("unclosed header")?
                .split_whitespace();
            let name = words.next().ok_or("empty header")?;
            self.table.labels.push(Label {
                name,
                reason: words.next().unwrap_or(name),
            });
            return Ok(());
        }
        if let Some(definition) = line.strip_prefix('@')
            && let Some((name, body)) = definition.split_once(" = ")
        {
            let node = Parser::new(body, &self.classes, lexicon).alternatives()?;
            if let ("tail", Node::Set(words)) = (name.trim(), &node) {
                self.table.tails = words.clone();
                self.table.tails.sort_unstable();
            }
            self.classes.insert(name.trim(), node);
            return Ok(());
        }
        let (mark, body) = match line.split_once(' ') {
            Some((mark @ ("-" | "=" | "-="), body)) => (mark, body),
            _ => ("", line),
        };
        let exception = mark.starts_with('-');
        let label = self.table.labels.len().checked_sub(1).ok_or("no header")?;
        let node = Parser::new(body, &self.classes, lexicon).sequence(false)?;
        let mut firsts = Vec::new();
        if first_syms(&node, &mut firsts) {
            return Err("pattern can be empty or starts with a gap");
        }
        if !mark.ends_with('=') && !self.light.is_empty() && node.can_be_light(&self.light) {
            return Err("matches on light words alone");
        }
        firsts.sort_unstable();
        firsts.dedup();
        let pc = self.table.code.len();
        self.emit(&node)?;
        if exception && let Some(Op::Gap(n)) = self.table.code.last().copied() {
            self.table.code.pop();
            self.table.code.push(Op::Reach(n));
        }
        self.table.code.push(Op::Match);
        let tag = Tag {
            label: u16::try_from(label).map_err(|_| "too many labels")?,
            exception,
            entry: u16::try_from(self.table.entries.len()).map_err(|_| "too many lines")?,
        };
        let pc = Pc::try_from(pc).map_err(|_| "table too large")?;
        self.table.entries.push((pc, tag));
        self.table.lines.push(line);
        self.table.firsts.push(firsts);
        self.needs.push(needs::groups(&node));
        Ok(())
    }

    fn set(&mut self, mut syms: Vec<Sym>) -> Result<SetId, &'static str> {
        syms.sort_unstable();
        syms.dedup();
        let id = match self.table.sets.iter().position(|s| *s == syms) {
            Some(found) => found,
            None => {
                self.table.sets.push(syms);
                self.table.sets.len() - 1
            }
        };
        SetId::try_from(id).map_err(|_| "too many word sets")
    }

    fn here(&self) -> Result<Pc, &'static str> {
        Pc::try_from(self.table.code.len()).map_err(|_| "table too large")
    }

    fn optional(&mut self, inner: &Node) -> Result<(), &'static str> {
        let split = self.table.code.len();
        self.table.code.push(Op::Match);
        self.emit(inner)?;
        let after = self.here()?;
        let body = Pc::try_from(split + 1).map_err(|_| "table too large")?;
        self.table.code[split] = Op::Split(body, after);
        Ok(())
    }

    /// An optional part before `!a|b`: left out only where its words do not follow, else "(me)? !at"
    /// would allow "me at" by leaving "me" out.
    fn greedy(&mut self, inner: &Node) -> Result<(), &'static str> {
        let mut firsts = Vec::new();
        first_syms(inner, &mut firsts);
        let split = self.table.code.len();
        self.table.code.push(Op::Match);
        self.emit(inner)?;
        let jump = self.table.code.len();
        self.table.code.push(Op::Match);
        let without = self.here()?;
        let id = self.set(firsts)?;
        self.table.code.push(Op::NotNext(id));
        let after = self.here()?;
        let body = Pc::try_from(split + 1).map_err(|_| "table too large")?;
        self.table.code[split] = Op::Split(body, without);
        self.table.code[jump] = Op::Jump(after);
        Ok(())
    }

    fn emit(&mut self, node: &Node) -> Result<(), &'static str> {
        match node {
            Node::Set(syms) => {
                let op = match syms.as_slice() {
                    [one] => Op::One(*one),
                    _ => Op::Set(self.set(syms.clone())?),
                };
                self.table.code.push(op);
            }
            Node::Seq(nodes) => {
                for (i, n) in nodes.iter().enumerate() {
                    let excluding = nodes[i + 1..]
                        .iter()
                        .find(|n| !matches!(n, Node::Optional(_)));
                    match n {
                        Node::Optional(inner) if matches!(excluding, Some(Node::NotNext(_))) => {
                            self.greedy(inner)?;
                        }
                        _ => self.emit(n)?,
                    }
                }
            }
            Node::Optional(inner) => {
                self.optional(inner)?;
            }
            Node::Alt(branches) => {
                let mut jumps = Vec::new();
                for (i, branch) in branches.iter().enumerate() {
                    let last = i + 1 == branches.len();
                    let split = self.table.code.len();
                    if !last {
                        self.table.code.push(Op::Match);
                    }
                    self.emit(branch)?;
                    if !last {
                        jumps.push(self.table.code.len());
                        self.table.code.push(Op::Match);
                        let next = self.here()?;
                        let body = Pc::try_from(split + 1).map_err(|_| "table too large")?;
                        self.table.code[split] = Op::Split(body, next);
                    }
                }
                let end = self.here()?;
                for j in jumps {
                    self.table.code[j] = Op::Jump(end);
                }
            }
            Node::Gap(n) => self.table.code.push(Op::Gap(*n)),
            Node::Anchor(op) => self.table.code.push(*op),
            Node::NotNext(syms) => {
                let id = self.set(syms.clone())?;
                self.table.code.push(Op::NotNext(id));
            }
            Node::NotPrevious(syms) => {
                let id = self.set(syms.clone())?;
                self.table.code.push(Op::NotPrevious(id));
            }
        }
        Ok(())
    }

    /// Finishes the table. `lexicon` must not grow afterwards for words this table should see.
    pub(crate) fn finish(mut self, lexicon: &Lexicon) -> (Table, Vec<Fault>) {
        let size = lexicon.size();
        let mut by_first = vec![Vec::new(); size];
        let mut filters = Filters::default();
        let weights = needs::weights(&self.needs);
        for index in 0..self.table.firsts.len() {
            let Ok(entry) = u16::try_from(index) else {
                break;
            };
            let bits = self.table.second_words(entry, size);
            let filter = bits.and_then(|bits| filters.number(bits));
            let groups = self.needs.get(index).map_or(&[][..], Vec::as_slice);
            let rarest = needs::rarest(groups, &weights);
            let needs = rarest.and_then(|words| filters.number(bits_of(words, size)));
            for s in &self.table.firsts[index] {
                if let Some(bucket) = by_first.get_mut(*s as usize) {
                    let bucket: &mut Vec<Candidate> = bucket;
                    bucket.push(Candidate {
                        entry,
                        filter,
                        needs,
                    });
                }
            }
        }
        self.table.by_first = by_first;
        let mut inner = vec![false; self.table.code.len()];
        for index in 0..self.table.code.len() {
            let step = match self.table.code[index] {
                Op::Gap(_) => Pc::try_from(index + 1).ok(),
                Op::Split(..) if !inner[index] => self.long_choice(index, &mut inner),
                _ => None,
            };
            let bits = step.and_then(|pc| self.table.words_at(pc, true, size));
            let filter = bits.and_then(|bits| filters.number(bits));
            self.table.ahead.push(filter);
        }
        let sets = self.table.sets.iter().enumerate();
        let pairs = sets.flat_map(|(set, words)| words.iter().map(move |w| (*w as usize, set)));
        self.table.in_set = Members::new(size, self.table.sets.len(), pairs);
        self.table.in_filter = Members::new(size, filters.known.len(), filters.pairs());
        (self.table, self.faults)
    }

    /// The step of a choice itself when it has enough alternatives to be worth a filter. Marks the
    /// choices inside its chain, which need none of their own.
    fn long_choice(&self, index: usize, inner: &mut [bool]) -> Option<Pc> {
        let (mut at, mut alternatives) = (index, 1);
        while let Some(Op::Split(_, other)) = self.table.code.get(at) {
            at = *other as usize;
            alternatives += 1;
            if let Some(mark) = inner.get_mut(at) {
                *mark = true;
            }
        }
        Pc::try_from(index)
            .ok()
            .filter(|_| alternatives >= LONG_CHOICE)
    }
}

/// Alternatives from which on a filter costs less than trying them.
const LONG_CHOICE: usize = 3;

fn bits_of(words: &[Sym], size: usize) -> Box<[u64]> {
    let mut bits = vec![0u64; size / 64 + 1].into_boxed_slice();
    for word in words {
        bits[*word as usize / 64] |= 1 << (word % 64);
    }
    bits
}

/// Bit sets over words, each numbered once.
#[derive(Default)]
struct Filters {
    known: HashMap<Box<[u64]>, u16>,
}

impl Filters {
    /// The number of a filter, shared by all that are the same; none when there are too many.
    fn number(&mut self, bits: Box<[u64]>) -> Option<u16> {
        let new = u16::try_from(self.known.len());
        match self.known.get(&bits) {
            Some(number) => Some(*number),
            None => {
                let new = new.ok()?;
                self.known.insert(bits, new);
                Some(new)
            }
        }
    }

    /// Each word with each filter it passes.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.known.iter().flat_map(|(bits, number)| {
            let parts = bits.iter().enumerate();
            parts.flat_map(move |(i, part)| {
                let set = (0..64).filter(move |bit| part & (1 << bit) != 0);
                set.map(move |bit| (i * 64 + bit, usize::from(*number)))
            })
        })
    }
}

/// Collects the symbols a node can begin with; true when it can match without consuming any.
fn first_syms(node: &Node, out: &mut Vec<Sym>) -> bool {
    match node {
        Node::Set(syms) => {
            out.extend_from_slice(syms);
            false
        }
        Node::Seq(nodes) => {
            for n in nodes {
                if !first_syms(n, out) {
                    return false;
                }
            }
            true
        }
        Node::Alt(nodes) => {
            let mut empty = false;
            for n in nodes {
                empty |= first_syms(n, out);
            }
            empty
        }
        Node::Optional(inner) => {
            first_syms(inner, out);
            true
        }
        // A leading gap would make every token a candidate start.
        Node::Gap(_) | Node::Anchor(_) | Node::NotNext(_) | Node::NotPrevious(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::TableBuilder;
    use crate::reading::lexicon::{Lexicon, sym};
    use crate::reading::pattern::{Hit, Table};

    fn table(data: &'static str) -> (Table, Vec<&'static str>, Lexicon) {
        let mut lexicon = Lexicon::new();
        let light = "i you she it to has get me my at of not";
        let mut builder = TableBuilder::refusing_light(light, &mut lexicon);
        builder.load(data, &mut lexicon);
        let (table, faults) = builder.finish(&lexicon);
        (table, faults.iter().map(|f| f.what).collect(), lexicon)
    }

    #[test]
    fn the_mistakes_people_make_in_tables_are_refused() {
        for (line, refused) in [
            ("(she|it) has to?", true),
            ("get me (out of)? (my list)?", true),
            ("= she has to", false),
            ("- (she|it) has", true),
            ("-= she has", false),
            ("(not|stop) ..2 texting !at|in my", true),
            ("(call me !at|dont stop)", true),
            ("(not|stop) ..2 texting !at|in", false),
            ("texting (me)? !at (now|again)", false),
            ("(open group", true),
            ("? ..3", true),
        ] {
            let data: &'static str = Box::leak(format!("[a b]\n{line}").into_boxed_str());
            assert_eq!(!table(data).1.is_empty(), refused, "{line}");
        }
    }

    #[test]
    fn a_stem_stands_for_each_of_its_endings() {
        let (table, faults, lexicon) = table("[a b]\nno mand{e,en}{,me} mas");
        assert!(faults.is_empty(), "{faults:?}");
        for (text, found) in [
            ("no mande mas", true),
            ("no manden mas", true),
            ("no mandenme mas", true),
            ("no mand mas", false),
        ] {
            assert_eq!(!ends(&table, &lexicon, text).is_empty(), found, "{text}");
        }
    }

    #[test]
    fn a_sentence_ends_before_words_that_only_trail() {
        let (table, _, lexicon) =
            table("@tail = please|thanks\n[a b]\nlet me be $\n[c d]\nstop $$");
        assert_eq!(ends(&table, &lexicon, "let me be please"), [3]);
        assert!(ends(&table, &lexicon, "let me be late").is_empty());
        assert_eq!(ends(&table, &lexicon, "stop thanks please"), [1]);
        assert!(ends(&table, &lexicon, "stop please lying").is_empty());
    }

    fn ends(table: &Table, lexicon: &Lexicon, text: &str) -> Vec<usize> {
        let syms: Vec<_> = text
            .split(' ')
            .map(|w| lexicon.get(w).unwrap_or(sym::UNKNOWN))
            .collect();
        let mut hits: Vec<Hit> = Vec::new();
        table.hits(&syms, &mut hits);
        hits.iter().map(|h| h.end).collect()
    }

    #[test]
    fn an_exclusion_cannot_be_dodged_by_leaving_an_optional_word_out() {
        let (table, faults, lexicon) = table("[a b]\ntexting (me)? !at|after");
        assert!(faults.is_empty());
        assert_eq!(ends(&table, &lexicon, "texting me"), [2]);
        assert_eq!(ends(&table, &lexicon, "texting"), [1]);
        assert!(ends(&table, &lexicon, "texting at night").is_empty());
        assert!(ends(&table, &lexicon, "texting me at night").is_empty());
    }

    #[test]
    fn the_gap_that_ends_an_exception_reaches_over_its_words() {
        let (table, _, lexicon) = table("[a b]\nwrong\n- denying ..3");
        assert_eq!(ends(&table, &lexicon, "denying it is wrong"), [4, 4]);
    }
}
