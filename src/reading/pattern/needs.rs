//! Words that no match of a pattern can do without: a text that has none of them is spared the pattern.
//!
//! The words a pattern begins with are common ("i", "you"); what comes later is often rare.

use std::collections::HashMap;

use super::parse::Node;
use crate::reading::lexicon::Sym;

/// The groups of words a pattern needs one of each of, but for the one it begins with.
pub(super) fn groups(node: &Node) -> Vec<Vec<Sym>> {
    let mut found = Vec::new();
    collect(node, &mut found);
    if !found.is_empty() {
        found.remove(0);
    }
    found
}

fn collect(node: &Node, out: &mut Vec<Vec<Sym>>) {
    match node {
        Node::Set(words) => out.push(words.clone()),
        Node::Seq(nodes) => nodes.iter().for_each(|n| collect(n, out)),
        // Whichever branch matches, one word of the group it needs is there.
        Node::Alt(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                let mut own = Vec::new();
                collect(branch, &mut own);
                let Some(shortest) = own.into_iter().min_by_key(Vec::len) else {
                    return;
                };
                all.extend(shortest);
            }
            all.sort_unstable();
            all.dedup();
            out.push(all);
        }
        Node::Optional(_)
        | Node::Gap(_)
        | Node::Anchor(_)
        | Node::NotNext(_)
        | Node::NotPrevious(_) => {}
    }
}

/// How often each word is needed: a word that many patterns need is a common one.
pub(super) fn weights(all: &[Vec<Vec<Sym>>]) -> HashMap<Sym, usize> {
    let mut weights = HashMap::new();
    for word in all.iter().flatten().flatten() {
        *weights.entry(*word).or_default() += 1;
    }
    weights
}

/// The group that a text is least likely to have a word of.
pub(super) fn rarest<'a>(
    groups: &'a [Vec<Sym>],
    weights: &HashMap<Sym, usize>,
) -> Option<&'a Vec<Sym>> {
    let weight = |group: &&Vec<Sym>| -> usize {
        group
            .iter()
            .map(|w| weights.get(w).copied().unwrap_or_default())
            .sum()
    };
    groups.iter().min_by_key(weight)
}
