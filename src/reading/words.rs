//! Word classes that the entity grammar asks about one word at a time.
//!
//! A class is a named list in `data/classes.txt`; the grammar code names classes, never words, so
//! that another word or language is a data change.

use super::lexicon::{Lexicon, Sym};

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The classes the grammar asks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Class { $($(#[$doc])* $variant,)* }
        const NAMES: &[&str] = &[$($name,)*];
    };
}

classes! {
    /// Words for dollars after a figure.
    Currency = "currency",
    /// Codes before a figure: `usd75`.
    CurrencyCode = "currency_code",
    /// Words for hundredths of a dollar, and what joins them to the dollars.
    Cents = "cents",
    CentsJoin = "cents_join",
    /// Verbs whose object has to be named to be a payment.
    SendVerb = "send_verb",
    /// Words for the whole that can stand for anything.
    WholePronoun = "whole_pronoun",
    /// Words before an hour: `at 5`.
    ClockLead = "clock_lead",
    /// Words that begin a period: `10 a day`.
    PeriodLead = "period_lead",
    /// Nouns whose count is no amount: `20 hours`.
    Counted = "counted",
    /// Words before a figure that number a thing: `apt 305`, `conf 8812`.
    Numbered = "numbered",
    /// Units of a duration.
    Week = "week_unit",
    Month = "month_unit",
    Year = "year_unit",
    Day = "day_unit",
    Fortnight = "fortnight_unit",
    /// Payments that are counted: `8 payments`.
    Payment = "payment_unit",
    /// Pay checks that are counted: `4 paychecks`.
    Paycheck = "paycheck_unit",
    /// `a few`, `unas`.
    Few = "few",
    /// `more`, `consecutive`, between a count and its unit.
    CountFiller = "count_filler",
    /// Words that make a following bare duration one of the plan.
    DurationLead = "duration_lead",
    /// Words after a duration that make it another thing: `3 weeks ago`.
    DurationNot = "duration_not",
    /// Words before a duration that make it another thing: `last 3 weeks`.
    DurationPast = "duration_past",
    /// `to`, `or`: between the ends of a range.
    RangeJoin = "range_join",
    /// `maybe`, between the ends of a choice: "30 or maybe 40".
    RangeFiller = "range_filler",
    /// `between`, `entre`.
    RangeLead = "range_lead",
    And = "and",
    Or = "or",
    Half = "half",
    A = "article_one",
    Of = "of",
    /// `but`, `pero`: a new assertion begins.
    Adversative = "adversative",
    /// `then`, `luego`.
    Then = "then",
    /// Words that say that recurring payments begin.
    StartLead = "start_lead",
    /// Words between "starting" and its date: "start paying 70 a week on the 22nd".
    StartFiller = "start_filler",
    /// Leading words cut from `when` and `start`.
    LeadCut = "lead_cut",
    /// Leading words kept in `when`.
    LeadKeep = "lead_keep",
    /// `until`, `hasta`.
    Until = "until",
    /// `when`, `once`, `cuando`: begin an event.
    EventLead = "event_lead",
    /// Second words that make an event vague: `when i can`.
    EventVague = "event_vague",
    /// Words that end an event.
    EventEnd = "event_end",
    /// `over`, `across`, `split`, `repartido`: spread a total.
    Spread = "spread",
    /// Those of them that tell somebody to do it.
    SpreadVerb = "spread_verb",
    /// Words that mean a first, separate payment.
    Down = "down",
    /// What is paid without a figure: `rest`, `balance`, `all`.
    Whole = "whole",
    /// Words a bare offer may contain without becoming something else.
    Benign = "benign",
    /// Negators.
    Negator = "negator",
    /// Subjects that are not the tenant.
    Third = "third",
    MonthName = "month_name",
    First = "first",
    /// `it`, `that`: subjects that do not make the amount another thing.
    Pronoun = "pronoun",
    /// `so`, `then`: what follows is the conclusion.
    Consequence = "consequence",
    /// Words that open a text before its name: `hi its Ana`.
    Greeting = "greeting",
    /// Words of a first clause that says who writes: `soy Ana del 4, 50 por semana`.
    Introduced = "introduced",
    /// `because`, `while`: what follows an offer and does not make it another thing.
    Afterthought = "afterthought",
    /// The tenant as the one who pays: `i`, `we`, `let me`, `le doy`.
    Speaker = "speaker",
    /// Organisations that pay for tenants: `voucher`, `church`.
    Agency = "agency",
    /// `the`, `my`: before an amount both sides know of.
    Known = "known",
    /// `pay`, `pago`: told of, not offered.
    Habit = "habit",
    /// `ill`, `offer`: words of will beside a verb.
    Willing = "willing",
    /// `with`, `from`, before somebody who is no subject.
    Beside = "beside",
    /// `i`, `we`, `yo`.
    Own = "own_subject",
    /// Verbs that open a question: `can i`.
    Inverted = "inverted",
    /// Forms of "to be" that make an amount the figure of the noun before.
    Copula = "copula",
}

/// Membership of words in classes.
#[derive(Debug, Default)]
pub(crate) struct WordClasses {
    lists: Vec<Vec<Sym>>,
}

impl WordClasses {
    /// Reads lines `name: word word …`; a class may continue on further lines.
    pub(super) fn load(data: &str, lexicon: &mut Lexicon) -> (Self, Vec<String>) {
        let mut lists = vec![Vec::new(); NAMES.len()];
        let mut unknown = Vec::new();
        for line in data.lines().filter(|l| !l.starts_with('#')) {
            let Some((name, words)) = line.split_once(':') else {
                continue;
            };
            match NAMES.iter().position(|n| *n == name.trim()) {
                Some(i) => lists[i].extend(words.split_whitespace().map(|w| lexicon.intern(w))),
                None => unknown.push(name.to_owned()),
            }
        }
        for list in &mut lists {
            list.sort_unstable();
            list.dedup();
        }
        (Self { lists }, unknown)
    }

    /// Whether a word is of a class.
    pub(super) fn is(&self, sym: Sym, class: Class) -> bool {
        self.lists
            .get(class as usize)
            .is_some_and(|l| l.binary_search(&sym).is_ok())
    }

    /// Position of a word in the data line of an ordered class is not kept; use
    /// [`super::calendar`] for weekdays and months.
    #[cfg(test)]
    pub(crate) fn is_empty_class(&self) -> Option<&'static str> {
        self.lists.iter().position(Vec::is_empty).map(|i| NAMES[i])
    }
}
