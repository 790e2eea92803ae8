//! Parsing one pattern line.

use std::collections::{HashMap, HashSet};

use super::Op;
use crate::reading::lexicon::{Lexicon, Sym, sym};

/// A pattern as a tree.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Set(Vec<Sym>),
    Seq(Vec<Node>),
    Alt(Vec<Node>),
    Optional(Box<Node>),
    Gap(u8),
    Anchor(Op),
    NotNext(Vec<Sym>),
    NotPrevious(Vec<Sym>),
}

/// Recursive descent over one pattern line.
pub(super) struct Parser<'a> {
    parts: Vec<&'a str>,
    at: usize,
    classes: &'a HashMap<&'static str, Node>,
    lexicon: &'a mut Lexicon,
}

impl<'a> Parser<'a> {
    pub(super) fn new(
        body: &'a str,
        classes: &'a HashMap<&'static str, Node>,
        lexicon: &'a mut Lexicon,
    ) -> Self {
        let mut parts = Vec::new();
        for chunk in body.split_whitespace() {
            let mut rest = chunk;
            while let Some(at) = rest.find(['(', ')', '|']) {
                if at > 0 {
                    parts.push(&rest[..at]);
                }
                parts.push(&rest[at..=at]);
                rest = &rest[at + 1..];
            }
            if !rest.is_empty() {
                parts.push(rest);
            }
        }
        Self {
            parts,
            at: 0,
            classes,
            lexicon,
        }
    }

    pub(super) fn alternatives(&mut self) -> Result<Node, &'static str> {
        let mut branches = vec![self.sequence(true)?];
        while self.parts.get(self.at) == Some(&"|") {
            self.at += 1;
            branches.push(self.sequence(true)?);
        }
        Ok(alternation(branches))
    }

    /// Inside a group `|` separates sequences; outside it joins single words.
    pub(super) fn sequence(&mut self, in_group: bool) -> Result<Node, &'static str> {
        let mut nodes = Vec::new();
        while let Some(part) = self.parts.get(self.at).copied() {
            if part == ")" || (part == "|" && in_group) {
                // In a group `|` separates sequences, so "(a !b|c d)" would exclude only "b".
                if part == "|" && matches!(nodes.last(), Some(Node::NotNext(_))) {
                    return Err("!a|b in a group excludes only a");
                }
                break;
            }
            let mut atom = self.atom()?;
            if !in_group && self.parts.get(self.at) == Some(&"|") {
                let mut branches = vec![atom];
                while self.parts.get(self.at) == Some(&"|") {
                    self.at += 1;
                    branches.push(self.atom()?);
                }
                // `a|b?` and `!a|b` are written for the whole choice, not for one branch.
                atom = join(branches);
            }
            // "(call) !at|in my": whoever wrote it meant "in my", the machine would ask for "my".
            let word = part.starts_with(char::is_lowercase);
            if word
                && matches!(nodes.last(), Some(Node::NotNext(_)))
                && matches!(atom, Node::Set(_))
            {
                return Err("a bare word after !a|b is required, not excluded");
            }
            nodes.push(atom);
        }
        if !in_group && self.at < self.parts.len() {
            return Err("unbalanced parenthesis");
        }
        match nodes.len() {
            0 => Err("empty sequence"),
            1 => Ok(nodes.swap_remove(0)),
            _ => Ok(Node::Seq(nodes)),
        }
    }

    fn atom(&mut self) -> Result<Node, &'static str> {
        let part = self.parts.get(self.at).copied().ok_or("missing word")?;
        self.at += 1;
        if part == "(" {
            let inner = self.alternatives()?;
            if self.parts.get(self.at) != Some(&")") {
                return Err("unclosed group");
            }
            self.at += 1;
            if self.parts.get(self.at) == Some(&"?") {
                self.at += 1;
                return Ok(Node::Optional(Box::new(inner)));
            }
            return Ok(inner);
        }
        match part {
            "^" => return Ok(Node::Anchor(Op::SentenceStart)),
            "$" => return Ok(Node::Anchor(Op::SentenceEnd)),
            "^^" => return Ok(Node::Anchor(Op::TextStart)),
            "$$" => return Ok(Node::Anchor(Op::TextEnd)),
            _ => {}
        }
        if let Some(n) = part.strip_prefix("..") {
            let n = if n.is_empty() {
                3
            } else {
                n.parse().map_err(|_| "bad gap")?
            };
            return Ok(Node::Gap(n));
        }
        if let Some(word) = part.strip_prefix("<!") {
            return Ok(Node::NotPrevious(self.word(word)?));
        }
        if let Some(word) = part.strip_prefix('!') {
            return Ok(Node::NotNext(self.word(word)?));
        }
        let (word, optional) = match part.strip_suffix('?') {
            Some(word) => (word, true),
            None => (part, false),
        };
        let node = match word.strip_prefix('@') {
            Some(name) => self.classes.get(name).cloned().ok_or("unknown class")?,
            None => Node::Set(self.word(word)?),
        };
        Ok(if optional {
            Node::Optional(Box::new(node))
        } else {
            node
        })
    }

    fn word(&mut self, word: &str) -> Result<Vec<Sym>, &'static str> {
        if let Some(name) = word.strip_prefix('@') {
            return match self.classes.get(name) {
                Some(Node::Set(syms)) => Ok(syms.clone()),
                _ => Err("class of single words expected"),
            };
        }
        if let Some((_, s)) = sym::NAMES.iter().find(|(name, _)| *name == word) {
            return Ok(vec![*s]);
        }
        if word.is_empty() || word.chars().any(|c| c.is_ascii_uppercase()) {
            return Err("unknown symbol");
        }
        if let Some((head, rest)) = word.split_once('{') {
            return self.endings(head, rest);
        }
        // The tokenizer drops apostrophes except in the spellings the variant table lists.
        if word.contains('\'') && self.lexicon.get(word).is_none() {
            let plain: String = word.chars().filter(|c| *c != '\'').collect();
            return Ok(vec![self.lexicon.intern(&plain)]);
        }
        Ok(vec![self.lexicon.intern(word)])
    }
}

impl Parser<'_> {
    /// `mand{e,en}{,me}`: a stem with every choice of endings, for languages that inflect.
    fn endings(&mut self, head: &str, rest: &str) -> Result<Vec<Sym>, &'static str> {
        let (choices, tail) = rest.split_once('}').ok_or("unclosed brace")?;
        let mut all = Vec::new();
        for choice in choices.split(',') {
            all.extend(self.word(&format!("{head}{choice}{tail}"))?);
        }
        Ok(all)
    }
}

fn alternation(mut branches: Vec<Node>) -> Node {
    if branches.len() == 1 {
        return branches.swap_remove(0);
    }
    if branches.iter().all(|b| matches!(b, Node::Set(_))) {
        let mut all = Vec::new();
        for b in branches {
            if let Node::Set(syms) = b {
                all.extend(syms);
            }
        }
        return Node::Set(all);
    }
    Node::Alt(branches)
}

/// Joins `a|b|c` written without parentheses.
fn join(branches: Vec<Node>) -> Node {
    let mut syms = Vec::new();
    let (mut optional, mut not_next, mut not_previous) = (false, false, false);
    let mut plain = true;
    for branch in &branches {
        let inner = match branch {
            Node::Optional(inner) => {
                optional = true;
                inner.as_ref()
            }
            other => other,
        };
        match inner {
            Node::Set(s) => syms.extend_from_slice(s),
            Node::NotNext(s) => {
                not_next = true;
                syms.extend_from_slice(s);
            }
            Node::NotPrevious(s) => {
                not_previous = true;
                syms.extend_from_slice(s);
            }
            _ => plain = false,
        }
    }
    if !plain {
        let stripped = branches
            .into_iter()
            .map(|b| match b {
                Node::Optional(inner) => *inner,
                other => other,
            })
            .collect();
        let node = alternation(stripped);
        return if optional {
            Node::Optional(Box::new(node))
        } else {
            node
        };
    }
    if not_next {
        Node::NotNext(syms)
    } else if not_previous {
        Node::NotPrevious(syms)
    } else if optional {
        Node::Optional(Box::new(Node::Set(syms)))
    } else {
        Node::Set(syms)
    }
}

impl Node {
    /// Whether some match of the node has none but `light` words. A phrase of "she", "has" and "to"
    /// alone tells nothing, however carefully it is arranged.
    pub(super) fn can_be_light(&self, light: &HashSet<Sym>) -> bool {
        match self {
            Self::Set(syms) => syms.iter().any(|s| light.contains(s)),
            Self::Seq(nodes) => nodes.iter().all(|n| n.can_be_light(light)),
            Self::Alt(nodes) => nodes.iter().any(|n| n.can_be_light(light)),
            _ => true,
        }
    }
}
