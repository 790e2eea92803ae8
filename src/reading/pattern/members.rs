//! Which groups of words a word belongs to, laid out word by word: a text has few different words,
//! so the rows it needs stay in the cache, whatever the tables grow to.

use crate::reading::lexicon::Sym;

/// Groups by word: a row of bits for each word, a bit for each group.
#[derive(Debug, Default)]
pub(super) struct Members {
    stride: usize,
    bits: Vec<u64>,
}

impl Members {
    /// For words below `size` and groups below `groups`; `pairs` are (word, group).
    pub(super) fn new(
        size: usize,
        groups: usize,
        pairs: impl Iterator<Item = (usize, usize)>,
    ) -> Self {
        let stride = groups.div_ceil(64);
        let mut bits = vec![0; size * stride];
        for (word, group) in pairs {
            if let Some(part) = bits.get_mut(word * stride + group / 64) {
                *part |= 1 << (group % 64);
            }
        }
        Self { stride, bits }
    }

    /// The row of a word.
    pub(super) fn row(&self, word: Sym) -> &[u64] {
        let start = word as usize * self.stride;
        self.bits.get(start..start + self.stride).unwrap_or(&[])
    }

    /// The groups that any of the words is of.
    pub(super) fn any(&self, words: &[Sym]) -> Vec<u64> {
        let mut all = vec![0; self.stride];
        for word in words {
            for (part, own) in all.iter_mut().zip(self.row(*word)) {
                *part |= own;
            }
        }
        all
    }

    /// Whether a word is of a group.
    pub(super) fn has(&self, word: Sym, group: u16) -> bool {
        let at = word as usize * self.stride + usize::from(group) / 64;
        bit(self.bits.get(at), group)
    }
}

/// Whether a row has a group.
pub(super) fn in_row(row: &[u64], group: u16) -> bool {
    bit(row.get(usize::from(group) / 64), group)
}

fn bit(part: Option<&u64>, group: u16) -> bool {
    part.is_some_and(|part| part & (1 << (group % 64)) != 0)
}
