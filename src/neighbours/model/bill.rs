//! What a workflow's question to the model cost, whatever became of the answers.

/// The sum of all answers to one question: retries, formats a second model was asked in, and answers
/// that could not be used are paid for as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bill {
    /// Answers that came, usable or not.
    pub answers: u32,
    /// Tokens in and out, as far as the servers said.
    pub tokens: Option<(i64, i64)>,
    /// In millionths of a dollar, as far as prices are set.
    pub cost_micro_usd: Option<i64>,
}

impl Bill {
    /// One more answer.
    pub(super) fn add(&mut self, tokens: Option<(i64, i64)>, cost_micro_usd: Option<i64>) {
        self.answers += 1;
        if let Some((prompt, completion)) = tokens {
            let (p, c) = self.tokens.unwrap_or_default();
            self.tokens = Some((p.saturating_add(prompt), c.saturating_add(completion)));
        }
        if let Some(cost) = cost_micro_usd {
            self.cost_micro_usd = Some(self.cost_micro_usd.unwrap_or(0).saturating_add(cost));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_add_up_and_unknown_stays_unknown() {
        let mut bill = Bill::default();
        bill.add(None, None);
        assert_eq!((bill.answers, bill.tokens), (1, None));
        bill.add(Some((400, 60)), Some(5_800));
        bill.add(Some((400, 10)), Some(4_300));
        bill.add(None, None);
        assert_eq!(bill.answers, 4);
        assert_eq!(bill.tokens, Some((800, 70)));
        assert_eq!(bill.cost_micro_usd, Some(10_100));
    }
}
